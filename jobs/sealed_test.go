package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
)

// sealing is a card engine whose Vault is sealed at the first call.
type sealing struct {
	CardEngine

	once sync.Once
	seal func()
}

// Personalise finds Vault sealed.
func (s *sealing) Personalise(ctx context.Context, r hsm.PersonaliseRequest) ([]hsm.PersonalisedCard, error) {
	s.once.Do(s.seal)
	return s.CardEngine.Personalise(ctx, r)
}

func snoozes(t *testing.T, j job) int {
	t.Helper()
	var m struct{ Snoozes int }
	must(t, json.Unmarshal(j.Metadata, &m))
	return m.Snoozes
}

// wantWaited proves that jobs waited without an attempt being counted.
func (h *house) wantWaited(t *testing.T, kinds ...lifecycle.JobKind) {
	t.Helper()
	for _, kind := range kinds {
		for _, j := range h.jobsOf(t, kind) {
			if j.State != "completed" || j.Attempt != 1 || len(j.Errors) != 0 || snoozes(t, j) == 0 {
				t.Errorf("want it done at the first attempt, after some waiting: %v", j)
			}
		}
	}
}

func TestJobsWaitWhileVaultIsSealedAndNoAttemptIsLost(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	r, err := newRealm(t.Context(), vault)
	must(t, err)
	h := setup(t, r)
	h.orders(t, "card", 2)
	certificate := h.orders(t, "certificate", 1)[0].Certificate.ID
	tools := h.tools(t)
	tools.Engine = &sealing{CardEngine: tools.Engine, seal: vault.Seal}
	batch := h.seal(t)
	h.work(t, tools)
	const waits = "SELECT EXISTS (SELECT FROM river_job WHERE kind = $1 AND (metadata ->> 'snoozes')::int >= 2)"
	h.await(t, "a batch that waits", waits, lifecycle.JobPersonalise)
	must(t, h.TakeKey(t.Context(), h.holder(t, string(certificate)), certificate, request(t), nil)) // doors stay open
	h.await(t, "a certificate that waits", waits, lifecycle.JobCertificateIssue)
	if got := get[issuance.CertificateView](t)(h.Certificate(t.Context(), certificate)); got.State != lifecycle.CertIssuing || got.Serial == "" {
		t.Errorf("the certificate is %+v", got)
	}
	vault.Unseal()
	h.clock.advance(time.Minute) // the lists that were begun are taken over
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", certificate)
	h.awaitIdle(t, QueueDefault)
	h.wantWaited(t, lifecycle.JobPersonalise, lifecycle.JobCertificateIssue)

	h.answer(t, batch)
	h.await(t, "two cards", "SELECT count(*) = 2 FROM card WHERE state = 'made'")
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "two card letters", "SELECT count(*) = 2 FROM card_letter WHERE state = 'rendered'")
	h.print(t)
	vault.Seal()
	get[issuance.Posted](t)(h.PostLetters(t.Context()))
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.workPINs(t, h.pinTools(t))
	h.await(t, "a PIN run that waits", "SELECT count(*) > 0 FROM river_job WHERE queue = 'pin' AND (metadata ->> 'snoozes')::int >= 1")
	vault.Unseal()
	h.awaitIdle(t, QueuePIN)
	h.wantWaited(t, lifecycle.JobPINRun)
	h.await(t, "two PIN letters", "SELECT count(*) = 2 FROM pin_letter WHERE state = 'rendered'")
}

// frozen is Vault's clients of a worker that stands still once Vault has
// answered: taken for dead, it comes back.
type frozen struct {
	*hsm.Client

	reached chan struct{} // closed when it stands still
	thaw    chan struct{} // closed to let it go on
}

func (f frozen) stand() {
	close(f.reached)
	<-f.thaw
}

// Personalise has the engine make the cards, and stands still.
func (f frozen) Personalise(ctx context.Context, r hsm.PersonaliseRequest) ([]hsm.PersonalisedCard, error) {
	made, err := f.Client.Personalise(context.WithoutCancel(ctx), r)
	f.stand()
	return made, err
}

// ReleasePIN takes the PIN, and stands still.
func (f frozen) ReleasePIN(ctx context.Context, r hsm.PINRelease) (lifecycle.PIN, error) {
	pin, err := f.Client.ReleasePIN(context.WithoutCancel(ctx), r)
	f.stand()
	return pin, err
}

func (h *house) freeze(t *testing.T, token string) frozen {
	t.Helper()
	vault := get[*hsm.Client](t)(hsm.Open(t.Context(), hsm.Config{Address: h.Address, Token: token}))
	t.Cleanup(vault.Close)
	return frozen{Client: vault, reached: make(chan struct{}), thaw: make(chan struct{})}
}

