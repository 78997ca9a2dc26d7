package house

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// Watch says how revocation is looked at from outside.
type Watch struct {
	Resolve      string              // host:port that every connection goes to; "": where the addresses say
	Certificates []*x509.Certificate // besides the sample
	Pause        time.Duration       // before what is away is tried again; 0: 2 seconds
}

// Sight is what was seen of one thing, and what is wrong with it.
type Sight struct {
	Issuer string
	About  string // "lists", "answers", "certificates"
	What   string // "CRL issuing-1/0"
	Found  string
	Err    error
}

// settled is how long a change of status may take until every list has it.
const settled = time.Minute

// watched is a certificate whose status is asked.
type watched struct {
	*x509.Certificate

	issuer  string
	shard   int
	profile string
	revoked bool
	settled bool // its status is not just changing
}

// watcher is one look.
type watcher struct {
	*House
	fetcher

	now     time.Time
	issuers map[string]issuance.Authority
	parsed  map[string]*x509.Certificate
	lists   map[string]*listSight // by the address of the full list
	answers map[string]*answerSight
	bundles map[string]*Sight // by the address of the CA certificate
	order   []*Sight          // as they came up
}

// LookAtRevocation takes a sample of certificates and fetches, at the addresses
// inside them, every list, OCSP answers and the CA's certificate, and judges them
// as a relying party must; what they say of each certificate is compared with the
// database. An error means that nothing could be looked at.
func (h *House) LookAtRevocation(ctx context.Context, o Watch) ([]Sight, error) {
	w := &watcher{
		House: h, fetcher: newFetcher(o.Resolve, o.Pause), now: h.config.Now(), issuers: map[string]issuance.Authority{}, parsed: map[string]*x509.Certificate{},
		lists: map[string]*listSight{}, answers: map[string]*answerSight{}, bundles: map[string]*Sight{},
	}
	defer w.close()
	sample, err := w.sample(ctx, o.Certificates)
	if err != nil {
		return nil, err
	}
	for _, c := range sample {
		w.lookAt(ctx, c)
	}
	if err := w.crossBundles(ctx); err != nil {
		return nil, err
	}
	all := make([]Sight, len(w.order))
	for i, s := range w.order {
		all[i] = *s
	}
	return all, ctx.Err()
}

// lookout looks at revocation for the workers.
type lookout struct {
	*House

	resolve string
}

// WatchRevocation tells what is wrong, for staff: of each CA at most one alarm
// about its lists, one about its answers, one about its certificate.
func (l lookout) WatchRevocation(ctx context.Context) ([]issuance.Alarm, error) {
	sights, err := l.LookAtRevocation(ctx, Watch{Resolve: l.resolve})
	if err != nil {
		return nil, err
	}
	var alarms []issuance.Alarm
	seen := map[[2]string]bool{}
	for _, s := range sights {
		if key := [2]string{s.Issuer, s.About}; s.Err != nil && !seen[key] {
			seen[key] = true
			alarms = append(alarms, issuance.Alarm{Issuer: s.Issuer, About: s.About, Why: s.What + ": " + strings.ReplaceAll(s.Err.Error(), "\n", "; ")})
		}
	}
	return alarms, nil
}

