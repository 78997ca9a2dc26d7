package issuance_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// proposed is a version of the card letter's template, and its hash.
func (h *house) proposed(t tb, content string) (int, [32]byte) {
	t.Helper()
	version := must[int](t)(h.ProposeTemplate(t.Context(), leonie, lifecycle.PrintCard, []byte(content)))
	return version, sha256.Sum256([]byte(content))
}

func TestATemplateTakesTwoPeopleAndTheHashOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	h := setup(t)
	kind := lifecycle.PrintCard
	for _, by := range everyone {
		_, err := h.ProposeTemplate(t.Context(), by, kind, []byte("one"))
		if slices.Contains(lifecycle.TemplateAuthors(), by.Role) {
			h.event(t, err)
		} else {
			wantKind(t, err, lifecycle.Forbidden)
		}
	}
	for _, wrong := range [][]byte{nil, make([]byte, 256<<10+1)} {
		_, err := h.ProposeTemplate(t.Context(), leonie, kind, wrong)
		wantKind(t, err, lifecycle.Invalid)
	}
	_, err := h.ProposeTemplate(t.Context(), leonie, "leaflet", []byte("one"))
	wantKind(t, err, lifecycle.Invalid)

	first, sum := h.proposed(t, "first")
	wantKind(t, h.ApproveTemplate(t.Context(), leonie, kind, first, sum), lifecycle.Forbidden)
	wantKind(t, h.ApproveTemplate(t.Context(), irene, kind, first, sha256.Sum256([]byte("another"))), lifecycle.Conflict)
	wantKind(t, h.ApproveTemplate(t.Context(), irene, lifecycle.PrintPIN, first, sum), lifecycle.NotFound)
	wantKind(t, h.ApproveTemplate(t.Context(), irene, kind, 1<<40, sum), lifecycle.Invalid)
	author := lifecycle.Actor{ID: leonie.ID, Role: lifecycle.RoleApprover} // holds both roles
	wantKind(t, h.ApproveTemplate(t.Context(), author, kind, first, sum), lifecycle.Forbidden)
	if live := must[issuance.Edition](t)(h.LiveTemplate(t.Context(), kind)); live.Version != issuance.BuiltIn {
		t.Fatalf("live is %+v", live)
	}
	h.event(t, h.ApproveTemplate(t.Context(), irene, kind, first, sum))
	wantKind(t, h.ApproveTemplate(t.Context(), irene, kind, first, sum), lifecycle.Illegal)

	second, sum := h.proposed(t, "second")
	wantKind(t, h.RefuseTemplate(t.Context(), irene, kind, second, ""), lifecycle.Invalid)
	wantKind(t, h.RefuseTemplate(t.Context(), author, kind, second, "no"), lifecycle.Forbidden)
	h.event(t, h.RefuseTemplate(t.Context(), daan, kind, second, "the old name of the bank"))
	wantKind(t, h.ApproveTemplate(t.Context(), irene, kind, second, sum), lifecycle.Illegal)

	third, sum := h.proposed(t, "third")
	h.event(t, h.ApproveTemplate(t.Context(), daan, kind, third, sum))
	live := must[issuance.Edition](t)(h.LiveTemplate(t.Context(), kind))
	if live.Version != third || string(live.Content) != "third" || live.SHA256 != sum || live.ProposedBy != leonie.ID || live.DecidedBy != daan.ID {
		t.Errorf("live is %+v", live)
	}
	states := map[int]lifecycle.EditionState{}
	for _, v := range must[[]issuance.Edition](t)(h.Templates(t.Context())) {
		states[v.Version] = v.State
	}
	if states[first] != lifecycle.EditionRetired || states[second] != lifecycle.EditionRefused || states[third] != lifecycle.EditionLive {
		t.Errorf("the versions are %v", states)
	}
	_, err = h.pool.Exec(t.Context(), "UPDATE edition SET content = 'x'")
	if err == nil {
		t.Error("what was approved can be changed")
	}
}

