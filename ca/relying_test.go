package ca

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/lifecycle"
)

func TestARelyingPartyRefusesWhatIsNotItsList(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, serial := h.issue(t, testNow)
	other := newHouse(t, ecKey(t, elliptic.P256()), testNow)
	party := RelyingParty{Certificate: leaf, Issuer: h.issuer.Certificate, Now: testNow.Add(time.Hour), Oldest: 2 * time.Hour}
	for name, tc := range map[string]struct {
		change func(*CRL, *RelyingParty)
		delta  bool
		want   string // "": nothing is wrong
	}{
		"its own list":                  {func(*CRL, *RelyingParty) {}, false, ""},
		"its own delta":                 {func(c *CRL, _ *RelyingParty) { c.BaseNumber = 2 }, true, ""},
		"another shard's list":          {func(c *CRL, _ *RelyingParty) { c.DistributionPoint = h.issuer.URLs(4).CRL }, false, "distribution point"},
		"a list of CAs":                 {func(c *CRL, _ *RelyingParty) { c.OnlyUser, c.OnlyCA = false, true }, false, "distribution point"},
		"another CA's list":             {func(_ *CRL, p *RelyingParty) { p.Issuer = other.issuer.Certificate }, false, "signature"},
		"a list past its end":           {func(_ *CRL, p *RelyingParty) { p.Now = testNow.AddDate(0, 0, 8) }, false, "ended at"},
		"a list of tomorrow":            {func(_ *CRL, p *RelyingParty) { p.Now = testNow.Add(-time.Minute) }, false, "in the future"},
		"a list of a clock a bit ahead": {func(_ *CRL, p *RelyingParty) { p.Now = testNow.Add(-2 * time.Second) }, false, ""},
		"a list that is too old":        {func(_ *CRL, p *RelyingParty) { p.Now = testNow.Add(3 * time.Hour) }, false, "should have been replaced"},
		"a delta for a full list":       {func(c *CRL, _ *RelyingParty) { c.BaseNumber = 2 }, false, "delta where a full list"},
		"a full list for a delta":       {func(*CRL, *RelyingParty) {}, true, "delta where a full list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, p := h.list(7), party
			tc.change(&c, &p)
			l, err := p.List(h.encode(t, c, Revoked{Serial: serial, At: testNow, Reason: lifecycle.ReasonSuperseded}), tc.delta)
			if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("error %v, not %q", err, tc.want)
			}
			if r, listed, err := l.Find(leaf.SerialNumber); err != nil || !listed || r.Reason != lifecycle.ReasonSuperseded {
				t.Errorf("finds %+v, %t, %v", r, listed, err)
			}
			if _, listed, err := l.Find(h.issuer.Certificate.SerialNumber); err != nil || listed {
				t.Errorf("finds another serial: %t, %v", listed, err)
			}
		})
	}
	if got := FreshestURL(leaf); got != h.issuer.URLs(3).Delta {
		t.Errorf("freshest list at %q", got)
	}
	if got := FreshestURL(h.issuer.Certificate); got != "" {
		t.Errorf("the CA's freshest list at %q", got)
	}
}

