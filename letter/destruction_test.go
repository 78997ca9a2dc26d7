package letter_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

func destructionOf(language party.Language) letter.DestructionData {
	return letter.DestructionData{
		Bank: minutesOf(language).Bank, Language: language, Reference: "SD-06EX5ZYXWV1Q8R3T", Date: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
		Place: "Atelier d’impression, Rennes", Kind: lifecycle.StockPlastic, Item: "Carte Aubépine Accès (plastic-securaccess)", Quantity: 24,
		Serials: []string{"PL000000007", "PL000000120-PL000000141", "PL000000163"}, Method: "Broyage, particules de 2 mm",
		Reason: "Rebuts de personnalisation du 27 février", Proposed: "Léonie Boisjoli", Seen: "Maxence Rocheclaire",
	}
}

func TestACertificateOfDestructionSaysWhatTwoPeopleSaw(t *testing.T) {
	t.Parallel()
	for language, words := range map[party.Language][]string{
		party.French:  {"Certificat de destruction", "Plastiques de cartes", "Numéros de série", "A vérifié la liste"},
		party.Dutch:   {"Certificaat van vernietiging", "Kaartplastics", "Serienummers", "Heeft de lijst nagezien"},
		party.German:  {"Vernichtungsprotokoll", "Kartenrohlinge", "Seriennummern", "Hat die Liste geprüft"},
		party.English: {"Certificate of destruction", "Card plastics", "Serial numbers", "Checked the list"},
	} {
		t.Run(string(language), func(t *testing.T) {
			t.Parallel()
			pdf, err := letter.DestructionCertificate(destructionOf(language))
			if err != nil {
				t.Fatal(err)
			}
			text := textOf(t, pdf)
			for _, want := range append(words,
				"SD-06EX5ZYXWV1Q8R3T", "2026-03-02 09:30:00 UTC", "24", "PL000000007", "PL000000120-PL000000141", "PL000000163",
				"Broyage, particules de 2 mm", "Rebuts de personnalisation", "Léonie Boisjoli", "Maxence Rocheclaire", "1/1") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			if again, err := letter.DestructionCertificate(destructionOf(language)); err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("the same certificate is other bytes: %v", err)
			}
		})
	}
}

func TestACertificateOfDestructionOfKeysSaysWhichAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	for language, words := range map[party.Language][]string{
		party.French:  {"Clés d’autorité", "clé inconnue", "A proposé la destruction", "ses sauvegardes", "procès-verbal"},
		party.Dutch:   {"CA-sleutels", "sleutel onbekend", "Heeft de vernietiging voorgesteld", "back-ups", "proces-verbaal"},
		party.German:  {"Schlüssel einer Zertifizierungsstelle", "Schlüssel unbekannt", "Hat die Vernichtung vorgeschlagen", "Sicherungen", "Protokoll"},
		party.English: {"Keys of a CA", "no such key", "Proposed the destruction", "backups", "minutes"},
	} {
		d := destructionOf(language)
		d.Kind, d.Item, d.Place, d.Method, d.Reason, d.Quantity = letter.KindKeys, "issuing-999", "transit", "", "", 1
		d.Serials = []string{"issuing-999 " + strings.Repeat("0123456789ABCDEF", 4)}
		pdf, err := letter.DestructionCertificate(d)
		if err != nil {
			t.Fatal(err)
		}
		text := textOf(t, pdf)
		for _, want := range append(words, d.Serials[0], d.Proposed, d.Seen) {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
}

func TestALongCertificateLosesNoSerialNumber(t *testing.T) {
	t.Parallel()
	d := destructionOf(party.German)
	d.Serials = nil
	for n := range 500 {
		d.Serials = append(d.Serials, fmt.Sprintf("PL%09d-PL%09d", 10*n, 10*n+7))
	}
	pdf, err := letter.DestructionCertificate(d)
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(t, pdf)
	for _, serial := range d.Serials {
		if strings.Count(text, serial) != 1 {
			t.Errorf("%s stands %d times", serial, strings.Count(text, serial))
		}
	}
	if strings.Count(text, "Datum, Ort und Unterschrift") != 2 {
		t.Error("two people sign")
	}
}

func TestAWrongCertificateIsRefused(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(d *letter.DestructionData){
		"reason":   func(d *letter.DestructionData) { d.Reason = "Ελένη" },
		"seen":     func(d *letter.DestructionData) { d.Seen = "" },
		"method":   func(d *letter.DestructionData) { d.Method = strings.Repeat("x", 201) },
		"kind":     func(d *letter.DestructionData) { d.Kind = "gold" },
		"quantity": func(d *letter.DestructionData) { d.Quantity = 0 },
		"date":     func(d *letter.DestructionData) { d.Date = time.Time{} },
		"language": func(d *letter.DestructionData) { d.Language = "es" },
		"serials":  func(d *letter.DestructionData) { d.Serials = make([]string, 501) },
	} {
		d := destructionOf(party.French)
		change(&d)
		if pdf, err := letter.DestructionCertificate(d); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), field) || pdf != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
}