// sample are one good and one revoked certificate of each issuer, shard and
// profile, the CAs' own, the cross-certificates, and those that were named.
func (w *watcher) sample(ctx context.Context, named []*x509.Certificate) ([]watched, error) {
	authorities, err := w.Service.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range authorities {
		w.issuers[a.ID] = a
		if w.parsed[a.ID], err = x509.ParseCertificate(a.Certificate); err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", a.ID, err)
		}
	}
	sample, err := w.authoritiesOf(ctx, authorities)
	if err != nil {
		return nil, err
	}
	crossed, err := w.crossed(ctx)
	if err != nil {
		return nil, err
	}
	sample = append(sample, crossed...)
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("draw a sample: %w", err)
	}
	asked := map[string]bool{}
	var serials []lifecycle.Serial
	for _, c := range named {
		serial, ok := serialOf(c)
		if !ok {
			return nil, fmt.Errorf("%w: serial %s is none of ours", lifecycle.NotFound, c.SerialNumber)
		}
		serials, asked[string(c.Raw)] = append(serials, serial), true
	}
	rows, err := w.Service.WatchedCertificates(ctx, lifecycle.SerialFrom(random), serials...)
	if err != nil {
		return nil, err
	}
	type kind struct {
		issuer, profile string
		shard           int
		revoked         bool
	}
	seen := map[kind]bool{}
	for _, r := range rows {
		k := kind{r.Issuer, r.Profile, r.Shard, r.Revoked}
		if seen[k] && !asked[string(r.DER)] {
			continue
		}
		seen[k] = true
		delete(asked, string(r.DER))
		c, err := x509.ParseCertificate(r.DER)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", r.ID, err)
		}
		sample = append(sample, watched{c, r.Issuer, r.Shard, r.Profile, r.Revoked, w.now.Sub(r.ChangedAt) >= settled})
	}
	if len(asked) > 0 {
		return nil, fmt.Errorf("%w: %d of the certificates are none that this house issued and that have not ended", lifecycle.NotFound, len(asked))
	}
	return sample, nil
}

// authoritiesOf are the certificates of CAs below another.
func (w *watcher) authoritiesOf(ctx context.Context, all []issuance.Authority) ([]watched, error) {
	records, err := w.Service.HouseCertificates(ctx)
	if err != nil {
		return nil, err
	}
	revoked := map[lifecycle.Serial]bool{}
	for _, r := range records {
		revoked[r.Serial] = r.Revoked != nil
	}
	var sample []watched
	for _, a := range all {
		if a.Parent == "" {
			continue
		}
		c := w.parsed[a.ID]
		serial, _ := serialOf(c) // another's is not revoked here
		sample = append(sample, watched{c, a.Parent, 0, "CA", revoked[serial], true})
	}
	return sample, nil
}

// serialOf is a certificate's serial, if it is of the length of ours.
func serialOf(c *x509.Certificate) (serial lifecycle.Serial, ok bool) {
	if c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() > 8*len(serial) {
		return serial, false
	}
	c.SerialNumber.FillBytes(serial[:])
	return serial, true
}

// lookAt asks all that a certificate says where to ask.
func (w *watcher) lookAt(ctx context.Context, c watched) {
	for _, at := range c.CRLDistributionPoints {
		w.list(ctx, c, at).compare(c)
	}
	if w.issuers[c.issuer].State != lifecycle.IssuerEnded { // nobody answers for it any more
		for _, at := range c.OCSPServer {
			w.answer(c, at).ask(ctx, w, c)
		}
	}
	for _, at := range c.IssuingCertificateURL {
		w.bundle(ctx, c, at)
	}
}

func (w *watcher) party(c watched) ca.RelyingParty {
	p := ca.RelyingParty{Certificate: c.Certificate, Issuer: w.parsed[c.issuer], Now: w.now}
	a := w.issuers[c.issuer]
	over := a.State == lifecycle.IssuerEnding || a.State == lifecycle.IssuerEnded // nothing follows its last list
	if a.Online && !over {                                                        // the root's list is signed at a ceremony
		const missed = 2 // lists in a row
		p.Oldest = missed * w.Service.Policy().CRLInterval
	}
	return p
}

func (w *watcher) sight(s Sight) *Sight {
	w.order = append(w.order, &s)
	return &s
}

// bundle fetches the issuer's certificate at the address inside the certificate.
func (w *watcher) bundle(ctx context.Context, c watched, at string) {
	if w.bundles[at] != nil {
		return
	}
	s := w.sight(Sight{Issuer: c.issuer, About: "certificates", What: "CA certificate " + c.issuer, Found: at})
	w.bundles[at] = s
	var got fetched
	err := w.patiently(ctx, func() (err error) {
		got, err = w.get(ctx, at, largestAnswer)
		return err
	})
	if err != nil {
		s.Err = err
		return
	}
	served, err := x509.ParseCertificate(got.body)
	switch {
	case err != nil:
		s.Err = fmt.Errorf("%w: %s serves no certificate: %w", lifecycle.Invalid, at, err)
	case !served.Equal(w.parsed[c.issuer]):
		s.Err = fmt.Errorf("%w: %s serves another certificate than the issuer's", lifecycle.Invalid, at)
	case got.header.Get("Content-Type") != "application/pkix-cert":
		s.Err = fmt.Errorf("%w: %s serves a certificate as %q", lifecycle.Invalid, at, got.header.Get("Content-Type"))
	}
}

