package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/lifecycle"
	"sceau/trust"
)

const foreignPolicy = "1.2.250.1.99.1"

// foreign is another bank's CA: a root and a CA below it.
type foreign struct {
	rootKey, key crypto.Signer
	root, ca     *x509.Certificate
}

func newForeign(t testing.TB, adapt ...func(root, ca *x509.Certificate)) *foreign {
	t.Helper()
	f := &foreign{rootKey: ecKey(t, elliptic.P256()), key: ecKey(t, elliptic.P256())}
	of := func(cn string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn, Country: []string{"BE"}}, NotBefore: testNow.AddDate(-1, 0, 0),
			NotAfter: testNow.AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
	}
	root, below := of("Autre racine"), of("Autre CA")
	below.Policies = []x509.OID{oidOf(t, foreignPolicy)}
	for _, a := range adapt {
		a(root, below)
	}
	f.root = signedBy(t, root, root, f.rootKey.Public(), f.rootKey)
	f.ca = signedBy(t, below, f.root, f.key.Public(), f.rootKey)
	return f
}

func oidOf(t testing.TB, text string) x509.OID {
	t.Helper()
	return must[x509.OID](t)(x509.ParseOID(text))
}

func signedBy(t testing.TB, c, by *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, c, by, public, key))
	return must[*x509.Certificate](t)(x509.ParseCertificate(der))
}

// person is a right certificate of a person, for tests to spoil.
func person(t testing.TB) *x509.Certificate {
	t.Helper()
	return &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "Lotte Peeters"}, NotBefore: testNow.AddDate(0, -1, 0), NotAfter: testNow.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
		Policies: []x509.OID{oidOf(t, foreignPolicy)}, CRLDistributionPoints: []string{"http://autre.example/1.crl"},
	}
}

func (f *foreign) entry(t testing.TB) *trust.Entry {
	t.Helper()
	e := &trust.Entry{
		Name: "autre", Title: "Autre", Level: "**", Certificates: [][]byte{f.root.Raw, f.ca.Raw}, Policies: []string{foreignPolicy},
		Lists: []string{"http://autre.example/1.crl"}, Ask: trust.AskLists, Until: "2028-12-31",
	}
	return must[*trust.Entry](t)(trust.Read(e.Canonical()))
}

