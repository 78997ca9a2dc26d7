package letter

import (
	"fmt"
	"time"

	"sceau/party"
)

// words are the texts of the letters in one language: plain, short sentences
// that say what to do (CEFR level B1). {phone}, {branch} and {website} are
// filled in.
type words struct {
	dateLabel  string
	dateFormat string // day, month, year
	months     [12]string
	salutation string
	regards    string

	phone, website, clientID, userNumber string

	advice string

	card cardWords
	pin  pinWords
}

type cardWords struct {
	subject                     string
	intro, introBranch          string
	product, cardNumber, expiry string
	cardHere                    string
	branchTitle, branch         string
	activateTitle, activate     string
	readerTitle, reader         string
	blockedTitle, blocked       string
	lostTitle, lost             string
	adviceTitle                 string
}

type pinWords struct {
	subject, intro, label string
	learnTitle, learn     string
	useTitle, use         string
	openedTitle, opened   string
	adviceTitle           string
}

// words are those of the letter's language, which check has proved known.
func (c Common) words() words {
	switch c.Language {
	case party.French:
		return french()
	case party.Dutch:
		return dutch()
	case party.German:
		return german()
	case party.English:
	}
	return english()
}

func (w words) date(t time.Time) string {
	y, m, d := t.Date()
	return fmt.Sprintf(w.dateFormat, d, w.months[m-1], y)
}
