package letter

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sceau/lifecycle"
)

func (s sample) info() RunInfo {
	return RunInfo{Reference: "PR-06EX0ABCDE7K2M4N", Bank: "Banque Aubépine", Language: s.language}
}

// numbered is a sample's letters with identifiers, names and PINs of their own.
func (s sample) numbered(t testing.TB, n int) (cards []CardLetterData, pins []PINLetterData) {
	t.Helper()
	for i := range n {
		card, pin := s.card(t), s.pin(t)
		card.Letter = lifecycle.CardLetterID(fmt.Sprintf("L-06EX0ABCDE7K%04d", i))
		pin.Letter = lifecycle.PINLetterID(fmt.Sprintf("P-06EX0ABCDE7K%04d", i))
		card.SalutationName = fmt.Sprintf("%s %c%c", s.name, 'A'+i%26, 'A'+i/26%26)
		pin.SalutationName = card.SalutationName
		card.ClientID, card.Last4 = fmt.Sprintf("%08d", 40000000+i), fmt.Sprintf("%04d", i%10000)
		var err error
		if pin.PIN, err = lifecycle.NewPIN(fmt.Sprintf("%05d", (7*i+13579)%100000)); err != nil {
			t.Fatal(err)
		}
		cards, pins = append(cards, card), append(pins, pin)
	}
	return cards, pins
}

func cardRun(t testing.TB, info RunInfo, letters []CardLetterData) []byte {
	t.Helper()
	run, err := NewCardRun(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		if err := run.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	pdf, err := run.PDF()
	if err != nil {
		t.Fatal(err)
	}
	return pdf
}

func pinRun(t testing.TB, info RunInfo, letters []PINLetterData) []byte {
	t.Helper()
	run, err := NewPINRun(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		if err := run.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	pdf, err := run.PDF()
	if err != nil {
		t.Fatal(err)
	}
	return pdf
}

// In a run each page shows what the letter shows alone, and nothing of the
// others.
func TestAPageOfARunIsTheLetterAlone(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(string(s.language), func(t *testing.T) {
			t.Parallel()
			cards, pins := s.numbered(t, 2)
			folder := t.TempDir()
			for kind, run := range map[string][]byte{"card": cardRun(t, s.info(), cards), "pin": pinRun(t, s.info(), pins)} {
				path := filepath.Join(folder, kind+".pdf")
				if err := os.WriteFile(path, run, 0o600); err != nil {
					t.Fatal(err)
				}
				for i := range cards {
					alone, err := CardLetter(cards[i])
					if kind == "pin" {
						alone, err = PINLetter(pins[i])
					}
					if err != nil {
						t.Fatal(err)
					}
					page := fmt.Sprint(i + 1)
					inRun := tool(t, "pdftoppm", "-r", "40", "-gray", "-f", page, "-l", page, path)
					if by := tool(t, "pdftoppm", "-r", "40", "-gray", saved(t, alone)); inRun != by {
						t.Errorf("page %s of the %s run looks other than its letter", page, kind)
					}
					text := tool(t, "pdftotext", "-layout", "-f", page, "-l", page, path, "-")
					if by := tool(t, "pdftotext", "-layout", saved(t, alone), "-"); text != by {
						t.Errorf("page %s of the %s run says\n%s\nits letter\n%s", page, kind, text, by)
					}
				}
			}
		})
	}
}

func TestAThousandLettersAreSmallAndTheSameEachTime(t *testing.T) {
	t.Parallel()
	cards, pins := samples()[0].numbered(t, 1000)
	for kind, make := range map[string]func() []byte{
		"card": func() []byte { return cardRun(t, samples()[0].info(), cards) },
		"pin":  func() []byte { return pinRun(t, samples()[0].info(), pins) },
	} {
		run := make()
		if each := len(run) / 1000; each > 3000 {
			t.Errorf("a %s letter takes %d octets, want 3 000 at most", kind, each)
		} else {
			t.Logf("a %s letter takes %d octets", kind, each)
		}
		if sha256.Sum256(run) != sha256.Sum256(make()) {
			t.Errorf("equal %s letters gave other bytes", kind)
		}
		if out := tool(t, "pdfinfo", saved(t, run)); !strings.Contains(out, "Pages:           1000\n") {
			t.Errorf("the %s run is\n%s", kind, out)
		}
		if fonts := strings.Count(tool(t, "pdffonts", saved(t, run)), "SceauSans"); fonts != 2 {
			t.Errorf("the %s run has %d fonts", kind, fonts)
		}
	}
}

// A run's fonts have the glyphs of its letters, parts of composite ones too,
// and no others; all digits, so that they tell none of a PIN.
func TestARunsFontsAreThoseOfItsLetters(t *testing.T) {
	t.Parallel()
	tf, err := loadTypeface()
	if err != nil {
		t.Fatal(err)
	}
	used := make([]bool, len(tf.regular.advances))
	used[tf.regular.glyph('é')] = true
	file, err := tf.regular.subset(used)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := fontTables(file)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := parseOutlines(tables, tf.regular.outlines.fullMetrics)
	if err != nil {
		t.Fatal(err)
	}
	drawn := 0
	for g := range len(cut.at) - 1 {
		if cut.at[g] == cut.at[g+1] {
			continue
		}
		drawn++
		whole := tf.regular.outlines
		if !bytes.HasPrefix(cut.glyf[cut.at[g]:cut.at[g+1]], whole.glyf[whole.at[g]:whole.at[g+1]]) {
			t.Errorf("glyph %d has another outline", g)
		}
	}
	if drawn < 1 || drawn > 4 {
		t.Errorf("é is drawn by %d glyphs", drawn)
	}
	if sum := checksum(file); sum != 0xB1B0AFBA {
		t.Errorf("the file adds up to %08X", sum)
	}
	plain, other := samples()[0].pin(t), samples()[0].pin(t)
	if other.PIN, err = lifecycle.NewPIN("00000"); err != nil {
		t.Fatal(err)
	}
	a, b := pinRun(t, samples()[0].info(), []PINLetterData{plain}), pinRun(t, samples()[0].info(), []PINLetterData{other})
	differs := 0
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			differs++
		}
	}
	if len(a) != len(b) || differs > 2*len(samplePIN)+8 { // the digits, and where they begin
		t.Errorf("another PIN changes %d octets of %d", differs, len(a))
	}
}

