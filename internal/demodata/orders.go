package demodata

import (
	"fmt"

	"sceau/lifecycle"
)

// place is a town, and the streets of its language.
type place struct{ postcode, city string }

// region is where a company and its users live.
type region struct {
	country, language string
	branches          []string
	places            []place
	streets           []string
	complements       []string
}

func regions() map[string]region {
	return map[string]region{
		"FR": {
			"FR", "fr",
			[]string{"FR01", "FR02"},
			[]place{{"35000", "Rennes"}, {"44000", "Nantes"}, {"69003", "Lyon"}, {"59800", "Lille"}, {"20000", "Ajaccio"}, {"33000", "Bordeaux"}},
			[]string{"rue de l'Église", "avenue des Tilleuls", "rue du Moulin", "impasse des Lilas", "place du Marché", "chemin des Prés"},
			[]string{"Appartement 4", "", "Bâtiment B", "", "Étage 2", ""},
		},
		"BE-fr": {
			"BE", "fr",
			[]string{"BE01"},
			[]place{{"4000", "Liège"}, {"5000", "Namur"}, {"1000", "Bruxelles"}},
			[]string{"Rue de l'Église", "Avenue des Tilleuls", "Rue du Moulin", "Rue des Écoles"},
			[]string{"bte 3", "", "bte 12", ""},
		},
		"BE-nl": {
			"BE", "nl",
			[]string{"BE03"},
			[]place{{"9000", "Gent"}, {"3500", "Hasselt"}, {"2800", "Mechelen"}},
			[]string{"Kerkstraat", "Lindenlaan", "Molenstraat", "Schoolstraat"},
			[]string{"bus 2", "", "", ""},
		},
		"BE-de": {
			"BE", "de",
			[]string{"BE02"},
			[]place{{"4700", "Eupen"}, {"4780", "Sankt Vith"}, {"4721", "Kelmis"}},
			[]string{"Kirchstraße", "Lindenweg", "Mühlenstraße", "Schulstraße"},
			[]string{"Bus 1", "", "", ""},
		},
		"NL": {
			"NL", "nl",
			[]string{"NL01"},
			[]place{{"3511 AB", "Utrecht"}, {"1012 KL", "Amsterdam"}, {"6211 CJ", "Maastricht"}, {"9711LM", "Groningen"}},
			[]string{"Kerkstraat", "Lindelaan", "Molenweg", "1e Schoolstraat"},
			[]string{"", "", "2e verdieping", ""},
		},
	}
}

// company is a client of the bank.
type company struct {
	region   region
	name     string
	domain   string
	registry string
	clientID string
}

// companyNames are 40: 20 French, 4 Belgian of each language, 8 Dutch.
func companyNames() map[string][]string {
	return map[string][]string{
		"FR": {
			"Ateliers Montclair", "Maçonnerie Aubrac", "Charpentes Ponantelles", "Filature Licevert", "Verrerie Noirmont", "Conserverie de l'Aubépinier",
			"Imprimerie Boisjoli", "Serres Hautefeuille", "Tannerie Guévallon", "Menuiserie Clairval", "Brasserie Ormevallon", "Papeterie Saulnière",
			"Couverture & Zinc Verdoyer", "Fonderie Rocheclaire", "Transports Belétang", "Poterie Sureaubois", "Horlogerie Coudrelle",
			"Pépinières Tilleraye", "Laiterie Grandchêne", "Chantiers Bruyère",
		},
		"BE-fr": {"Forges du Condroz Vert", "Sucrerie Aubépinoise", "Carrières Pierrefleur", "Cartonnerie Fagnebelle"},
		"BE-nl": {"Drukkerij Klaverdaal", "Weverij Meidoorn", "Brouwerij Het Hazelhof", "Bouwbedrijf Iepenburg"},
		"BE-de": {"Tuchfabrik Weißdorn", "Schreinerei Lindenhöfer", "Sägewerk Buchenröder", "Kabelwerk Holunder"},
		"NL": {
			"Rederij Zandbloem", "Kwekerij Waterlelie", "Glashandel Rietgors", "Scheepswerf Duindoorn", "Bakkerij Roggeveldt", "Metaalwerken Esdoorn",
			"Uitgeverij Veldleeuwerik", "Zuivel Kamperfoelie",
		},
	}
}

func companies() []company {
	all := make([]company, 0, Companies)
	for _, key := range []string{"FR", "BE-fr", "BE-nl", "BE-de", "NL"} {
		for _, name := range companyNames()[key] {
			n, r := len(all), regions()[key]
			c := company{region: r, name: name, clientID: fmt.Sprint(40010000 + 137*n), domain: domain(name), registry: registry(r.country, n)}
			all = append(all, c)
		}
	}
	return all
}

func domain(name string) string {
	return ascii(name) + ".example"
}

// registry is a well-formed number of a range that is not given out.
func registry(country string, n int) string {
	switch country {
	case "FR":
		body := fmt.Sprintf("29901%03d", 17*n)
		return body + string(lifecycle.LuhnDigit(body))
	case "BE":
		body := 19990000 + 31*n
		number := fmt.Sprintf("%d%02d", body, 97-body%97)
		return number[:4] + "." + number[4:7] + "." + number[7:]
	}
	return fmt.Sprint(99900000 + 41*n)
}

// Orders are the good lines: exactly [Cards] and [Certificates].
func Orders() []Order {
	var orders []Order
	seen := map[string]int{} // people so far, by language
	single := 0
	for c, firm := range companies() {
		for u := range Users / Companies {
			n := c*(Users/Companies) + u
			o := user(firm, c, u, n, seen)
			products := []string{"card", "certificate"}
			if n%(Users/BothProducts) != 0 {
				// 110 of 190: eleven of every nineteen.
				products = products[:1]
				if single*11%19 >= 11 {
					products = []string{"certificate"}
				}
				single++
			}
			for _, p := range products {
				o.Reference, o.Product, o.Delivery = fmt.Sprintf("AUB-%06d", len(orders)+1), p, "-"
				if p == "card" {
					o.Delivery = "home"
					if n%6 == 1 {
						o.Delivery = "branch"
					}
				}
				orders = append(orders, o)
			}
		}
	}
	// The account manager who also approves has two orders of his own.
	for i := range 2 {
		orders[100+i].RequestedBy = OrdersAndApproves
	}
	return orders
}

func user(firm company, c, u, n int, seen map[string]int) Order {
	r := firm.region
	language := r.language
	if n%9 == 4 {
		language = "en"
	}
	given, surname := person(language, seen[language])
	seen[language]++
	home := r.places[n%len(r.places)]
	street := r.streets[n%len(r.streets)]
	if r.country == "FR" {
		street = fmt.Sprintf("%d %s", 1+n*7%98, street)
	} else {
		street = fmt.Sprintf("%s %d", street, 1+n*7%98)
	}
	return Order{
		ClientID: firm.clientID, Company: firm.name, Country: r.country, RegistryNumber: firm.registry,
		Branch: r.branches[c%len(r.branches)], UserNumber: fmt.Sprintf("%04d", u+1),
		GivenName: given, Surname: surname, Language: language, Email: ascii(given) + "." + ascii(surname) + "@" + firm.domain,
		Complement: r.complements[n%len(r.complements)], Street: street, Postcode: home.postcode, City: home.city, AddressCountry: r.country,
		RequestedBy: accountManagers()[c%len(accountManagers())],
	}
}
