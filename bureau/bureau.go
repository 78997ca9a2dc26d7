// Package bureau speaks with the card bureau in files: the personalisation
// file that Sceau sends ([Encode], [Decode]) and the return file that the bureau
// answers with ([EncodeReturn], [ParseReturn]).
//
// It never deciphers data groupings, holds a key, touches a file or the
// network, and never decides what an answer does to a card. Values come in,
// bytes go out, and the other way round; what is taken is taken whole or
// refused whole. The personalisation file carries names and card numbers: it
// leaves the house only inside an envelope of package cms, and no error here
// quotes its data.
package bureau

import (
	"fmt"
	"strings"

	"sceau/lifecycle"
)

// Bounds of both files.
const (
	MaxCards   = 10_000    // in one file
	MaxFile    = 48 << 20  // bytes of a personalisation file
	MaxReturn  = 4 << 20   // bytes of a return file
	MaxDGIs    = 4096      // bytes of one card's data groupings
	maxLine    = 8 << 10   // bytes of one line of a personalisation file
	maxField   = 64        // characters of a product, a key name, a plastic serial
	maxReason  = 200       // characters of a bureau's reason
	maxRetLine = 16 + 1024 // bytes of one line of a return file
)

// wrong says where a file is wrong: the field error names the line and its
// member, and is [lifecycle.Invalid].
func wrong(line int, field, format string, args ...any) error {
	return &lifecycle.FieldError{Field: fmt.Sprintf("line %d, %s", line, field), Why: fmt.Sprintf(format, args...)}
}

// checkName tells whether s is 1 to 64 printable ASCII characters without
// space, quote or separator: a product, a key name, a bureau, a serial.
func checkName(s string) string {
	if s == "" {
		return "is empty"
	}
	if len(s) > maxField {
		return fmt.Sprintf("has %d characters, at most %d", len(s), maxField)
	}
	for _, r := range s {
		if r <= ' ' || r > '~' || strings.ContainsRune(`;"\<>&`, r) {
			return "may only have letters, digits and . _ - / : + without spaces"
		}
	}
	return ""
}
