package jobs

import (
	"errors"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// Before, one name or company of more than 26 letters cancelled the job that
// writes the bureau's file: the batch and all of its cards stayed where they
// were for ever.
func TestALongNameDoesNotStopItsBatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                    string
		given, surname, company string
		wantName, wantCompany   string
	}{
		{"what fits stands in full", "Hélène", "Montclair", "Ateliers Montclair", "HELENE MONTCLAIR", "ATELIERS MONTCLAIR"},
		{"a long company is left out", "Hélène", "Montclair", "Société Générale de Mécanique", "HELENE MONTCLAIR", ""},
		{"a company with a sign that no embosser has is left out", "Hélène", "Montclair", "Atelier n°5", "HELENE MONTCLAIR", ""},
		{"a long name has initials", "Maximilien", "Vandenberghe-Dubois", "Montclair", "M. VANDENBERGHE-DUBOIS", "MONTCLAIR"},
		{"each given name its own", "Marie-Élise Joséphine", "Vandenberghe", "Montclair", "M.E.J. VANDENBERGHE", "MONTCLAIR"},
		{"a surname that fills the line stands alone", "Anne", "Vandenberghe-Dubois-Martin", "Montclair", "VANDENBERGHE-DUBOIS-MARTIN", "MONTCLAIR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := recordOf(issuance.CardToPersonalise{
				Card: "C-0000000000000001", Product: "securaccess", Expiry: time.Date(2029, 3, 31, 0, 0, 0, 0, time.UTC),
				GivenName: test.given, Surname: test.surname, Company: test.company, DGIs: []byte{1},
			})
			if err != nil || r.EmbossName != test.wantName || r.EmbossLine2 != test.wantCompany {
				t.Errorf("embossed %q and %q, %v; want %q and %q", r.EmbossName, r.EmbossLine2, err, test.wantName, test.wantCompany)
			}
		})
	}
	_, err := recordOf(issuance.CardToPersonalise{GivenName: "Anne", Surname: "Vandenberghe-Dubois-Martinez"})
	if !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a surname that does not fit: %v", err)
	}
}
