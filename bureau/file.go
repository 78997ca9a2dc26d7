package bureau

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

// Format is the first member of a personalisation file.
const Format = "sceau-bureau/1"

// File is one personalisation batch for the bureau. On the wire it is a line of
// JSON for the header, one for each card and one for the trailer (count, and
// SHA-256 of every byte before it), each ended by a line feed. The same File
// gives the same bytes.
type File struct {
	Format       string            `json:"format"`
	Batch        lifecycle.BatchID `json:"batch"`
	Sequence     int64             `json:"sequence"` // rises with each file, and is never that of another
	Bureau       string            `json:"bureau"`
	Urgency      lifecycle.Urgency `json:"urgency,omitempty"`
	Created      time.Time         `json:"created"`       // UTC, whole seconds
	TransportKey string            `json:"transport_key"` // name of the key that enciphers key and PIN data groupings
	TransportKCV string            `json:"transport_kcv"` // its key check value, 6 upper-case hexadecimal digits
	Cards        []Record          `json:"-"`
}

// Record is what the bureau needs to make one card.
type Record struct {
	Card        lifecycle.CardID `json:"card"`
	Product     string           `json:"product"`
	Expiry      string           `json:"expiry"` // YYMM
	EmbossName  string           `json:"emboss_name"`
	EmbossLine2 string           `json:"emboss_line2,omitempty"` // the company
	DGIs        []byte           `json:"dgis"`                   // EMV CPS data groupings, keys and PIN enciphered
}

type trailer struct {
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"`
}

// Encode writes the file. It checks all it writes, so that what leaves the
// house can be read back; what is wrong is [lifecycle.Invalid] with line and
// member.
func Encode(f File) ([]byte, error) {
	if len(f.Cards) == 0 || len(f.Cards) > MaxCards {
		return nil, wrong(1, "cards", "a file has 1 to %d cards, not %d", MaxCards, len(f.Cards))
	}
	f.Created = f.Created.UTC().Truncate(time.Second)
	if err := f.check(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := appendLine(&out, f); err != nil {
		return nil, err
	}
	seen := make(map[lifecycle.CardID]int, len(f.Cards))
	for i, card := range f.Cards {
		if err := card.check(i+2, seen); err != nil {
			return nil, err
		}
		if err := appendLine(&out, card); err != nil {
			return nil, err
		}
	}
	if err := appendLine(&out, trailerOf(out.Bytes(), len(f.Cards))); err != nil {
		return nil, err
	}
	if out.Len() > MaxFile {
		return nil, wrong(1, "file", "would have %d bytes, at most %d", out.Len(), MaxFile)
	}
	return out.Bytes(), nil
}

// Decode reads a file that [Encode] wrote, whole or not at all: truncation, a
// changed byte, a wrong count, a card twice or a line that is not exactly as
// Encode writes it are [lifecycle.Invalid] with line and member.
func Decode(data []byte) (File, error) {
	if len(data) > MaxFile {
		return File{}, wrong(1, "file", "has %d bytes, at most %d", len(data), MaxFile)
	}
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return File{}, wrong(1+bytes.Count(data, []byte{'\n'}), "file", "is truncated: the last line does not end")
	}
	lines := bytes.SplitAfterN(data, []byte{'\n'}, MaxCards+4)
	lines = lines[:len(lines)-1] // behind the last line feed
	switch {
	case len(lines) < 3:
		return File{}, wrong(len(lines), "file", "is truncated: header, cards and trailer are expected")
	case len(lines) > MaxCards+2:
		return File{}, wrong(MaxCards+3, "file", "has more than %d cards", MaxCards)
	}
	var f File
	if err := readLine(1, lines[0], &f); err != nil {
		return File{}, err
	}
	if err := f.check(); err != nil {
		return File{}, err
	}
	last := len(lines)
	if err := checkTrailer(last, lines[last-1], data[:len(data)-len(lines[last-1])]); err != nil {
		return File{}, err
	}
	f.Cards = make([]Record, last-2)
	seen := make(map[lifecycle.CardID]int, last-2)
	for i := range f.Cards {
		if err := readLine(i+2, lines[i+1], &f.Cards[i]); err != nil {
			return File{}, err
		}
		if err := f.Cards[i].check(i+2, seen); err != nil {
			return File{}, err
		}
	}
	return f, nil
}

