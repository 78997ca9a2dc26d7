package letter

import (
	"fmt"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

// specimenWord stands across a preview; noPIN where the PIN would: it is none.
const (
	specimenWord = "SPECIMEN"
	noPIN        = "••••"
)

// Specimen says which letter a preview shows.
type Specimen struct {
	Bank          Bank
	Product       string // the card's commercial name
	Language      party.Language
	WindowCountry string
	Large         bool
	Branch        bool // a card letter: the card waits at a branch
	Date          time.Time
}

// Preview sets the letter of somebody who does not exist, with SPECIMEN across
// each page and no PIN.
func (t *Template) Preview(o Specimen) ([]byte, error) {
	address := party.Address{
		Recipient: "Camille Aubry", Organisation: "Atelier Exemple", Street: "12 rue du Modèle", Postcode: "35000", City: "Rennes", Country: "FR",
	}
	lines, err := address.Lines(o.WindowCountry)
	if err != nil {
		return nil, err
	}
	common := Common{
		Bank: o.Bank, Language: o.Language, AddressLines: lines, WindowCountry: o.WindowCountry, Date: o.Date,
		SalutationName: address.Recipient, Large: o.Large, Template: t, specimen: true,
	}
	return t.sample(common, o.Product, address.Organisation, "Agence Exemple, 1 place du Modèle, 35000 Rennes", o.Branch)
}

// Try sets letters with the longest values that are accepted, in each language,
// window, print and way of delivery: a template that could leave its page is
// refused before it is proposed.
func (t *Template) Try(bank Bank, product string) error {
	name := strings.Repeat("Maximilienne-", 4) + "Aurélienne W"
	street := strings.Repeat("Avenue ", 4) + "Aubépines" // fits any window
	var wrongs lifecycle.FieldErrors
	for _, language := range party.Languages() {
		for _, country := range []string{party.France, party.Belgium} {
			for _, variant := range []struct{ large, branch bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
				if variant.branch && t.kind == lifecycle.PrintPIN {
					continue
				}
				common := Common{
					Bank: bank, Language: language, AddressLines: []string{street, street, street, street, street, street}, WindowCountry: country,
					Date: time.Date(2026, time.September, 30, 0, 0, 0, 0, time.UTC), SalutationName: name + " " + name, Large: variant.large,
					Template: t, specimen: true,
				}
				company, branch := strings.Repeat("Compagnie ", 3)+"ABCDEFGH", strings.Repeat("Agence de Rennes ", 4)+"Centre-Ville"
				if _, err := t.sample(common, product, company, branch, variant.branch); err != nil {
					wrongs.Add(fmt.Sprintf("%s, window of %s%s%s", language, country, map[bool]string{true: ", large print"}[variant.large],
						map[bool]string{true: ", at a branch"}[variant.branch]), err.Error())
				}
			}
		}
	}
	return wrongs.Err()
}

// sample sets one letter of invented data.
func (t *Template) sample(c Common, product, company, branch string, waits bool) ([]byte, error) {
	if t.kind == lifecycle.PrintPIN {
		return PINLetter(PINLetterData{Common: c, Letter: "P-0000000000000000"})
	}
	d := CardLetterData{
		Common: c, Letter: "L-0000000000000000", ClientID: "00000000", UserNumber: "0000", Last4: "0000", Product: product, Company: company,
		Expiry: c.Date.AddDate(3, 0, 0),
	}
	if waits {
		d.PickUpBranch = branch
	}
	return CardLetter(d)
}
