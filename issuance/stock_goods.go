package issuance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sceau/lifecycle"
	"sceau/store/db"
)

// SerialRange is pieces of one item from a serial number to another, both of them
// among it.
type SerialRange struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

func (r SerialRange) quantity() int64 { return r.Last - r.First + 1 }

// Goods are some of one item: so many, and of an item whose pieces have serial
// numbers also which, lowest first. Asked for without them, the lowest are meant.
type Goods struct {
	Quantity int64         `json:"quantity"`
	Serials  []SerialRange `json:"serials,omitempty"`
}

const (
	maxQuantity = 10_000_000 // in one movement
	maxRanges   = 500
)

// StockItem is one kind of plastic, paper or reader. The digits of a serial
// number stand behind its prefix; with none, pieces have no serial number.
type StockItem struct {
	Code         string
	Kind         lifecycle.StockKind
	Name         string
	SerialPrefix string
	SerialDigits int
}

func stockItemOf(r db.StockItem) StockItem {
	return StockItem{Code: r.Code, Kind: r.Kind, Name: r.Name, SerialPrefix: r.SerialPrefix, SerialDigits: int(r.SerialDigits)}
}

// Numbered tells whether pieces have serial numbers.
func (i StockItem) Numbered() bool { return i.SerialDigits > 0 }

// Serial writes a serial number.
func (i StockItem) Serial(n int64) string {
	return fmt.Sprintf("%s%0*d", i.SerialPrefix, i.SerialDigits, n)
}

// Lines writes goods, a range a line; without serial numbers it is none.
func (i StockItem) Lines(g Goods) []string {
	lines := make([]string, len(g.Serials))
	for n, r := range g.Serials {
		lines[n] = i.Serial(r.First)
		if r.Last > r.First {
			lines[n] += "-" + i.Serial(r.Last)
		}
	}
	return lines
}

// Text writes goods in one line.
func (i StockItem) Text(g Goods) string {
	if len(g.Serials) == 0 {
		return strconv.FormatInt(g.Quantity, 10)
	}
	return fmt.Sprintf("%d (%s)", g.Quantity, strings.Join(i.Lines(g), ", "))
}

// ParseSerial reads one serial number.
func (i StockItem) ParseSerial(text string) (int64, error) {
	digits, ok := strings.CutPrefix(text, i.SerialPrefix)
	if !i.Numbered() || !ok || len(digits) != i.SerialDigits || strings.Trim(digits, "0123456789") != "" {
		return 0, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("%q is no serial number of %s: write %s and %d digits",
			shortened(text), i.Code, i.SerialPrefix, i.SerialDigits)}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("%q has no number", digits)}
	}
	return n, nil
}

// ParseSerials reads ranges of serial numbers: RD000001-RD000100,RD000105.
func (i StockItem) ParseSerials(text string) ([]SerialRange, error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxRanges {
		return nil, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("use at most %d ranges at a time", maxRanges)}
	}
	ranges := make([]SerialRange, len(parts))
	for n, part := range parts {
		first, last, isRange := i.cut(strings.TrimSpace(part))
		var err error
		if ranges[n].First, err = i.ParseSerial(first); err != nil {
			return nil, err
		}
		if ranges[n].Last = ranges[n].First; !isRange {
			continue
		}
		if ranges[n].Last, err = i.ParseSerial(last); err != nil {
			return nil, err
		}
	}
	return ranges, nil
}

// cut parts a range behind its first serial number, whose prefix may have a dash.
func (i StockItem) cut(part string) (first, last string, isRange bool) {
	at := len(i.SerialPrefix) + i.SerialDigits
	if len(part) > at && part[at] == '-' {
		return part[:at], part[at+1:], true
	}
	return part, "", false
}

