package issuance_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

func (h *house) take1(t *testing.T, content string) issuance.ImportReport {
	t.Helper()
	return must[issuance.ImportReport](t)(h.ImportOrders(t.Context(), stijn, strings.NewReader(content), nil))
}

// wrongs are the wrong fields of a report, as "line field".
func wrongs(r issuance.ImportReport) []string {
	all := make([]string, len(r.Wrong))
	for i, w := range r.Wrong {
		all[i] = fmt.Sprintf("%d %s", w.Line, w.Field)
	}
	return all
}

// oneWrong is a file of three lines that begin at sample n, with a right one
// before and after the one under test, which is on line 3.
func oneWrong(n int, adapt func(before demodata.Order, o *demodata.Order)) string {
	before, o := sample(n), sample(n+1)
	adapt(before, &o)
	return file(before, o, sample(n+2))
}

func TestAWrongLineIsReportedByFieldAndTheRightOnesAreKept(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for i, test := range []struct {
		name, field string
		adapt       func(before demodata.Order, o *demodata.Order)
	}{
		{"no reference", "reference", func(_ demodata.Order, o *demodata.Order) { o.Reference = "" }},
		{"the reference of another order", "reference", func(before demodata.Order, o *demodata.Order) { o.Reference = before.Reference }},
		{"a reference that is too long", "reference", func(_ demodata.Order, o *demodata.Order) { o.Reference = strings.Repeat("R", 65) }},
		{"a reference with a NUL", "reference", func(_ demodata.Order, o *demodata.Order) { o.Reference = "R\x00" }},
		{"a reference that a terminal would obey", "reference", func(_ demodata.Order, o *demodata.Order) { o.Reference = "R\x1b[2J" }},
		{"a reference that turns the text around", "reference", func(_ demodata.Order, o *demodata.Order) { o.Reference = "R\u202e1" }},
		{"an unknown product", "product", func(_ demodata.Order, o *demodata.Order) { o.Product = "badge" }},
		{"a client ID of seven digits", "client_id", func(_ demodata.Order, o *demodata.Order) { o.ClientID = "4001000" }},
		{"a client ID of full-width digits", "client_id", func(_ demodata.Order, o *demodata.Order) { o.ClientID = "４００１０００２" }},
		{"the client ID of another company", "client_id", func(before demodata.Order, o *demodata.Order) { o.ClientID = before.ClientID }},
		{"a company of markup", "company", func(_ demodata.Order, o *demodata.Order) { o.Company = "<script>alert(1)</script>" }},
		{"a register number with a wrong digit", "registry_number", func(_ demodata.Order, o *demodata.Order) { o.RegistryNumber = "299010008" }},
		{"a country without a register", "registry_number", func(_ demodata.Order, o *demodata.Order) { o.Country = "DE" }},
		{"an unknown branch", "branch", func(_ demodata.Order, o *demodata.Order) { o.Branch = "FR99" }},
		{"a user number of letters", "user_number", func(_ demodata.Order, o *demodata.Order) { o.UserNumber = "00A1" }},
		{"no surname", "surname", func(_ demodata.Order, o *demodata.Order) { o.Surname = "" }},
		{"a formula as surname", "surname", func(_ demodata.Order, o *demodata.Order) { o.Surname = "=HYPERLINK(A1)" }},
		{"a given name that turns the text around", "given_name", func(_ demodata.Order, o *demodata.Order) { o.GivenName = "H\u202eenel" }},
		{"Latin-1 bytes", "given_name", func(_ demodata.Order, o *demodata.Order) { o.GivenName = "H\xe9l\xe8ne" }},
		{"an overlong UTF-8 form", "given_name", func(_ demodata.Order, o *demodata.Order) { o.GivenName = "H\xc0\xaf" }},
		{"half a surrogate pair", "surname", func(_ demodata.Order, o *demodata.Order) { o.Surname = "M\xed\xa0\x80" }},
		{"a name longer than a window's line", "surname", func(_ demodata.Order, o *demodata.Order) { o.Surname = strings.Repeat("Abcde", 8) }},
		{"a name of sixty characters", "surname", func(_ demodata.Order, o *demodata.Order) { o.Surname = strings.Repeat("Abcdefghij", 6) }},
		{"a name in Greek", "surname", func(_ demodata.Order, o *demodata.Order) { o.Surname = "Παπαδόπουλος" }},
		{"markup as name", "given_name", func(_ demodata.Order, o *demodata.Order) { o.GivenName = "<b>Max</b>" }},
		{"a name longer than the plastic's line", "surname", func(_ demodata.Order, o *demodata.Order) {
			o.GivenName, o.Surname = "Max", "Featherstone-Vandenberghe-X"
		}},
		{"a language that no letter is written in", "language", func(_ demodata.Order, o *demodata.Order) { o.Language = "es" }},
		{"an address that is no e-mail", "email", func(_ demodata.Order, o *demodata.Order) { o.Email = "helene at example" }},
		{"an e-mail that adds a header", "email", func(_ demodata.Order, o *demodata.Order) { o.Email = "\"a@b.example\rBcc: x\"" }},
		{"a street that is too long", "street", func(_ demodata.Order, o *demodata.Order) {
			o.Street = "128 avenue des Anciens Élèves de l'École du Moulin"
		}},
		{"a postcode of another country", "postcode", func(_ demodata.Order, o *demodata.Order) { o.Postcode = "4700" }},
		{"a country without letters", "address_country", func(_ demodata.Order, o *demodata.Order) { o.AddressCountry = "US" }},
		{"a field beyond any sense", "complement", func(_ demodata.Order, o *demodata.Order) { o.Complement = strings.Repeat("x", 257) }},
		{"a card that flies", "delivery", func(_ demodata.Order, o *demodata.Order) { o.Delivery = "pigeon" }},
		{"a certificate that is posted", "delivery", func(_ demodata.Order, o *demodata.Order) { o.Product = "certificate" }},
		{"a requester who approves only", "requested_by", func(_ demodata.Order, o *demodata.Order) { o.RequestedBy = "irene" }},
		{"a requester nobody knows", "requested_by", func(_ demodata.Order, o *demodata.Order) { o.RequestedBy = "nobody" }},
		{"a quote inside a field", "line", func(_ demodata.Order, o *demodata.Order) { o.Surname = `Mont"clair` }},
		{"a column too many", "line", func(_ demodata.Order, o *demodata.Order) { o.RequestedBy = "alix;extra" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report := h.take1(t, oneWrong(3*i, test.adapt))
			if report.Lines != 3 || report.Kept != 2 || report.Refused != 1 || report.Cards != 2 {
				t.Errorf("report %+v, want 3 lines, 2 kept, 1 refused", report)
			}
			if got, want := wrongs(report), "3 "+test.field; !slices.Equal(got, []string{want}) {
				t.Errorf("wrong %q, want %q", got, want)
			}
			for _, w := range report.Wrong {
				if w.Why == "" || strings.ContainsAny(w.Why, "\x00\x1b\u202e") {
					t.Errorf("line %d, %s: %q is no reason a person can read", w.Line, w.Field, w.Why)
				}
			}
			if _, err := h.OrderByReference(t.Context(), sample(3*i+2).Reference); err != nil {
				t.Errorf("the line after the wrong one: %v", err)
			}
		})
	}
}

