package letter

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

var update = flag.Bool("update", false, "rewrite the golden letters")

// sample is a letter in one language to a window of one country.
type sample struct {
	language party.Language
	country  string
	address  party.Address
	name     string
	branch   string
	print    bool // large
}

func samples() []sample {
	return []sample{
		{party.French, "FR", party.Address{
			Recipient: "Hélène Montclair", Organisation: "Ateliers Montclair & Fils",
			Complement: "Bâtiment B", Street: "12 rue de l'Église", Postcode: "35000", City: "Rennes", Country: "FR",
		}, "Hélène Montclair", "", false},
		{party.Dutch, "NL", party.Address{
			Recipient: "Joost van der Zwaluw", Street: "Lindenlaan 45-2", Postcode: "3511 AB",
			City: "Utrecht", Country: "NL",
		}, "Joost van der Zwaluw", "", false},
		{party.German, "BE", party.Address{
			Recipient: "Käthe Weißdorn", Street: "Aachener Straße 7", Complement: "Bus 3",
			Postcode: "4700", City: "Eupen", Country: "BE",
		}, "Käthe Weißdorn", "Filiale Eupen, Klosterstraße 4, 4700 Eupen", false},
		{party.English, "BE", party.Address{
			Recipient: "Eleanor Hawthorne", Organisation: "Hawthorne Shipping", Street: "Rue du Port 8",
			Complement: "bte 12", Postcode: "1000", City: "Bruxelles", Country: "BE",
		}, "Eleanor Hawthorne", "", false},
	}
}

func (s sample) common(t testing.TB) Common {
	t.Helper()
	lines, err := s.address.Lines(s.country)
	if err != nil {
		t.Fatal(err)
	}
	return Common{
		Bank: Bank{
			Name: "Banque Aubépine", LegalName: "Banque Aubépine SA, établissement de crédit",
			ReturnAddress: "8 quai des Tilleuls, 35000 Rennes", Phone: "+33 2 00 00 00 00", Website: "www.aubepine.example",
			Colour: Colour{0x7A, 0x1F, 0x3D},
		},
		Language: s.language, AddressLines: lines, WindowCountry: s.country,
		Date: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), SalutationName: s.name, Large: s.print,
	}
}

func (s sample) card(t testing.TB) CardLetterData {
	t.Helper()
	return CardLetterData{
		Common: s.common(t), Letter: "L-06EX0ABCDE7K2M4N", ClientID: "40031872", UserNumber: "0007", Last4: "4821",
		Expiry: time.Date(2029, 11, 30, 0, 0, 0, 0, time.UTC), Product: "Carte Aubépine Accès", PickUpBranch: s.branch,
	}
}

const samplePIN = "73915"

func (s sample) pin(t testing.TB) PINLetterData {
	t.Helper()
	pin, err := lifecycle.NewPIN(samplePIN)
	if err != nil {
		t.Fatal(err)
	}
	return PINLetterData{Common: s.common(t), Letter: "P-06EX5ZYXWV1Q8R3T", PIN: pin}
}

// both are the sample's two letters.
func (s sample) both(t testing.TB) map[string][]byte {
	t.Helper()
	card, err := CardLetter(s.card(t))
	if err != nil {
		t.Fatalf("card letter in %s: %v", s.language, err)
	}
	pin, err := PINLetter(s.pin(t))
	if err != nil {
		t.Fatalf("PIN letter in %s: %v", s.language, err)
	}
	return map[string][]byte{"card": card, "pin": pin}
}

func TestLettersAreThoseReviewed(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		for kind, got := range s.both(t) {
			path := filepath.Join("testdata", fmt.Sprintf("%s-%s.pdf", kind, s.language))
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s changed: look at it, then run go test ./letter -update", path)
			}
			if again := s.both(t)[kind]; !bytes.Equal(got, again) {
				t.Errorf("%s letter in %s: equal input gave other bytes", kind, s.language)
			}
		}
	}
}
