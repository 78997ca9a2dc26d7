package ca

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"sceau/certprofile"
)

// The sample of each profile pleases the linter, and openssl reads in it what the
// profile says.
func TestTheSampleOfEachProfileIsWhatItSays(t *testing.T) {
	t.Parallel()
	const sign, authenticate, list = "Non Repudiation", "Digital Signature", "Certificate Sign, CRL Sign"
	want := map[string][]string{
		certprofile.NominativeAuthentication: {authenticate, "TLS Web Client Authentication", "GN = TEST Personne", "serialNumber = 00000000-0000", "email:personne@example.test", certprofile.PolicyAuthentication, "-delta.crl", "OCSP - URI:"},
		certprofile.NominativeSignature:      {sign, "1.3.6.1.5.5.7.3.36", "SN = TEST D'Exemple", certprofile.PolicySignature},
		certprofile.StaffSignIn:              {authenticate, "TLS Web Client Authentication", certprofile.PolicyStaff},
		certprofile.RelyingServiceClient:     {authenticate, "TLS Web Client Authentication", "CN = TEST paie.example", "OU = 0002 552100554", "organizationIdentifier = NTRFR-552100554", certprofile.PolicyService},
		"ocsp-responder":                     {authenticate, "OCSP Signing", "OCSP No Check"},
		"bureau-signer":                      {authenticate, "E-mail Protection"},
		"statement-signer":                   {authenticate, "E-mail Protection"},
		"server":                             {authenticate, "TLS Web Server Authentication", "DNS:specimen.example"},
		"issuing-ca":                         {list, "CA:TRUE, pathlen:0", certprofile.PolicySignature},
		"root-ca":                            {list, "CA:TRUE, pathlen:2"},
		"cross-ca":                           {list, "CA:TRUE, pathlen:1", "X509v3 Any Policy"},
	}
	for _, p := range everyProfile() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			c := must[*x509.Certificate](t)(Sample(p, testNow))
			if found := must[[]Finding](t)(Lint(c.Raw)); len(found) > 0 {
				t.Errorf("the linter objects: %v", found)
			}
			dir := files(t, map[string]*pem.Block{"sample.pem": certPEM(c)})
			text, err := openssl(t, dir, "x509", "-in", "sample.pem", "-noout", "-text")
			if err != nil || len(want[p.Name]) == 0 {
				t.Fatalf("openssl: %v\n%s", err, text)
			}
			for _, phrase := range want[p.Name] {
				if !strings.Contains(text, phrase) {
					t.Errorf("no %q in\n%s", phrase, text)
				}
			}
			if p.Kind == KindService && (strings.Contains(text, "serialNumber =") || strings.Contains(text, "Subject Alternative Name")) {
				t.Errorf("a system has a person's attributes:\n%s", text)
			}
			usage := strings.Contains(text, authenticate) && strings.Contains(text, sign)
			if usage {
				t.Errorf("it signs and authenticates:\n%s", text)
			}
		})
	}
}