func TestACertificateOfAnotherCAIsJudged(t *testing.T) {
	t.Parallel()
	f, impostor := newForeign(t), newForeign(t) // the same names, other keys
	e := f.entry(t)
	short := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
	extension := func(critical bool) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 250, 1, 99, 7}, Critical: critical, Value: []byte{5, 0}}
	}
	for name, tc := range map[string]struct {
		spoil   func(*x509.Certificate)
		by      *foreign
		key     crypto.Signer
		at      time.Time
		purpose trust.Purpose
		want    string
	}{
		"a right one":                       {},
		"for signing":                       {purpose: trust.Signature},
		"without extended usage":            {spoil: func(c *x509.Certificate) { c.ExtKeyUsage = nil }},
		"right name, wrong CA":              {by: impostor, want: "wrong_issuer"},
		"a name that nobody has":            {by: newForeign(t, func(_, c *x509.Certificate) { c.Subject.CommonName = "Tiers" }), want: "unknown_issuer"},
		"a CA as end entity":                {spoil: func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign }, want: "ca_certificate"},
		"one that signs without being a CA": {spoil: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }, want: "ca_certificate"},
		"too early":                         {at: testNow.AddDate(-1, -1, 0), want: "not_yet_valid ca_expired"},
		"too late":                          {at: testNow.AddDate(3, 0, 0), want: "expired"},
		"at its last second":                {at: testNow.AddDate(2, 0, 0)},
		"a weak key":                        {key: short, want: "weak_key"},
		"no usage":                          {spoil: func(c *x509.Certificate) { c.KeyUsage = 0 }, want: "key_usage"},
		"a usage for enciphering":           {spoil: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, want: "key_usage"},
		"a server's":                        {spoil: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, want: "key_usage"},
		"commitment alone, to sign in":      {spoil: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, want: "key_usage"},
		"commitment alone, to sign":         {spoil: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, purpose: trust.Signature},
		"no policy":                         {spoil: func(c *x509.Certificate) { c.Policies = nil }, want: "policy"},
		"another policy":                    {spoil: func(c *x509.Certificate) { c.Policies = []x509.OID{oidOf(t, "1.2.250.1.99.2")} }, want: "policy"},
		"any policy":                        {spoil: func(c *x509.Certificate) { c.Policies = []x509.OID{oidOf(t, "2.5.29.32.0")} }, want: "policy"},
		"an extension that nobody knows":    {spoil: func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{extension(false)} }},
		"the same, critical":                {spoil: func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{extension(true)} }, want: "critical_extension"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, by, key, at, purpose := person(t), tc.by, tc.key, tc.at, tc.purpose
			if tc.spoil != nil {
				tc.spoil(c)
			}
			if by == nil {
				by = f
			}
			if key == nil {
				key = ecKey(t, elliptic.P256())
			}
			if at.IsZero() {
				at = testNow
			}
			if purpose == "" {
				purpose = trust.Authentication
			}
			j := JudgeForeign(e, signedBy(t, c, by.ca, key.Public(), by.key).Raw, at, purpose)
			if got := codes(j); got != tc.want {
				t.Errorf("found %q, want %q: %s", got, tc.want, j.Why)
			}
			if (j.Chain == nil) != (strings.Contains(tc.want, "issuer") || strings.Contains(tc.want, "ca_expired")) {
				t.Errorf("a path of %d certificates", len(j.Chain))
			}
		})
	}
}

func codes(j trust.Judged) string {
	words := make([]string, len(j.Codes))
	for i, c := range j.Codes {
		words[i] = string(c)
	}
	return strings.Join(words, " ")
}

func TestWhatACAMayNotSignIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ca   func(root, ca *x509.Certificate)
		leaf func(*x509.Certificate)
		want string
	}{
		"a name in its domain": {
			func(_, c *x509.Certificate) { c.PermittedEmailAddresses = []string{"autre.example"} },
			func(c *x509.Certificate) { c.EmailAddresses = []string{"lotte@autre.example"} }, "",
		},
		"a name outside": {
			func(_, c *x509.Certificate) { c.PermittedEmailAddresses = []string{"autre.example"} },
			func(c *x509.Certificate) { c.EmailAddresses = []string{"lotte@banque.example"} }, "name_constraint",
		},
		"a name outside that hides in the subject": {
			func(_, c *x509.Certificate) { c.PermittedEmailAddresses = []string{"autre.example"} },
			func(c *x509.Certificate) {
				c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidMailInSubject, Value: "lotte@banque.example"}}
			}, "name_constraint",
		},
		"a CA for servers": {
			func(_, c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, func(*x509.Certificate) {}, "key_usage",
		},
		"a root that lets no CA stand below": {
			func(r, _ *x509.Certificate) { r.MaxPathLenZero = true }, func(*x509.Certificate) {}, "no_path",
		},
		"a policy that its CA has not": {
			func(_, c *x509.Certificate) { c.Policies = []x509.OID{oidOf(t, "1.2.250.1.99.2")} }, func(*x509.Certificate) {}, "policy",
		},
		"a CA of no policy": {func(_, c *x509.Certificate) { c.Policies = nil }, func(*x509.Certificate) {}, "policy"},
		"a CA of any policy": {
			func(_, c *x509.Certificate) { c.Policies = []x509.OID{oidOf(t, oidAnyPolicy)} }, func(*x509.Certificate) {}, "",
		},
		"a CA of any policy, which its root forbids": {
			func(r, c *x509.Certificate) {
				c.Policies = []x509.OID{oidOf(t, oidAnyPolicy)}
				r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 54}, Critical: true, Value: []byte{2, 1, 0}}}
			}, func(*x509.Certificate) {}, "policy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := newForeign(t, tc.ca), person(t)
			tc.leaf(c)
			j := JudgeForeign(f.entry(t), signedBy(t, c, f.ca, ecKey(t, elliptic.P256()).Public(), f.key).Raw, testNow, trust.Authentication)
			if got := codes(j); got != tc.want {
				t.Errorf("found %q, want %q: %s", got, tc.want, j.Why)
			}
		})
	}
}

