package settings

import (
	"slices"

	"sceau/lifecycle"
)

// Scopes of transfers.
const (
	ScopeDomestic = "domestic"
	ScopeSEPA     = "sepa"
	ScopeWorld    = "world"
)

// Transfers says to which countries a payment may go: those of the scope and, with a
// narrower one than the world, some more.
type Transfers struct {
	Scope     string   `json:"scope"`
	Countries []string `json:"countries,omitempty"`
}

// sepa are the countries of the schemes' geographical scope by their payees' accounts
// (EPC409-09); overseas territories of France bank under FR.
var sepa = []string{
	"AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI", "GR", "HR", "HU", "IE", "IS", "IT",
	"LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "SM", "VA",
}

// SEPA lists the countries of SEPA, for the holder to see.
func SEPA() []string { return slices.Clone(sepa) }

func (t *Transfers) check(errs *lifecycle.FieldErrors, _ Bank) {
	if !slices.Contains([]string{ScopeDomestic, ScopeSEPA, ScopeWorld}, t.Scope) {
		errs.Add("value.scope", "use domestic, sepa or world")
	}
	list(errs, "countries", &t.Countries, countryForm, "are ISO 3166 codes of two capitals")
	if t.Scope == ScopeWorld && len(t.Countries) > 0 {
		errs.Add("value.countries", "is not needed: world has all countries")
	}
}

// reaches tells whether a country is among the value's. Home is the payer's.
func (t *Transfers) reaches(country, home string) bool {
	return country == home || t.Scope == ScopeWorld || t.Scope == ScopeSEPA && slices.Contains(sepa, country) || slices.Contains(t.Countries, country)
}

func (t *Transfers) within(other Value) bool {
	o, ok := other.(*Transfers)
	if !ok || t.Scope == ScopeWorld {
		return ok && o.Scope == ScopeWorld
	}
	all := t.Countries
	if t.Scope == ScopeSEPA {
		all = slices.Concat(all, sepa)
	}
	// Home is nobody's here: everybody's own country is reached by every value.
	return !slices.ContainsFunc(all, func(country string) bool { return !o.reaches(country, "") })
}

// Scopes of cards, each within the next.
const (
	CardHome           = "home"
	CardEurope         = "europe"
	CardWorldWithoutUS = "world_without_us"
	CardWorld          = "world"
)

var cardScopes = []string{CardHome, CardEurope, CardWorldWithoutUS, CardWorld}

// Card says where a card works. What it forbids is a lock, not an opposition: the
// card stays good.
type Card struct {
	Scope       string `json:"scope"`
	Internet    bool   `json:"internet"`
	Contactless bool   `json:"contactless"`
}

// europe is where a card of Europe works: SEPA, its neighbours, and Turkey. Islands
// overseas have codes of their own and do not count.
var europe = append([]string{"AX", "BA", "FO", "GG", "IM", "JE", "RS", "SJ", "TR", "UA", "XK"}, sepa...)

// Europe lists its countries, for the holder to see.
func Europe() []string { return slices.Sorted(slices.Values(europe)) }

func (c *Card) check(errs *lifecycle.FieldErrors, _ Bank) {
	if !slices.Contains(cardScopes, c.Scope) {
		errs.Add("value.scope", "use home, europe, world_without_us or world")
	}
}

func (c *Card) reaches(country, home string) bool {
	switch c.Scope {
	case CardEurope:
		return country == home || slices.Contains(europe, country)
	case CardWorldWithoutUS:
		return country == home || country != "US"
	case CardWorld:
		return true
	}
	return country == home
}

func (c *Card) within(other Value) bool {
	o, ok := other.(*Card)
	return ok && slices.Index(cardScopes, c.Scope) <= slices.Index(cardScopes, o.Scope) && (!c.Internet || o.Internet) && (!c.Contactless || o.Contactless)
}