func TestEveryWrongFieldIsReportedAtOnceAndIsAColumn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	o := sample(1)
	o.Reference, o.GivenName, o.Surname, o.Company, o.City, o.Language = "", "<", "", ">", "", "es"
	report := h.take1(t, file(o))
	if want := []string{"2 reference", "2 company", "2 given_name", "2 surname", "2 language", "2 city"}; !slices.Equal(wrongs(report), want) {
		t.Errorf("wrong %q, want %q", wrongs(report), want)
	}
	if report.Refused != 1 {
		t.Errorf("%d lines refused, want 1", report.Refused)
	}
}

func TestTheSameFileAgainAddsNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	content := file(sample(1), sample(2))
	h.take1(t, content)
	before := must[int64](t)(h.store.CountAudit(t.Context()))
	again := h.take1(t, content)
	if again.Kept != 0 || again.Refused != 2 || !slices.Equal(wrongs(again), []string{"2 reference", "3 reference"}) {
		t.Errorf("again: %+v", again)
	}
	if after := must[int64](t)(h.store.CountAudit(t.Context())); after != before+1 { // the import itself
		t.Errorf("%d entries were added", after-before)
	}
	corrected := h.take1(t, file(sample(1), sample(2), sample(3)))
	if corrected.Kept != 1 {
		t.Errorf("sent again with a line more: %+v", corrected)
	}
}