func TestGarbageIsNoCertificate(t *testing.T) {
	t.Parallel()
	e := newForeign(t).entry(t)
	for name, der := range map[string][]byte{"nothing": nil, "noise": []byte("0\x82\x01\x00abc"), "too long": bytes.Repeat([]byte{0x30}, MaxCertificate+1)} {
		if j := JudgeForeign(e, der, testNow, trust.Authentication); codes(j) != "malformed" || j.Certificate != nil {
			t.Errorf("%s: %q", name, codes(j))
		}
	}
}

func TestAnchorsAreCAsOfThisTime(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	if err := CheckAnchors(f.entry(t).CAs(), testNow); err != nil {
		t.Error(err)
	}
	if err := CheckAnchors(f.entry(t).CAs(), testNow.AddDate(10, 0, 0)); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("CAs that ended: %v", err)
	}
}

// list is a right list of the foreign CA, for tests to spoil.
func (f *foreign) list(t testing.TB, spoil ...func(*x509.RevocationList)) []byte {
	t.Helper()
	l := &x509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: testNow.Add(-time.Hour), NextUpdate: testNow.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(4711), RevocationTime: testNow.Add(-2 * time.Hour), ReasonCode: 1}},
	}
	for _, s := range spoil {
		s(l)
	}
	return must[[]byte](t)(x509.CreateRevocationList(rand.Reader, l, f.ca, f.key))
}

// scope is an issuing distribution point with raw members.
func scope(members ...byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: append([]byte{0x30, byte(len(members))}, members...)}
}

