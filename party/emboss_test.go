package party_test

import (
	"errors"
	"strings"
	"testing"

	"sceau/lifecycle"
	"sceau/party"
)

func TestEmbossName(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, given, surname, want string }{
		{"accents go", "Zoé", "Lefèvre", "ZOE LEFEVRE"},
		{"accents that are separate marks go too", "Zoe\u0301", "Lefe\u0300vre", "ZOE LEFEVRE"},
		{"hyphen and apostrophe stay", "Jean-Luc", "D’Hooghe", "JEAN-LUC D'HOOGHE"},
		{"ligatures are spelled out", "Lætitia", "Cœur", "LAETITIA COEUR"},
		{"German and northern letters", "Jürgen", "Strauß Ødegård", "JURGEN STRAUSS ODEGARD"},
		{"Polish and Turkish letters", "Łukasz", "Yıldız", "LUKASZ YILDIZ"},
		{"spaces are folded", "  Anne \u00a0 Marie ", "de\tVries", "ANNE MARIE DE VRIES"},
		{"a single name stands alone", "", "Suharto", "SUHARTO"},
		{"exactly 26 characters fit", "Maximiliano", "Featherstone-X", "MAXIMILIANO FEATHERSTONE-X"},
		{"initials keep their stop", "J.", "Peeters", "J. PEETERS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := party.EmbossName(tt.given, tt.surname)
			if err != nil || got != tt.want {
				t.Errorf("EmbossName = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestGivenNamesThatDoNotFitAreInitials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ given, surname, want string }{
		{"Maximiliano", "Featherstone-X", "MAXIMILIANO FEATHERSTONE-X"}, // 26
		{"Maximilien", "Vandenberghe-Dubois", "M. VANDENBERGHE-DUBOIS"},
		{"Marie-Élise Joséphine", "Vandenberghe", "M.E.J. VANDENBERGHE"},
		{"'t Anne", "Vandenberghe-Dubois-Mart", "VANDENBERGHE-DUBOIS-MART"},
		{"Anne", "Vandenberghe-Dubois-Martin", "VANDENBERGHE-DUBOIS-MARTIN"},
	} {
		if got, err := party.EmbossName(tt.given, tt.surname); err != nil || got != tt.want {
			t.Errorf("EmbossName(%q, %q) = %q, %v; want %q", tt.given, tt.surname, got, err, tt.want)
		}
	}
}

func TestEmbossNameNeverCutsASurname(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, given, surname, field string }{
		{"a surname of 27 characters", "Max", "Featherstone-Vandenberghe-X", "surname"},
		{"26 letters that grow", "B", strings.Repeat("ß", 14), "surname"},
		{"Greek letters", "Γιώργος", "Smith", "given_name"},
		{"digits", "R2", "D2", "given_name"},
		{"a line feed is a space, a bell is not", "A\nB", "C\a", "surname"},
		{"a separator", "A;B", "C", "given_name"},
		{"no surname", "Anne", " ", "surname"},
		{"one letter", "", "X", "surname"},
		{"bytes that are no text", "\xff", "X", "given_name"},
		{"a mark without letter", "\u0301", "X", "given_name"},
		{"a whole book", strings.Repeat("A", 500), "X", "given_name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := party.EmbossName(tt.given, tt.surname)
			var field *lifecycle.FieldError
			if !errors.As(err, &field) || field.Field != tt.field || !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("EmbossName = %v, want an error on %s", err, tt.field)
			}
		})
	}
}

func TestEmbossLine(t *testing.T) {
	t.Parallel()
	if got, err := party.EmbossLine("Bois & Fils S.A. (n° 1)"); err == nil {
		t.Errorf("EmbossLine = %q, want an error for the degree sign", got)
	}
	for in, want := range map[string]string{"": "", "Café 21 & Cie": "CAFE 21 & CIE"} {
		if got, err := party.EmbossLine(in); err != nil || got != want {
			t.Errorf("EmbossLine(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzEmbossName(f *testing.F) {
	f.Add("Zoé", "Lefèvre")
	f.Add("ǅ", "ﬁ")
	f.Fuzz(func(t *testing.T, given, surname string) {
		name, err := party.EmbossName(given, surname)
		if err != nil {
			return
		}
		if len(name) < 2 || len(name) > party.MaxEmboss || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ -'.") != "" {
			t.Fatalf("EmbossName(%q, %q) = %q", given, surname, name)
		}
		if again, err := party.EmbossName("", name); err != nil || again != name {
			t.Fatalf("%q is written again as %q, %v", name, again, err)
		}
	})
}

func TestACompanyThatDoesNotFitIsLeftOutNeverCut(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Bois & Fils":                          "BOIS & FILS",
		"Conserverie de l'Aubépinier":          "", // 27 characters
		"Société n° 4":                         "", // ° has no place on a card
		strings.Repeat("A", party.MaxEmboss):   strings.Repeat("A", party.MaxEmboss),
		strings.Repeat("A", 1+party.MaxEmboss): "",
	} {
		if got := party.EmbossCompany(name); got != want {
			t.Errorf("EmbossCompany(%q) = %q, want %q", name, got, want)
		}
	}
}