func trailerOf(before []byte, cards int) trailer {
	digest := sha256.Sum256(before)
	return trailer{Count: cards, SHA256: hex.EncodeToString(digest[:])}
}

func checkTrailer(line int, raw, before []byte) error {
	var got trailer
	if err := readLine(line, raw, &got); err != nil {
		return err
	}
	want := trailerOf(before, line-2)
	switch {
	case got.SHA256 == "":
		return wrong(line, "sha256", "is missing: the last line is not a trailer, the file is truncated")
	case got.Count != want.Count:
		return wrong(line, "count", "the trailer counts %d cards, the file has %d", got.Count, want.Count)
	case got.SHA256 != want.SHA256:
		return wrong(line, "sha256", "the digest does not match: the file was changed or damaged")
	}
	return nil
}

func appendLine(out *bytes.Buffer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a line of the bureau file: %w", err)
	}
	out.Write(line)
	out.WriteByte('\n')
	return nil
}

// readLine takes only what appendLine writes: no unknown or repeated member, no
// other spelling, no space.
func readLine(line int, raw []byte, into any) error {
	if len(raw) > maxLine {
		return wrong(line, "line", "has %d bytes, at most %d", len(raw), maxLine)
	}
	raw = raw[:len(raw)-1]
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return wrong(line, "line", "is not a line of format %s", Format)
	}
	again, err := json.Marshal(into)
	if err != nil || !bytes.Equal(again, raw) {
		return wrong(line, "line", "is not written as %s writes it", Format)
	}
	return nil
}

func (f File) check() error {
	if f.Format != Format {
		return wrong(1, "format", "is %.40q, expected %s", f.Format, Format)
	}
	if err := lifecycle.CheckID(lifecycle.PrefixBatch, string(f.Batch)); err != nil {
		return wrong(1, "batch", "is not a batch identifier")
	}
	if f.Sequence < 1 {
		return wrong(1, "sequence", "starts at 1")
	}
	if why := checkName(f.Bureau); why != "" {
		return wrong(1, "bureau", "%s", why)
	}
	if f.Urgency != "" && !slices.Contains([]lifecycle.Urgency{lifecycle.Urgent, lifecycle.Standard, lifecycle.InBulk}, f.Urgency) {
		return wrong(1, "urgency", "is urgent, standard or campaign")
	}
	if y := f.Created.Year(); y < 2000 || y > 9999 || f.Created.Nanosecond() != 0 || f.Created.Location() != time.UTC {
		return wrong(1, "created", "is a time in UTC with whole seconds")
	}
	if why := checkName(f.TransportKey); why != "" {
		return wrong(1, "transport_key", "%s", why)
	}
	if !isKCV(f.TransportKCV) {
		return wrong(1, "transport_kcv", "is 6 upper-case hexadecimal digits")
	}
	return nil
}

func (r Record) check(line int, seen map[lifecycle.CardID]int) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(r.Card)); err != nil {
		return wrong(line, "card", "is not a card identifier")
	}
	if first, ok := seen[r.Card]; ok {
		return wrong(line, "card", "%s is already on line %d", r.Card, first)
	}
	seen[r.Card] = line
	if why := checkName(r.Product); why != "" {
		return wrong(line, "product", "%s", why)
	}
	if !isYYMM(r.Expiry) {
		return wrong(line, "expiry", "is year and month, YYMM")
	}
	if !party.Embossable(r.EmbossName, true) {
		return wrong(line, "emboss_name", "is not as EmbossName writes it (2 to %d upper-case Latin letters)", party.MaxEmboss)
	}
	if r.EmbossLine2 != "" && !party.Embossable(r.EmbossLine2, false) {
		return wrong(line, "emboss_line2", "is not as EmbossLine writes it (at most %d upper-case Latin characters)", party.MaxEmboss)
	}
	if len(r.DGIs) == 0 || len(r.DGIs) > MaxDGIs {
		return wrong(line, "dgis", "has %d bytes, 1 to %d are expected", len(r.DGIs), MaxDGIs)
	}
	return nil
}

func isKCV(s string) bool {
	if len(s) != 6 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

func isYYMM(s string) bool {
	if len(s) != 4 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s[2:] >= "01" && s[2:] <= "12"
}