func TestOfTwoVersionsApprovedAtOnceOneIsLive(t *testing.T) {
	t.Parallel()
	h := setup(t)
	var sums [4][32]byte
	var versions [4]int
	for i := range sums {
		versions[i], sums[i] = h.proposed(t, strings.Repeat("x", i+1))
	}
	var group errgroup.Group
	for i := range sums {
		group.Go(func() error {
			err := h.ApproveTemplate(t.Context(), irene, lifecycle.PrintCard, versions[i], sums[i])
			if errors.Is(err, lifecycle.Conflict) {
				return nil
			}
			return err
		})
	}
	h.event(t, group.Wait())
	live := 0
	for _, v := range must[[]issuance.Edition](t)(h.Templates(t.Context())) {
		if v.State == lifecycle.EditionLive {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d versions are live", live)
	}
}

// A run keeps the version that was live when it was begun; a letter that is made
// again is in another run, with what is live by then.
func TestARunRemembersItsTemplate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.card(t, lifecycle.CardMade)
	run := h.gathered(t, lifecycle.PrintCard)
	first := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	version, sum := h.proposed(t, "ours")
	h.event(t, h.ApproveTemplate(t.Context(), irene, lifecycle.PrintCard, version, sum))
	second := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	if first.Template.Version != issuance.BuiltIn || second.Template.Version != issuance.BuiltIn {
		t.Errorf("begun with version %d, gone on with with %d", first.Template.Version, second.Template.Version)
	}
	h.event(t, h.FinishCardRun(t.Context(), second, []byte("sealed"), cardPages(second), nil, nil))
	letters := must[[]string](t)(h.press().print(t.Context()))
	h.event(t, h.SpoilLetter(t.Context(), leonie, letters[0]))
	again := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), h.gathered(t, lifecycle.PrintCard)))
	if again.Template.Version != version || string(again.Template.Content) != "ours" || again.Template.SHA256 != sum {
		t.Errorf("made again with %+v", again.Template)
	}
	var kept []int
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT array_agg(r.template ORDER BY r.template) FROM print_run r JOIN print_sheet s ON s.run_id = r.id WHERE s.letter_id = $1",
		letters[0]).Scan(&kept))
	if !slices.Equal(kept, []int{issuance.BuiltIn, version}) {
		t.Errorf("the letter was made with %v", kept)
	}
}

func TestLettersOfTwoSheetsAreCountedByTheSheet(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for range 3 {
		h.card(t, lifecycle.CardMade)
	}
	run := h.gathered(t, lifecycle.PrintCard)
	plan := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	if len(plan.Letters) != 3 {
		t.Fatalf("%d letters", len(plan.Letters))
	}
	a, b, c := plan.Letters[0].Letter, plan.Letters[1].Letter, plan.Letters[2].Letter
	h.event(t, h.FinishCardRun(t.Context(), plan, []byte("sealed"), []lifecycle.CardLetterID{a, b, b, c}, nil, nil))
	job := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
	want := []issuance.Sheet{{1, 1, 1, 1, string(a)}, {2, 1, 2, 2, string(b)}, {3, 1, 4, 1, string(c)}}
	if !slices.Equal(job.Sheets, want) || job.Paper() != 4 {
		t.Errorf("to print: %+v", job.Sheets)
	}
	// The printer stops between the two sheets of b: the first is waste.
	wantKind(t, h.InterruptPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 1, Counter: 102}), lifecycle.Invalid)
	h.event(t, h.InterruptPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 1, Waste: 1, Counter: 102}))
	rest := must[issuance.PrintJob](t)(h.StartPrinting(t.Context(), leonie, run, laser))
	if !slices.Equal(rest.Sheets, want[1:]) {
		t.Errorf("it goes on with %+v", rest.Sheets)
	}
	wantKind(t, h.EndPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 3, Counter: 102}), lifecycle.Invalid)
	h.event(t, h.EndPrinting(t.Context(), leonie, run, issuance.PrintReport{Last: 3, Counter: 103}))
	printed := must[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunPrinted))
	if len(printed) != 1 || printed[0].Used != 5 || printed[0].Waste != 1 {
		t.Errorf("the run is %+v", printed)
	}
}

