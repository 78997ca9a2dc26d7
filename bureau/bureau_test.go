package bureau_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sceau/bureau"
	"sceau/lifecycle"
)

func at() time.Time { return time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC) }

func cardID(n uint32) lifecycle.CardID {
	return lifecycle.CardID(lifecycle.NewID(lifecycle.PrefixCard, at(), n))
}

func batchID() lifecycle.BatchID {
	return lifecycle.BatchID(lifecycle.NewID(lifecycle.PrefixBatch, at(), 7))
}

func sample(cards int) bureau.File {
	f := bureau.File{
		Format: bureau.Format, Batch: batchID(), Sequence: 12, Bureau: "bureau-1", Created: at(),
		TransportKey: "tk-2026-1", TransportKCV: "08D7B4",
	}
	for i := range cards {
		f.Cards = append(f.Cards, bureau.Record{
			Card: cardID(uint32(i)), Product: "sceau-cap", Expiry: "2903",
			EmbossName: "ANNE-MARIE LEFEVRE", EmbossLine2: "BOIS & FILS SA",
			DGIs: []byte{0x80, 0x00, 0x01, byte(i)},
		})
	}
	return f
}

func encoded(t testing.TB, cards int) []byte {
	t.Helper()
	data, err := bureau.Encode(sample(cards))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAFileComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 250, bureau.MaxCards} {
		want := sample(n)
		data := encoded(t, n)
		got, err := bureau.Decode(data)
		if err != nil {
			t.Fatalf("%d cards: %v", n, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d cards: what came back differs", n)
		}
		if !bytes.Equal(data, encoded(t, n)) {
			t.Errorf("%d cards: the same file gives other bytes", n)
		}
	}
}

func TestTimesAreWrittenInUTCAndWholeSeconds(t *testing.T) {
	t.Parallel()
	f := sample(1)
	f.Created = at().Add(123 * time.Millisecond).In(time.FixedZone("CET", 3600))
	data, err := bureau.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, encoded(t, 1)) {
		t.Errorf("header = %s", bytes.SplitN(data, []byte("\n"), 2)[0])
	}
}

// resealed changes the body and writes a right trailer behind it, so that only
// the change itself can be wrong.
func resealed(data []byte, count int, change func(string) string) []byte {
	lines := bytes.SplitAfter(data, []byte("\n"))
	body := change(string(bytes.Join(lines[:len(lines)-2], nil)))
	digest := sha256.Sum256([]byte(body))
	return fmt.Appendf(nil, "%s{\"count\":%d,\"sha256\":%q}\n", body, count, hex.EncodeToString(digest[:]))
}

func replaced(old, by string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, by, 1) }
}

