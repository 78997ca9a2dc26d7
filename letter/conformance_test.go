package letter

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/go-pdf/fpdf"

	"sceau/lifecycle"
	"sceau/party"
)

// tool runs a program that we did not write; a missing one fails the test.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v (Debian packages poppler-utils and dmtx-utils)", name, err)
	}
	return string(out)
}

func saved(t *testing.T, pdf []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "letter.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type word struct {
	left, top, right, bottom float64 // millimetres
	text                     string
}

var wordPattern = regexp.MustCompile(`<word xMin="([0-9.]+)" yMin="([0-9.]+)" xMax="([0-9.]+)" yMax="([0-9.]+)">([^<]*)</word>`)

func wordsOf(t *testing.T, pdf []byte) []word {
	t.Helper()
	found := wordsOn(t, saved(t, pdf), "1")
	if len(found) < 60 {
		t.Fatalf("pdftotext found %d words only", len(found))
	}
	return found
}

func wordsOn(t *testing.T, path, page string) []word {
	t.Helper()
	var found []word
	for _, m := range wordPattern.FindAllStringSubmatch(tool(t, "pdftotext", "-bbox", "-f", page, "-l", page, path, "-"), -1) {
		var at [4]float64
		for i := range at {
			points, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			at[i] = points / pointsPerMM
		}
		found = append(found, word{at[0], at[1], at[2], at[3], strings.NewReplacer("&amp;", "&", "&#39;", "'", "&quot;", `"`).Replace(m[5])})
	}
	return found
}

func TestAddressShowsInTheWindowWithNothingElse(t *testing.T) {
	t.Parallel()
	for _, s := range append(samples(), widest()...) {
		win, _ := windowOf(s.country)
		for kind, pdf := range s.both(t) {
			t.Run(fmt.Sprintf("%s letter in %s", kind, s.language), func(t *testing.T) {
				t.Parallel()
				want := strings.Fields(strings.Join(s.common(t).AddressLines, " "))
				if win.returnLine {
					sender := s.common(t).Bank.ReturnAddress
					if kind == "card" {
						sender = s.common(t).Bank.Name + " · " + sender
					}
					want = append(strings.Fields(sender), want...)
				}
				var got []string
				for _, w := range wordsOf(t, pdf) {
					if w.right < win.x || w.left > win.x+win.width || w.bottom < win.y || w.top > win.y+win.height {
						continue
					}
					if w.left < win.x || w.right > win.x+win.width || w.top < win.y || w.bottom > win.y+win.height {
						t.Errorf("%q crosses the window's edge", w.text)
					}
					got = append(got, w.text)
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("the window shows %q, want %q", got, want)
				}
			})
		}
	}
}

// widest are letters of the longest values that are accepted.
func widest() []sample {
	long := strings.Repeat("Maximilienne-", 4) + "Aurélienne W"
	address := party.Address{
		Recipient: strings.Repeat("M", 18) + " " + strings.Repeat("w", 8), Organisation: strings.Repeat("Compagnie ", 3) + "ABCDEFGH",
		Complement: "Résidence des Grandes Aubépines App 12", Street: "1234 avenue des Anciens Combattants Af",
		Postcode: "35000", City: "Saint-Jacques-des-Aubépines", Country: "FR",
	}
	seven := party.Address{
		Recipient: address.Recipient, Organisation: address.Organisation, Complement: "Flat 2, Hawthorn House",
		Street: "1234 Long Harbour Lane", Postcode: "EX1 2AB", City: "Hawthorn-next-the-Sea", Country: "GB",
	}
	out := []sample{
		{party.English, "FR", seven, long + " " + long, "", false},
		{party.English, "DE", seven, long + " " + long, "", false},
	}
	for i, l := range party.Languages() {
		out = append(out, sample{l, []string{"FR", "BE", "NL", "DE"}[i], address, long + " " + long, "", false})
		out = append(out, sample{l, []string{"BE", "FR", "DE", "NL"}[i], address, long + " " + long, strings.Repeat("Agence de Rennes ", 4) + "Centre-Ville", false})
	}
	return out
}

func TestLongestValuesStayOnThePage(t *testing.T) {
	t.Parallel()
	for _, s := range widest() {
		for kind, pdf := range s.both(t) {
			t.Run(fmt.Sprintf("%s letter in %s", kind, s.language), func(t *testing.T) {
				t.Parallel()
				if out := tool(t, "pdfinfo", saved(t, pdf)); !strings.Contains(out, "Pages:           1\n") || !strings.Contains(out, "(A4)") {
					t.Errorf("not one A4 page:\n%s", out)
				}
				for _, w := range wordsOf(t, pdf) {
					if w.left < leftEdge-0.5 || w.right > rightEdge+0.5 || w.bottom > pageHeight-8 {
						t.Errorf("%q leaves the margins: %.1f to %.1f mm", w.text, w.left, w.right)
					}
				}
			})
		}
	}
}

