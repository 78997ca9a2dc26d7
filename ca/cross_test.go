package ca

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"sceau/lifecycle"
)

func TestACrossCertificateEndsWithTheFirstOfTheTwoRoots(t *testing.T) {
	t.Parallel()
	later := testNow.AddDate(5, 0, 0)
	before, after := setup(t), nextRoot(t, later)
	for name, of := range map[string][2]*house{"NewWithOld": {before, after}, "OldWithNew": {after, before}} {
		by, other := of[0], of[1].root.Certificate
		c := must[*x509.Certificate](t)(SignCross(by.root, by.rootKey, other, serialNumber(t), later))
		if !c.NotAfter.Equal(before.root.Certificate.NotAfter) || !c.NotBefore.Equal(later.Add(-backdate)) {
			t.Errorf("%s: it is valid from %s to %s", name, c.NotBefore, c.NotAfter)
		}
		if !bytes.Equal(c.RawSubject, other.RawSubject) || !bytes.Equal(c.SubjectKeyId, other.SubjectKeyId) || c.CheckSignatureFrom(by.root.Certificate) != nil {
			t.Errorf("%s: it is not of the other root's name and key by this one", name)
		}
		if got := c.CRLDistributionPoints; len(got) != 1 || got[0] != by.root.URLs(0).CRL || len(c.OCSPServer) != 0 {
			t.Errorf("%s: its status is at %q, %q", name, got, c.OCSPServer)
		}
	}
}

// nextRoot is a root of another name and key, with an issuing CA.
func nextRoot(t *testing.T, now time.Time) *house {
	t.Helper()
	next := newHouse(t, ecKey(t, elliptic.P256()), now)
	next.root.ID = "root-2"
	next.root.Certificate = must[*x509.Certificate](t)(SelfSignRoot(next.rootKey, named("Banque Exemple Root 2"), now))
	return next
}

func TestOnlyRootsInTimeAreCrossCertified(t *testing.T) {
	t.Parallel()
	h, next := setup(t), nextRoot(t, testNow)
	long := testNow.AddDate(60, 0, 0)
	var foreign pkix.Name // texts that Sceau would set as PrintableString
	for _, a := range next.root.Certificate.Subject.Names {
		a.Value = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(a.Value.(string))}
		foreign.ExtraNames = append(foreign.ExtraNames, a)
	}
	selfSigned := func(name pkix.Name, skid []byte) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: name, SubjectKeyId: skid, NotBefore: testNow, NotAfter: testNow.AddDate(20, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
		return must[*x509.Certificate](t)(x509.ParseCertificate(
			must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, next.rootKey.Public(), next.rootKey))))
	}
	older := *h.root.Certificate // as roots were before there were cross-certificates
	older.MaxPathLen = 1
	rootOf := func(c *x509.Certificate) *Issuer {
		return &Issuer{ID: "root", PublicBase: h.root.PublicBase, Certificate: c}
	}
	for name, tc := range map[string]struct {
		by    *Issuer
		other *x509.Certificate
		now   time.Time
		want  string
	}{
		"an issuing CA's key":          {h.root, next.issuer.Certificate, testNow, "not a root's"},
		"none":                         {h.root, nil, testNow, "not a root's"},
		"by an issuing CA":             {rootOf(h.issuer.Certificate), next.root.Certificate, testNow, "not a root's"},
		"by a root of path length 1":   {rootOf(&older), next.root.Certificate, testNow, "path length 1"},
		"before it begins":             {h.root, next.root.Certificate, testNow.Add(-time.Hour), "valid from"},
		"after its end":                {h.root, next.root.Certificate, long, "valid from"},
		"the root's own key":           {h.root, h.root.Certificate, testNow, "key"},
		"a name of another encoding":   {h.root, selfSigned(foreign, next.root.Certificate.SubjectKeyId), testNow, "not encoded"},
		"a key identifier of its own":  {h.root, selfSigned(pkix.Name{ExtraNames: next.root.Certificate.Subject.Names}, []byte{1, 2, 3}), testNow, "not encoded"},
		"a root that ended by another": {nextRoot(t, testNow.AddDate(-40, 0, 0)).root, next.root.Certificate, testNow, "valid from"},
	} {
		c, err := SignCross(tc.by, h.rootKey, tc.other, serialNumber(t), tc.now)
		if c != nil || !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