func TestAFileThatDoesNotAgreeIsRefused(t *testing.T) {
	t.Parallel()
	good := encoded(t, 3)
	lines := bytes.SplitAfter(good, []byte("\n"))
	twice := func(string) string { return string(bytes.Join([][]byte{lines[0], lines[1], lines[2], lines[1]}, nil)) }
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "truncated"},
		{"only a header", lines[0], "truncated"},
		{"cut in the middle of a line", good[:len(good)-10], "truncated"},
		{"cut behind a card", bytes.Join(lines[:3], nil), "line 3, line: is not a line of format"},
		{"a card removed", bytes.Join([][]byte{lines[0], lines[1], lines[3], lines[4]}, nil), "line 4, count: the trailer counts 3 cards, the file has 2"},
		{"two cards swapped", bytes.Join([][]byte{lines[0], lines[2], lines[1], lines[3], lines[4]}, nil), "line 5, sha256: the digest"},
		{"something behind the trailer", append(bytes.Clone(good), lines[1]...), "is not a line of format"},
		{"a card twice", resealed(good, 3, twice), "line 4, card: " + string(cardID(0)) + " is already on line 2"},
		{"another format", resealed(good, 3, replaced("bureau/1", "bureau/2")), "line 1, format"},
		{"a month that is none", resealed(good, 3, replaced("2903", "2913")), "line 2, expiry"},
		{"a lower-case name", resealed(good, 3, replaced("ANNE", "Anne")), "line 2, emboss_name"},
		{"a name with a line feed", resealed(good, 3, replaced("ANNE", `AN\nNE`)), "line 2, emboss_name"},
		{"a check value in lower case", resealed(good, 3, replaced("08D7B4", "08d7b4")), "line 1, transport_kcv"},
		{"a member that is unknown", resealed(good, 3, replaced(`"product"`, `"pin":"1","product"`)), "line 2, line: is not a line"},
		{"a member twice", resealed(good, 3, replaced(`"product"`, `"expiry":"2901","product"`)), "line 2, line: is not written"},
		{"a space too many", resealed(good, 3, replaced(`"product":`, `"product": `)), "line 2, line: is not written"},
		{"a time with an offset", resealed(good, 3, replaced("10:30:00Z", "10:30:00+00:00")), "line 1, "},
		{"no data groupings", resealed(good, 3, replaced(`"dgis":"gAABAA=="`, `"dgis":""`)), "line 2, dgis"},
		{"a line too long", resealed(good, 3, replaced("ANNE", strings.Repeat("A", 9000))), "line 2, line: has"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := bureau.Decode(tt.data)
			if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Decode = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

func TestEveryChangedByteIsSeen(t *testing.T) {
	t.Parallel()
	good := encoded(t, 2)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x01
		if _, err := bureau.Decode(bad); !errors.Is(err, lifecycle.Invalid) {
			t.Fatalf("byte %d changed: Decode = %v, want Invalid", i, err)
		}
	}
}

func TestEncodeWritesNothingThatDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*bureau.File)
		want   string
	}{
		{"no cards", func(f *bureau.File) { f.Cards = nil }, "1 to 10000 cards"},
		{"too many cards", func(f *bureau.File) { *f = sample(bureau.MaxCards + 1) }, "1 to 10000 cards"},
		{"no batch", func(f *bureau.File) { f.Batch = "" }, "line 1, batch"},
		{"sequence 0", func(f *bureau.File) { f.Sequence = 0 }, "line 1, sequence"},
		{"no bureau", func(f *bureau.File) { f.Bureau = "" }, "line 1, bureau"},
		{"a key name with a space", func(f *bureau.File) { f.TransportKey = "tk 1" }, "line 1, transport_key"},
		{"no time", func(f *bureau.File) { f.Created = time.Time{} }, "line 1, created"},
		{"another thing's identifier", func(f *bureau.File) { f.Cards[1].Card = "B-0000000000000000" }, "line 3, card"},
		{"a card twice", func(f *bureau.File) { f.Cards[1].Card = f.Cards[0].Card }, "line 3, card"},
		{"a product with a quote", func(f *bureau.File) { f.Cards[0].Product = `a"b` }, "line 2, product"},
		{"a name of 27 characters", func(f *bureau.File) { f.Cards[0].EmbossName = strings.Repeat("A", 27) }, "line 2, emboss_name"},
		{"a company in lower case", func(f *bureau.File) { f.Cards[0].EmbossLine2 = "Bois" }, "line 2, emboss_line2"},
		{"too many data groupings", func(f *bureau.File) { f.Cards[0].DGIs = make([]byte, bureau.MaxDGIs+1) }, "line 2, dgis"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := sample(2)
			tt.change(&f)
			_, err := bureau.Encode(f)
			if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Encode = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	good := encoded(f, 2)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("{}\n{}\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := bureau.Decode(data)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("Decode = %v, want Invalid", err)
			}
			return
		}
		again, err := bureau.Encode(file)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("a file that was taken is written otherwise: %v", err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	f := sample(1000)
	for b.Loop() {
		if _, err := bureau.Encode(f); err != nil {
			b.Fatal(err)
		}
	}
}
