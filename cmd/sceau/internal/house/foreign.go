package house

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
	"sceau/trust"
)

// answerPatience is how long another CA's responder has: a relying service waits.
const answerPatience = 4 * time.Second

// newOutside makes a fetcher of what other CAs publish. It goes to public addresses
// alone, looked at when it connects, whatever a name led to; or to private ones too. It
// follows no redirect.
func newOutside(private bool) fetcher {
	f := newFetcher("", 0)
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !private && !public(at.Addr()) {
			return fmt.Errorf("%w: %s is no public address", lifecycle.Forbidden, address)
		}
		return nil
	}}
	if t, ok := f.client.Transport.(*http.Transport); ok {
		t.DialContext = dialer.DialContext
	}
	return f
}

// notPublic are networks that netip has no word for: shared address space, protocol
// assignments, documentation, benchmarks, what was reserved, and IPv4 inside IPv6.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

func public(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

// outside fetches what other CAs publish, and judges their certificates.
type outside struct{ public, private fetcher }

func newForeign() outside { return outside{newOutside(false), newOutside(true)} }

func (o outside) to(private bool) fetcher {
	if private {
		return o.private
	}
	return o.public
}

// FetchList fetches a list.
func (o outside) FetchList(ctx context.Context, address string, private bool) ([]byte, error) {
	got, err := o.to(private).get(ctx, address, ca.MaxForeignList)
	return got.body, err
}

// Judge judges a certificate by itself, under an entry.
func (outside) Judge(e *trust.Entry, certificate []byte, at time.Time, purpose trust.Purpose) trust.Judged {
	return ca.JudgeForeign(e, certificate, at, purpose)
}

// CheckSignature tells whether the key of a certificate signed a text.
func (outside) CheckSignature(certificate, text, signature []byte) error {
	return ca.CheckStatement(certificate, text, signature)
}

// Ask asks the responder of an entry about a certificate.
func (o outside) Ask(ctx context.Context, e *trust.Entry, c, issuer *x509.Certificate, at time.Time) (trust.Status, []byte, error) {
	question, err := ca.ForeignQuestion(c, issuer)
	if err != nil {
		return trust.Status{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	got, err := o.to(e.Private).ask(ctx, http.MethodPost, e.Responder, question, ca.MaxForeignAnswer)
	if err != nil {
		return trust.Status{}, nil, err
	}
	s, err := ca.ReadForeignAnswer(got.body, c, issuer, at)
	s.Source = e.Responder
	return s, got.body, err
}
