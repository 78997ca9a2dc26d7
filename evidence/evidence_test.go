package evidence_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sceau/certprofile"
	"sceau/evidence"
	"sceau/lifecycle"
)

var today = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const file = `document: passport
country: FR
number: 24 ab-12345
expires: 2031-05-31
given_name: Hélène Marie
surname: Montclair
how: face_to_face
where: Rennes
seen_on: 2026-02-23
`

func TestAnIdentityComesInAFile(t *testing.T) {
	t.Parallel()
	i, err := evidence.ParseIdentity([]byte(file))
	if err != nil || i.Check(today) != nil {
		t.Fatal(err, i.Check(today))
	}
	if i.Number.Reveal() != "24AB12345" || i.Number.Last() != "345" || i.GivenName != "Hélène Marie" || !i.Expires.Equal(time.Date(2031, 5, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("read %+v", i)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", i, i, i, i.Number); strings.Contains(text, "AB12345") {
		t.Error("printed, it shows the number")
	}
}

func TestAFileThatIsWrongIsRefusedWithoutSayingTheNumber(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":             "",
		"no YAML":             "number: [24AB12345",
		"two documents":       file + "---\nnumber: 24AB12345\n",
		"a member twice":      file + "number: 24AB12345\n",
		"another member":      file + "colour: 24AB12345\n",
		"a list":              "- 24AB12345\n",
		"a map in it":         strings.Replace(file, "24 ab-12345", "{a: 24AB12345}", 1),
		"an alias":            strings.Replace(file, "number: 24 ab-12345", "number: &a 24AB12345", 1),
		"markup in a number":  strings.Replace(file, "24 ab-12345", "<b>24AB12345</b>", 1),
		"a formula":           strings.Replace(file, "24 ab-12345", `"=24AB12345()"`, 1),
		"a short number":      strings.Replace(file, "24 ab-12345", "24AB", 1),
		"a long number":       strings.Replace(file, "24 ab-12345", strings.Repeat("24AB12345", 3), 1),
		"no number":           strings.Replace(file, "number: 24 ab-12345\n", "", 1),
		"a day that is none":  strings.Replace(file, "2031-05-31", "31/05/2031", 1),
		"more than a form":    file + "# " + strings.Repeat("24AB12345", evidence.MaxFile),
		"an accented numeral": strings.Replace(file, "24 ab-12345", "٢٤AB12345", 1),
	} {
		_, err := evidence.ParseIdentity([]byte(text))
		if !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "24AB") {
			t.Errorf("%s: the error says the number: %v", name, err)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		i, err := evidence.ParseIdentity(text)
		if err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Error(err)
		}
		if err == nil && i.Number.Last() == "" {
			t.Error("an identity without a number")
		}
	})
}

func TestNamesAgreeAsPassportsWriteThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given, surname, documentGiven, documentSurname string
		want                                           bool
	}{
		{"Hélène", "Montclair", "HELENE MARIE", "MONTCLAIR", true},
		{"Jean-Luc", "O'Brien", "Jean Luc", "OBRIEN", true},
		{"Ольга", "Иванова", "Olga", "Ivanova", true},
		{"Anne", "Øster", "Anne", "Oster", true},
		{"Anne", "Martin", "Anna", "Martin", false},
		{"Anne", "Martin", "Anne", "Martin-Durand", false},
		{"Anne", "", "Anne", "", false},
		{"", "Martin", "Anne", "Martin", false},
		{"李", "Martin", "李", "Martin", false},
	} {
		if got := evidence.SameName(c.given, c.surname, c.documentGiven, c.documentSurname); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Days are counted to the very one.
func TestEvidenceAgesByTheDay(t *testing.T) {
	t.Parallel()
	p, _ := certprofile.BuiltIn(certprofile.NominativeAuthentication)
	day := func(signed, expires time.Time) []string {
		d := evidence.Dossier{
			Identity: &evidence.Identity{How: evidence.PaperCopy, SeenOn: signed, Expires: expires},
			Mandate:  &evidence.Mandate{SignedOn: signed}, Extract: &evidence.Extract{IssuedOn: signed}, Terms: &evidence.Terms{},
			Scans: []evidence.ScanKind{evidence.IdentityScan}, Contact: true,
		}
		var fields []string
		for _, f := range evidence.Missing(d, p, today, today) {
			fields = append(fields, f.Field)
		}
		return fields
	}
	for name, c := range map[string]struct {
		signed, expires time.Time
		want            int
	}{
		"the last fresh day, the document's last day": {time.Date(2025, 12, 3, 0, 0, 0, 0, time.UTC), today, 0},
		"a day older":                        {time.Date(2025, 12, 2, 0, 0, 0, 0, time.UTC), today, 3},
		"the day behind the document's last": {today, today.AddDate(0, 0, -1), 1},
	} {
		if got := day(c.signed, c.expires); len(got) != c.want {
			t.Errorf("%s: missing are %v", name, got)
		}
	}
	service, _ := certprofile.BuiltIn(certprofile.RelyingServiceClient)
	if evidence.Needed(service) || len(evidence.Missing(evidence.Dossier{}, service, today, today)) > 0 {
		t.Error("a system is asked for a passport")
	}
	if got := evidence.Missing(evidence.Dossier{}, p, today, today); len(got) != 6 {
		t.Errorf("of nothing is missing %v", got)
	}
}