// check brings goods into their one form, serial numbers in order and joined, and
// says what is wrong with them.
func (i StockItem) check(g Goods) (Goods, error) {
	if !i.Numbered() && len(g.Serials) > 0 {
		return g, &lifecycle.FieldError{Field: "serials", Why: i.Code + " has no serial numbers: give a quantity"}
	}
	if len(g.Serials) > 0 {
		ranges, err := i.join(g.Serials)
		if err != nil {
			return g, err
		}
		total := quantityOf(ranges)
		if g.Quantity != 0 && g.Quantity != total {
			return g, &lifecycle.FieldError{Field: "quantity", Why: fmt.Sprintf("the serial numbers are %d pieces, not %d: leave one of the two out", total, g.Quantity)}
		}
		g = Goods{Quantity: total, Serials: ranges}
	}
	if g.Quantity < 1 || g.Quantity > maxQuantity {
		return g, &lifecycle.FieldError{Field: "quantity", Why: fmt.Sprintf("use 1 to %d", maxQuantity)}
	}
	return g, nil
}

// named is check for goods whose serial numbers must be told.
func (i StockItem) named(g Goods) (Goods, error) {
	if i.Numbered() && len(g.Serials) == 0 {
		return g, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("say which: pieces of %s have serial numbers", i.Code)}
	}
	return i.check(g)
}

// join sorts ranges and joins neighbours; one serial number twice is an error.
func (i StockItem) join(ranges []SerialRange) ([]SerialRange, error) {
	if len(ranges) > maxRanges {
		return nil, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("use at most %d ranges at a time", maxRanges)}
	}
	most := int64(1)
	for range i.SerialDigits {
		most *= 10
	}
	for _, r := range ranges {
		if r.First < 0 || r.Last < r.First || r.Last >= most {
			return nil, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("a range goes from a lower serial number to a higher one: %s-%s", i.Serial(r.First), i.Serial(r.Last))}
		}
		if r.quantity() > maxQuantity {
			return nil, &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("use at most %d pieces at a time", maxQuantity)}
		}
	}
	sorted := sortedRanges(ranges)
	for n := 1; n < len(sorted); n++ {
		if sorted[n].First <= sorted[n-1].Last {
			return nil, &lifecycle.FieldError{Field: "serials", Why: i.Serial(sorted[n].First) + " is there twice"}
		}
	}
	return joined(sorted), nil
}

func sortedRanges(ranges []SerialRange) []SerialRange {
	return slices.SortedFunc(slices.Values(ranges), func(a, b SerialRange) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return 0
	})
}

// joined joins neighbours among sorted ranges.
func joined(sorted []SerialRange) []SerialRange {
	var out []SerialRange
	for _, r := range sorted {
		if n := len(out); n > 0 && out[n-1].Last+1 >= r.First {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

func quantityOf(ranges []SerialRange) (total int64) {
	for _, r := range ranges {
		total += r.quantity()
	}
	return total
}

// without are the serial numbers of a that b has not; both in order.
func without(a, b []SerialRange) []SerialRange {
	var out []SerialRange
	for _, r := range a {
		for _, cut := range b {
			if cut.Last < r.First || cut.First > r.Last {
				continue
			}
			if cut.First > r.First {
				out = append(out, SerialRange{r.First, cut.First - 1})
			}
			r.First = cut.Last + 1
		}
		if r.First <= r.Last {
			out = append(out, r)
		}
	}
	return out
}

// minus is what of goods is left without others, which may be more.
func (g Goods) minus(other Goods) Goods {
	if len(g.Serials) > 0 {
		left := without(g.Serials, other.Serials)
		return Goods{Quantity: quantityOf(left), Serials: left}
	}
	return Goods{Quantity: max(g.Quantity-other.Quantity, 0)}
}

func (g Goods) equal(other Goods) bool {
	return g.Quantity == other.Quantity && slices.Equal(g.Serials, other.Serials)
}

// pack and unpack are how the database keeps values of this package that no query
// looks into.
func pack(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // numbers and texts: it has no error
	}
	return text
}

func unpack[T any](text []byte) (v T, err error) {
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("read what is stored of goods: %w", err)
	}
	return v, nil
}

func shortened(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