func TestARunRefusesALetterAndKeepsTheOthers(t *testing.T) {
	t.Parallel()
	cards, _ := samples()[0].numbered(t, 3)
	run, err := NewCardRun(samples()[0].info())
	if err != nil {
		t.Fatal(err)
	}
	cards[1].AddressLines = []string{strings.Repeat("W", 38)}
	for i, c := range cards {
		if err := run.Add(c); (err != nil) != (i == 1) || err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("letter %d: %v", i, err)
		}
	}
	dutch := samples()[1].card(t)
	if err := run.Add(dutch); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a letter of another language: %v", err)
	}
	pdf, err := run.PDF()
	if err != nil || run.Pages() != 2 {
		t.Fatalf("%d pages, %v", run.Pages(), err)
	}
	if string(pdf) != string(cardRun(t, samples()[0].info(), []CardLetterData{cards[0], cards[2]})) {
		t.Error("a refused letter left something behind")
	}
}

func TestAPINLetterIsCheckedBeforeItsPINIsAsked(t *testing.T) {
	t.Parallel()
	for _, s := range append(samples(), widest()...) {
		if err := CheckPINLetter(s.pin(t).Letter, s.common(t)); err != nil {
			t.Errorf("%s: %v", s.language, err)
		}
	}
	wide := samples()[0].common(t)
	wide.AddressLines = []string{strings.Repeat("W", 38)}
	if err := CheckPINLetter("P-06EX5ZYXWV1Q8R3T", wide); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("an address that is too wide: %v", err)
	}
	if err := CheckPINLetter("L-06EX5ZYXWV1Q8R3T", samples()[0].common(t)); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("the identifier of a card letter: %v", err)
	}
}

func TestARunOfPINLettersForgetsThem(t *testing.T) {
	t.Parallel()
	_, pins := samples()[0].numbered(t, 2)
	run, err := NewPINRun(samples()[0].info())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pins {
		if err := run.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	kept := make([][]byte, len(run.doc.pages))
	for i, p := range run.doc.pages {
		kept[i] = p.own[:cap(p.own)]
	}
	if _, err := run.PDF(); err != nil {
		t.Fatal(err)
	}
	for i, own := range kept {
		if len(bytes.Trim(own, "\x00")) > 0 {
			t.Errorf("page %d is still in memory", i+1)
		}
	}
}

// Poppler reads every page of a run without a word of complaint.
func TestPopplerHasNothingToSayOfARun(t *testing.T) {
	t.Parallel()
	for i, s := range widest()[:4] {
		command := exec.CommandContext(t.Context(), "pdftoppm", "-r", "20", "-gray", saved(t, cardRun(t, s.info(), []CardLetterData{s.card(t), s.card(t)})))
		var complaints bytes.Buffer
		command.Stderr = &complaints
		if err := command.Run(); err != nil || complaints.Len() > 0 {
			t.Errorf("sample %d in %s: %v\n%s", i, s.language, err, &complaints)
		}
	}
}
