package issuance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// lettersWaiting are the card letters that wait for a run.
func (h *house) lettersWaiting(t tb) []string {
	t.Helper()
	rows, err := h.pool.Query(t.Context(), "SELECT card_id FROM card_letter WHERE state = 'requested' ORDER BY id")
	h.event(t, err)
	defer rows.Close()
	var cards []string
	for rows.Next() {
		var id string
		h.event(t, rows.Scan(&id))
		cards = append(cards, id)
	}
	return cards
}

// aRun is a rendered run of n letters, all but one of which stand in the database
// only: no card of theirs moves, and they are spoiled when the test ends, because
// a card has one PIN.
func (h *house) aRun(t *testing.T, kind lifecycle.PrintKind, n int) lifecycle.PrintRunID {
	t.Helper()
	from := lifecycle.CardMade
	if kind == lifecycle.PrintPIN {
		from = lifecycle.CardPosted
	}
	first := h.card(t, from)
	table, column, prefix := "card_letter", "psn", "L"
	if kind == lifecycle.PrintPIN {
		table, column, prefix = "pin_letter", "pin_version", "P"
	}
	after := ""
	if kind == lifecycle.PrintPIN {
		after = ", post_after"
	}
	_, err := h.pool.Exec(t.Context(), fmt.Sprintf(`WITH more AS (INSERT INTO %[1]s (id, card_id, %[2]s, state, created_at%[4]s)
		SELECT '%[3]s-00000000000' || lpad(n::text, 5, '0'), card_id, n + 1, state, created_at%[4]s FROM %[1]s, generate_series(1, $2::int - 1) n WHERE card_id = $1
		RETURNING id) INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state)
		SELECT now(), 'test', 'system', $3, id, 'submit', '', 'requested' FROM more`, table, column, prefix, after),
		first, n, map[lifecycle.PrintKind]string{lifecycle.PrintCard: "card letter", lifecycle.PrintPIN: "PIN letter"}[kind])
	h.event(t, err)
	h.event(t, h.press().gather(t.Context()))
	runs := must[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunRendered))
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	t.Cleanup(func() {
		for i := 1; kind == lifecycle.PrintPIN && i < n; i++ {
			if err := h.SpoilLetter(context.WithoutCancel(t.Context()), leonie, fmt.Sprintf("P-00000000000%05d", i)); err != nil {
				t.Error(err)
			}
		}
	})
	return runs[0].ID
}

var laser = issuance.Printer{Name: "Laser 1", Counter: 100}

func TestAnInterruptedRunGoesOnWithTheNextSheetAndPrintsNoneTwice(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			run := h.aRun(t, kind, 100)
			whole := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
			if len(whole.Sheets) != 100 {
				t.Fatalf("%d sheets", len(whole.Sheets))
			}
			_, err := h.StartPrinting(t.Context(), leonie, run, laser)
			wantKind(t, err, lifecycle.Illegal) // it is at a printer
			h.event(t, h.InterruptPrinting(t.Context(), leonie, run, came(whole, 40)))
			rest := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, issuance.Printer{Name: "Laser 2", Counter: 7}))
			if rest.Sheets[0].Position != 41 || len(rest.Sheets) != 60 {
				t.Errorf("it goes on with sheet %d, %d sheets", rest.Sheets[0].Position, len(rest.Sheets))
			}
			all := slices.Concat(lettersOf(whole.Sheets[:40]), lettersOf(rest.Sheets))
			if !slices.Equal(all, lettersOf(whole.Sheets)) || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 100 {
				t.Error("a letter is printed twice, or not at all")
			}
			h.event(t, h.EndPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 100, Counter: 67}))
			_, err = h.StartPrinting(t.Context(), leonie, run, laser)
			wantKind(t, err, lifecycle.Illegal)
			printed := slices.DeleteFunc(must[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunPrinted)),
				func(r issuance.PrintRun) bool { return r.ID != run })
			if len(printed) != 1 || printed[0].Used != 100 || printed[0].Waste != 0 || printed[0].Operator != leonie.ID || printed[0].Printer != "Laser 2" {
				t.Errorf("the run is %+v", printed)
			}
		})
	}
}

