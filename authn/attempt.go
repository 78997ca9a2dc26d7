package authn

import (
	"slices"
	"strconv"
	"strings"

	"sceau/lifecycle"
)

// Purpose says what a code is for, hence which cards may make it.
type Purpose string

// The purposes.
const (
	SignIn   Purpose = "sign_in"
	Sign     Purpose = "sign"     // an operation
	Activate Purpose = "activate" // the first code of a new card
	// Confirm is the CODE key for one operation that waits, where the bank's policy
	// lets it sign: the code depends on nothing. [Service.Prove] alone asks for it.
	Confirm Purpose = "confirm"
)

// Attempt is a code that somebody claims to have made: with a named card, or
// with any card of a user.
type Attempt struct {
	By         lifecycle.Actor // who asks: a relying service
	Purpose    Purpose
	Card       lifecycle.CardID
	ClientID   string // with UserNumber, when Card is empty
	UserNumber string
	Operation
}

// check bounds what was typed, and holds each mode to its own data as the engine
// does. A code that has not 8 digits is no guess.
func (a Attempt) check(p Policy) error {
	var errs lifecycle.FieldErrors
	if !isCode(a.Code) {
		errs.Add("code", "a code has 8 digits: type what the reader shows")
	}
	switch a.Purpose {
	case SignIn, Sign, Activate, Confirm:
	default:
		errs.Add("purpose", "use sign_in, sign or activate")
	}
	a.checkWhose(&errs)
	takes, known := map[string][]string{
		"1": {"challenge", "amount", "currency"}, "2": {}, "2+tds": {"tds"}, "3": {"challenge"},
	}[a.Mode]
	if !known {
		errs.Add("mode", "use 1, 2, 2+tds or 3")
	}
	for _, d := range a.typed() {
		switch {
		case !d.good:
			errs.Add(d.name, d.form)
		case known && d.there && !slices.Contains(takes, d.name):
			errs.Add(d.name, "mode "+a.Mode+" does not take it")
		case !d.there && (a.Mode == "3" && d.name == "challenge" || a.Mode == "2+tds" && d.name == "tds"):
			errs.Add(d.name, "mode "+a.Mode+" needs what the holder typed")
		}
	}
	if a.Mode == "1" && a.Amount+a.Currency != "" && !p.SignsAmounts {
		errs.Add("amount", "these cards do not sign an amount: have the holder type it as a challenge, or as data in mode 2+tds")
	}
	// A code made for a sign-in depends on nothing: it must never pass for a
	// signature. Zeros reach the card as nothing typed.
	if a.Purpose == Sign && known && a.Mode != "2+tds" && strings.Trim(a.Challenge+a.Amount, "0") == "" {
		errs.Add("mode", "a signature is over data of the operation: have the holder type a challenge, an amount or data fields other than zero")
	}
	return errs.Err()
}

// checkWhose wants one way of saying whose code it is: with two, the code of one
// person's card could pass for another's.
func (a Attempt) checkWhose(errs *lifecycle.FieldErrors) {
	switch {
	case a.Card == "":
		if len(a.ClientID) != 8 || !digits(a.ClientID) || len(a.UserNumber) != 4 || !digits(a.UserNumber) {
			errs.Add("client_id", "give a card, or a client ID of 8 digits with a user number of 4")
		}
	case a.ClientID != "" || a.UserNumber != "":
		errs.Add("client_id", "give a card or a user, not both")
	default:
		errs.AddError("card", lifecycle.CheckID(lifecycle.PrefixCard, string(a.Card)))
	}
}

// datum is something that the holder typed into the reader.
type datum struct {
	name        string
	there, good bool
	form        string // what it must look like
}

func (a Attempt) typed() []datum {
	number := func(name, text string, most int) datum {
		return datum{name, text != "", len(text) <= most && digits(text), "at most " + strconv.Itoa(most) + " digits, as typed into the reader"}
	}
	odd := func(f string) bool { return len(f) == 0 || len(f) > 32 || !digits(f) }
	return []datum{
		number("challenge", a.Challenge, 8), number("amount", a.Amount, 12), number("currency", a.Currency, 4),
		{"tds", len(a.TDS) > 0, len(a.TDS) <= 10 && !slices.ContainsFunc(a.TDS, odd), "at most 10 fields, each of 1 to 32 digits"},
	}
}

func isCode(s string) bool { return len(s) == 8 && digits(s) }

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