func TestLargePrintIsTheHoldersWish(t *testing.T) {
	t.Parallel()
	h := setup(t)
	one := sample(0)
	add := func(o demodata.Order, value string) string {
		lines := strings.Split(strings.TrimSpace(file(o)), "\n")
		return lines[0] + ";large_print\n" + lines[1] + ";" + value + "\n"
	}
	if report := h.take1(t, add(one, "oui")); !slices.Equal(wrongs(report), []string{"2 large_print"}) {
		t.Errorf("%+v", report)
	}
	if report := h.take1(t, add(one, "yes")); report.Kept != 1 {
		t.Fatalf("%+v", report)
	}
	order := must[lifecycle.OrderID](t)(h.OrderByReference(t.Context(), one.Reference))
	shown := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
	if !shown.LargePrint {
		t.Error("the approver is not shown it")
	}
	large := func() (is bool) {
		h.event(t, h.pool.QueryRow(t.Context(), "SELECT large_print FROM holder JOIN orders o ON o.holder_id = holder.id WHERE o.id = $1", order).Scan(&is))
		return is
	}
	holder := must[issuance.OrderView](t)(h.Order(t.Context(), order)).Card.Holder
	wantKind(t, h.SetLargePrint(t.Context(), owen, holder, false), lifecycle.Forbidden)
	h.event(t, h.SetLargePrint(t.Context(), alix, holder, false))
	h.event(t, h.SetLargePrint(t.Context(), alix, holder, false))
	if large() || must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order)).Hash() == shown.Hash() {
		t.Error("it is not off, or nobody need look at the order again")
	}
	for value, want := range map[string]bool{"yes": true, "": false} {
		h.event(t, h.SetLargePrint(t.Context(), alix, holder, false))
		again := one
		again.Reference += "-" + value
		h.take1(t, add(again, value))
		if large() != want {
			t.Errorf("after a line that says %q it is %v", value, large())
		}
	}
}

// A letter that cannot be set waits for staff as a work item, which is done when
// somebody has it tried again.
func TestALetterThatCannotBeSetIsWorkForSomebody(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			from := map[lifecycle.PrintKind]lifecycle.CardState{lifecycle.PrintCard: lifecycle.CardMade, lifecycle.PrintPIN: lifecycle.CardPosted}[kind]
			id := h.card(t, from)
			fail := func() string {
				run, failed := h.gathered(t, kind), []issuance.LetterFailure{{Why: "address_lines[1]: is too wide"}}
				if kind == lifecycle.PrintCard {
					plan := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
					failed[0].Letter = string(plan.Letters[0].Letter)
					h.event(t, h.FinishCardRun(t.Context(), plan, nil, nil, failed, nil))
					return failed[0].Letter
				}
				plan := must[issuance.PINRunPlan](t)(h.pins.BeginPINRun(t.Context(), run))
				failed[0].Letter = string(plan.Sections[0].Letters[0].Letter)
				h.event(t, h.pins.FinishPINSection(t.Context(), plan, 1, nil, nil, failed))
				h.event(t, h.pins.FinishPINRun(t.Context(), plan, nil))
				return failed[0].Letter
			}
			letter := fail()
			waits := func() []issuance.WorkItem {
				t.Helper()
				return must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{}))
			}
			items := waits()
			on := letter
			if kind == lifecycle.PrintCard { // its order waits with it
				on = string(must[issuance.CardView](t)(h.Card(t.Context(), id)).Order)
			}
			if len(items) != 1 || items[0].On != on || items[0].Card != id || !strings.HasSuffix(items[0].Why, "address_lines[1]: is too wide") {
				t.Fatalf("to look at: %+v", items)
			}
			h.event(t, h.RetryWork(t.Context(), leonie, items[0].ID))
			if items := waits(); len(items) != 0 {
				t.Errorf("still to look at: %+v", items)
			}
			if kind == lifecycle.PrintCard { // whose letter waits again in another run
				fail()
				if items := waits(); len(items) != 1 {
					t.Errorf("failed again, to look at: %+v", items)
				}
			}
		})
	}
}