func TestAForeignListIsBelievedOrNot(t *testing.T) {
	t.Parallel()
	f, impostor := newForeign(t), newForeign(t)
	with := func(x pkix.Extension) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ExtraExtensions = append(l.ExtraExtensions, x) }
	}
	entry := func(x pkix.Extension) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = append(l.RevokedCertificateEntries[0].ExtraExtensions, x)
		}
	}
	uri := "http://autre.example/1.crl"
	point := append([]byte{0xa0, byte(len(uri) + 4), 0xa0, byte(len(uri) + 2), 0x86, byte(len(uri))}, uri...)
	for name, tc := range map[string]struct {
		der    []byte
		want   string // "": it is believed
		points []string
	}{
		"a right one":          {f.list(t), "", nil},
		"of users":             {f.list(t, with(scope(0x81, 1, 0xff))), "", []string{trust.OnlyUsers}},
		"of CAs":               {f.list(t, with(scope(0x82, 1, 0xff))), "", []string{trust.OnlyCAs}},
		"of a point":           {f.list(t, with(scope(point...))), "", []string{uri}},
		"indirect":             {f.list(t, with(scope(0x84, 1, 0xff))), "indirect", nil},
		"for some reasons":     {f.list(t, with(scope(0x83, 2, 1, 6))), "some reasons", nil},
		"of attributes":        {f.list(t, with(scope(0x85, 1, 0xff))), "other things", nil},
		"a delta":              {f.list(t, with(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 3}})), "delta", nil},
		"a critical extension": {f.list(t, with(pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})), "critical", nil},
		"an entry of another":  {f.list(t, entry(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}})), "another issuer", nil},
		"ended":                {f.list(t, func(l *x509.RevocationList) { l.NextUpdate = testNow }), "ended", nil},
		"of tomorrow": {f.list(t, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = testNow.Add(time.Hour), testNow.Add(2*time.Hour)
		}), "future", nil},
		"right name, wrong key": {impostor.list(t), "did not sign", nil},
		"of another issuer":     {newForeign(t, func(_, c *x509.Certificate) { c.Subject.CommonName = "Tiers" }).list(t), "another issuer", nil},
		"by SHA-1":              {bytes.ReplaceAll(f.list(t), []byte("\x2a\x86\x48\xce\x3d\x04\x03\x02"), []byte("\x2a\x86\x48\xce\x3d\x04\x03\x01")), "algorithm", nil},
		"changed":               {bytes.Replace(f.list(t), []byte{0x02, 0x02, 0x12, 0x67}, []byte{0x02, 0x02, 0x12, 0x68}, 1), "did not sign", nil},
		"oversized":             {make([]byte, MaxForeignList+1), "longer", nil},
		"garbage":               {[]byte("0\x82\x00\x03abc"), "not a version 2", nil},
		"nothing":               {nil, "not a version 2", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := ReadForeignList(tc.der, f.entry(t).CAs(), testNow)
			var entries []ForeignEntry
			if err == nil {
				for e, wrong := range l.All() {
					if err = wrong; err == nil {
						entries = append(entries, e)
					}
				}
			}
			if tc.want != "" {
				if err == nil || !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want one of %q", err, tc.want)
				}
				return
			}
			if err != nil || len(entries) != 1 || !bytes.Equal(entries[0].Serial, []byte{0x12, 0x67}) || entries[0].Reason != lifecycle.ReasonKeyCompromise ||
				!slices.Equal(l.Points, tc.points) || l.Number[19] != 7 || !l.Issuer.Equal(f.ca) {
				t.Errorf("read %+v %v, %v", l, entries, err)
			}
		})
	}
}

func TestAForeignAnswerIsBelievedOrNot(t *testing.T) {
	t.Parallel()
	f, impostor := newForeign(t), newForeign(t)
	c := signedBy(t, person(t), f.ca, ecKey(t, elliptic.P256()).Public(), f.key)
	other := person(t)
	other.SerialNumber = big.NewInt(4712)
	responderKey := ecKey(t, elliptic.P256())
	responder := person(t)
	responder.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	delegate := signedBy(t, responder, f.ca, responderKey.Public(), f.key)
	responder.NotAfter = testNow.AddDate(0, 0, -1)
	ended := signedBy(t, responder, f.ca, responderKey.Public(), f.key)
	plain := signedBy(t, other, f.ca, responderKey.Public(), f.key)
	answer := func(by *x509.Certificate, key crypto.Signer, spoil func(*ocsp.Response)) []byte {
		r := ocsp.Response{Status: ocsp.Good, SerialNumber: c.SerialNumber, ThisUpdate: testNow.Add(-time.Minute), NextUpdate: testNow.Add(time.Hour)}
		if by != f.ca && by != impostor.ca {
			r.Certificate = by
		}
		spoil(&r)
		return must[[]byte](t)(ocsp.CreateResponse(f.ca, by, r, key))
	}
	fine := func(*ocsp.Response) {}
	for name, tc := range map[string]struct {
		der  []byte
		want string // code, or a part of the error after "!"
	}{
		"by the CA":                {answer(f.ca, f.key, fine), ""},
		"by its delegate":          {answer(delegate, responderKey, fine), ""},
		"revoked":                  {answer(f.ca, f.key, func(r *ocsp.Response) { r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, testNow, 1 }), "revoked"},
		"held":                     {answer(f.ca, f.key, func(r *ocsp.Response) { r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, testNow, 6 }), "on_hold"},
		"unknown":                  {answer(f.ca, f.key, func(r *ocsp.Response) { r.Status = ocsp.Unknown }), "not_issued"},
		"of another certificate":   {answer(f.ca, f.key, func(r *ocsp.Response) { r.SerialNumber = other.SerialNumber }), "!no response matching"},
		"ended":                    {answer(f.ca, f.key, func(r *ocsp.Response) { r.NextUpdate = testNow }), "!ended"},
		"without an end, old":      {answer(f.ca, f.key, func(r *ocsp.Response) { r.NextUpdate, r.ThisUpdate = time.Time{}, testNow.Add(-2*time.Hour) }), "!ended"},
		"of tomorrow":              {answer(f.ca, f.key, func(r *ocsp.Response) { r.ThisUpdate = testNow.Add(time.Hour / 2) }), "!future"},
		"by an impostor":           {answer(impostor.ca, impostor.key, fine), "!signature"},
		"by a person":              {answer(plain, responderKey, fine), "!delegates nothing"},
		"by a delegate that ended": {answer(ended, responderKey, fine), "!responder's certificate"},
		"garbage":                  {[]byte("0\x03abc"), "!OCSP"},
		"too long":                 {make([]byte, MaxForeignAnswer+1), "!longer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ReadForeignAnswer(tc.der, c, f.ca, testNow)
			if part, wrong := strings.CutPrefix(tc.want, "!"); wrong {
				if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), part) {
					t.Errorf("answered %+v, %v: want an error of %q", s, err, part)
				}
			} else if err != nil || string(s.Code) != tc.want {
				t.Errorf("answered %+v, %v: want %q", s, err, tc.want)
			}
		})
	}
	if question, err := ForeignQuestion(c, f.ca); err != nil || must[*ocsp.Request](t)(ocsp.ParseRequest(question)).SerialNumber.Cmp(c.SerialNumber) != 0 {
		t.Errorf("the question: %v", err)
	}
}

