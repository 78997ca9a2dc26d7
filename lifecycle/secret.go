package lifecycle

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// PIN is a holder's secret code in clear. It lives in Vault and in the memory
// of the PIN-letter worker only (ARCHITECTURE.md). It hides itself from fmt,
// slog and JSON; Reveal is the one way out, and archtest allows it in few places.
type PIN struct{ digits hidden }

// hidden is a secret text behind a pointer. fmt and slog call no method of a
// value that they find in an unexported field: they print what they see there,
// and this is an address. It has no ==, which would compare addresses.
type hidden struct {
	_    [0]func()
	text *string
}

func (h hidden) reveal() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// NewPIN takes 4 to 12 digits (ISO 9564-1 §4.2).
func NewPIN(digits string) (PIN, error) {
	if len(digits) < 4 || len(digits) > 12 {
		return PIN{}, fmt.Errorf("%w: a PIN has 4 to 12 digits", Invalid)
	}
	for _, r := range digits {
		if r < '0' || r > '9' {
			return PIN{}, fmt.Errorf("%w: a PIN has digits only", Invalid)
		}
	}
	return PIN{digits: hidden{text: &digits}}, nil
}

// Reveal gives the digits.
func (p PIN) Reveal() string { return p.digits.reveal() }

// Equal compares without telling by its time how much agrees.
func (p PIN) Equal(other PIN) bool {
	return subtle.ConstantTimeCompare([]byte(p.digits.reveal()), []byte(other.digits.reveal())) == 1
}

// String, Format, LogValue and the marshallers keep the PIN out of every
// output. Format covers every verb, %+v and %#v of a struct that exports one.
func (PIN) String() string                 { return "[PIN]" }
func (PIN) GoString() string               { return "[PIN]" }
func (PIN) Format(s fmt.State, _ rune)     { _, _ = s.Write([]byte("[PIN]")) }
func (PIN) LogValue() slog.Value           { return slog.StringValue("[PIN]") }
func (PIN) MarshalText() ([]byte, error)   { return nil, errSecret }
func (PIN) MarshalJSON() ([]byte, error)   { return nil, errSecret }
func (PIN) MarshalBinary() ([]byte, error) { return nil, errSecret }

var (
	errSecret = errors.New("a secret is never serialised")

	_ json.Marshaler = PIN{}
	_ fmt.Formatter  = PIN{}
)

// PAN is a card number (ISO/IEC 7812-1), 12 to 19 digits with a Luhn check
// digit. Printed and logged it shows the last four digits only.
type PAN struct{ digits hidden }

// NewPAN checks length, digits and the Luhn check digit.
func NewPAN(digits string) (PAN, error) {
	if len(digits) < 12 || len(digits) > 19 {
		return PAN{}, fmt.Errorf("%w: a card number has 12 to 19 digits", Invalid)
	}
	for _, r := range digits {
		if r < '0' || r > '9' {
			return PAN{}, fmt.Errorf("%w: a card number has digits only", Invalid)
		}
	}
	if !Luhn(digits) {
		return PAN{}, fmt.Errorf("%w: the card number's check digit is wrong", Invalid)
	}
	return PAN{digits: hidden{text: &digits}}, nil
}

// Reveal gives the digits.
func (p PAN) Reveal() string { return p.digits.reveal() }

// Last4 are the digits that staff and holders see.
func (p PAN) Last4() string {
	digits := p.digits.reveal()
	if len(digits) < 4 {
		return ""
	}
	return digits[len(digits)-4:]
}

func (p PAN) String() string               { return "•••• " + p.Last4() }
func (p PAN) GoString() string             { return p.String() }
func (p PAN) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(p.String())) }
func (p PAN) LogValue() slog.Value         { return slog.StringValue(p.String()) }
func (p PAN) MarshalText() ([]byte, error) { return nil, errSecret }
func (p PAN) MarshalJSON() ([]byte, error) { return nil, errSecret }

// DocumentNumber is the number of an identity document, in capitals and digits.
// Printed and logged it shows the last characters only.
type DocumentNumber struct{ text hidden }

// NewDocumentNumber takes a number as it is printed: spaces, dots and dashes are left
// out, letters made capitals. The error never has the number.
func NewDocumentNumber(printed string) (DocumentNumber, error) {
	const shortest, longest = 6, 20
	var plain []byte
	for i := range len(printed) {
		switch c := printed[i]; {
		case c == ' ', c == '-', c == '.':
		case 'a' <= c && c <= 'z':
			plain = append(plain, c-'a'+'A')
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z':
			plain = append(plain, c)
		default:
			return DocumentNumber{}, fmt.Errorf("%w: the number of a document has letters and digits only", Invalid)
		}
	}
	if len(plain) < shortest || len(plain) > longest {
		return DocumentNumber{}, fmt.Errorf("%w: the number of a document has %d to %d letters and digits", Invalid, shortest, longest)
	}
	text := string(plain)
	return DocumentNumber{text: hidden{text: &text}}, nil
}

// Reveal gives the number.
func (n DocumentNumber) Reveal() string { return n.text.reveal() }

// Last are the characters that staff see: three, so that of the shortest number half
// stays hidden.
func (n DocumentNumber) Last() string {
	const seen = 3
	text := n.text.reveal()
	return text[max(0, len(text)-seen):]
}

func (n DocumentNumber) String() string               { return "••• " + n.Last() }
func (n DocumentNumber) GoString() string             { return n.String() }
func (n DocumentNumber) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(n.String())) }
func (n DocumentNumber) LogValue() slog.Value         { return slog.StringValue(n.String()) }
func (n DocumentNumber) MarshalText() ([]byte, error) { return nil, errSecret }
func (n DocumentNumber) MarshalJSON() ([]byte, error) { return nil, errSecret }

// Luhn checks the last digit of a string of digits (ISO/IEC 7812-1 annex B).
func Luhn(digits string) bool {
	return len(digits) > 1 && LuhnDigit(digits[:len(digits)-1]) == digits[len(digits)-1]
}

// LuhnDigit is the check digit for a string of digits.
func LuhnDigit(digits string) byte {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}