func TestTheSectionsOfAPINRunAreStoredOneByOne(t *testing.T) {
	t.Parallel()
	h := setup(t)
	run := h.aRun(t, lifecycle.PrintPIN, 120)
	job := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
	most := map[int]int{}
	for i, sheet := range job.Sheets {
		most[sheet.Section]++
		if sheet.Position != i+1 || sheet.Page != most[sheet.Section] {
			t.Errorf("sheet %d is page %d of section %d", sheet.Position, sheet.Page, sheet.Section)
		}
	}
	if len(most) != 3 || most[1] != 50 || most[3] != 20 {
		t.Errorf("sections of %v letters", most)
	}
	for section := range most {
		must[[]byte](t)(h.Document(t.Context(), issuance.RunDocument(run, section)))
	}
}

func TestEverySheetOfPaperIsAccountedFor(t *testing.T) {
	t.Parallel()
	h := setup(t)
	run := h.aRun(t, lifecycle.PrintCard, 5)
	must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
	for name, test := range map[string]struct {
		report issuance.PrintReport
		field  string
	}{
		"a sheet more on the counter":    {issuance.PrintReport{Last: 3, Counter: 104}, "counter"},
		"a counter that went back":       {issuance.PrintReport{Last: 3, Counter: 99}, "counter"},
		"waste that the counter has not": {issuance.PrintReport{Last: 3, Waste: 1, Counter: 103}, "counter"},
		"less than no waste":             {issuance.PrintReport{Last: 3, Waste: -1, Counter: 102}, "waste"},
		"a sheet that is not there":      {issuance.PrintReport{Last: 6, Counter: 105}, "last"},
		"a spoiled sheet to come":        {issuance.PrintReport{Last: 3, Spoiled: []int{4}, Counter: 103}, "spoiled"},
		"a sheet spoiled twice":          {issuance.PrintReport{Last: 3, Spoiled: []int{2, 2}, Counter: 103}, "spoiled"},
	} {
		err := h.InterruptPrinting(t.Context(), leonie, run, test.report)
		var wrongs lifecycle.FieldErrors
		if !errors.As(err, &wrongs) || wrongs[0].Field != test.field {
			t.Errorf("%s: %v, want %s named", name, err, test.field)
		}
	}
	wantKind(t, h.EndPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 4, Counter: 104}), lifecycle.Invalid)
	h.event(t, h.InterruptPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 3, Spoiled: []int{2}, Waste: 2, Counter: 105}))
	for name, printer := range map[string]issuance.Printer{
		"no name": {}, "a long name": {Name: strings.Repeat("x", 65)}, "a line feed": {Name: "a\nb"}, "a counter below zero": {Name: "a", Counter: -1},
	} {
		if _, err := h.StartPrinting(t.Context(), leonie, run, printer); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASpoiledCardLetterIsPrintedAgainAndASpoiledPINIsVoid(t *testing.T) {
	t.Parallel()
	h := setup(t)
	made, posted := h.card(t, lifecycle.CardMade), h.card(t, lifecycle.CardMade)
	h.event(t, h.press().gather(t.Context()))
	run := must[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunRendered))[0].ID
	job := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
	report := came(job, 2)
	for _, s := range job.Sheets {
		if s.Letter == string(h.cardLetter(t, made).ID) {
			report.Spoiled = []int{s.Position}
		}
	}
	h.event(t, h.EndPrinting(t.Context(), leonie, run, report))
	if out := h.post(t); out.CardLetters != 1 {
		t.Errorf("posted %+v", out)
	}
	h.wantCard(t, posted, lifecycle.CardPosted)
	h.wantCard(t, made, lifecycle.CardMade)
	letter := h.cardLetter(t, made)
	if out := h.printAll(t); !slices.Contains(out, string(letter.ID)) || len(out) != 2 { // and the other's PIN letter
		t.Errorf("printed %v, want %s once more", out, letter.ID)
	}
	if out := h.post(t); out.CardLetters != 1 {
		t.Errorf("posted %+v", out)
	}
	pin := h.pinLetter(t, posted)
	wantKind(t, h.SpoilLetter(t.Context(), alix, string(pin.ID)), lifecycle.Forbidden)
	h.event(t, h.SpoilLetter(t.Context(), leonie, string(pin.ID)))
	wantKind(t, h.RetryLetter(t.Context(), leonie, string(pin.ID)), lifecycle.Illegal)
	if jobs := h.queued(t, lifecycle.JobPINDestroy); !slices.Equal(jobs, []string{fmt.Sprintf(`{"card": "%s", "pin_version": 1}`, posted)}) {
		t.Errorf("PINs to destroy: %q", jobs)
	}
	if out := h.printAll(t); slices.Contains(out, string(pin.ID)) {
		t.Error("a spoiled PIN letter is printed again")
	}
}

