package party

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxName is the longest name in characters (RFC 5280 appendix A.1,
// ub-common-name).
const maxName = 64

// europeanLatin is the repertoire of names: the letters of Latin script in
// European and Vietnamese use. The letters' font has each of them (proved by
// a test of letter), so that an accepted name is always printed in full.
var europeanLatin = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 'A', Hi: 'Z', Stride: 1},
		{Lo: 'a', Hi: 'z', Stride: 1},
		{Lo: 0x00C0, Hi: 0x00D6, Stride: 1},
		{Lo: 0x00D8, Hi: 0x00F6, Stride: 1},
		{Lo: 0x00F8, Hi: 0x0148, Stride: 1},
		{Lo: 0x014A, Hi: 0x017E, Stride: 1},
		{Lo: 0x01A0, Hi: 0x01A1, Stride: 1},
		{Lo: 0x01AF, Hi: 0x01B0, Stride: 1},
		{Lo: 0x0218, Hi: 0x021B, Stride: 1},
		{Lo: 0x1E80, Hi: 0x1E85, Stride: 1},
		{Lo: 0x1EA0, Hi: 0x1EF9, Stride: 1},
	},
	LatinOffset: 4,
}

// CheckName checks a given name or a surname, to be shown in a page, printed
// in a letter, exported to a spreadsheet and put in a certificate: 1 to 64
// characters; Latin letters with their marks composed (Unicode NFC), single
// spaces, apostrophe, hyphen and full stop; the first character is a letter
// or an apostrophe, as in 't Hooft. Markup, controls, bidirectional marks and
// the beginning of a spreadsheet formula are therefore refused. The error is
// a FieldError on field.
func CheckName(field, s string) error {
	return checkWords(field, s, "'’-.", false)
}

// CheckOrganisation checks a company's name as [CheckName] does, with digits
// and the punctuation that companies use.
func CheckOrganisation(field, s string) error {
	return checkWords(field, s, "'’-.,&/()+°", true)
}

// checkWords checks a single line of words: letters, single spaces, the given
// punctuation and, when allowed, digits.
func checkWords(field, s, punctuation string, digitsToo bool) error {
	switch {
	case s == "":
		return wrong(field, "is missing")
	case len(s) > 4*maxName || utf8.RuneCountInString(s) > maxName:
		return wrong(field, "is too long: "+itoa(maxName)+" characters at most")
	case !utf8.ValidString(s):
		return wrong(field, "is not UTF-8 text")
	case !norm.NFC.IsNormalString(s):
		return wrong(field, "write accented letters as one character (Unicode NFC)")
	case strings.TrimSpace(s) != s || strings.Contains(s, "  "):
		return wrong(field, "remove the spaces at its ends and the double spaces")
	}
	letters := 0
	for i, r := range s {
		switch {
		case unicode.Is(europeanLatin, r), digitsToo && r >= '0' && r <= '9':
			letters++
		case i == 0 && r != '\'' && r != '’':
			return wrong(field, "begin with a letter")
		case r != ' ' && !strings.ContainsRune(punctuation, r):
			return wrong(field, "has a character that cannot be used in names: "+show(r))
		}
	}
	if letters == 0 {
		return wrong(field, "has no letter")
	}
	return nil
}

// show names a character so that it can neither hide nor act.
func show(r rune) string {
	code := fmt.Sprintf("%U", r)
	if unicode.IsLetter(r) || r > ' ' && r < 0x7F {
		return string(r) + " (" + code + ")"
	}
	return code
}