func TestADeltaCompletesNoOlderList(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		base, full int64
		want       bool
	}{"its base": {3, 3, true}, "a newer list": {3, 5, true}, "an older list": {3, 2, false}} {
		err := Together(&List{Number: tc.full}, &List{Number: 6, BaseNumber: tc.base})
		if (err == nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARelyingPartyRefusesWhatIsNotItsAnswer(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	another, _ := h.issue(t, testNow)
	other := newHouse(t, ecKey(t, elliptic.P256()), testNow)
	nonce := []byte("0123456789abcdef")
	gone := Status{State: StateRevoked, RevokedAt: testNow.Add(-time.Hour), Reason: lifecycle.ReasonKeyCompromise}
	for name, tc := range map[string]struct {
		status Status
		change func(*RelyingParty)
		nonce  []byte // awaited
		want   string // "": nothing is wrong
	}{
		"good":                           {Status{State: StateGood}, func(*RelyingParty) {}, nonce, ""},
		"revoked":                        {gone, func(*RelyingParty) {}, nonce, ""},
		"never issued":                   {Status{State: StateNeverIssued}, func(*RelyingParty) {}, nonce, ""},
		"of another question":            {Status{State: StateGood}, func(*RelyingParty) {}, []byte("another"), "nonce"},
		"with a nonce that nobody asked": {Status{State: StateGood}, func(*RelyingParty) {}, nil, "nonce"},
		"about another certificate":      {Status{State: StateGood}, func(p *RelyingParty) { p.Certificate = another }, nonce, "another certificate"},
		"of another CA's responder":      {Status{State: StateGood}, func(p *RelyingParty) { p.Issuer = other.issuer.Certificate }, nonce, "not its issuer's"},
		"past its end":                   {Status{State: StateGood}, func(p *RelyingParty) { p.Now = testNow.Add(2 * time.Hour) }, nonce, "ended at"},
		"of tomorrow":                    {Status{State: StateGood}, func(p *RelyingParty) { p.Now = testNow.Add(-time.Minute) }, nonce, "in the future"},
		"of a responder that has ended":  {gone, func(p *RelyingParty) { p.Now = testNow.AddDate(0, 0, 91) }, nonce, "certificate ended"},
	} {
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			t.Run(name+" by "+hash.String(), func(t *testing.T) {
				t.Parallel()
				question := must[[]byte](t)(OCSPQuestion(leaf, h.issuer.Certificate, hash, nonce))
				request := must[*OCSPRequest](t)(ParseOCSPRequest(question))
				if theirs, err := ocsp.ParseRequest(question); err != nil || theirs.SerialNumber.Cmp(leaf.SerialNumber) != 0 || theirs.HashAlgorithm != hash {
					t.Errorf("x/crypto reads the question as %+v, %v", theirs, err)
				}
				answer := must[Answer](t)(h.responder.Answer(request, []Status{tc.status}, testNow, h.ocspKey))
				p := RelyingParty{Certificate: leaf, Issuer: h.issuer.Certificate, Now: testNow.Add(time.Minute)}
				tc.change(&p)
				got, err := p.Answer(answer.DER, hash, tc.nonce)
				if tc.want != "" {
					if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tc.want) {
						t.Fatalf("error %v, not %q", err, tc.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if good := tc.status.State == StateGood; (got.Status.State == StateGood) != good {
					t.Errorf("it says %+v of %+v", got.Status, tc.status)
				}
				if tc.status.State == StateRevoked && (!got.Status.RevokedAt.Equal(gone.RevokedAt) || got.Status.Reason != gone.Reason) {
					t.Errorf("it says %+v", got.Status)
				}
			})
		}
	}
}

func TestAForgedAnswerIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	request := must[*OCSPRequest](t)(ParseOCSPRequest(must[[]byte](t)(OCSPQuestion(leaf, h.issuer.Certificate, crypto.SHA1, nil))))
	der := must[Answer](t)(h.responder.Answer(request, []Status{{State: StateGood}}, testNow, h.ocspKey)).DER
	p := RelyingParty{Certificate: leaf, Issuer: h.issuer.Certificate, Now: testNow}
	for n := range der {
		forged := bytes.Clone(der)
		forged[n] ^= 1
		if s, err := p.Answer(forged, crypto.SHA1, nil); err == nil && s.Status.State == StateGood {
			// The certificate and its signature are checked by NewResponder; nothing else may differ.
			t.Errorf("an answer with octet %d changed is taken", n)
		}
	}
	for _, code := range []OCSPError{OCSPMalformed, OCSPInternal, OCSPTryLater, OCSPUnauthorized} {
		if _, err := ReadOCSPAnswer(ErrorResponse(code)); !errors.Is(err, lifecycle.Unavailable) {
			t.Errorf("error answer %d: %v", code, err)
		}
	}
}

func TestOwnListsAreClean(t *testing.T) {
	t.Parallel()
	h := setup(t)
	full, delta := h.list(7), h.list(8)
	delta.BaseNumber = 7
	root := CRL{Issuer: h.root.Certificate, Number: 1, ThisUpdate: testNow, NextUpdate: testNow.AddDate(1, 0, 0), OnlyCA: true}
	of := must[[]byte](t)
	for name, der := range map[string][]byte{
		"full":          h.encode(t, full, entry(1, lifecycle.ReasonCertificateHold), entry(2, lifecycle.ReasonUnspecified)),
		"empty":         h.encode(t, full),
		"delta":         h.encode(t, delta, entry(1, lifecycle.ReasonRemoveFromCRL)),
		"the root's":    of(EncodeCRL(root, encoded(t), h.rootKey)),
		"PEM of a list": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: h.encode(t, full)}),
	} {
		if findings, err := LintList(der); err != nil || len(findings) != 0 {
			t.Errorf("%s: %+v, %v", name, findings, err)
		}
	}
}

