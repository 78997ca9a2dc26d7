package bureau

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
)

// ReturnFormat is the first field of a return file.
const ReturnFormat = "sceau-return/1"

// Return is the bureau's answer to one batch, or to a part of it: a batch may
// come back in several files, each with its own rising sequence.
type Return struct {
	Batch    lifecycle.BatchID
	Sequence int64
	Cards    []ReturnLine
}

// ReturnLine is the answer for one card. A made card has the serial number
// printed on its plastic and no reason; a spoiled one has a reason, and the
// serial of the spoiled plastic where there is one; a missing one has no
// serial.
type ReturnLine struct {
	Card    lifecycle.CardID
	Result  lifecycle.BureauResult
	Plastic string // serial number of the plastic
	Reason  string
}

// Count is how many cards have the result.
func (r Return) Count(result lifecycle.BureauResult) int {
	n := 0
	for _, c := range r.Cards {
		if c.Result == result {
			n++
		}
	}
	return n
}

// EncodeReturn writes a return file as a bureau does: UTF-8 text, fields
// separated by semicolons, header, one line for each card, trailer with the
// counts. What is wrong is [lifecycle.Invalid] with line and field.
func EncodeReturn(r Return) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s;%s;%d\n", ReturnFormat, r.Batch, r.Sequence)
	for _, c := range r.Cards {
		fmt.Fprintf(&out, "%s;%s;%s;%s\n", c.Card, c.Result, c.Plastic, c.Reason)
	}
	fmt.Fprintf(&out, "END;%d;%d;%d;%d\n", len(r.Cards), r.Count(lifecycle.BureauMade),
		r.Count(lifecycle.BureauSpoiled), r.Count(lifecycle.BureauMissing))
	return out.Bytes(), nil
}

// ParseReturn reads a return file whole, at most [MaxReturn] bytes, lines ended
// by LF or CR LF. It refuses the whole file when it is truncated, counts wrong,
// names a card or a plastic twice, or has an answer it does not know: the error
// is [lifecycle.Invalid] with line and field. Whether the cards are those of
// the batch is for the caller to see.
func ParseReturn(r io.Reader) (Return, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxReturn+1))
	if err != nil {
		return Return{}, fmt.Errorf("read the return file: %w", err)
	}
	lines, err := returnLines(data)
	if err != nil {
		return Return{}, err
	}
	var ret Return
	if err := ret.parseHeader(lines[0]); err != nil {
		return Return{}, err
	}
	last := len(lines)
	for i, line := range lines[1 : last-1] {
		card, err := parseReturnLine(i+2, line)
		if err != nil {
			return Return{}, err
		}
		ret.Cards = append(ret.Cards, card)
	}
	if err := ret.check(); err != nil {
		return Return{}, err
	}
	return ret, ret.checkTrailer(last, lines[last-1])
}

func returnLines(data []byte) ([]string, error) {
	end := 1 + bytes.Count(data, []byte{'\n'})
	switch {
	case len(data) > MaxReturn:
		return nil, wrong(end, "file", "has more than %d bytes", MaxReturn)
	case !utf8.Valid(data):
		return nil, wrong(1, "file", "is not UTF-8 text")
	case len(data) == 0 || data[len(data)-1] != '\n':
		return nil, wrong(end, "file", "is truncated: the last line does not end")
	case end-1 < 3:
		return nil, wrong(end-1, "file", "is truncated: header, cards and trailer are expected")
	case end-1 > MaxCards+2:
		return nil, wrong(MaxCards+3, "file", "has more than %d cards", MaxCards)
	}
	lines := strings.Split(string(data[:len(data)-1]), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
		if len(lines[i]) > maxRetLine {
			return nil, wrong(i+1, "line", "has %d bytes, at most %d", len(lines[i]), maxRetLine)
		}
	}
	return lines, nil
}

func (r *Return) parseHeader(line string) error {
	fields := strings.Split(line, ";")
	if fields[0] != ReturnFormat {
		return wrong(1, "format", "is %.40q, expected %s", fields[0], ReturnFormat)
	}
	if len(fields) != 3 {
		return wrong(1, "line", "has %d fields, expected %s;BATCH;sequence", len(fields), ReturnFormat)
	}
	sequence, err := canonicalInt(fields[2])
	if err != nil {
		return wrong(1, "sequence", "%v", err)
	}
	r.Batch, r.Sequence = lifecycle.BatchID(fields[1]), sequence
	return nil
}

