package ca

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"strings"
	"testing"

	"sceau/certprofile"
	"sceau/lifecycle"
)

func TestMarkupInAnyFieldStaysText(t *testing.T) {
	t.Parallel()
	h := setup(t)
	plain, _ := h.issue(t, testNow)
	attacks := []string{
		`"},"extKeyUsage":["ocspSigning"],"x":{"`, `{{ .Insecure }}`, `{{ fail "x" }}`, `<script>&amp;</script>`,
		`\u0022,\u0022ca\u0022:true`, `CN=Root,O=Bank+OU=x`, `${jndi:x}`, `'; drop table x; --`,
	}
	set := map[string]func(*Subject, string){
		"given name":   func(s *Subject, v string) { s.GivenName = v },
		"surname":      func(s *Subject, v string) { s.Surname = v },
		"organization": func(s *Subject, v string) { s.Organization = v },
		"service": func(s *Subject, v string) {
			s.Service, s.GivenName, s.Surname, s.HolderNumber, s.Email = v, "", "", "", ""
		},
	}
	system := must[*x509.Certificate](t)(h.issueOf(t, builtIn(certprofile.RelyingServiceClient), Subject{
		Service: "paie.example", Organization: holder.Organization, OrganizationID: holder.OrganizationID, RegistryNumber: holder.RegistryNumber, Country: "FR",
	}))
	for field, put := range set {
		for _, attack := range attacks {
			s := holder
			s.GivenName, s.Surname = "A", "B"
			put(&s, attack)
			profile, like := NominativeAuthentication(), plain
			if s.Service != "" {
				profile, like = builtIn(certprofile.RelyingServiceClient), system
			}
			req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
			d, err := h.issuer.Prepare(profile, req, s, serialNumber(t), 3, testNow)
			if err != nil {
				t.Errorf("%s %q: %v", field, attack, err)
				continue
			}
			if !sameExtensionsButKey(like, d.linted) {
				t.Errorf("%s %q changed an extension", field, attack)
			}
			if !bytes.Contains(d.linted.RawSubject, []byte(attack)) {
				t.Errorf("%s %q is not in the subject as it was given", field, attack)
			}
		}
	}
	for field, put := range map[string]func(*Subject, string){
		"organization_id": func(s *Subject, v string) { s.OrganizationID = v },
		"registry_number": func(s *Subject, v string) { s.RegistryNumber = v },
		"country":         func(s *Subject, v string) { s.Country = v },
		"holder_number":   func(s *Subject, v string) { s.HolderNumber = v },
		"email":           func(s *Subject, v string) { s.Email = v },
	} {
		for _, attack := range attacks {
			s := holder
			put(&s, attack)
			if err := s.Validate(); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), field+": ") {
				t.Errorf("%s %q: error %v, want it to name the field", field, attack, err)
			}
		}
	}
}

func sameExtensionsButKey(a, b *x509.Certificate) bool {
	return slices.EqualFunc(a.Extensions, b.Extensions, func(x, y pkix.Extension) bool {
		return x.Id.Equal(y.Id) && x.Critical == y.Critical && (x.Id.String() == oidSubjectKeyID || bytes.Equal(x.Value, y.Value))
	})
}

func TestSubjectNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Subject)
		field  string
	}{
		"a missing given name":                  {func(s *Subject) { s.GivenName = "" }, "given_name"},
		"a name with a direction mark":          {func(s *Subject) { s.Surname = "Du\u202epont" }, "surname"},
		"a name with a line end":                {func(s *Subject) { s.Surname = "Du\npont" }, "surname"},
		"a name that is not UTF-8":              {func(s *Subject) { s.Surname = "Du\xffpont" }, "surname"},
		"names too long together":               {func(s *Subject) { s.GivenName = strings.Repeat("a", 60) }, "surname"},
		"an organisation of 65 characters":      {func(s *Subject) { s.Organization = strings.Repeat("é", 65) }, "organization"},
		"a country in small letters":            {func(s *Subject) { s.Country = "fr" }, "country"},
		"a SIREN with a wrong digit":            {func(s *Subject) { s.RegistryNumber = "732829321" }, "registry_number"},
		"a French organisation without SIREN":   {func(s *Subject) { s.RegistryNumber = "" }, "registry_number"},
		"an identifier of another SIREN":        {func(s *Subject) { s.OrganizationID = "NTRFR-552100554" }, "organization_id"},
		"an identifier without a scheme":        {func(s *Subject) { s.OrganizationID = "732829320" }, "organization_id"},
		"no identifier":                         {func(s *Subject) { s.OrganizationID = "" }, "organization_id"},
		"a holder number with an at sign":       {func(s *Subject) { s.HolderNumber = "H@1" }, "holder_number"},
		"an address with a display name":        {func(s *Subject) { s.Email = "A <a@example.test>" }, "email"},
		"an address outside ASCII":              {func(s *Subject) { s.Email = "é@example.test" }, "email"},
		"an organisation with a trailing space": {func(s *Subject) { s.Organization = "X " }, "organization"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := holder
			tc.change(&s)
			var errs lifecycle.FieldErrors
			if err := s.Validate(); !errors.As(err, &errs) || errs[0].Field != tc.field {
				t.Errorf("error %v, want field %s", err, tc.field)
			}
		})
	}
	for name, change := range map[string]func(*Subject){
		"a SIRET":                   func(s *Subject) { s.RegistryNumber = "73282932000074" },
		"an office of La Poste":     func(s *Subject) { s.RegistryNumber, s.OrganizationID = "35600000049837", "NTRFR-356000000" },
		"a Belgian VAT number":      func(s *Subject) { s.Country, s.OrganizationID, s.RegistryNumber = "BE", "VATBE-0403170701", "" },
		"a legal entity identifier": func(s *Subject) { s.OrganizationID = "LEIXG-R0MUWSFPU8MPRO8K5P83" },
		"no e-mail":                 func(s *Subject) { s.Email = "" },
	} {
		s := holder
		change(&s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

// FuzzSubject puts any text into every field that people type: what is refused
// says so, and what is taken stands in the subject as it was given and changes no
// extension.
func FuzzSubject(f *testing.F) {
	h := setup(f)
	plain, _ := h.issue(f, testNow)
	req := must[*Request](f)(ParseRequest(request(f, ecKey(f, elliptic.P256()), x509.CertificateRequest{})))
	f.Add("Amélie", "Dupont-N'Diaye", "Boulangerie du Pont & Fils", "H-00042", "amelie@example.test")
	f.Add("{{ .Insecure }}", `"},"isCA":true`, "CN=Root,O=Bank+OU=x", "H-1", "")
	f.Fuzz(func(t *testing.T, given, surname, organization, number, email string) {
		s := holder
		s.GivenName, s.Surname, s.Organization, s.HolderNumber, s.Email = given, surname, organization, number, email
		d, err := h.issuer.Prepare(NominativeAuthentication(), req, s, serialNumber(t), 3, testNow)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("error %v is not invalid", err)
			}
			return
		}
		for _, text := range []string{given, surname, organization, number} {
			if !bytes.Contains(d.linted.RawSubject, []byte(text)) {
				t.Fatalf("%q is not in the subject as it was given", text)
			}
		}
		if email == holder.Email && !sameExtensionsButKey(plain, d.linted) {
			t.Fatal("an extension changed")
		}
		if d.linted.IsCA || len(d.linted.DNSNames)+len(d.linted.URIs)+len(d.linted.IPAddresses) > 0 || len(d.linted.EmailAddresses) > 1 {
			t.Fatalf("it says more than it should: %+v", d.linted)
		}
	})
}
