package letter

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/lifecycle"
)

func TestWrongValuesAreNamedAndInvalid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*CardLetterData)
		want   string
	}{
		{"a name in Greek", func(d *CardLetterData) { d.SalutationName = "Ελένη" }, "salutation_name: invalid: the letters' font has no character U+0395"},
		{"an address in Greek", func(d *CardLetterData) { d.AddressLines = []string{"A", "Οδός 1"} }, "address_lines[1]"},
		{"a letter with a loose accent", func(d *CardLetterData) { d.SalutationName = "He\u0301le\u0300ne" }, "U+0301"},
		{"a bidirectional mark", func(d *CardLetterData) { d.Product = "Carte\u202e" }, "product: invalid: the letters' font has no character U+202E"},
		{"a NUL", func(d *CardLetterData) { d.Product = "Carte\x00" }, "U+0000"},
		{"a line feed", func(d *CardLetterData) { d.PickUpBranch = "Agence\nRennes" }, "U+000A"},
		{"bytes that are not UTF-8", func(d *CardLetterData) { d.Bank.Name = "Banque\xff" }, "bank.name: invalid: is not UTF-8"},
		{"an address of eight lines", func(d *CardLetterData) { d.AddressLines = strings.Split("abcdefgh", "") }, "address_lines: an address has 1 to 7"},
		{"no address", func(d *CardLetterData) { d.AddressLines = nil }, "address_lines"},
		{"a line of 39 characters", func(d *CardLetterData) { d.AddressLines = []string{strings.Repeat("i", 39)} }, "longer than 38"},
		{"a line wider than the window", func(d *CardLetterData) { d.AddressLines = []string{strings.Repeat("W", 38)} }, "too wide for the window"},
		{"an unknown window", func(d *CardLetterData) { d.WindowCountry = "ES" }, "window_country"},
		{"an unknown language", func(d *CardLetterData) { d.Language = "es" }, "language"},
		{"no date", func(d *CardLetterData) { d.Date = time.Time{} }, "date"},
		{"the identifier of a PIN letter", func(d *CardLetterData) { d.Letter = "P-06EX5ZYXWV1Q8R3T" }, "letter: invalid"},
		{"a whole card number for its last digits", func(d *CardLetterData) { d.Last4 = "9250001234567890" }, "last4: invalid: has 4 digits"},
		{"a client number with letters", func(d *CardLetterData) { d.ClientID = "4003187A" }, "client_id"},
		{"no expiry", func(d *CardLetterData) { d.Expiry = time.Time{} }, "expiry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := samples()[0].card(t)
			tt.change(&d)
			pdf, err := CardLetter(d)
			if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) || pdf != nil {
				t.Errorf("CardLetter = %d bytes, %v; want Invalid with %q", len(pdf), err, tt.want)
			}
		})
	}
}

func TestAllWrongValuesAreToldAtOnceAndNeverThePIN(t *testing.T) {
	t.Parallel()
	d := samples()[0].pin(t)
	d.SalutationName, d.WindowCountry, d.Letter = "", "", "P-1"
	_, err := PINLetter(d)
	var wrongs lifecycle.FieldErrors
	if !errors.As(err, &wrongs) || len(wrongs) != 3 {
		t.Fatalf("PINLetter = %v, want three field errors", err)
	}
	if strings.Contains(err.Error(), samplePIN) {
		t.Error("the error has the PIN")
	}
	d = samples()[0].pin(t)
	d.PIN = lifecycle.PIN{}
	if _, err := PINLetter(d); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), "pin: is missing") {
		t.Errorf("PINLetter without a PIN = %v", err)
	}
}

func TestLettersMadeAtOnceDoNotMix(t *testing.T) {
	t.Parallel()
	want := map[string]map[string][]byte{}
	for _, s := range samples() {
		want[s.name] = s.both(t)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, s := range samples() {
				for kind, pdf := range s.both(t) {
					if !bytes.Equal(pdf, want[s.name][kind]) {
						t.Errorf("%s letter of %s differs when made beside others", kind, s.name)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestContentNeverOutgrowsItsRoom(t *testing.T) {
	t.Parallel()
	tf, err := loadTypeface()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range widest() {
		doc := newDocument(tf)
		if err := errors.Join(doc.cardPage(s.card(t)), doc.pinPage(s.pin(t))); err != nil {
			t.Fatal(err)
		}
		for i, p := range doc.pages {
			if cap(p.own) != ownRoom || len(p.own) > ownRoom*3/4 {
				t.Errorf("page %d has %d octets of its own: a growing buffer would leave a copy behind", i, len(p.own))
			}
		}
	}
}

func FuzzLetterOfAnyName(f *testing.F) {
	for _, s := range []string{"Hélène", ") Tj ET (", "\\(", "=1+1", "\u202eabc", "\x00", "<b>", "{phone}", "endstream"} {
		f.Add(s, s)
	}
	plain, err := PINLetter(samples()[0].pin(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, line string) {
		d := samples()[0].pin(t)
		d.SalutationName, d.AddressLines = name, []string{line}
		pdf, err := PINLetter(d)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("%q: %v is not Invalid", name, err)
			}
			return
		}
		for _, mark := range []string{"/Type/Page/", "endobj", "startxref"} {
			if got, want := bytes.Count(pdf, []byte(mark)), bytes.Count(plain, []byte(mark)); got != want {
				t.Errorf("%q: %d times %s, want %d", name, got, mark, want)
			}
		}
	})
}

func FuzzDamagedFontIsAnError(f *testing.F) {
	f.Add(uint32(0), byte(1), uint32(100))
	f.Fuzz(func(t *testing.T, at uint32, value byte, size uint32) {
		file := bytes.Clone(regularFile[:min(int(size), len(regularFile))])
		if len(file) > 0 {
			file[int(at)%len(file)] = value
		}
		if face, err := parseFace(file); err != nil && !errors.Is(err, errFont) || err == nil && face == nil {
			t.Errorf("parseFace = %v, %v", face, err)
		}
	})
}