func TestALetterThatCannotBeSetWaitsForStaffAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	bad, good := h.card(t, lifecycle.CardMade), h.card(t, lifecycle.CardMade)
	run := h.gathered(t, lifecycle.PrintCard)
	plan := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	letter := h.cardLetter(t, bad).ID
	pages := slices.DeleteFunc(cardPages(plan), func(id lifecycle.CardLetterID) bool { return id == letter })
	h.event(t, h.FinishCardRun(t.Context(), plan, []byte("sealed"), pages, []issuance.LetterFailure{{Letter: string(letter), Why: "street: too long"}}, nil))
	failed := must[[]issuance.FailedLetter](t)(h.FailedLetters(t.Context()))
	if want := []issuance.FailedLetter{{ID: string(letter), Card: bad, Why: "street: too long"}}; !slices.Equal(failed, want) {
		t.Errorf("to look at: %+v, want %+v", failed, want)
	}
	if out := h.printAll(t); !slices.Equal(out, []string{string(h.cardLetter(t, good).ID)}) {
		t.Errorf("printed %v", out)
	}
	wantKind(t, h.RetryLetter(t.Context(), alix, string(letter)), lifecycle.Forbidden)
	h.event(t, h.RetryLetter(t.Context(), leonie, string(letter)))
	if out := h.printAll(t); !slices.Equal(out, []string{string(letter)}) {
		t.Errorf("printed %v", out)
	}
	wantKind(t, h.RetryLetter(t.Context(), leonie, string(letter)), lifecycle.Illegal)
	wantKind(t, h.RetryLetter(t.Context(), leonie, "B-0000000000000000"), lifecycle.Invalid)
}

func TestOnlyOperatorsPrint(t *testing.T) {
	t.Parallel()
	h := setup(t)
	run := h.aRun(t, lifecycle.PrintCard, 2)
	for _, by := range everyone {
		if by == leonie {
			continue
		}
		_, err := h.StartPrinting(t.Context(), by, run, laser)
		wantKind(t, err, lifecycle.Forbidden)
	}
	job := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
	for _, by := range []lifecycle.Actor{alix, irene, maxence, owen, helene, online, system} {
		wantKind(t, h.EndPrinting(t.Context(), by, run, came(job, 2)), lifecycle.Forbidden)
	}
	h.event(t, h.EndPrinting(t.Context(), leonie, run, came(job, 2)))
	h.card(t, lifecycle.CardMade)
	for _, by := range []lifecycle.Actor{alix, irene, owen, helene, online} {
		_, err := h.GatherLetters(t.Context(), by)
		wantKind(t, err, lifecycle.Forbidden)
	}
}

// The database itself keeps card and PIN letters apart, and a PIN on one sheet.
func TestTheTwoLettersOfACardAreNeverInOneRun(t *testing.T) {
	t.Parallel()
	h := setup(t)
	run := h.aRun(t, lifecycle.PrintPIN, 2)
	for name, insert := range map[string]string{
		"a card letter in a PIN run":     "INSERT INTO print_sheet (run_id, kind, position, section, letter_id) VALUES ($1, 'pin', 9, 1, 'L-0000000000000000')",
		"a card sheet in a PIN run":      "INSERT INTO print_sheet (run_id, kind, position, section, letter_id) VALUES ($1, 'card', 9, 1, 'L-0000000000000000')",
		"a PIN letter on a second sheet": "INSERT INTO print_sheet (run_id, kind, position, section, letter_id, result) SELECT $1, 'pin', 9, 1, letter_id, 'printed' FROM print_sheet LIMIT 1",
	} {
		if _, err := h.pool.Exec(t.Context(), insert, run); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
