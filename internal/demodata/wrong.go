package demodata

import (
	"fmt"
	"strings"
)

// Wrong is a line that must be refused, and the column that says why.
type Wrong struct {
	Columns []string
	Field   string // the wrong column; "" when the line has not the right columns
}

// WrongLines are the lines that are wrong on purpose, each in one way.
func WrongLines() []Wrong {
	faults := []struct {
		field  string
		change func(*Order)
	}{
		{"registry_number", func(o *Order) { o.RegistryNumber = "299010008" }}, // its check digit is 9
		{"product", func(o *Order) { o.Product = "badge" }},
		{"surname", func(o *Order) { o.Surname = "" }},
		{"language", func(o *Order) { o.Language = "es" }},
		{"postcode", func(o *Order) { o.Postcode = "3500" }},
		{"reference", func(o *Order) { o.Reference = "AUB-000042" }},
		{"surname", func(o *Order) { o.Surname = "=HYPERLINK(A1)" }},
		{"branch", func(o *Order) { o.Branch = "FR99" }},
		{"delivery", func(o *Order) { o.Delivery = "pigeon" }},
		{"street", func(o *Order) { o.Street = "128 avenue des Anciens Élèves de l'École du Moulin" }},
		{"email", func(o *Order) { o.Email = strings.Replace(o.Email, "@", " at ", 1) }},
		{"", nil}, // a column is missing
	}
	firm := companies()[0]
	lines := make([]Wrong, 0, len(faults))
	people := map[string]int{"fr": 300, "en": 300} // nobody of the good lines
	for i, f := range faults {
		o := user(firm, 0, 100+i, 6*i, people)
		o.Reference, o.Product, o.Delivery = fmt.Sprintf("AUB-%06d", 900001+i), "card", "home"
		if f.change == nil {
			columns := o.columns()
			lines = append(lines, Wrong{Columns: columns[:len(columns)-1]})
			continue
		}
		f.change(&o)
		lines = append(lines, Wrong{Columns: o.columns(), Field: f.field})
	}
	return lines
}
