package testenv

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Spellings are the forms in which a secret could stand in a file, by their
// names: as it is, in hexadecimal of either case, and in both alphabets of base64
// as it reads when 0, 1 or 2 bytes stand before it.
func Spellings(secret []byte) map[string][]byte {
	forms := map[string][]byte{
		"as it is":               secret,
		"in hexadecimal":         []byte(strings.ToUpper(hex.EncodeToString(secret))),
		"in small hexadecimal":   []byte(hex.EncodeToString(secret)),
		"in groups of two bytes": []byte(strings.TrimSpace(grouped(secret))),
	}
	const bits, perByte = 6, 8 // of a character of base64
	for before := range 3 {
		text := append(make([]byte, before), secret...)
		first, end := (before*perByte+bits-1)/bits, len(text)*perByte/bits // characters of the secret alone
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
			forms[fmt.Sprintf("in %s, %d bytes on", name, before)] = []byte(encoding.EncodeToString(text)[first:end])
		}
	}
	return forms
}

// grouped is hexadecimal as it stands on a form.
func grouped(secret []byte) string {
	var b strings.Builder
	for i := 0; i < len(secret); i += 2 {
		fmt.Fprintf(&b, "%X ", secret[i:min(i+2, len(secret))])
	}
	return b.String()
}
