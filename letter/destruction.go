package letter

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

// KindKeys are the keys of a CA, which are no stock, on a certificate of destruction:
// serials are their names and fingerprints, and method and reason are its own words.
const KindKeys lifecycle.StockKind = "keys"

// DestructionData is a certificate of destruction: what of the bank's stock, or which
// keys of a CA, two people saw destroyed.
type DestructionData struct {
	Bank      Bank
	Language  party.Language
	Reference string    // of the destruction
	Date      time.Time // when it was done
	Place     string
	Kind      lifecycle.StockKind
	Item      string   // name and code
	Quantity  int64    // pieces, or sheets
	Serials   []string // numbers, or ranges of them; none where pieces have none
	Method    string   // how, as those who did it wrote it
	Reason    string
	Proposed  string // who listed the goods
	Seen      string // who saw them destroyed too
}

// maxSerials is more than a destruction can list.
const maxSerials = 500

// DestructionCertificate sets the certificate on A4 pages, ending with lines for
// the two people to sign. Times are in UTC. Errors are as those of [CardLetter].
func DestructionCertificate(d DestructionData) ([]byte, error) {
	t, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	w := destructionWordsOf(d.Language)
	if d.Kind == KindKeys {
		w = w.ofKeys()
		d.Method, d.Reason = w.keys.how, w.keys.why
	}
	if err := d.check(t); err != nil {
		return nil, err
	}
	m := &minutes{
		doc: newDocument(t), data: MinutesData{Bank: d.Bank, Language: d.Language, Reference: d.Reference},
		words: minutesWords{title: w.title, signatures: w.signatures, sign: w.sign, footer: w.footer},
	}
	m.page()
	m.title([][2]string{
		{w.reference, d.Reference}, {w.date, stamp(d.Date)}, {w.place, d.Place}, {w.item, w.kinds[d.Kind] + " · " + d.Item},
		{w.quantity, strconv.FormatInt(d.Quantity, 10)}, {w.method, d.Method}, {w.reason, d.Reason}, {w.proposed, d.Proposed}, {w.seen, d.Seen},
	})
	m.heading(w.serials)
	m.serials(d.Serials, w.none)
	m.sign([]person{{d.Proposed, w.first}, {d.Seen, w.second}}, fmt.Sprintf(w.declaration, d.Quantity, d.Reference))
	return m.finish(d.Date)
}

// serials sets serial numbers in columns, read line by line.
func (m *minutes) serials(all []string, none string) {
	st := style{size: 8.5, colour: black}
	if len(all) == 0 {
		m.y = m.sheet().paragraph(st, leftEdge, m.y, rightEdge-leftEdge, none) + 2
		return
	}
	widest := 0.0
	for _, text := range all {
		widest = max(widest, m.sheet().width(st, text))
	}
	const gap = 6.0
	columns := max(1, min(3, int((rightEdge-leftEdge+gap)/(widest+gap))))
	width := (rightEdge - leftEdge + gap) / float64(columns)
	for row := range slices.Chunk(all, columns) {
		m.room(leading)
		for i, text := range row {
			m.sheet().text(st, leftEdge+float64(i)*width, m.y, text)
		}
		m.y += leading
	}
	m.y += 2
}

func (d DestructionData) check(t *typeface) error {
	const long, short = 200, 120
	var wrongs lifecycle.FieldErrors
	for field, text := range map[string]string{
		"reference": d.Reference, "place": d.Place, "item": d.Item, "proposed": d.Proposed, "seen": d.Seen,
	} {
		wrongs.AddError(field, printable(t, text, short))
	}
	wrongs.AddError("bank.name", printable(t, d.Bank.Name, 48))
	wrongs.AddError("method", printable(t, d.Method, long))
	wrongs.AddError("reason", printable(t, d.Reason, long))
	if _, err := party.ParseLanguage(string(d.Language)); err != nil {
		wrongs.AddError("language", err)
	}
	if y := d.Date.UTC().Year(); y < 2000 || y > 9998 {
		wrongs.Add("date", "is missing or out of range")
	}
	if _, known := destructionEnglish().kinds[d.Kind]; !known {
		wrongs.Add("kind", "use plastic, paper, reader or keys")
	}
	if d.Quantity < 1 {
		wrongs.Add("quantity", "is missing")
	}
	if len(d.Serials) > maxSerials {
		wrongs.Add("serials", fmt.Sprintf("a certificate lists at most %d", maxSerials))
	}
	for _, text := range d.Serials[:min(len(d.Serials), maxSerials)] {
		wrongs.AddError("serials", printable(t, text, 80))
	}
	return wrongs.Err()
}
