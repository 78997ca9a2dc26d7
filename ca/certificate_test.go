package ca

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"sceau/certprofile"
	"sceau/lifecycle"
)

func TestOpenSSLAcceptsTheHolderCertificateAndItsChain(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]crypto.Signer{
		"P-256": ecKey(t, elliptic.P256()), "P-384": ecKey(t, elliptic.P384()), "RSA-3072": rsaKey(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, key, testNow)
			leaf, _ := h.issue(t, testNow)
			dir := files(t, map[string]*pem.Block{
				"root.pem": certPEM(h.root.Certificate),
				"ca.pem":   certPEM(h.issuer.Certificate), "leaf.pem": certPEM(leaf),
			})
			out, err := openssl(t, dir, "verify", "-x509_strict", "-check_ss_sig", "-policy_check", "-purpose", "sslclient",
				"-attime", "1772443900", "-CAfile", "root.pem", "-untrusted", "ca.pem", "leaf.pem")
			if err != nil {
				t.Fatalf("openssl verify: %s", out)
			}
			text, _ := openssl(t, dir, "x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "RFC2253,utf8,-esc_msb")
			for _, want := range []string{
				"X509v3 Key Usage: critical\n                Digital Signature\n", "TLS Web Client Authentication\n",
				"URI:http://pki.example.test/crl/issuing-1/3.crl", "URI:http://pki.example.test/crl/issuing-1/3-delta.crl",
				"OCSP - URI:http://pki.example.test/ocsp", "CA Issuers - URI:http://pki.example.test/ca/issuing-1.cer",
				"Policy: 1.3.6.1.4.1.32473.1.1", "email:amelie@example.test",
				"GN=TEST Amélie,SN=TEST Dupont-N'Diaye,serialNumber=H-00042,CN=TEST Amélie Dupont-N'Diaye," +
					"organizationIdentifier=NTRFR-732829320,OU=0002 732829320,O=Boulangerie du Pont & Fils,C=FR",
				"Not Before: Mar  2 09:25:15 2026 GMT", "Not After : Mar  2 09:25:14 2029 GMT",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("openssl x509 -text has no %q in\n%s", want, text)
				}
			}
		})
	}
}

func TestPrepareGivesTheSameBytesForTheSameArguments(t *testing.T) {
	t.Parallel()
	h := setup(t)
	req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
	serial := serialNumber(t)
	a := must[*Draft](t)(h.issuer.Prepare(NominativeAuthentication(), req, holder, serial, 1, testNow))
	again := &Issuer{ID: h.issuer.ID, Certificate: h.issuer.Certificate, PublicBase: h.issuer.PublicBase}
	b := must[*Draft](t)(again.Prepare(NominativeAuthentication(), req, holder, serial, 1, testNow))
	if !bytes.Equal(a.TBS(), b.TBS()) {
		t.Error("another throwaway key gave other bytes")
	}
	if a.SPKIHash() != req.SPKIHash() || a.Serial() != serial {
		t.Error("the draft does not carry the request's key and the reserved serial")
	}
	cert := must[*x509.Certificate](t)(h.issuer.Sign(a, h.key))
	if !bytes.Equal(cert.RawTBSCertificate, b.TBS()) {
		t.Error("the signed bytes are not the drafted ones")
	}
	if !cert.NotBefore.Equal(a.NotBefore()) || !cert.NotAfter.Equal(a.NotAfter()) {
		t.Error("the draft's dates are not the certificate's")
	}
}

func TestDraftSignsOnceAlsoConcurrently(t *testing.T) {
	t.Parallel()
	h := setup(t)
	req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
	d := must[*Draft](t)(h.issuer.Prepare(NominativeAuthentication(), req, holder, serialNumber(t), 1, testNow))
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range cap(errs) {
		wg.Go(func() { _, err := h.issuer.Sign(d, h.key); errs <- err })
	}
	wg.Wait()
	close(errs)
	signed := 0
	for err := range errs {
		if err == nil {
			signed++
		} else if !errors.Is(err, lifecycle.Conflict) {
			t.Errorf("a further call answers %v, want a conflict", err)
		}
	}
	if signed != 1 {
		t.Errorf("signed %d times", signed)
	}
}

