package party

// Language is the language that a holder reads (ISO 639-1).
type Language string

// The languages of letters and of the holder's space.
const (
	French  Language = "fr"
	Dutch   Language = "nl"
	German  Language = "de"
	English Language = "en"
)

// Languages lists them in the order screens offer them.
func Languages() []Language { return []Language{French, Dutch, German, English} }

// ParseLanguage reads a two-letter code in lower case. The error is a
// FieldError on language.
func ParseLanguage(s string) (Language, error) {
	for _, l := range Languages() {
		if string(l) == s {
			return l, nil
		}
	}
	return "", wrong("language", "use fr, nl, de or en")
}
