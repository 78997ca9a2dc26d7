package letter

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/lifecycle"
	"sceau/party"
)

// sampleLogo is a picture with a clear ground, larger than it is printed.
func sampleLogo(t testing.TB) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, 1480, 330))
	for y := range 330 {
		for x := range 1480 {
			switch dx, dy := x-165, y-165; {
			case dx*dx+dy*dy < 150*150:
				picture.SetNRGBA(x, y, color.NRGBA{0x7A, 0x1F, 0x3D, 0xFF})
			case x > 380 && y > 120 && y < 210:
				picture.SetNRGBA(x, y, color.NRGBA{0x20, uint8(x / 10), 0x60, 0xFF})
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func builtInFile(t testing.TB, kind lifecycle.PrintKind) string {
	t.Helper()
	template, err := BuiltIn(kind)
	if err != nil {
		t.Fatal(err)
	}
	return string(template.Canonical())
}

func parsed(t testing.TB, file string) *Template {
	t.Helper()
	template, err := ParseTemplate([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// custom is a template of a bank's own: other texts, names of the holder and the
// company in them, one more part, a logo.
func custom(t testing.TB) *Template {
	t.Helper()
	file := strings.NewReplacer(
		"salutation: Bonjour\n", "salutation: Bonjour\n    further:\n      - title: Carte de votre entreprise\n"+
			"        text: \"{holder}, au nom de {company}, carte •••• {last4}.\"\n",
		"Voici votre carte d’authentification. Avec le lecteur de carte, elle vous permet d’accéder à votre espace en ligne et de signer vos opérations.",
		"Voici, de {bank}, votre carte.", " Votre carte est active dès le premier code accepté.", "", " Nous bloquons la carte et vous en envoyons une nouvelle.", "",
		" Votre code confidentiel vous parviendra dans quelques jours, par un courrier séparé.", "",
		" Un appel ou un message vous semble suspect\u00a0? Ne répondez pas et appelez-nous au {phone}.", " Appelez-nous au {phone}.",
		"Votre carte d’authentification est prête. Avec le lecteur de carte, elle vous permet d’accéder à votre espace en ligne et de signer vos opérations.",
		"Votre carte est prête.",
	).Replace(builtInFile(t, lifecycle.PrintCard))
	return parsed(t, file+"logo: "+base64.StdEncoding.EncodeToString(sampleLogo(t))+"\n")
}

func (s sample) large(t testing.TB) sample {
	t.Helper()
	s.print = true
	return s
}

func TestVariantsAreThoseReviewed(t *testing.T) {
	t.Parallel()
	golden := map[string][]byte{}
	for _, s := range samples() {
		for kind, pdf := range s.large(t).both(t) {
			golden[fmt.Sprintf("large-%s-%s", kind, s.language)] = pdf
		}
	}
	d := samples()[0].card(t)
	d.Template, d.Company = custom(t), "Ateliers Montclair & Fils"
	for name, large := range map[string]bool{"custom-card-fr": false, "large-custom-card-fr": true} {
		d.Large = large
		pdf, err := CardLetter(d)
		if err != nil {
			t.Fatal(err)
		}
		golden[name] = pdf
	}
	for name, got := range golden {
		path := filepath.Join("testdata", name+".pdf")
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s changed: look at it, then run go test ./letter -update", path)
		}
	}
}

// The built-in templates obey the rules that a bank's obey, are written as they
// are kept, and fit with the longest values.
func TestTheBuiltInTemplatesAreTemplates(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		template, err := BuiltIn(kind)
		if err != nil {
			t.Fatal(err)
		}
		file, err := builtIn.ReadFile("templates/" + string(kind) + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file, template.Canonical()) {
			t.Errorf("templates/%s.yaml is not in its canonical form:\n%s", kind, template.Canonical())
		}
		if err := template.Try(samples()[0].common(t).Bank, "Carte Aubépine Accès"); err != nil {
			t.Error(err)
		}
	}
}

func TestOneTemplateHasOneForm(t *testing.T) {
	t.Parallel()
	template := custom(t)
	again := parsed(t, "# a comment\n"+string(template.Canonical()))
	if again.Sum() != template.Sum() || again.Sum() == parsed(t, builtInFile(t, lifecycle.PrintCard)).Sum() {
		t.Errorf("the canonical form of the canonical form is another:\n%s", again.Canonical())
	}
	if again.logo == nil || !bytes.Equal(again.logo.rgb, template.logo.rgb) || bytes.Contains(template.Canonical(), []byte(base64.StdEncoding.EncodeToString(sampleLogo(t))[:200])) {
		t.Error("the logo is not made again from its pixels")
	}
}

func TestATemplateIsRefusedWithLineAndReason(t *testing.T) {
	t.Parallel()
	card, pin := builtInFile(t, lifecycle.PrintCard), builtInFile(t, lifecycle.PrintPIN)
	for _, test := range []struct{ name, file, old, by, want string }{
		{"no YAML", card, "format", "\tformat", "is not YAML"},
		{"nothing", card, card, "", "is not YAML"},
		{"a list", card, card, "- 1\n", "begins with format"},
		{"two documents", card, "format: 1", "format: 1\n---\nformat: 1", "more than one document"},
		{"another format", card, "format: 1", "format: 2", "format: line 1: is 1"},
		{"another kind", card, "kind: card", "kind: leaflet", "kind: line 2: is card or pin"},
		{"a language that is not served", card, "\n  nl:", "\n  es:", "languages.nl.subject: is missing"},
		{"a text that nobody reads", card, "    salutation: Bonjour", "    salutation: Bonjour\n    slogan: Ensemble", "languages.fr.slogan: line 7: is no part of a card template"},
		{"a text that is missing", card, "    salutation: Bonjour\n", "", "languages.fr.salutation: is missing"},
		{"a text twice", card, "salutation: Bonjour", "salutation: Bonjour\n    salutation: Salut", "line 7: stands already in line 6"},
		{"a text that is a number", card, "salutation: Bonjour", "salutation: 12", "line 6: is not a text: put it in quotes"},
		{"an anchor", card, "salutation: Bonjour", "salutation: &a Bonjour", "anchors and aliases"},
		{"an alias", card, "salutation: Bonjour", "salutation: *a", "is not YAML"},
		{"an empty text", card, "salutation: Bonjour", "salutation: ''", "line 6: is empty"},
		{"a subject that is too long", card, "subject: Votre carte", "subject: " + strings.Repeat("Votre carte ", 9), "60 at most"},
		{"an unknown placeholder", card, "Voici votre carte", "Voici {given_name}, votre carte", "{given_name} is not a placeholder; those that may: {phone}"},
		{"a placeholder that never closes", card, "Voici votre carte", "Voici {holder votre carte", "has a { without its }"},
		{"a placeholder that never opens", card, "Voici votre carte", "holder} votre carte", "has a } without its {"},
		{"a placeholder in a heading", card, "title: Activer votre carte", "title: Activer {product}", "{product} may not stand here; no placeholder may"},
		{"the PIN in the card letter", card, "Voici votre carte", "Voici {pin} et votre carte", "{pin} may not stand here"},
		{"the PIN twice", pin, "code: '{pin}'", "code: '{pin}{pin}'", "once only"},
		{"the PIN among other words", pin, "intro: Voici le code", "intro: Voici {pin}, le code", "{pin} may not stand here"},
		{"the PIN not alone", pin, "code: '{pin}'", "code: 'x{pin}'", "{pin} stands alone"},
		{"no PIN", pin, "code: '{pin}'", "code: none", "{pin} must stand here"},
		{"the client number in the PIN letter", pin, "intro: Voici", "intro: '{client_id}: voici", "is not YAML"},
		{"the card number in the PIN letter", pin, "intro: Voici le", "intro: Le {last4} a le", "{last4} may not stand here"},
		{"no warning", card, "{warning} Un appel", "Un appel", "{warning} must stand here"},
		{"no help line for a lost card", card, "Appelez-nous aussitôt au {phone}.", "Appelez-nous aussitôt.", "{phone} must stand here"},
		{"a letter that looks like another", card, "Voici votre carte", "Voici vоtre carte", "may not have the character U+043E"},
		{"an invisible character", card, "Voici votre", "Voi\u200bci votre", "may not have the character U+200B"},
		{"a loose accent", card, "Voici votre", "Voici\u0301 votre", "may not have the character U+0301"},
		{"a sign that the font lacks", card, "Voici votre", "☎ votre", "no character U+260E"},
		{"a line break in a label", card, "product: Produit", "product: \"Pro\\nduit\"", "may not have the character U+000A"},
		{"a picture that is none", card, "format: 1", "logo: bm90IGEgcGljdHVyZQ==\nformat: 1", "a logo is a PNG or JPEG file"},
		{"a picture that is no base64", card, "format: 1", "logo: '*'\nformat: 1", "is not a picture in base64"},
		{"too much", card, "format: 1", "format: 1\n# " + strings.Repeat("x", maxTemplate), "longer than 256 KiB"},
		{"too deep", card, "format: 1", "format: 1\nx: [[[[[[[[a]]]]]]]]", "more in it than a template has"},
		{"seven steps", card, "    blocked:", "        - a\n        - b\n        - c\n    blocked:", "reader.steps.6: line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := strings.Replace(test.file, test.old, test.by, 1)
			if file == test.file {
				t.Fatal("nothing was changed")
			}
			_, err := ParseTemplate([]byte(file))
			if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestNoTemplateAsksForASecret(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language party.Language
		text     string
		asks     bool
	}{
		{"fr", "Envoyez-nous votre code par SMS", true},
		{"fr", "Pour activer la carte, appelez-nous et dites votre code confidentiel.", true},
		{"fr", "N’ayez crainte et communiquez votre code à notre conseiller.", true},
		{"fr", "Notre conseiller vous demandera votre code.", true},
		{"fr", "Tapez votre code confidentiel sur notre site.", true},
		{"fr", "Ne dites jamais votre code.", false},
		{"fr", "Tapez votre code confidentiel et validez.", false},
		{"fr", "Indiquez votre nom au guichet.", false},
		{"fr", "Nous vous enverrons un nouveau code.", false},
		{"nl", "Stuur ons uw pincode", true},
		{"nl", "Wij vragen uw pincode aan de telefoon", false}, // the bank acts: four eyes read it
		{"nl", "Bel ons en geef uw code aan onze medewerker.", true},
		{"nl", "Vul uw pincode in op de website", true},
		{"nl", "Geef uw pincode nooit door", false},
		{"nl", "Wij sturen u een nieuwe pincode", false},
		{"de", "Nennen Sie uns Ihre Geheimzahl", true},
		{"de", "Senden Sie die PIN per SMS", true},
		{"de", "Fürchten Sie nichts und geben Sie Ihre Geheimzahl weiter", true},
		{"de", "Geben Sie die Geheimzahl nur am Kartenleser ein", false},
		{"de", "Wir senden Ihnen eine neue Geheimzahl", false},
		{"de", "Ihre Geheimzahl senden wir Ihnen", false},
		{"en", "Tell us your PIN when we call", true},
		{"en", "Never mind: send us your code", true},
		{"en", "Do not worry and share your PIN with our staff", true},
		{"en", "Enter your PIN on our website", true},
		{"en", "Our staff may ask for a code", true},
		{"en", "Do not tell anyone your PIN", false},
		{"en", "We will send you a new PIN", false},
		{"en", "Tell us your new address", false},
	} {
		if told := tongueOf(test.language).guard.asks(test.text); (told != "") != test.asks {
			t.Errorf("%s %q: asks %v, want %v: %s", test.language, test.text, !test.asks, test.asks, told)
		}
	}
	file := strings.Replace(builtInFile(t, lifecycle.PrintCard), "Voici votre carte", "Envoyez votre code par SMS. Voici votre carte", 1)
	if _, err := ParseTemplate([]byte(file)); err == nil || !strings.Contains(err.Error(), "languages.fr.intro.home: line 19: seems to ask the holder") {
		t.Errorf("a template that asks for a code: %v", err)
	}
}

func TestATemplateThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	card := builtInFile(t, lifecycle.PrintCard)
	bank := samples()[0].common(t).Bank
	for _, test := range []struct{ name, old, by, want string }{
		{"a text below the page", "title: Carte perdue ou volée\n      text: ", "title: Carte perdue ou volée\n      text: " + strings.Repeat("Une phrase de plus. ", 24), "below its page"},
		{"a heading beside its column", "title: Carte perdue ou volée", "title: " + strings.Repeat("Carte perdue ", 5), "fr, window of FR: invalid"},
		{"a word wider than its line", "user_number: Numéro d’utilisateur", "user_number: " + strings.Repeat("W", 28), "does not fit in its place"},
		{"a branch in a box that is too small", "Présentez-vous", strings.Repeat("Venez quand il vous plaira. ", 15) + "Présentez-vous", "at a branch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := parsed(t, strings.Replace(card, test.old, test.by, 1)).Try(bank, "Carte Aubépine Accès")
			if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if err := custom(t).Try(bank, "Carte Aubépine Accès"); err != nil {
		t.Error(err)
	}
}

// What a holder is called is never taken for the template's own.
func TestValuesAreInert(t *testing.T) {
	t.Parallel()
	template := custom(t)
	for _, name := range []string{"{phone} {pin}", "=1+1", "<b>Hélène</b>", "{holder}", "%d ) Tj", "\\n"} {
		d := samples()[0].card(t)
		d.Template, d.SalutationName, d.Company = template, name, name
		pdf, err := CardLetter(d)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(tool(t, "pdftotext", "-raw", saved(t, pdf), "-")), " ")
		if want := name + ", au nom de " + name + ", carte •••• 4821."; !strings.Contains(text, want) {
			t.Errorf("the letter does not say %q but\n%s", want, text)
		}
	}
	d := samples()[0].card(t)
	d.Template = template
	if _, err := CardLetter(d); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), "company") {
		t.Errorf("a letter that names no company: %v", err)
	}
	d.Template = parsed(t, builtInFile(t, lifecycle.PrintPIN))
	if _, err := CardLetter(d); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), "template") {
		t.Errorf("a card letter by the template of a PIN letter: %v", err)
	}
}

func TestAPreviewIsNobodysLetter(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		template := parsed(t, builtInFile(t, kind))
		for i, language := range party.Languages() {
			for _, large := range []bool{i%2 == 0, i%2 == 1 && kind == lifecycle.PrintPIN} {
				c := samples()[0].common(t)
				pdf, err := template.Preview(Specimen{
					Bank: c.Bank, Product: "Carte Aubépine Accès", Language: language, WindowCountry: "BE", Large: large, Date: c.Date,
				})
				if err != nil {
					t.Fatal(err)
				}
				text, pages := tool(t, "pdftotext", "-layout", saved(t, pdf), "-"), 1
				if large {
					pages = 2
				}
				raw := strings.Join(strings.Fields(tool(t, "pdftotext", "-raw", saved(t, pdf), "-")), "")
				if n := strings.Count(raw, specimenWord); n != pages {
					t.Errorf("%s in %s says SPECIMEN %d times", kind, language, n)
				}
				if (kind == lifecycle.PrintPIN) != strings.Contains(text, noPIN+"\n") {
					t.Errorf("%s in %s shows\n%s", kind, language, text)
				}
			}
		}
	}
}

func TestALogoIsBounded(t *testing.T) {
	t.Parallel()
	encode := func(w, h int) []byte {
		var file bytes.Buffer
		if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	noise := image.NewRGBA(image.Rect(0, 0, 700, 160))
	state := uint32(1)
	for i := range noise.Pix {
		state = state*1664525 + 1013904223
		noise.Pix[i] = byte(state >> 24)
	}
	var photograph bytes.Buffer
	if err := jpeg.Encode(&photograph, noise, &jpeg.Options{Quality: 30}); err != nil {
		t.Fatal(err)
	}
	whole := sampleLogo(t)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "1 to 128 KiB"},
		{"too many bytes", make([]byte, maxLogoBytes+1), "1 to 128 KiB"},
		{"another format", []byte("GIF89a" + strings.Repeat("x", 100)), "is a PNG or JPEG"},
		{"a bomb", encode(3000, 3000), "4 megapixels at most"},
		{"a side that is too long", encode(4001, 24), "pixels a side"},
		{"a dot", encode(8, 8), "24 to 4000 pixels"},
		{"a file cut short", whole[:len(whole)/2], "damaged"},
		{"a photograph", photograph.Bytes(), "simpler picture"},
	} {
		if _, err := readLogo(test.file); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	l, err := readLogo(whole)
	if err != nil {
		t.Fatal(err)
	}
	if w, h := l.size(); l.columns > logoColumns || l.rows > logoRows || w > logoWidth+0.01 || h > logoHeight+0.01 {
		t.Errorf("%d by %d pixels, %.1f by %.1f mm", l.columns, l.rows, w, h)
	}
	again, err := readLogo(l.png)
	if err != nil || !bytes.Equal(again.png, l.png) {
		t.Errorf("made again it is another: %v", err)
	}
}

// A logo is in a document once, and what is small stays small.
func TestALogoIsInARunOnce(t *testing.T) {
	t.Parallel()
	cards, _ := samples()[0].numbered(t, 1000)
	template := custom(t)
	for i := range cards {
		cards[i].Template, cards[i].Company = template, "Ateliers Montclair & Fils"
	}
	run := cardRun(t, samples()[0].info(), cards)
	if each := len(run) / 1000; each > 3000 {
		t.Errorf("a letter takes %d octets", each)
	}
	if n := bytes.Count(run, []byte("/Subtype/Image")); n != 1 {
		t.Errorf("the logo is there %d times", n)
	}
}

// A second page of a PIN letter has no PIN, and neither leaves the margins.
func TestLargePrintIsLargeAndStaysOnItsPages(t *testing.T) {
	t.Parallel()
	for i, s := range append(samples(), widest()[2:8]...) {
		s = s.large(t)
		for kind, pdf := range s.both(t) {
			t.Run(fmt.Sprintf("%s letter in %s to %s", kind, s.language, s.country), func(t *testing.T) {
				t.Parallel()
				path := saved(t, pdf)
				pages := strings.Count(tool(t, "pdftotext", path, "-"), "\f")
				if pages < 2 || pages > maxSheets {
					t.Fatalf("%d pages", pages)
				}
				win, _ := windowOf(s.country)
				for page := 1; page <= pages; page++ {
					at := fmt.Sprint(page)
					for _, w := range wordsOn(t, path, at) {
						if w.left < leftEdge-0.5 || w.right > rightEdge+0.5 || w.bottom > pageHeight-8 {
							t.Errorf("page %d: %q leaves the margins: %.1f to %.1f mm", page, w.text, w.left, w.right)
						}
						small := w.bottom-w.top < 0.9*largeSize*1.36/pointsPerMM
						if body := w.top > win.y+win.height && w.bottom < 278; body && small {
							t.Errorf("page %d: %q is small", page, w.text)
						}
					}
					if i >= len(samples()) {
						continue
					}
					text := tool(t, "pdftotext", "-layout", "-f", at, "-l", at, path, "-")
					if kind == "pin" && strings.Contains(text, samplePIN) != (page == 1) {
						t.Errorf("page %d says\n%s", page, text)
					}
					picture := strings.TrimSuffix(path, ".pdf") // of the corner: large letters keep dmtxread busy
					tool(t, "pdftoppm", "-r", "200", "-x", "40", "-y", "2120", "-W", "140", "-H", "190", "-f", at, "-l", at, "-png", "-singlefile", path, picture)
					want := fmt.Sprintf("%s %d/%d", map[string]string{"card": string(s.card(t).Letter), "pin": string(s.pin(t).Letter)}[kind], page, pages)
					if got := tool(t, "dmtxread", "-N1", "-m20000", picture+".png"); got != want {
						t.Errorf("dmtxread = %q, want %q", got, want)
					}
				}
			})
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		f.Add([]byte(builtInFile(f, kind)))
	}
	f.Add([]byte("format: 1\nkind: pin\nlanguages: {fr: {code: '{pin}{'}}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, file []byte) {
		template, err := ParseTemplate(file)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) || len(err.Error()) > 64<<10 {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := ParseTemplate(template.Canonical())
		if err != nil || again.Sum() != template.Sum() {
			t.Fatalf("the canonical form is read as another: %v\n%s", err, template.Canonical())
		}
	})
}

func FuzzLogo(f *testing.F) {
	f.Add(sampleLogo(f))
	var photograph bytes.Buffer
	if err := jpeg.Encode(&photograph, image.NewGray(image.Rect(0, 0, 40, 30)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(photograph.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := readLogo(file)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if l.columns > logoColumns || l.rows > logoRows || len(l.png) > maxLogoBytes {
			t.Errorf("%d by %d pixels, %d octets", l.columns, l.rows, len(l.png))
		}
	})
}
