// Package demodata makes the sample bank: Banque Aubépine, its branches, staff
// and tariff, and a file of orders with good lines and lines that are wrong on
// purpose. Equal code gives equal bytes: no clock, no random source.
//
// It never reaches production: tests, tools/demodata and the demonstration import it,
// nothing else does. All
// people and companies are invented; registry numbers are well formed and
// taken from ranges that the registers have not given out; e-mail domains are
// reserved (RFC 2606); telephone numbers are reserved for fiction or cannot be
// dialled.
package demodata

import "strings"

//go:generate go run sceau/tools/demodata -dir ../../testdata/demo

// What the order file holds.
const (
	Users        = 200 // who order something valid
	Companies    = 40
	Cards        = 120
	Certificates = 90
	BothProducts = 10 // users who order a card and a certificate
	wrongCount   = 12
)

// Header are the columns of the order file, in order.
func Header() []string {
	return []string{
		"reference", "product", "client_id", "company", "country", "registry_number", "branch", "user_number",
		"given_name", "surname", "language", "email", "complement", "street", "postcode", "city", "address_country",
		"delivery", "requested_by",
	}
}

// Order is one line of the order file, a value for each column of [Header].
type Order struct {
	Reference, Product                                 string
	ClientID, Company, Country, RegistryNumber, Branch string
	UserNumber, GivenName, Surname, Language, Email    string
	Complement, Street, Postcode, City, AddressCountry string
	Delivery, RequestedBy                              string
}

func (o Order) columns() []string {
	return []string{
		o.Reference, o.Product, o.ClientID, o.Company, o.Country, o.RegistryNumber, o.Branch, o.UserNumber,
		o.GivenName, o.Surname, o.Language, o.Email, o.Complement, o.Street, o.Postcode, o.City, o.AddressCountry,
		o.Delivery, o.RequestedBy,
	}
}

// OrderFile is orders.csv: UTF-8, separated by semicolons, with a header. The
// wrong lines stand among the good ones, from the second third on. No value
// needs quoting.
func OrderFile() []byte {
	const first, every = 70, 7
	var b strings.Builder
	write := func(columns []string) {
		b.WriteString(strings.Join(columns, ";"))
		b.WriteByte('\n')
	}
	write(Header())
	wrong := WrongLines()
	for i, o := range Orders() {
		write(o.columns())
		if i >= first && (i-first)%every == 0 && len(wrong) > 0 {
			write(wrong[0].Columns)
			wrong = wrong[1:]
		}
	}
	return []byte(b.String())
}