// sabotage is a signer that answers with something else than asked.
type sabotage struct {
	crypto.Signer
	err error
}

func (s sabotage) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	other := bytes.Clone(digest)
	other[0] ^= 1
	return s.Signer.Sign(rand, other, opts)
}

func TestSignRefusesAFaultySigner(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, tc := range map[string]struct {
		signer crypto.Signer
		want   error
	}{
		"another key":                      {signer: ecKey(t, elliptic.P256())},
		"no signer":                        {},
		"a signature of something else":    {signer: sabotage{Signer: h.key}},
		"an error, whose kind is kept":     {signer: sabotage{Signer: h.key, err: lifecycle.Unavailable}, want: lifecycle.Unavailable},
		"the throwaway key of the linter":  {signer: must[crypto.Signer](t)(throwawayKey(h.key.Public()))},
		"a key of another kind altogether": {signer: rsaKey(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
			d := must[*Draft](t)(h.issuer.Prepare(staff(), req, holder, serialNumber(t), 1, testNow))
			cert, err := h.issuer.Sign(d, tc.signer)
			if err == nil || cert != nil {
				t.Fatal("signed")
			}
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

func TestPrepareRefusesWhatIsNotApproved(t *testing.T) {
	t.Parallel()
	h := setup(t)
	good := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
	own := must[*Request](t)(ParseRequest(request(t, h.key, x509.CertificateRequest{})))
	foreign := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{Subject: pkix.Name{CommonName: "Mallory"}})))
	long := NominativeAuthentication()
	long.Days = 1
	elliptic384 := NominativeAuthentication()
	elliptic384.Keys = []certprofile.KeyKind{certprofile.P384, certprofile.RSA}
	serial := serialNumber(t)
	prepare := func(i *Issuer, p Profile, r *Request, s lifecycle.Serial, shard int, days int) error {
		_, err := i.Prepare(p, r, holder, s, shard, testNow.AddDate(0, 0, days))
		return err
	}
	leaf, _ := h.issue(t, testNow)
	for name, err := range map[string]error{
		"a profile of four years":               prepare(h.issuer, long, good, serial, 1, 0),
		"a key of a kind that it does not take": prepare(h.issuer, elliptic384, good, serial, 1, 0),
		"a person in a system's certificate":    prepare(h.issuer, builtIn(certprofile.RelyingServiceClient), good, serial, 1, 0),
		"a profile for a CA":                    prepare(h.issuer, IssuingCA(), good, serial, 1, 0),
		"the issuer's own key":                  prepare(h.issuer, staff(), own, serial, 1, 0),
		"a request in another name":             prepare(h.issuer, staff(), foreign, serial, 1, 0),
		"a zero serial":                         prepare(h.issuer, staff(), good, lifecycle.Serial{}, 1, 0),
		"a negative serial":                     prepare(h.issuer, staff(), good, lifecycle.Serial{0x80}, 1, 0),
		"a negative shard":                      prepare(h.issuer, staff(), good, serial, -1, 0),
		"a life beyond the issuer's":            prepare(h.issuer, NominativeAuthentication(), good, serial, 1, 8*365),
		"an issuer that is not valid yet":       prepare(h.issuer, staff(), good, serial, 1, -2),
		"an issuer whose certificate is a leaf": prepare(&Issuer{ID: "x", Certificate: leaf, PublicBase: "http://x.test"}, staff(), good, serial, 1, 0),
		"an issuer with a path in its base":     prepare(&Issuer{ID: "x", Certificate: h.issuer.Certificate, PublicBase: "http://x.test/a"}, staff(), good, serial, 1, 0),
		"an issuer on https":                    prepare(&Issuer{ID: "x", Certificate: h.issuer.Certificate, PublicBase: "https://x.test"}, staff(), good, serial, 1, 0),
		"an issuer with a slash in its name":    prepare(&Issuer{ID: "../x", Certificate: h.issuer.Certificate, PublicBase: "http://x.test"}, staff(), good, serial, 1, 0),
	} {
		if !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: error %v, want invalid", name, err)
		}
	}
}

