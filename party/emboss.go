package party

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"sceau/lifecycle"
)

// MaxEmboss is how many characters fit on one line of the plastic, and in the
// name field of track 1 (ISO/IEC 7813 §6: 2 to 26).
const MaxEmboss = 26

// letters that Unicode does not decompose, as passports write them (ICAO Doc
// 9303 part 3 §6 A, with ß and the ligatures spelled out).
func undecomposed(r rune) (string, bool) {
	switch r {
	case 'ß', 'ẞ':
		return "SS", true
	case 'Æ', 'æ':
		return "AE", true
	case 'Œ', 'œ':
		return "OE", true
	case 'Ø', 'ø':
		return "O", true
	case 'Ł', 'ł':
		return "L", true
	case 'Đ', 'đ', 'Ð', 'ð':
		return "D", true
	case 'Þ', 'þ':
		return "TH", true
	case 'Ħ', 'ħ':
		return "H", true
	case 'ı':
		return "I", true
	case 'Ĳ', 'ĳ':
		return "IJ", true
	case '’', '‘', 'ʼ', '`', '´':
		return "'", true
	case '‐', '‑', '–', '—':
		return "-", true
	}
	return "", false
}

// EmbossName writes a holder's name as it stands on the card: given name, a
// space, surname, in upper-case Latin without accents, at most [MaxEmboss]
// characters of A-Z, space, hyphen, apostrophe and full stop. Given names that
// do not fit are written as initials, or left out; a surname is never cut: one
// that is too long or has other letters is a [lifecycle.FieldError], and the
// person who orders chooses the short form.
func EmbossName(given, surname string) (string, error) {
	const signs = " -'."
	first, err := latin("given_name", given, signs)
	if err != nil {
		return "", err
	}
	last, err := latin("surname", surname, signs)
	if err != nil {
		return "", err
	}
	if last == "" {
		return "", &lifecycle.FieldError{Field: "surname", Why: "is empty"}
	}
	for _, g := range []string{first, initials(first)} {
		if name := strings.TrimSpace(g + " " + last); len(name) <= MaxEmboss {
			return name, checkLength("surname", name)
		}
	}
	return last, checkLength("surname", last)
}

// initials are the first letters of given names, as in M.E.J.
func initials(given string) string {
	var out strings.Builder
	for _, part := range strings.FieldsFunc(given, func(r rune) bool { return r == ' ' || r == '-' }) {
		if first := strings.TrimLeft(part, "'."); first != "" {
			out.WriteByte(first[0]) // A-Z by now
			out.WriteByte('.')
		}
	}
	return out.String()
}

// EmbossLine writes another line of the plastic, a company's name, by the rules
// of [EmbossName] with digits and & / + , ( ) besides. It may be empty.
func EmbossLine(text string) (string, error) {
	line, err := latin("emboss_line2", text, " -'.&/+,()0123456789")
	if err != nil || line == "" {
		return "", err
	}
	return line, checkLength("emboss_line2", line)
}

func checkLength(field, s string) error {
	switch n := len(s); {
	case n < 2:
		return &lifecycle.FieldError{Field: field, Why: "has fewer than 2 characters"}
	case n > MaxEmboss:
		return &lifecycle.FieldError{
			Field: field,
			Why:   fmt.Sprintf("has %d characters, the card holds %d: give a shorter form", n, MaxEmboss),
		}
	}
	return nil
}

// latin transliterates to A-Z and the other characters allowed, and folds
// runs of spaces into one.
func latin(field, s, others string) (string, error) {
	if len(s) > 400 {
		return "", &lifecycle.FieldError{Field: field, Why: "is far longer than a card holds"}
	}
	var out strings.Builder
	space := false
	for _, r := range norm.NFC.String(s) {
		if unicode.IsSpace(r) {
			space = out.Len() > 0
			continue
		}
		t, ok := transliterate(r, others)
		if !ok {
			return "", &lifecycle.FieldError{
				Field: field,
				Why:   fmt.Sprintf("%q cannot be written on the card: give the name in Latin letters", r),
			}
		}
		if space {
			out.WriteByte(' ')
			space = false
		}
		out.WriteString(t)
	}
	return out.String(), nil
}

func transliterate(r rune, others string) (string, bool) {
	if s, ok := undecomposed(r); ok {
		return s, true
	}
	if strings.ContainsRune(others, r) {
		return string(r), true
	}
	var out strings.Builder
	for _, d := range norm.NFD.String(string(r)) {
		switch u := unicode.ToUpper(d); {
		case 'A' <= u && u <= 'Z':
			out.WriteRune(u)
		case !unicode.Is(unicode.Mn, d):
			return "", false
		}
	}
	return out.String(), out.Len() > 0
}

// EmbossCompany is the company's line on the plastic. It is a courtesy: a name
// that does not fit is left out, since a cut one would name another company.
func EmbossCompany(name string) string {
	line, err := EmbossLine(name)
	if err != nil {
		return ""
	}
	return line
}

// Embossable tells whether a line is as [EmbossName], or else [EmbossLine],
// writes it.
func Embossable(s string, name bool) bool {
	line, err := EmbossLine(s)
	if name {
		line, err = EmbossName("", s)
	}
	return err == nil && line == s
}

// Words are those of a name as the machine-readable zone of an identity document
// writes them (ICAO Doc 9303 part 3 §6): in A-Z, also of a name in Cyrillic script,
// parted at hyphens, without apostrophes. It is nil for a name that cannot be written
// so.
func Words(name string) []string {
	text, err := latin("name", Transliterate(name), " -'.")
	if err != nil {
		return nil
	}
	text = strings.NewReplacer("'", "", ".", "").Replace(text)
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '-' })
}
