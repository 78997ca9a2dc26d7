// Package signing is what a holder can be asked to sign, as data: the sensitive
// functions of relying services, which fields each has, the one text that a
// signature is over, the digits of it that are typed into a CAP reader, and the
// bank's policy that says which means and mode suffice for what.
//
// It never does I/O, knows a clock, a holder's secret or a key, and judges no
// code: authn does. Data runs in as a relying service named it or as a policy that
// was proposed, and out as checked values.
package signing

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
)

// Function is something that asks for authentication.
type Function string

// The functions. All but the sign-in are sensitive: each needs an entitlement, and
// strong authentication each time.
const (
	SignIn             Function = "sign_in"
	SignPayment        Function = "sign_payment"
	SignPaymentBatch   Function = "sign_payment_batch"
	AddBeneficiary     Function = "add_beneficiary"
	OrderChequebook    Function = "order_chequebook"
	ManageEntitlements Function = "manage_entitlements"
	ChangeSetting      Function = "change_setting"
)

// Functions lists them, the sign-in first.
func Functions() []Function {
	return []Function{SignIn, SignPayment, SignPaymentBatch, AddBeneficiary, OrderChequebook, ManageEntitlements, ChangeSetting}
}

// Sensitive tells whether the function needs an entitlement.
func (f Function) Sensitive() bool { return f != SignIn }

// MovesMoney tells whether RTS article 5 asks for amount and payee in what is
// signed.
func (f Function) MovesMoney() bool { return f == SignPayment || f == SignPaymentBatch }

// MaxValue bounds the text of a setting or of somebody's entitlements in what is
// signed, in characters.
const MaxValue = 4000

// form is what a field of an operation looks like.
type form struct {
	pattern *regexp.Regexp // nil: printable characters
	why     string
	most    int // characters, where there is no pattern
}

var (
	amount    = form{regexp.MustCompile(`^(0|[1-9][0-9]{0,11})$`), "is an amount in cents, 0 to 999999999999", 0}
	currency  = form{regexp.MustCompile(`^[A-Z]{3}$`), "is an ISO 4217 code of three capitals", 0}
	count     = form{regexp.MustCompile(`^[1-9][0-9]{0,5}$`), "is a number from 1 to 999999", 0}
	account   = form{regexp.MustCompile(`^[A-Z0-9]{4,34}$`), "is an account number of 4 to 34 capitals and digits, without spaces", 0}
	sum       = form{regexp.MustCompile(`^[0-9a-f]{64}$`), "is a SHA-256 in 64 small hexadecimal digits: the hash of the file that is signed", 0}
	reference = form{regexp.MustCompile(`^[A-Za-z0-9._:/+-]{1,64}$`), "has 1 to 64 letters, digits and . _ : / + -", 0}
	words     = form{nil, "has 1 to 140 printable characters", 140}
	values    = form{nil, "has 1 to 4000 printable characters", MaxValue} // settings and entitlements, whole
)

// field is one of a function's, and whether it may be left out.
type field struct {
	name     string
	form     form
	optional bool
}

var fields = map[Function][]field{
	SignIn: {},
	SignPayment: {
		{"amount", amount, false}, {"currency", currency, false}, {"payee_account", account, false}, {"payee_name", words, false},
		{"debtor_account", account, true}, {"reference", reference, true},
	},
	SignPaymentBatch: {
		{"total", amount, false}, {"currency", currency, false}, {"count", count, false}, {"sha256", sum, false},
		{"debtor_account", account, true}, {"reference", reference, true},
	},
	AddBeneficiary:     {{"payee_account", account, false}, {"payee_name", words, false}, {"reference", reference, true}},
	OrderChequebook:    {{"account", account, false}, {"count", count, false}, {"reference", reference, true}},
	ManageEntitlements: {{"user_number", form{regexp.MustCompile(`^[0-9]{4}$`), "is a user number of 4 digits", 0}, false}, {"entitlements", values, false}, {"reference", reference, true}},
	ChangeSetting:      {{"setting", reference, false}, {"scope", reference, true}, {"old", values, false}, {"new", values, false}, {"reference", reference, true}},
}

