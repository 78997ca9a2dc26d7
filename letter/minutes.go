package letter

import (
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

// MinutesData are the minutes of a key ceremony: what was done, when, by whom,
// with check values, fingerprints and names only. Nothing in it is secret.
type MinutesData struct {
	Bank        Bank
	Language    party.Language
	Reference   string // name of the ceremony
	Environment string // test or live; empty when no act tells
	Rehearsal   bool   // says so across each page
	Date        time.Time
	Witnesses   []string
	Officer     string
	Custodians  []string
	Acts        []MinutesAct // oldest first
}

// MinutesAct is one act. Kind and the facts' kinds are words of the language;
// an unknown one stands as it is.
type MinutesAct struct {
	Kind  string // "root", "key", …
	At    time.Time
	By    string
	Facts []Fact
}

// Fact is one thing that an act made or showed.
type Fact struct{ Kind, Value string }

// Kinds of facts that are set in their own way.
const (
	FactKCV    = "kcv"    // large: it is compared with a form
	FactSHA256 = "sha256" // in groups of eight digits
)

// Minutes sets the minutes on A4 pages, ending with lines to sign for the
// officer, the custodians and the witnesses. Times are in UTC. Errors are as
// those of [CardLetter].
func Minutes(d MinutesData) ([]byte, error) {
	t, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	if err := d.check(t); err != nil {
		return nil, err
	}
	m := &minutes{doc: newDocument(t), data: d, words: minutesWordsOf(d.Language)}
	m.page()
	m.head()
	for i, act := range d.Acts {
		m.act(i+1, act)
	}
	m.signatures()
	return m.finish(d.Date)
}

func (d MinutesData) check(t *typeface) error {
	const long, short, most = 400, 120, 500
	var wrongs lifecycle.FieldErrors
	wrongs.AddError("bank.name", printable(t, d.Bank.Name, 48))
	wrongs.AddError("reference", printable(t, d.Reference, short))
	wrongs.AddError("officer", printable(t, d.Officer, short))
	if _, err := party.ParseLanguage(string(d.Language)); err != nil {
		wrongs.AddError("language", err)
	}
	if y := d.Date.UTC().Year(); y < 2000 || y > 9998 {
		wrongs.Add("date", "is missing or out of range")
	}
	for _, people := range [][]string{d.Witnesses, d.Custodians} {
		for _, name := range people {
			wrongs.AddError("witnesses and custodians", printable(t, name, short))
		}
	}
	if len(d.Acts) == 0 || len(d.Acts) > most {
		wrongs.Add("acts", fmt.Sprintf("minutes have 1 to %d acts", most))
	}
	for _, a := range d.Acts {
		wrongs.AddError("acts.kind", printable(t, a.Kind, short))
		wrongs.AddError("acts.by", printable(t, a.By, short))
		for _, f := range a.Facts {
			wrongs.AddError("acts.facts."+f.Kind, printable(t, f.Value, long))
		}
	}
	return wrongs.Err()
}