// wantLost proves that a late worker lost, and that its job stayed done.
func (h *house) wantLost(t *testing.T, client *Client, kind lifecycle.JobKind) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	must(t, client.Stop(ctx)) // waits for its jobs to end
	got := h.jobsOf(t, kind)
	if len(got) != 1 || got[0].State != "completed" || got[0].Attempt != 2 || len(got[0].Errors) != 1 {
		t.Errorf("want one job, done at the second attempt, with the rescue as its one error: %v", got)
	}
}

func TestAWorkerTakenForDeadLosesOnTheFenceOfItsBatch(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	cards := h.orders(t, "card", 2)
	batch := h.seal(t)
	ice := h.freeze(t, h.Worker)
	slow := h.tools(t)
	slow.Engine = ice
	late := h.run(t, h.pool, slow, Settings{Queues: []Queue{QueueDefault}, Parallel: 1})
	<-ice.reached
	h.timeout(t)
	h.work(t, h.tools(t))
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	h.awaitIdle(t, QueueDefault)
	before := h.audited(t)
	close(ice.thaw)
	h.wantLost(t, late, lifecycle.JobPersonalise)
	if after := h.audited(t); after != before {
		t.Errorf("the late worker left %d entries", after-before)
	}
	if file, _ := h.bureauFile(t, batch); len(file.Cards) != len(cards) || len(h.jobsOf(t, lifecycle.JobBureauFile)) != 1 {
		t.Errorf("the bureau gets %d cards by %v", len(file.Cards), h.jobsOf(t, lifecycle.JobBureauFile))
	}
}

func TestAWorkerTakenForDeadLosesOnTheFenceOfItsPINLetter(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	card := h.orders(t, "card", 1)[0].Card.ID
	h.toil(t, h.tools(t))
	h.posted(t)
	h.awaitIdle(t, QueueDefault)
	ice := h.freeze(t, h.PINs)
	slow := h.pinTools(t)
	slow.PINs = ice
	late := h.run(t, h.pins.pool, slow, Settings{Queues: []Queue{QueuePIN}, Parallel: 1})
	<-ice.reached
	h.timeout(t)
	h.work(t, h.tools(t)) // a leader rescues the jobs of every queue
	tools := h.pinTools(t)
	h.workPINs(t, tools)
	h.awaitIdle(t, QueuePIN)
	letter := get[issuance.CardView](t)(h.Card(t.Context(), card)).PINLetter
	document, _ := h.sheetOf(t, string(letter))
	sealed := get[[]byte](t)(h.Document(t.Context(), document))
	close(ice.thaw)
	h.wantLost(t, late, lifecycle.JobPINRun)
	if again := get[[]byte](t)(h.Document(t.Context(), document)); string(again) != string(sealed) {
		t.Error("the late worker wrote its own letter")
	}
	h.wantClosed(t, tools.PINs, card, letter)
}

func (h *house) audited(t *testing.T) int {
	t.Helper()
	var n int
	must(t, h.admin.QueryRow(t.Context(), "SELECT count(*) FROM audit_entry").Scan(&n))
	return n
}

func TestACardStoppedWhileItsWorkerIsAtVaultHasItsPINDestroyed(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	card := h.orders(t, "card", 1)[0].Card.ID
	batch := h.seal(t)
	ice := h.freeze(t, h.Worker)
	tools := h.tools(t)
	tools.Engine = ice
	h.run(t, h.pool, tools, Settings{Queues: []Queue{QueueDefault}, Parallel: 4})
	<-ice.reached
	get[issuance.Opposition](t)(h.Oppose(t.Context(), h.holder(t, string(card)), card, lifecycle.CardLost))
	close(ice.thaw)
	h.awaitBatch(t, batch, lifecycle.BatchReconciled) // nothing of it is left
	h.awaitIdle(t, QueueDefault)
	if _, err := h.Document(t.Context(), string(batch)); !errors.Is(err, lifecycle.NotFound) {
		t.Errorf("the bureau gets a file: %v", err)
	}
	pins := h.pinTools(t).PINs
	_, err := pins.ReleasePIN(t.Context(), hsm.PINRelease{Card: card, PINVersion: 1, Letter: "P-0000000000000000"})
	if !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("its PIN is there: %v", err)
	}
	for _, j := range h.jobsOf(t, lifecycle.JobPINDestroy) {
		if j.State != "completed" {
			t.Errorf("job %v", j)
		}
	}
}
