package lifecycle

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
)

// EnrolmentCode is the secret with which a holder enrols for one certificate: 128
// bits as 26 Crockford base-32 characters, and two that tell a slip of the pen
// from a wrong code, in groups of four. It hides itself; Reveal is the one way
// out, and archtest allows it in few places.
type EnrolmentCode struct{ text hidden }

const (
	codeGroup  = 4
	codeLength = 28
	codeChecks = 2
)

// NewEnrolmentCode makes a code of 16 random octets.
func NewEnrolmentCode(random [16]byte) EnrolmentCode {
	text := crockford.EncodeToString(random[:])
	text += checksOf(text)
	return EnrolmentCode{text: hidden{text: &text}}
}

// ParseEnrolmentCode takes a code as a person types it: case, spaces and dashes
// do not matter, O is 0, I and L are 1.
func ParseEnrolmentCode(typed string) (EnrolmentCode, error) {
	const longest = 100
	text := ""
	if len(typed) <= longest {
		text = strings.NewReplacer(" ", "", "-", "", "\t", "", "\r", "", "\n", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	}
	if len(text) != codeLength || strings.Trim(text, alphabet) != "" || checksOf(text[:codeLength-codeChecks]) != text[codeLength-codeChecks:] {
		return EnrolmentCode{}, &FieldError{Field: "code", Why: "is not a code of 7 groups of 4 characters as it was handed over: look for a slip of the pen"}
	}
	return EnrolmentCode{text: hidden{text: &text}}, nil
}

// checksOf are the two characters that follow a code's own.
func checksOf(text string) string {
	digest := sha256.Sum256([]byte(text))
	return string([]byte{alphabet[digest[0]&31], alphabet[digest[1]&31]})
}

// Reveal gives the code in groups.
func (c EnrolmentCode) Reveal() string {
	text := c.text.reveal()
	var groups []string
	for ; len(text) > codeGroup; text = text[codeGroup:] {
		groups = append(groups, text[:codeGroup])
	}
	return strings.Join(append(groups, text), "-")
}

// Hash is what is kept of the code, bound to its certificate. 128 random bits
// want no slow hash.
func (c EnrolmentCode) Hash(id CertificateID) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "sceau enrolment\n%s\n%s", id, c.text.reveal()))
}

// String, Format, LogValue and the marshallers keep the code out of every output.
func (EnrolmentCode) String() string               { return "[code]" }
func (EnrolmentCode) GoString() string             { return "[code]" }
func (EnrolmentCode) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte("[code]")) }
func (EnrolmentCode) LogValue() slog.Value         { return slog.StringValue("[code]") }
func (EnrolmentCode) MarshalText() ([]byte, error) { return nil, errSecret }
func (EnrolmentCode) MarshalJSON() ([]byte, error) { return nil, errSecret }