func TestTheRequestsOwnWishesReachNoCertificate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	ca, _ := asn1.Marshal(struct{ CA bool }{true})
	req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P384()), x509.CertificateRequest{
		Subject:         pkix.Name{CommonName: "amélie  DUPONT-N'DIAYE", Locality: []string{"Elsewhere"}},
		DNSNames:        []string{"bank.example.test"},
		EmailAddresses:  []string{"mallory@example.test"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: ca}},
	})))
	d := must[*Draft](t)(h.issuer.Prepare(NominativeAuthentication(), req, holder, serialNumber(t), 3, testNow))
	plain, _ := h.issue(t, testNow)
	if !sameExtensionsButKey(plain, d.linted) || !bytes.Equal(plain.RawSubject, d.linted.RawSubject) {
		t.Error("something of the request is in the certificate")
	}
}

func TestTheLinterFindsABrokenDraft(t *testing.T) {
	t.Parallel()
	h := setup(t)
	base := blueprint{
		profile: NominativeAuthentication(), key: ecKey(t, elliptic.P256()).Public(), subject: holder.attributes(),
		email: holder.Email, serial: serialNumber(t), urls: h.issuer.URLs(3), now: testNow,
	}
	for name, spoil := range map[string]func(*x509.Certificate){
		"another key usage":          func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyAgreement },
		"another extended key usage": func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) },
		"a CA":                       func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true },
		"a second later end":         func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(0, 0, 1) },
		"a second list": func(c *x509.Certificate) {
			c.CRLDistributionPoints = append(c.CRLDistributionPoints, "http://x.test/1")
		},
		"another responder":    func(c *x509.Certificate) { c.OCSPServer = []string{"http://x.test"} },
		"no responder":         func(c *x509.Certificate) { c.OCSPServer = nil },
		"another policy":       func(c *x509.Certificate) { c.Policies = nil },
		"a name constraint":    func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"x.test"} },
		"another serial":       func(c *x509.Certificate) { c.SerialNumber.SetInt64(1) },
		"another mail address": func(c *x509.Certificate) { c.EmailAddresses = []string{"x@x.test"} },
		"another name":         func(c *x509.Certificate) { c.Subject.ExtraNames[4].Value = "TEST Mallory" },
		"a second common name": func(c *x509.Certificate) {
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, c.Subject.ExtraNames[4])
		},
		"an unknown extension": func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}})
		},
		"a delta of another shard":    func(c *x509.Certificate) { c.ExtraExtensions[0].Value = distributionPoints("http://x.test") },
		"a critical freshest pointer": func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := must[*x509.Certificate](t)(base.template())
			template.SignatureAlgorithm = x509.ECDSAWithSHA256
			key, registry, err := h.issuer.linting()
			if err != nil {
				t.Fatal(err)
			}
			parent := *h.issuer.Certificate
			parent.PublicKey = key.Public()
			if _, err := lintDraft(base, template, &parent, key, registry); err != nil {
				t.Fatalf("the sound draft is refused: %v", err)
			}
			spoil(template)
			if _, err := lintDraft(base, template, &parent, key, registry); !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("error %v, want invalid", err)
			}
		})
	}
}