func TestListRulesBite(t *testing.T) {
	t.Parallel()
	h := setup(t)
	root := CRL{Issuer: h.root.Certificate, Number: 1, ThisUpdate: testNow, NextUpdate: testNow.AddDate(2, 0, 0), OnlyCA: true}
	twice := h.encode(t, h.list(7), entry(2, 1), entry(1, 1))
	removed := h.encode(t, h.list(7), entry(1, lifecycle.ReasonRemoveFromCRL))
	future := entry(1, 1)
	future.At = testNow.Add(time.Hour)
	for rule, der := range map[string][]byte{
		"list-of-cas-life": must[[]byte](t)(EncodeCRL(root, encoded(t), h.rootKey)),
		"list-entries":     twice,
	} {
		if !broken(t, der, rule) {
			t.Errorf("%s does not bite", rule)
		}
	}
	for _, der := range [][]byte{removed, h.encode(t, h.list(7), future)} {
		if !broken(t, der, "list-entries") {
			t.Error("list-entries does not bite")
		}
	}
	// Extensions with the wrong criticality: what one octet says.
	for oid, rule := range map[string]string{string(derIssuingDP): "list-scope-critical", string(derDeltaCRLIndicator): "list-delta-critical"} {
		c := h.list(8)
		c.BaseNumber = 7
		der := h.encode(t, c)
		at := bytes.Index(der, []byte(oid)) + len(oid)
		if der[at] != 1 || der[at+2] != 0xff {
			t.Fatalf("no critical flag behind the identifier of %s", rule)
		}
		der[at+2] = 0 // FALSE written out: not DER, but read so
		if !broken(t, der, rule) {
			t.Errorf("%s does not bite", rule)
		}
	}
}

func broken(t testing.TB, der []byte, rule string) bool {
	t.Helper()
	l, err := ReadCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range l.ownRules() {
		if f.Rule == rule {
			return true
		}
	}
	return false
}

func FuzzReadOCSPAnswer(f *testing.F) {
	h := setup(f)
	leaf, _ := h.issue(f, testNow)
	request := must[*OCSPRequest](f)(ParseOCSPRequest(must[[]byte](f)(OCSPQuestion(leaf, h.issuer.Certificate, crypto.SHA1, []byte("01234567")))))
	for _, s := range []Status{{State: StateGood}, {State: StateRevoked, RevokedAt: testNow, Reason: 1}, {State: StateNeverIssued}, {}} {
		f.Add(must[Answer](f)(h.responder.Answer(request, []Status{s}, testNow, h.ocspKey)).DER)
	}
	f.Add(ErrorResponse(OCSPTryLater))
	p := RelyingParty{Certificate: leaf, Issuer: h.issuer.Certificate, Now: testNow}
	f.Fuzz(func(t *testing.T, der []byte) {
		a, err := ReadOCSPAnswer(der)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) && !errors.Is(err, lifecycle.Unavailable) {
				t.Fatalf("error %v has no kind", err)
			}
			return
		}
		if len(a.Singles) < 1 || len(a.Singles) > MaxCertIDs || len(a.Nonce) > maxNonce {
			t.Fatalf("out of bounds: %+v", a)
		}
		_, _ = p.Answer(der, crypto.SHA1, a.Nonce)
		// What x/crypto/ocsp takes too, it must read alike.
		theirs, err := ocsp.ParseResponse(der, nil)
		if err == nil && len(a.Singles) == 1 && (theirs.Status == ocsp.Good) != (a.Singles[0].Status.State == StateGood) {
			t.Fatalf("it is read as %+v, x/crypto reads %d", a.Singles[0].Status, theirs.Status)
		}
	})
}

func FuzzLintList(f *testing.F) {
	h := setup(f)
	delta := h.list(9)
	delta.BaseNumber = 3
	f.Add(h.encode(f, h.list(1), entry(1, 1)))
	f.Add(h.encode(f, delta, entry(1, lifecycle.ReasonRemoveFromCRL)))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: h.encode(f, h.list(1))}))
	leaf, _ := h.issue(f, testNow)
	p := RelyingParty{Certificate: leaf, Issuer: h.issuer.Certificate, Now: testNow}
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := LintList(file); err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Fatal(err)
		}
		_, _ = p.List(file, false)
	})
}
