package party

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// cyrillic is how passports write Cyrillic letters (ICAO Doc 9303 part 3 §6 B). Of
// letters that countries write differently, the recommendation for all.
var cyrillic = map[rune]string{
	'А': "A", 'Б': "B", 'В': "V", 'Г': "G", 'Д': "D", 'Е': "E", 'Ё': "E", 'Ж': "ZH", 'З': "Z", 'И': "I", 'Й': "I", 'К': "K", 'Л': "L",
	'М': "M", 'Н': "N", 'О': "O", 'П': "P", 'Р': "R", 'С': "S", 'Т': "T", 'У': "U", 'Ф': "F", 'Х': "KH", 'Ц': "TS", 'Ч': "CH", 'Ш': "SH",
	'Щ': "SHCH", 'Ъ': "IE", 'Ы': "Y", 'Ь': "", 'Э': "E", 'Ю': "IU", 'Я': "IA", 'І': "I", 'Ї': "I", 'Є': "IE", 'Ґ': "G", 'Ў': "U",
	'Ѓ': "G", 'Ђ': "D", 'Ѕ': "DZ", 'Ј': "J", 'Ќ': "K", 'Љ': "LJ", 'Њ': "NJ", 'Ћ': "C", 'Џ': "DZ",
}

// Transliterate writes a name in Latin script where it is in Cyrillic, as a passport
// does (ICAO Doc 9303 part 3, which EN 319 412-2 NAT-4.2.4-11 names): capitals stay
// capitals, the rest of a word is small. A name that is in Latin letters, accents
// and all, needs none: a certificate carries it as it stands. Letters of other
// scripts are left as they are, for [CheckName] to refuse: their holder's passport
// says how it writes them.
func Transliterate(name string) string {
	if len(name) > 4*maxName { // no name: CheckName says so
		return name
	}
	composed := norm.NFC.String(name)
	if !strings.ContainsFunc(composed, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
		return name
	}
	var out strings.Builder
	for _, r := range composed {
		latin, known := cyrillic[unicode.ToUpper(r)]
		switch {
		case !known:
			out.WriteRune(r)
		case unicode.IsLower(r):
			out.WriteString(strings.ToLower(latin))
		case len(latin) > 1:
			out.WriteString(latin[:1] + strings.ToLower(latin[1:]))
		default:
			out.WriteString(latin)
		}
	}
	return out.String()
}