func TestZLintItselfObjects(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	_, registry, err := h.issuer.linting()
	if err != nil {
		t.Fatal(err)
	}
	if findings, err := lintWith(registry, leaf); err != nil || len(findings) != 0 {
		t.Errorf("the sound leaf: %v, %v", findings, err)
	}
	template := *leaf
	template.PublicKey, template.CRLDistributionPoints, template.KeyUsage = nil, nil, 0
	template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{3, 2, 7, 0}}}
	der, err := x509.CreateCertificate(nil, &template, h.issuer.Certificate, leaf.PublicKey, h.key)
	if err != nil {
		t.Fatal(err)
	}
	broken := must[*x509.Certificate](t)(x509.ParseCertificate(der))
	if findings, err := lintWith(registry, broken); err != nil || len(findings) == 0 || findings[0].Source == "" || findings[0].Text == "" {
		t.Errorf("an empty key usage: %v, %v, want zlint's objection", findings, err)
	}
}

func TestTheCeremonyMakesWhatItsProfilesSay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	root, issuing, ocsp := h.root.Certificate, h.issuer.Certificate, h.responder.Certificate()
	if err := root.CheckSignatureFrom(root); err != nil {
		t.Errorf("root: %v", err)
	}
	if !root.IsCA || root.MaxPathLen != 2 || len(root.ExtKeyUsage) != 0 {
		t.Error("root: not a CA with one CA below")
	}
	if !issuing.IsCA || issuing.MaxPathLen != 0 || !issuing.MaxPathLenZero || len(issuing.ExtKeyUsage) != 0 || len(issuing.OCSPServer) != 0 {
		t.Error("issuing CA: not one without CA below, extended key usage and responder")
	}
	if !slices.Equal(ocsp.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}) || len(ocsp.OCSPServer) != 0 {
		t.Error("responder: not OCSPSigning without id-ad-ocsp")
	}
	server, err := SignServer(h.issuer, h.key, ecKey(t, elliptic.P256()).Public(), named("Office"), []string{"localhost"},
		[]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, serialNumber(t), testNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := server.VerifyHostname(host); err != nil {
			t.Errorf("server: %v", err)
		}
	}
	if _, err := SignServer(h.issuer, h.key, ecKey(t, elliptic.P256()).Public(), named("Office"), []string{"*.x\x00"}, nil, serialNumber(t), testNow); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a name with a zero octet: error %v, want invalid", err)
	}
	if _, err := SignIssuing(h.root, h.rootKey, h.rootKey.Public(), named("X"), serialNumber(t), testNow); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("the root's key again: error %v, want invalid", err)
	}
	if _, err := SignIssuing(h.root, h.rootKey, ecKey(t, elliptic.P256()).Public(), named("Banque Exemple Root"), serialNumber(t), testNow); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), "another name than its issuer") {
		t.Errorf("the root's name again: error %v, want invalid", err)
	}
	bundle := must[[]byte](t)(CertsOnly(issuing, root))
	dir := files(t, map[string]*pem.Block{"bundle.pem": {Type: "PKCS7", Bytes: bundle}})
	if out, err := openssl(t, dir, "pkcs7", "-in", "bundle.pem", "-print_certs", "-noout"); err != nil || strings.Count(out, "subject=") != 2 {
		t.Errorf("openssl pkcs7: %v\n%s", err, out)
	}
}

func TestProfilesAreValidAndSpoiledOnesAreNot(t *testing.T) {
	t.Parallel()
	for _, p := range everyProfile() {
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for name, spoil := range map[string]func(*Profile){
			"no life":             func(p *Profile) { p.Years, p.Days = 0, 0 },
			"a century":           func(p *Profile) { p.Years = 100 },
			"a key for anything":  func(p *Profile) { p.KeyUsage = x509.KeyUsageEncipherOnly },
			"OCSP signing":        func(p *Profile) { p.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} },
			"a policy in words":   func(p *Profile) { p.Policies = []string{"best"} },
			"no kind":             func(p *Profile) { p.Kind = "" },
			"no name":             func(p *Profile) { p.Name = "" },
			"a long path":         func(p *Profile) { p.MaxPathLen = 3 },
			"a day of backdating": func(p *Profile) { p.Backdate = 1 << 62 },
		} {
			q := p
			if spoil(&q); !errors.Is(q.Validate(), lifecycle.Invalid) {
				t.Errorf("%s with %s is taken", p.Name, name)
			}
		}
	}
}