func TestDataMatrixReadsBackAsIdentifierAndPage(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		for kind, pdf := range s.both(t) {
			t.Run(fmt.Sprintf("%s letter in %s", kind, s.language), func(t *testing.T) {
				t.Parallel()
				path := saved(t, pdf)
				tool(t, "pdftoppm", "-r", "200", "-png", "-singlefile", path, strings.TrimSuffix(path, ".pdf"))
				want := map[string]string{"card": string(s.card(t).Letter), "pin": string(s.pin(t).Letter)}[kind] + " 1/1"
				if got := tool(t, "dmtxread", "-N1", "-m20000", strings.TrimSuffix(path, ".pdf")+".png"); got != want {
					t.Errorf("dmtxread = %q, want %q", got, want)
				}
			})
		}
	}
}

func TestPINStandsAloneUnderItsLabel(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(string(s.language), func(t *testing.T) {
			t.Parallel()
			label := spoken(t, s.language, lifecycle.PrintPIN).labelCode.fill(nil)
			var lines []string
			for l := range strings.Lines(tool(t, "pdftotext", "-layout", saved(t, s.both(t)["pin"]), "-")) {
				if l = strings.TrimSpace(l); l != "" {
					lines = append(lines, l)
				}
			}
			for i, l := range lines {
				if l == samplePIN && lines[i-1] == label {
					return
				}
			}
			t.Errorf("no line of the PIN's digits alone after %q in %q", label, lines)
		})
	}
}

func TestLettersKeepEachOthersSecrets(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(string(s.language), func(t *testing.T) {
			t.Parallel()
			card, pin := s.card(t), s.pin(t)
			text := map[string]string{}
			for kind, pdf := range s.both(t) {
				text[kind] = tool(t, "pdftotext", "-layout", saved(t, pdf), "-")
			}
			for _, secret := range []string{card.ClientID, card.UserNumber, card.Last4, card.Product, string(card.Letter), card.Expiry.Format("01/2006")} {
				if strings.Contains(text["pin"], secret) {
					t.Errorf("the PIN letter has %q of the card letter", secret)
				}
				if !strings.Contains(text["card"], secret) {
					t.Errorf("the card letter lacks %q", secret)
				}
			}
			for _, secret := range []string{samplePIN, string(pin.Letter)} {
				if strings.Contains(text["card"], secret) {
					t.Errorf("the card letter has %q of the PIN letter", secret)
				}
			}
		})
	}
}

// fpdf reads the same font files with its own parser.
func TestWidthsAgreeWithFPDF(t *testing.T) {
	t.Parallel()
	tf, err := loadTypeface()
	if err != nil {
		t.Fatal(err)
	}
	peer := fpdf.New("P", "pt", "A4", "")
	peer.AddUTF8FontFromBytes("face", "", regularFile)
	peer.AddUTF8FontFromBytes("face", "B", boldFile)
	for emphasis, f := range map[string]*face{"": tf.regular, "B": tf.bold} {
		peer.SetFont("face", emphasis, 100)
		for r := range f.glyphs {
			if got, want := f.width(string(r), 100), peer.GetStringWidth(string(r)); math.Abs(got-want) > 0.11 {
				t.Errorf("%U is %.2f pt wide, fpdf says %.2f", r, got, want)
			}
		}
	}
	if err := peer.Error(); err != nil {
		t.Fatal(err)
	}
}

// spoken are the built-in words of a kind of letter.
func spoken(t *testing.T, l party.Language, kind lifecycle.PrintKind) *words {
	t.Helper()
	w, err := Common{Language: l}.words(kind)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Every text of the house is printable, and pdftotext reads back what was set.
func TestEveryTextIsReadBackWhole(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(string(s.language), func(t *testing.T) {
			t.Parallel()
			for kind, pdf := range s.both(t) {
				got := strings.Join(strings.Fields(tool(t, "pdftotext", "-raw", saved(t, pdf), "-")), " ")
				w, v := spoken(t, s.language, lifecycle.PrintKind(kind)), s.card(t).values()
				parts := []section{{w.subject, w.advice.title}, {w.closing, w.advice.text}}
				want := []string{w.language.warning, w.salutation.fill(v) + " " + s.name}
				if kind == "card" {
					parts = append(parts, w.activate, w.reader.asText(), w.blocked, w.lost)
				} else {
					parts = append(parts, section{w.intro, w.labelCode}, w.learn, w.use, w.opened)
				}
				for _, p := range parts {
					want = append(want, p.title.fill(v), p.text.fill(v))
				}
				for _, text := range want {
					if text = strings.Join(strings.Fields(text), " "); !strings.Contains(got, text) {
						t.Errorf("%s letter lacks %q in\n%s", kind, text, got)
					}
				}
			}
		})
	}
}

// A name that party accepts can be printed.
func TestFontHasEveryLetterThatNamesMayHave(t *testing.T) {
	t.Parallel()
	tf, err := loadTypeface()
	if err != nil {
		t.Fatal(err)
	}
	letters := 0
	for r := rune(' '); r < 0xFFFF; r++ {
		if party.CheckName("surname", "A"+string(r)+"a") != nil {
			continue
		}
		letters++
		if err := printable(tf, string(r), 1); err != nil {
			t.Errorf("a name may have %U, but: %v", r, err)
		}
	}
	if letters < 300 {
		t.Errorf("names may have %d characters only", letters)
	}
}