func parseReturnLine(number int, line string) (ReturnLine, error) {
	fields := strings.Split(line, ";")
	if fields[0] == "END" {
		return ReturnLine{}, wrong(number, "line", "lines follow the trailer")
	}
	if len(fields) != 4 {
		return ReturnLine{}, wrong(number, "line", "has %d fields, expected card;result;plastic serial;reason", len(fields))
	}
	return ReturnLine{
		Card:    lifecycle.CardID(fields[0]),
		Result:  lifecycle.BureauResult(fields[1]),
		Plastic: fields[2],
		Reason:  fields[3],
	}, nil
}

func (r Return) checkTrailer(number int, line string) error {
	fields := strings.Split(line, ";")
	if fields[0] != "END" {
		return wrong(number, "line", "is not the trailer END;count;made;spoiled;missing: the file is truncated")
	}
	names := []string{"count", "made", "spoiled", "missing"}
	if len(fields) != 1+len(names) {
		return wrong(number, "line", "has %d fields, expected END;count;made;spoiled;missing", len(fields))
	}
	counted := []int{len(r.Cards), r.Count(lifecycle.BureauMade), r.Count(lifecycle.BureauSpoiled), r.Count(lifecycle.BureauMissing)}
	for i, name := range names {
		told, err := canonicalInt(fields[i+1])
		if err != nil {
			return wrong(number, name, "%v", err)
		}
		if told != int64(counted[i]) {
			return wrong(number, name, "the trailer says %d, the file has %d", told, counted[i])
		}
	}
	return nil
}

// check is made on what is written and on what was read.
func (r Return) check() error {
	if err := lifecycle.CheckID(lifecycle.PrefixBatch, string(r.Batch)); err != nil {
		return wrong(1, "batch", "is not a batch identifier")
	}
	if r.Sequence < 1 {
		return wrong(1, "sequence", "starts at 1")
	}
	if len(r.Cards) == 0 || len(r.Cards) > MaxCards {
		return wrong(2, "file", "a return file has 1 to %d cards, not %d", MaxCards, len(r.Cards))
	}
	cards := make(map[lifecycle.CardID]int, len(r.Cards))
	plastics := make(map[string]int, len(r.Cards))
	for i, c := range r.Cards {
		line := i + 2
		if err := c.check(line); err != nil {
			return err
		}
		if first, ok := cards[c.Card]; ok {
			return wrong(line, "card", "%s is already on line %d", c.Card, first)
		}
		cards[c.Card] = line
		if c.Plastic == "" {
			continue
		}
		if first, ok := plastics[c.Plastic]; ok {
			return wrong(line, "plastic serial", "%s is already on line %d", c.Plastic, first)
		}
		plastics[c.Plastic] = line
	}
	return nil
}

func (c ReturnLine) check(line int) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(c.Card)); err != nil {
		return wrong(line, "card", "is not a card identifier")
	}
	if why := checkName(c.Plastic); c.Plastic != "" && why != "" {
		return wrong(line, "plastic serial", "%s", why)
	}
	if why := checkReason(c.Reason); why != "" {
		return wrong(line, "reason", "%s", why)
	}
	switch c.Result {
	case lifecycle.BureauMade:
		if c.Plastic == "" {
			return wrong(line, "plastic serial", "is empty: a made card has one")
		}
		if c.Reason != "" {
			return wrong(line, "reason", "a made card has none")
		}
	case lifecycle.BureauSpoiled:
		if c.Reason == "" {
			return wrong(line, "reason", "is empty: say why the card was spoiled")
		}
	case lifecycle.BureauMissing:
		if c.Plastic != "" {
			return wrong(line, "plastic serial", "a missing card has none")
		}
	default:
		return wrong(line, "result", "is %.40q, expected made, spoiled or missing", string(c.Result))
	}
	return nil
}

func checkReason(s string) string {
	if utf8.RuneCountInString(s) > maxReason {
		return fmt.Sprintf("has more than %d characters", maxReason)
	}
	for _, r := range s {
		if r == ';' || r == utf8.RuneError || !unicode.IsPrint(r) {
			return "may not have semicolons or control characters"
		}
	}
	if strings.TrimSpace(s) != s {
		return "starts or ends with a space"
	}
	return ""
}

// canonicalInt reads a number from 0 that is written in one way only.
func canonicalInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is not a number", s)
	}
	return n, nil
}