// Operation is a function with what it is about. A value that [NewOperation] gave
// is valid.
type Operation struct {
	Function Function
	Content  map[string]string
}

// NewOperation checks what a relying service wants signed, and names every wrong
// field.
func NewOperation(f Function, content map[string]string) (Operation, error) {
	known, ok := fields[f]
	if !ok {
		return Operation{}, &lifecycle.FieldError{Field: "function", Why: fmt.Sprintf("use one of %v", Functions())}
	}
	var errs lifecycle.FieldErrors
	for _, one := range known {
		value, there := content[one.name]
		if !there && one.optional {
			continue
		}
		if !one.form.matches(value) {
			errs.Add("content."+one.name, one.form.why)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if !slices.ContainsFunc(known, func(k field) bool { return k.name == name }) {
			errs.Add("content."+clean(name), "is no field of "+string(f))
		}
	}
	if err := errs.Err(); err != nil {
		return Operation{}, err
	}
	kept := map[string]string{}
	maps.Copy(kept, content)
	return Operation{f, kept}, nil
}

func (f form) matches(s string) bool {
	if f.pattern != nil {
		return f.pattern.MatchString(s)
	}
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= f.most && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r)
	})
}

// clean keeps a strange field's name legible and short.
func clean(name string) string {
	const most = 40
	name = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), most)]
}

// Text is the one text of the operation, for a user (client ID/user number) and a
// nonce: JSON with sorted members and no spaces. The nonce makes what is signed differ when the same
// operation is asked for twice. A certificate signs this text; a passkey and a
// reader sign its [Digest].
func (o Operation) Text(user string, nonce [16]byte) []byte {
	text, err := json.Marshal(struct {
		Content  map[string]string `json:"content"`
		Function Function          `json:"function"`
		Nonce    string            `json:"nonce"`
		User     string            `json:"user"`
	}{o.Content, o.Function, hex.EncodeToString(nonce[:]), user})
	if err != nil {
		return nil // strings only: it never happens
	}
	return text
}

// Digest is the SHA-256 of a text.
func Digest(text []byte) [32]byte { return sha256.Sum256(text) }

const eightDigits = 100_000_000

// Number is eight digits of a digest, for a reader's keypad. It is never zero: zeros
// reach the card as nothing typed.
func Number(digest [32]byte) string {
	n := binary.BigEndian.Uint64(digest[:8])%(eightDigits-1) + 1
	return fmt.Sprintf("%08d", n)
}

// Data is what the holder types into a CAP reader in mode 2 with TDS: digits that
// they can compare with what they mean to sign, then the number of the digest where
// those do not say it all. RTS article 5: amount and payee, or a batch's total and
// its payees, which the number stands for.
func (o Operation) Data(digest [32]byte) []string {
	c := o.Content
	switch o.Function {
	case SignPayment:
		return []string{c["amount"], lastDigits(c["payee_account"]), Number(digest)}
	case SignPaymentBatch:
		return []string{c["total"], c["count"], Number(digest)}
	case AddBeneficiary:
		return []string{lastDigits(c["payee_account"]), Number(digest)}
	case OrderChequebook:
		return []string{c["count"], lastDigits(c["account"]), Number(digest)}
	case ManageEntitlements:
		return []string{c["user_number"], Number(digest)}
	case SignIn, ChangeSetting:
	}
	return []string{Number(digest)}
}

// lastDigits are the last ten digits of an account's number, letters left out.
func lastDigits(number string) string {
	const most = 10
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	if digits == "" {
		return "0"
	}
	return digits[max(0, len(digits)-most):]
}

// Amount and Currency are what mode 1 takes of the operation: cents, and "" when it
// moves none.
func (o Operation) Amount() string {
	switch o.Function { //nolint:exhaustive // the others have none
	case SignPayment:
		return o.Content["amount"]
	case SignPaymentBatch:
		return o.Content["total"]
	}
	return ""
}

// Cents is the amount as a number, 0 when it moves none.
func (o Operation) Cents() int64 {
	n, err := strconv.ParseInt(o.Amount(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