func TestSpellingsOfTheSameFileAreTaken(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for i, test := range []struct {
		name  string
		spell func(plain string) string
	}{
		{"a byte order mark", func(s string) string { return "\xEF\xBB\xBF" + s }},
		{"CR LF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
		{"a mark and CR LF", func(s string) string { return "\xEF\xBB\xBF" + strings.ReplaceAll(s, "\n", "\r\n") }},
		{"no line end at the end", func(s string) string { return strings.TrimSuffix(s, "\n") }},
		{"empty lines", func(s string) string { return strings.ReplaceAll(s, "\n", "\n\n") }},
		{"quoted fields", func(s string) string { return strings.ReplaceAll(s, "Ateliers Montclair", `"Ateliers Montclair"`) }},
		{"spaces around the fields", func(s string) string { return strings.ReplaceAll(s, ";Rennes;", "; Rennes ;") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plain := file(sample(2*i), sample(2*i+1))
			spelt := test.spell(plain)
			if spelt == plain {
				t.Fatal("the spelling is the plain one")
			}
			if report := h.take1(t, spelt); report.Kept != 2 || len(report.Wrong) != 0 {
				t.Errorf("report %+v, want 2 kept", report)
			}
		})
	}
}

func TestAFileWithoutItsHeaderIsRefusedWhole(t *testing.T) {
	t.Parallel()
	h := setup(t)
	right := file(sample(1))
	for name, content := range map[string]string{
		"nothing":             "",
		"a byte order mark":   "\xEF\xBB\xBF",
		"no header":           right[strings.Index(right, "\n")+1:],
		"an unknown column":   strings.Replace(right, "email;", "email;pin;", 1),
		"a renamed column":    strings.Replace(right, "email;", "mail;", 1),
		"columns swapped":     strings.Replace(right, "given_name;surname", "surname;given_name", 1),
		"commas":              strings.ReplaceAll(right, ";", ","),
		"UTF-16":              "\xff\xfer\x00e\x00f\x00",
		"a quote in the head": `"` + right,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := h.ImportOrders(t.Context(), stijn, strings.NewReader(content), nil)
			wantField(t, err, "file")
			if report.Lines != 0 {
				t.Errorf("%d lines were read", report.Lines)
			}
		})
	}
}

// endless repeats a line for ever.
type endless struct {
	line string
	rest string
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if e.rest == "" {
			e.rest = e.line
		}
		c := copy(p[n:], e.rest)
		e.rest, n = e.rest[c:], n+c
	}
	return n, nil
}

func TestAnEndlessFileEndsAtItsBound(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for i, test := range []struct{ name, start, line string }{
		{"long wrong lines", "", strings.Repeat("x", 64<<10) + "\n"},
		{"one field without an end", `"`, strings.Repeat("x", 4095) + "\n"},
		{"empty lines", "", strings.Repeat("\n", 4096)},
		{"short wrong lines", "", "x\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			content := io.MultiReader(strings.NewReader(file(sample(i))+test.start), &endless{line: test.line})
			report, err := h.ImportOrders(t.Context(), stijn, content, nil)
			wantField(t, err, "file")
			if report.Kept != 1 {
				t.Errorf("%d lines kept, want the right one before", report.Kept)
			}
		})
	}
}

