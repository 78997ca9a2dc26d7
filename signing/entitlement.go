package signing

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sceau/lifecycle"
)

// Grant is a sensitive function that a user has: on one account or on every one, and
// of payments in a band of amounts.
type Grant struct {
	Function Function `json:"function"`
	Account  string   `json:"account,omitempty"`  // "" is every account
	From     int64    `json:"from,omitempty"`     // cents
	To       int64    `json:"to,omitempty"`       // cents, itself included; 0 is no bound
	Currency string   `json:"currency,omitempty"` // of a band; amounts in another are outside
}

// Entitlements are all that a user may sign. A value that [NewEntitlements] or
// [ReadEntitlements] gave is valid, sorted and has nothing twice. Who has
// [ManageEntitlements] is a principal user of the company.
type Entitlements []Grant

const (
	maxGrants = 30
	maxBand   = 999_999_999_999 // cents, as an amount has at most
)

// NewEntitlements checks what somebody is to be given, and names what is wrong.
func NewEntitlements(grants []Grant) (Entitlements, error) {
	var errs lifecycle.FieldErrors
	if len(grants) > maxGrants {
		errs.Add("entitlements", fmt.Sprintf("has more than %d grants", maxGrants))
		return nil, errs.Err()
	}
	e := slices.Clone(Entitlements(grants))
	slices.SortFunc(e, func(a, b Grant) int { return strings.Compare(a.key(), b.key()) })
	for i, g := range e {
		at := fmt.Sprintf("entitlements[%s]", clean(string(g.Function)))
		if !g.Function.Sensitive() || !slices.Contains(Functions(), g.Function) {
			errs.Add(at, fmt.Sprintf("use one of %v", Functions()[1:]))
			continue
		}
		if g.Account != "" && (!g.Function.onAccount() || !account.matches(g.Account)) {
			errs.Add(at+".account", "is an account number without spaces, of a payment, a batch or a chequebook")
		}
		switch banded := g.From != 0 || g.To != 0; {
		case banded && !g.Function.MovesMoney():
			errs.Add(at+".from", "a band of amounts is of payments and batches")
		case g.From < 0 || g.To < 0 || g.From > maxBand || g.To > maxBand || g.To != 0 && g.To < g.From:
			errs.Add(at+".to", "a band runs from cents to no fewer cents; 0 is no bound")
		case banded != (g.Currency != "") || banded && !currency.matches(g.Currency):
			errs.Add(at+".currency", "names the currency of a band, as EUR, and of nothing else")
		}
		if i > 0 && e[i-1].key() == g.key() {
			errs.Add(at, "is there twice")
		}
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return e, nil
}

func (f Function) onAccount() bool { return f.MovesMoney() || f == OrderChequebook }

func (g Grant) key() string { return string(g.Function) + " " + g.Account + " " + g.Currency }

// String is the grant as people read and sign it.
func (g Grant) String() string {
	text := string(g.Function)
	if g.Account != "" {
		text += " on " + g.Account
	}
	switch {
	case g.Currency == "":
	case g.To == 0:
		text += fmt.Sprintf(" from %d cents %s", g.From, g.Currency)
	default:
		text += fmt.Sprintf(" from %d to %d cents %s", g.From, g.To, g.Currency)
	}
	return text
}

// Text is all of it in one line, as the principal user signs it.
func (e Entitlements) Text() string {
	if len(e) == 0 {
		return "none"
	}
	parts := make([]string, len(e))
	for i, g := range e {
		parts[i] = g.String()
	}
	return strings.Join(parts, "; ")
}

// Sum is the SHA-256 of the text, for a user: what an approver was shown.
func (e Entitlements) Sum(user string) [32]byte { return sha256.Sum256([]byte(user + ": " + e.Text())) }

// Has tells whether some grant is of the function.
func (e Entitlements) Has(f Function) bool {
	return slices.ContainsFunc(e, func(g Grant) bool { return g.Function == f })
}

// Covers tells whether some grant covers the operation. Of one that names no account
// only a grant for every account does.
func (e Entitlements) Covers(o Operation) bool {
	if !o.Function.Sensitive() {
		return true
	}
	from := o.Content["debtor_account"]
	if o.Function == OrderChequebook {
		from = o.Content["account"]
	}
	return slices.ContainsFunc(e, func(g Grant) bool {
		if g.Function != o.Function || g.Account != "" && g.Account != from {
			return false
		}
		cents := o.Cents()
		return g.Currency == "" || g.Currency == o.Content["currency"] && cents >= g.From && (g.To == 0 || cents <= g.To)
	})
}

// Canonical is the form in which they are kept.
func (e Entitlements) Canonical() []byte {
	if e == nil {
		e = Entitlements{}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil // texts and numbers only: cannot happen
	}
	return text
}

// ReadEntitlements reads those that are on record.
func ReadEntitlements(kept []byte) (Entitlements, error) {
	var grants []Grant
	if err := json.Unmarshal(kept, &grants); err != nil {
		return nil, fmt.Errorf("%w: entitlements: %w", lifecycle.Invalid, err)
	}
	return NewEntitlements(grants)
}
