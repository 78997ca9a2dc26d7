package lifecycle

import (
	"fmt"
	"log/slog"
	"strings"
)

// SecretCode is the code that a user chose, to sign in with client ID and user
// number. It hides itself; Reveal is the one way out, and archtest allows it in few
// places.
type SecretCode struct{ text hidden }

// Bounds of a secret code, in characters.
const (
	LeastSecretCode = 6
	MostSecretCode  = 64
)

// NewSecretCode takes a code that a user chooses: printable ASCII, and no code that
// everybody tries first. The error never has the code.
func NewSecretCode(typed, clientID, userNumber string) (SecretCode, error) {
	no := func(why string) (SecretCode, error) { return SecretCode{}, &FieldError{Field: "code", Why: why} }
	if len(typed) < LeastSecretCode || len(typed) > MostSecretCode {
		return no(fmt.Sprintf("choose %d to %d characters", LeastSecretCode, MostSecretCode))
	}
	for i := range len(typed) {
		if typed[i] < ' ' || typed[i] > '~' {
			return no("use letters without accents, digits, spaces and the usual signs")
		}
	}
	if steps(typed) || strings.Contains(clientID, typed) || strings.Contains(typed, clientID) || strings.Contains(clientID+userNumber, typed) {
		return no("is too easy to guess: no run such as 123456 or 111111, and no client ID")
	}
	return SecretCode{text: hidden{text: &typed}}, nil
}

// steps tells whether each character is as far from the one before as all the others
// are: 111111, 123456, 987654, 135791 is none.
func steps(text string) bool {
	for i := 2; i < len(text); i++ {
		if int(text[i])-int(text[i-1]) != int(text[1])-int(text[0]) {
			return false
		}
	}
	return true
}

// TypedSecretCode is a code as somebody typed it, right or wrong.
func TypedSecretCode(typed string) SecretCode { return SecretCode{text: hidden{text: &typed}} }

// Reveal gives the code.
func (c SecretCode) Reveal() string { return c.text.reveal() }

// String, Format, LogValue and the marshallers keep the code out of every output.
func (SecretCode) String() string               { return "[code]" }
func (SecretCode) GoString() string             { return "[code]" }
func (SecretCode) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte("[code]")) }
func (SecretCode) LogValue() slog.Value         { return slog.StringValue("[code]") }
func (SecretCode) MarshalText() ([]byte, error) { return nil, errSecret }
func (SecretCode) MarshalJSON() ([]byte, error) { return nil, errSecret }