func TestAFileThatBreaksOffIsNotTakenForAFileOfWrongLines(t *testing.T) {
	t.Parallel()
	h := setup(t)
	broken := errors.New("connection reset")
	content := io.MultiReader(strings.NewReader(file(sample(1))), iotest.ErrReader(broken))
	report, err := h.ImportOrders(t.Context(), stijn, content, nil)
	if !errors.Is(err, broken) {
		t.Errorf("error = %v, want the reader's", err)
	}
	if report.Kept != 1 || report.Refused != 0 {
		t.Errorf("report %+v, want the line before the break and no other", report)
	}
}

func TestOnlyThoseWhoOrderMayImport(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, by := range everyone {
		n := 10 + slices.Index(everyone, by)
		report, err := h.ImportOrders(t.Context(), by, strings.NewReader(file(sample(n))), nil)
		switch by.Role {
		case lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer:
			if err != nil || report.Kept != 1 {
				t.Errorf("%s: %+v, %v", by, report, err)
			}
		default:
			wantKind(t, err, lifecycle.Forbidden)
		}
	}
}

func TestProgressIsToldLineByLineAndTheImportIsRecorded(t *testing.T) {
	t.Parallel()
	h := setup(t)
	content := oneWrong(1, func(_ demodata.Order, o *demodata.Order) { o.Product = "badge" })
	var told []int
	report, err := h.ImportOrders(t.Context(), stijn, strings.NewReader(content), func(line int) { told = append(told, line) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []int{1, 2, 3}) {
		t.Errorf("progress %v", told)
	}
	var digest []byte
	var by string
	var lines, kept, refused int
	err = h.pool.QueryRow(t.Context(), "SELECT sha256, taken_by, lines, kept, refused FROM import WHERE id = $1", report.ID).
		Scan(&digest, &by, &lines, &kept, &refused)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte(content))
	if !bytes.Equal(digest, want[:]) || by != stijn.ID || lines != 3 || kept != 2 || refused != 1 {
		t.Errorf("recorded %x by %s: %d lines, %d kept, %d refused", digest, by, lines, kept, refused)
	}
}

func TestAPersonOfTwoLinesIsEnrolledOnceAndSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card, certificate, other := sample(1), sample(1), sample(1)
	certificate.Reference, certificate.Product, certificate.Delivery = "REF-2", "certificate", "-"
	other.Reference, other.Surname = "REF-3", "Aubrac"
	report := h.take1(t, file(card, certificate, other))
	if report.Cards != 1 || report.Certificates != 1 || !slices.Equal(wrongs(report), []string{"4 user_number"}) {
		t.Errorf("report %+v", report)
	}
	if holders := must[[]issuance.HolderView](t)(h.Holders(t.Context())); len(holders) != 1 {
		t.Errorf("%d holders, want 1", len(holders))
	}
}

func TestTheSampleBanksFileIsTakenButForItsWrongLines(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.addSampleBank(t)
	report := h.take1(t, string(demodata.OrderFile()))
	if report.Cards != demodata.Cards || report.Certificates != demodata.Certificates {
		t.Errorf("%d cards, %d certificates", report.Cards, report.Certificates)
	}
	want := demodata.WrongLines()
	if report.Refused != len(want) || len(report.Wrong) != len(want) {
		t.Fatalf("%d lines refused for %d reasons, want %d", report.Refused, len(report.Wrong), len(want))
	}
	for i, w := range report.Wrong {
		if field := want[i].Field; w.Field != field && (field != "" || w.Field != "line") {
			t.Errorf("line %d: wrong %s (%s), want %s", w.Line, w.Field, w.Why, field)
		}
	}
}
