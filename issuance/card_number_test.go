package issuance_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/store/db"
)

// everything is each row of each table as text, as a dump has it.
func (h *house) everything(t tb) string {
	t.Helper()
	tables, err := h.pairs(t.Context(), "SELECT tablename::text, ''::text FROM pg_tables WHERE schemaname = 'public'")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for table := range tables {
		rows, err := h.pairs(t.Context(), "SELECT row_number() OVER ()::text, x::text FROM "+table+" x")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all.WriteString(row + "\n")
		}
	}
	return all.String()
}

func TestNoTableHasACardNumberAtAnyStep(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submitCard(t)
	id := h.order(t, order).Card.ID
	number := h.number(t, id)
	h.approve(t, order)
	h.walk(t, id, lifecycle.CardPersonalising)
	batch := h.batchOf(t, id)
	plan := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), batch))
	if plan.Cards[0].PAN.Reveal() != number {
		t.Error("the engine is given another number")
	}
	// The engine's answer has the number in it, in digits and as the chip has it.
	digits, err := hex.DecodeString(number)
	if err != nil {
		t.Fatal(err)
	}
	dgis := append([]byte(number), digits...)
	h.event(t, h.FinishPersonalise(t.Context(), plan, []issuance.PersonalisedCard{{Card: id, DGIs: dgis, TransportKCV: "08D7B4"}}, nil))
	dump := h.everything(t)
	if strings.Contains(dump, number) || strings.Contains(dump, hex.EncodeToString(dgis[:16])) {
		t.Error("a dump after personalisation has the card number")
	}
	again := must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), batch))
	if len(again.Cards) != 1 || !bytes.Equal(again.Cards[0].DGIs, dgis) {
		t.Error("the bureau's file is not made of what the engine answered")
	}
	h.event(t, h.FinishBureauFile(t.Context(), again, []byte("sealed"), nil))
	h.bureauSays(t, batch, made(id))
	if dump := h.everything(t); !strings.Contains(dump, string(id)) || strings.Contains(dump, number) {
		t.Error("a dump of a made card has its number, or not its row")
	}
}

func TestACardNumberIsShownToASecurityOfficerWhoIsRemembered(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.order(t, h.submitCard(t)).Card.ID
	for _, by := range everyone {
		if by == maxence {
			continue
		}
		_, err := h.ShowPAN(t.Context(), by, id, "curiosity")
		wantKind(t, err, lifecycle.Forbidden)
	}
	_, err := h.ShowPAN(t.Context(), maxence, id, "")
	wantField(t, err, "why")
	_, err = h.ShowPAN(t.Context(), maxence, id, strings.Repeat("x", 501))
	wantField(t, err, "why")
	if pan := must[lifecycle.PAN](t)(h.ShowPAN(t.Context(), maxence, id, "request 7 of the fraud desk")); pan.Reveal() != h.number(t, id) {
		t.Error("another number was shown")
	}
	entries := must[[]db.AuditEntry](t)(h.AuditOf(t.Context(), string(id)))
	last := entries[len(entries)-1]
	if len(entries) != 2 || last.Event != string(lifecycle.ShowPAN) || last.Actor != "maxence" || !strings.Contains(string(last.Detail), "request 7 of the fraud desk") {
		t.Errorf("the trail has %d entries and ends with %+v", len(entries), last)
	}
}

func TestAProcessWithoutTheKeysTakesNoCardOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardActive)
	queue := must[*jobs.Enqueuer](t)(jobs.NewEnqueuer())
	blind := must[*issuance.Service](t)(issuance.New(h.store, nil, queue, jobs.CSRChecker{}, issuance.DefaultPolicy(), h.clock.now))
	_, err := blind.ImportOrders(context.WithoutCancel(t.Context()), stijn, strings.NewReader(file(sample(900))), nil)
	wantKind(t, err, lifecycle.Unavailable)
	if view := must[issuance.CardView](t)(blind.Card(t.Context(), card)); len(view.Last4) != 4 {
		t.Error("a card's last digits need the key")
	}
	_, err = blind.ShowPAN(t.Context(), maxence, card, "why not")
	wantKind(t, err, lifecycle.Unavailable)
}
