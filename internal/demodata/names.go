package demodata

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// tongue is what people of one language are called. 16 given names and 23
// surnames: consecutive people get distinct pairs (see person).
type tongue struct{ given, surnames []string }

func tongues() map[string]tongue {
	return map[string]tongue{
		"fr": {
			strings.Fields("Hélène Étienne Amélie François Noémie Jérôme Zoé Raphaël Cécile Benoît Inès Loïc Solène Gaël Maëlys Théo"),
			strings.Fields("Montclair Aubrac Desrosiers Valgrenier Bruyère Fontébranche Rocheclaire Clairvallon Boisjoli Grandchêne Hautefeuille " +
				"Pâquerette Verdoyer Chèvrefeuille Lafougère Noirmont Belétang Saulnière Duchâtaignier Tilleraye Mirebœuf Sureaubois Coudrelle"),
		},
		"nl": {
			strings.Fields("Joost Liesbeth Maarten Sanne Pieter Fleur Wouter Anouk Jeroen Marieke Bram Noor Tijs Evi Ruben Loïs"),
			strings.Split("van der Zwaluw,Meidoornveld,de Lindeboom,Hazelaarsma,van Beukenrode,Vlierstra,ter Wilgenhof,Elzenaar,van den Berkenhof,"+
				"Iepenburg,Klaverdaal,'t Heidekruid,Roggeveldt,van Speenkruid,Duindoornsma,Zandbloem,Waterlelie,van Kamperfoelie,Boterbloemen,"+
				"Esdoornhout,Rietgors,Veldleeuwerik,Brandnetelaar", ","),
		},
		"de": {
			strings.Fields("Käthe Jürgen Annelie Götz Ursel Matthäus Heike Björn Sabine Jörg Ulrike Florian Mareike Günther Silke Thilo"),
			strings.Fields("Weißdorn Lindenhöfer Buchenröder Eschweide Holunderbach Wacholderer Eibenstück Haselmüßen Birkenfäller Ahorngräber " +
				"Schlehenbusch Kornblümer Heidekräuter Mohnfelder Brombeerer Ginsterhöh Sauerkirscher Nußbäumler Quittenhag Efeuwald Farnkräuter Mispelbaum Rainfarner"),
		},
		"en": {
			strings.Fields("Eleanor Gareth Imogen Callum Beatrix Rowan Isla Fergus Maeve Tobias Orla Hugh Phoebe Angus Sian Desmond"),
			strings.Split("Hawthorne-Vale,Larkspurton,Brackenridge-Moor,O'Fernhill,Willowmere,Thistledown,Rowanbury,Heatherstone,Bramblewick,Foxglove,"+
				"Elderbrook,Primrosefield,Sorrelby,Mossgrave,Ivybridger,Cloverdene,Nettlecombe,Yewbarrow,Alderwich,Burdockham,Teaselton,Sedgemarsh,Meadowsweete", ","),
		},
	}
}

// person is the nth person of a language. Pairs repeat only after 16 × 23,
// because 16 + 1 and 23 have no common divisor.
func person(language string, n int) (given, surname string) {
	t := tongues()[language]
	return t.given[n%len(t.given)], t.surnames[(n/len(t.given)+n)%len(t.surnames)]
}

// ascii is a name as mail addresses write it.
func ascii(s string) string {
	s = strings.NewReplacer("œ", "oe", "ß", "ss").Replace(strings.ToLower(s))
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r), r == '\'', r == ' ', r == '&':
			return -1
		}
		return r
	}, norm.NFD.String(s))
}
