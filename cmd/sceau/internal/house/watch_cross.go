package house

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	"sceau/ca"
	"sceau/lifecycle"
)

// crossed are the cross-certificates that have not ended: the lists of the roots that
// signed them tell of each.
func (w *watcher) crossed(ctx context.Context) ([]watched, error) {
	all, err := w.Service.CrossCertificates(ctx)
	if err != nil {
		return nil, err
	}
	var sample []watched
	for _, x := range all {
		c, err := x509.ParseCertificate(x.Certificate)
		if err != nil {
			return nil, fmt.Errorf("cross-certificate of %s by %s: %w", x.Subject, x.Issuer, err)
		}
		if !w.now.After(c.NotAfter) {
			sample = append(sample, watched{c, x.Issuer, 0, "cross", x.Revoked, true})
		}
	}
	return sample, nil
}

// crossBundles fetches the bundle of each root that another has certified: it has what
// they signed and is not revoked, so that whoever trusts another root finds the way,
// and nobody one that is closed.
func (w *watcher) crossBundles(ctx context.Context) error {
	all, err := w.Service.CrossCertificates(ctx)
	if err != nil {
		return err
	}
	live, err := w.crosses(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, x := range all {
		if !seen[x.Subject] {
			seen[x.Subject] = true
			if err := w.crossBundle(ctx, x.Subject, live[x.Subject]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watcher) crossBundle(ctx context.Context, root string, crosses []*x509.Certificate) error {
	want, err := ca.CertsOnly(append([]*x509.Certificate{w.parsed[root]}, crosses...)...)
	if err != nil {
		return err
	}
	own := ca.Issuer{ID: root, PublicBase: w.issuers[root].PublicBase}
	at := strings.TrimSuffix(own.URLs(0).CA, ".cer") + ".p7c"
	s := w.sight(Sight{Issuer: root, About: "certificates", What: "cross-certificates of " + root, Found: at})
	s.Err = w.patiently(ctx, func() error {
		got, err := w.get(ctx, at, largestAnswer)
		if err == nil && !bytes.Equal(got.body, want) { // an open door takes a change up within seconds
			err = fmt.Errorf("%w: %s is not the root with its %d cross-certificates that are not revoked", lifecycle.Unavailable, at, len(crosses))
		}
		return err
	})
	return nil
}