// answerSight is what was seen of an OCSP responder.
type answerSight struct {
	*Sight

	at    string
	asked int
}

func (w *watcher) answer(c watched, at string) *answerSight {
	key := c.issuer + " " + at
	if w.answers[key] == nil {
		w.answers[key] = &answerSight{w.sight(Sight{Issuer: c.issuer, About: "answers", What: "OCSP " + c.issuer}), at, 0}
	}
	return w.answers[key]
}

// ask asks by POST, by GET and with a nonce about a certificate, and once about a
// serial that nobody issued.
func (s *answerSight) ask(ctx context.Context, w *watcher, c watched) {
	if s.asked == 0 {
		s.wrong(s.askUnknown(ctx, w, c))
	}
	s.asked++
	s.Found = fmt.Sprintf("%s says of %d certificates what the database does, by POST, GET and nonce", s.at, s.asked)
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		s.wrong(err)
		return
	}
	for _, q := range []struct {
		get   bool
		hash  crypto.Hash
		nonce []byte
	}{{false, crypto.SHA1, nil}, {true, crypto.SHA1, nil}, {true, crypto.SHA256, nil}, {false, crypto.SHA1, nonce}} {
		single, got, err := s.question(ctx, w, c, q.get, q.hash, q.nonce)
		if err == nil && q.get {
			err = got.cached("application/ocsp-response", single.NextUpdate, w.now)
		}
		if err == nil && q.nonce != nil {
			err = got.uncached()
		}
		if says := single.Status.State; err == nil && c.settled && (says == ca.StateRevoked) != c.revoked {
			err = fmt.Errorf("%w: it is %s, the database says %s", lifecycle.Conflict, word(says == ca.StateRevoked), word(c.revoked))
		}
		if err != nil {
			s.wrong(fmt.Errorf("serial %x: %w", c.SerialNumber, err))
			return
		}
	}
}

func (s *answerSight) question(ctx context.Context, w *watcher, c watched, get bool, hash crypto.Hash, nonce []byte) (ca.SingleAnswer, fetched, error) {
	p := w.party(c)
	question, err := ca.OCSPQuestion(c.Certificate, p.Issuer, hash, nonce)
	if err != nil {
		return ca.SingleAnswer{}, fetched{}, err
	}
	var got fetched
	var single ca.SingleAnswer
	err = w.patiently(ctx, func() (err error) {
		if get {
			got, err = w.askGet(ctx, s.at, question)
		} else {
			got, err = w.fetcher.ask(ctx, http.MethodPost, s.at, question, largestAnswer)
		}
		if err == nil {
			p.Now = w.config.Now() // an answer may be newer than the look
			single, err = p.Answer(got.body, hash, nonce)
		}
		return err
	})
	return single, got, err
}

// askUnknown asks about a serial that nobody issued: it is never good.
func (s *answerSight) askUnknown(ctx context.Context, w *watcher, c watched) error {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("draw a serial: %w", err)
	}
	serial := lifecycle.SerialFrom(random)
	never := *c.Certificate
	never.SerialNumber = new(big.Int).SetBytes(serial[:])
	c.Certificate = &never
	single, _, err := s.question(ctx, w, c, false, crypto.SHA1, nil)
	if err == nil && single.Status.State == ca.StateGood {
		err = fmt.Errorf("%w: it is good", lifecycle.Conflict)
	}
	if err != nil {
		return fmt.Errorf("a serial that was never issued: %w", err)
	}
	return nil
}

// wrong adds what is wrong; a few of many are told.
func (s *Sight) wrong(err error) {
	const told = 2000
	if err != nil && (s.Err == nil || len(s.Err.Error()) < told) {
		s.Err = errors.Join(s.Err, err)
	}
}

func word(revoked bool) string {
	if revoked {
		return "revoked"
	}
	return "good"
}