// FuzzForeign takes whatever bytes as certificate, list and answer: each is judged, and
// what is accepted of them was signed.
func FuzzForeign(f *testing.F) {
	other := newForeign(f)
	e := other.entry(f)
	c := signedBy(f, person(f), other.ca, ecKey(f, elliptic.P256()).Public(), other.key)
	f.Add(c.Raw)
	f.Add(other.list(f))
	f.Add(must[[]byte](f)(ocsp.CreateResponse(other.ca, other.ca, ocsp.Response{SerialNumber: c.SerialNumber, ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour)}, other.key)))
	f.Fuzz(func(t *testing.T, der []byte) {
		if j := JudgeForeign(e, der, testNow, trust.Authentication); j.OK() {
			sum := sha256.Sum256(j.Certificate.RawTBSCertificate)
			if key, ok := other.ca.PublicKey.(*ecdsa.PublicKey); !ok || !ecdsa.VerifyASN1(key, sum[:], j.Certificate.Signature) {
				t.Error("a certificate is accepted that nobody signed")
			}
		}
		if l, err := ReadForeignList(der, e.CAs(), testNow); err == nil {
			for e, err := range l.All() {
				if err == nil && (len(e.Serial) == 0 || len(e.Serial) > 20 || e.Serial[0] == 0) {
					t.Errorf("an entry of serial %x", e.Serial)
				}
			}
		}
		if s, err := ReadForeignAnswer(der, c, other.ca, testNow); err == nil && s.Until.IsZero() {
			t.Error("an answer without an end")
		}
	})
}

// BenchmarkJudgeForeign is the judgement of a certificate by itself and its path.
func BenchmarkJudgeForeign(b *testing.B) {
	f := newForeign(b)
	e := f.entry(b)
	der := signedBy(b, person(b), f.ca, ecKey(b, elliptic.P256()).Public(), f.key).Raw
	for b.Loop() {
		if j := JudgeForeign(e, der, testNow, trust.Authentication); !j.OK() {
			b.Fatal(j.Why)
		}
	}
}
