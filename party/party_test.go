package party

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sceau/lifecycle"
)

func TestRegistryNumbersAreCheckedByTheirCountry(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, country, number, want, identifier string }{
		{"a SIREN", "FR", "552100554", "552100554", "NTRFR-552100554"},
		{"a SIREN with spaces", "FR", "552 100 554", "552100554", "NTRFR-552100554"},
		{"the SIREN of La Poste", "FR", "356000000", "356000000", "NTRFR-356000000"},
		{"a SIREN with a wrong check digit", "FR", "552100555", "", ""},
		{"a SIREN with two digits swapped", "FR", "551200554", "", ""},
		{"a SIREN of zeros", "FR", "000000000", "", ""},
		{"a SIRET", "FR", "55210055400013", "", ""},
		{"a KBO number", "BE", "0403199702", "0403199702", "NTRBE-0403199702"},
		{"a KBO number with dots", "BE", "0403.199.702", "0403199702", "NTRBE-0403199702"},
		{"a KBO number with its country", "BE", "BE0403199702", "0403199702", "NTRBE-0403199702"},
		{"a KBO number with a wrong remainder", "BE", "0403199703", "", ""},
		{"a KBO number that begins with 2", "BE", "2403199702", "", ""},
		{"a KBO number of zeros", "BE", "0000000097", "", ""},
		{"a KvK number", "NL", "12345678", "12345678", "NTRNL-12345678"},
		{"a KvK number of seven digits", "NL", "1234567", "", ""},
		{"a KvK number with a letter", "NL", "1234567A", "", ""},
		{"full-width digits", "NL", "１２３４５６７８", "", ""},
		{"a country without a register", "DE", "12345678", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := CheckRegistry(tt.country, tt.number)
			identifier, idErr := OrganizationIdentifier(tt.country, tt.number)
			if got != tt.want || identifier != tt.identifier {
				t.Errorf("CheckRegistry = %q, OrganizationIdentifier = %q; want %q, %q", got, identifier, tt.want, tt.identifier)
			}
			wantErr := tt.want == ""
			if errors.Is(err, lifecycle.Invalid) != wantErr || errors.Is(idErr, lifecycle.Invalid) != wantErr {
				t.Errorf("errors %v and %v, want Invalid: %v", err, idErr, wantErr)
			}
		})
	}
}

func TestOneWrongDigitIsAlwaysNoticed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		country := rapid.SampledFrom([]string{"FR", "BE"}).Draw(t, "country")
		body := fmt.Sprintf("%08d", rapid.IntRange(1, 19_999_999).Draw(t, "body"))
		number := body + string(lifecycle.LuhnDigit(body))
		if country == "BE" {
			var n int
			if _, err := fmt.Sscan(strings.TrimLeft(body, "0"), &n); err != nil {
				t.Fatal(err)
			}
			number = body + fmt.Sprintf("%02d", 97-n%97)
		}
		if _, err := CheckRegistry(country, number); err != nil {
			t.Fatalf("%s %s: %v", country, number, err)
		}
		at := rapid.IntRange(0, len(number)-1).Draw(t, "at")
		other := byte('0' + (int(number[at]-'0')+rapid.IntRange(1, 9).Draw(t, "by"))%10)
		wrong := number[:at] + string(other) + number[at+1:]
		if _, err := CheckRegistry(country, wrong); err == nil {
			t.Fatalf("%s %s was taken for %s", country, wrong, number)
		}
	})
}

func TestNamesAreSafeEverywhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		ok          bool
	}{
		{"a French name", "Hélène", true},
		{"a name of several parts", "Jean-Noël van 't Hooft", true},
		{"a name with the typographic apostrophe", "O’Brien", true},
		{"a Dutch name with an apostrophe in front", "'t Hooft", true},
		{"a name with an abbreviation", "J. P.", true},
		{"a Polish name", "Łukaszewicz", true},
		{"a Romanian name", "Ștefănescu", true},
		{"a Vietnamese name", "Nguyễn", true},
		{"64 characters", strings.Repeat("é", 64), true},
		{"65 characters", strings.Repeat("é", 65), false},
		{"nothing", "", false},
		{"an apostrophe only", "'", false},
		{"a formula with =", "=HYPERLINK(1)", false},
		{"a formula with +", "+1", false},
		{"a formula with -", "-Dupont", false},
		{"a formula with @", "@SUM", false},
		{"a tab", "\tDupont", false},
		{"a leading space", " Dupont", false},
		{"a double space", "Du  Pont", false},
		{"a NUL", "Du\x00pont", false},
		{"a line feed", "Du\npont", false},
		{"a right-to-left override", "Dupont\u202e", false},
		{"a zero-width space", "Du\u200bpont", false},
		{"a no-break space", "Du\u00a0pont", false},
		{"markup", "<b>Dupont</b>", false},
		{"a template", "{{.PIN}}", false},
		{"a comma, as in a distinguished name", "Dupont,O=Bank", false},
		{"a loose accent", "He\u0301le\u0300ne", false},
		{"Cyrillic that looks Latin", "Дupont", false},
		{"Greek", "Ελένη", false},
		{"digits", "Dupont2", false},
		{"bytes that are not UTF-8", "Dup\xffont", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := CheckName("surname", tt.value); (err == nil) != tt.ok || err != nil && !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("CheckName(%q) = %v, want ok: %v", tt.value, err, tt.ok)
			}
		})
	}
}

func FuzzAcceptedNamesAreHarmless(f *testing.F) {
	f.Add("Hélène")
	f.Add("=1")
	f.Fuzz(func(t *testing.T, s string) {
		err := CheckName("surname", s)
		if err != nil {
			for _, r := range err.Error() {
				if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
					t.Errorf("the error for %q has the control %U", s, r)
				}
			}
			return
		}
		if strings.ContainsAny(s, "<>&\"=+@\\;,/{}\x00\r\n\t") || strings.HasPrefix(s, "-") || utf8.RuneCountInString(s) > 64 {
			t.Errorf("accepted %q", s)
		}
	})
}

func TestOrganisationsMayHaveDigitsAndPunctuation(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"3 Moulins & Fils (Rennes)": true, "Ateliers L'Érable, SAS": true, "=3 Moulins": false,
		"&Co": false, "Moulins <script>": false, "123": true,
	} {
		if err := CheckOrganisation("company", value); (err == nil) != ok {
			t.Errorf("CheckOrganisation(%q) = %v, want ok: %v", value, err, ok)
		}
	}
}

func TestEmailsAreOnesThatMailIsSentTo(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"helene.montclair@aubepine.example": true, "h+bank@mail.example.org": true, "_h@a-b.example": true,
		"": false, "helene": false, "@example.org": false, "h@": false, "h@example": false, "h@localhost.": false,
		".h@example.org": false, "h.@example.org": false, "a..b@example.org": false, "a@b@example.org": false,
		"h@-a.example": false, "h@a_b.example": false, "h@example.1": false, "hélène@example.org": false,
		"=cmd@example.org": false, "+h@example.org": false, "-h@example.org": false, "h h@example.org": false,
		"h@example.org\r\nBcc: x@example.org": false, "\"h\"@example.org": false, "h@[127.0.0.1]": false,
		strings.Repeat("a", 65) + "@example.org": false, "a@" + strings.Repeat("b.", 130) + "org": false,
	} {
		if err := CheckEmail(value); (err == nil) != ok || err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("CheckEmail(%q) = %v, want ok: %v", value, err, ok)
		}
	}
}

func TestLanguagesAreFour(t *testing.T) {
	t.Parallel()
	for _, l := range Languages() {
		if got, err := ParseLanguage(string(l)); err != nil || got != l {
			t.Errorf("ParseLanguage(%q) = %q, %v", l, got, err)
		}
	}
	for _, s := range []string{"", "FR", "es", "fr-BE"} {
		if _, err := ParseLanguage(s); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("ParseLanguage(%q) = %v, want Invalid", s, err)
		}
	}
}
