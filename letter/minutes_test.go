package letter_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

const fingerprint = "3F0A9C6D51E27B84A0C1D2E3F4051627384950A6B7C8D9EAFB0C1D2E3F405162"

func minutesOf(language party.Language) letter.MinutesData {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	act := func(minute int, kind string, facts ...letter.Fact) letter.MinutesAct {
		return letter.MinutesAct{Kind: kind, At: at.Add(time.Duration(minute) * time.Minute), By: "Maxence Rocheclaire", Facts: facts}
	}
	key := func(minute int, name, kcv string) letter.MinutesAct {
		return act(minute, "key", letter.Fact{Kind: "name", Value: "hsm/" + name}, letter.Fact{Kind: "usage", Value: name},
			letter.Fact{Kind: letter.FactKCV, Value: kcv}, letter.Fact{Kind: "origin", Value: "components"},
			letter.Fact{Kind: "custodians", Value: "Mme Aubépin, M. Tilleul"})
	}
	return letter.MinutesData{
		Bank: letter.Bank{
			Name: "Banque Aubépine", LegalName: "Banque Aubépine SA", Colour: letter.Colour{R: 0x7A, G: 0x1F, B: 0x3D},
		},
		Language: language, Reference: "2026-A", Environment: "live", Date: at, Officer: "Maxence Rocheclaire",
		Witnesses: []string{"Elke Vlierstra"}, Custodians: []string{"Mme Aubépin", "M. Tilleul"},
		Acts: []letter.MinutesAct{
			act(0, "begun"), act(1, "root-opened", letter.Fact{Kind: "mount", Value: "transit-root"}),
			act(2, "root", letter.Fact{Kind: "name", Value: "transit-root/root-1"},
				letter.Fact{Kind: "subject", Value: "CN=Banque Aubépine Root CA,O=Banque Aubépine SA,C=FR"},
				letter.Fact{Kind: letter.FactSHA256, Value: fingerprint}, letter.Fact{Kind: "until", Value: "2046-02-25"}),
			act(3, "root-closed", letter.Fact{Kind: "refused", Value: "revoked token, ceremony token"}),
			key(4, "imk-ac", "A1B2C3"), key(5, "imk-smi", "0D4E5F"), key(6, "imk-smc", "77889A"),
		},
	}
}

// textOf is what pdftotext reads, in the order of the page.
func textOf(t *testing.T, pdf []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "minutes.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), "pdftotext", "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMinutesSayWhatWasDoneInEachLanguage(t *testing.T) {
	t.Parallel()
	for language, words := range map[party.Language][]string{
		party.French:  {"Procès-verbal de cérémonie des clés", "Autorité racine créée", "Valeur de contrôle", "Empreinte SHA-256", "Signatures", "jeton révoqué", "production"},
		party.Dutch:   {"Proces-verbaal van de sleutelceremonie", "Root-CA aangemaakt", "Controlewaarde", "Handtekeningen"},
		party.German:  {"Protokoll der Schlüsselzeremonie", "Stammzertifizierungsstelle erstellt", "Prüfwert", "Unterschriften"},
		party.English: {"Minutes of a key ceremony", "Root CA made", "Check value", "Signatures"},
	} {
		t.Run(string(language), func(t *testing.T) {
			t.Parallel()
			pdf, err := letter.Minutes(minutesOf(language))
			if err != nil {
				t.Fatal(err)
			}
			text := textOf(t, pdf)
			for _, want := range append(words,
				"2026-A", "2026-03-02 09:30:00 UTC", "transit-root/root-1", "CN=Banque Aubépine Root CA",
				"3F0A9C6D 51E27B84 A0C1D2E3 F4051627\n", "A1 B2 C3", "Maxence Rocheclaire", "Mme Aubépin", "M. Tilleul", "Elke Vlierstra", "1/2", "2/2") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			if again, err := letter.Minutes(minutesOf(language)); err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("the same minutes are other bytes: %v", err)
			}
		})
	}
}

func TestARehearsalSaysSoOnEachPage(t *testing.T) {
	t.Parallel()
	for rehearsal, want := range map[bool]int{true: 4, false: 0} { // a banner and a watermark on each of two pages
		d := minutesOf(party.English)
		d.Rehearsal = rehearsal
		pdf, err := letter.Minutes(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(textOf(t, pdf), "REHEARSAL"); (got >= 2) != rehearsal || got > want {
			t.Errorf("rehearsal %t: the word stands %d times", rehearsal, got)
		}
	}
}

func TestLongMinutesTakeMorePagesAndLoseNothing(t *testing.T) {
	t.Parallel()
	d := minutesOf(party.French)
	one := d.Acts[4]
	for i := range 40 {
		one.At = one.At.Add(time.Minute)
		one.Facts = append([]letter.Fact{{Kind: "name", Value: fmt.Sprintf("hsm/key-%02d", i)}}, one.Facts[1:]...)
		d.Acts = append(d.Acts, one)
	}
	pdf, err := letter.Minutes(d)
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(t, pdf)
	for i := range 40 {
		if want := fmt.Sprintf("hsm/key-%02d", i); !strings.Contains(text, want) {
			t.Errorf("%s is lost", want)
		}
	}
}

func TestMinutesRefuseWhatTheyCannotShow(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*letter.MinutesData){
		"no acts":               func(d *letter.MinutesData) { d.Acts = nil },
		"no officer":            func(d *letter.MinutesData) { d.Officer = "" },
		"another language":      func(d *letter.MinutesData) { d.Language = "it" },
		"no date":               func(d *letter.MinutesData) { d.Date = time.Time{} },
		"a name without glyphs": func(d *letter.MinutesData) { d.Witnesses = []string{"山田"} },
		"a fact without glyphs": func(d *letter.MinutesData) { d.Acts[0].Facts = []letter.Fact{{Kind: "name", Value: "山"}} },
		"a fact longer than a page": func(d *letter.MinutesData) {
			d.Acts[0].Facts = []letter.Fact{{Kind: "name", Value: strings.Repeat("k", 500)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := minutesOf(party.French)
			spoil(&d)
			if _, err := letter.Minutes(d); !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhoSignsSignsOnOnePageBesideWhatTheySignFor(t *testing.T) {
	t.Parallel()
	for acts := 1; acts <= 18; acts++ {
		d := minutesOf(party.English)
		d.Acts = nil
		for len(d.Acts) < acts {
			d.Acts = append(d.Acts, minutesOf(party.English).Acts[4])
		}
		pdf, err := letter.Minutes(d)
		if err != nil {
			t.Fatal(err)
		}
		pages := strings.Split(textOf(t, pdf), "\f")
		for _, page := range pages {
			declared, signed := strings.Contains(page, "The undersigned"), strings.Count(page, "Date, place and signature")
			if declared && signed != 4 || !declared && signed != 0 {
				t.Errorf("%d acts: a page has %d lines to sign, and the declaration: %t", acts, signed, declared)
			}
		}
	}
}
