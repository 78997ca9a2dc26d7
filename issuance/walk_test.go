package issuance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// card is a card in a state, on its way alone: every other approved card goes
// along.
func (h *house) card(t tb, state lifecycle.CardState) lifecycle.CardID {
	t.Helper()
	delivery := "home"
	if state == lifecycle.CardAtBranch {
		delivery = "branch"
	}
	order := h.submit(t, func(o *demodata.Order) { o.Delivery = delivery })
	id := h.order(t, order).Card.ID
	if state == lifecycle.CardOrdered {
		return id
	}
	h.approve(t, order)
	h.walk(t, id, state)
	return id
}

// walk takes an approved card to a state, as operator, workers, bureau, post
// and holder do.
func (h *house) walk(t tb, id lifecycle.CardID, to lifecycle.CardState) {
	t.Helper()
	steps := []struct {
		reached lifecycle.CardState
		take    func()
	}{
		{lifecycle.CardApproved, func() {}},
		{lifecycle.CardPersonalising, func() { h.seal(t) }},
		{lifecycle.CardPersonalised, func() { h.personalise(t, h.batchOf(t, id)) }},
		{lifecycle.CardWithBureau, func() { h.send(t, h.batchOf(t, id)) }},
		{lifecycle.CardMade, func() { h.bureauSays(t, h.batchOf(t, id), made(id)) }},
		{lifecycle.CardPosted, func() { h.printCardLetter(t, id); h.post(t) }},
		{lifecycle.CardReceived, func() { h.event(t, h.Receive(t.Context(), leonie, id)) }},
		{lifecycle.CardActive, func() { h.event(t, h.Activate(t.Context(), online, id)) }},
	}
	last := map[lifecycle.CardState]func(){
		lifecycle.CardSuspended: func() { h.event(t, h.Suspend(t.Context(), online, id)) },
		lifecycle.CardPINLocked: func() { h.event(t, h.BlockPIN(t.Context(), online, id)) },
		lifecycle.CardOpposed: func() {
			_, err := h.Oppose(t.Context(), online, id, lifecycle.CardStolen)
			h.event(t, err)
		},
		lifecycle.CardExpired: func() {
			h.clock.set(monday.AddDate(4, 0, 0))
			_, err := h.ExpireDue(t.Context())
			h.event(t, err)
		},
	}
	for _, s := range steps {
		s.take()
		if s.reached == to || to == lifecycle.CardAtBranch && s.reached == lifecycle.CardPosted {
			h.wantCard(t, id, to)
			return
		}
	}
	if last[to] == nil {
		t.Fatalf("no way leads to %s", to)
	}
	last[to]()
	h.wantCard(t, id, to)
}

func (h *house) event(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) seal(t tb) lifecycle.BatchID {
	t.Helper()
	id, n, err := h.SealBatch(t.Context(), leonie)
	if err != nil || n == 0 {
		t.Fatalf("seal a batch: %d cards, %v", n, err)
	}
	return id
}

// batchOf is the batch that a card is in now.
func (h *house) batchOf(t tb, id lifecycle.CardID) lifecycle.BatchID {
	t.Helper()
	card, err := h.store.Card(t.Context(), id)
	if err != nil || card.BatchID == nil {
		t.Fatalf("card %s is in no batch, %v", id, err)
	}
	return *card.BatchID
}

// answered is what a card engine would answer to a plan.
func answered(plan issuance.BatchPlan) []issuance.PersonalisedCard {
	cards := make([]issuance.PersonalisedCard, len(plan.Cards))
	for i, c := range plan.Cards {
		cards[i] = issuance.PersonalisedCard{
			Card: c.Card, DGIs: []byte(fmt.Sprintf("data of %s/%d", c.Card, c.PSN)), TransportKCV: "08D7B4",
		}
	}
	return cards
}

func (h *house) personalise(t tb, id lifecycle.BatchID) issuance.BatchPlan {
	t.Helper()
	plan := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), id))
	h.event(t, h.FinishPersonalise(t.Context(), plan, answered(plan), nil))
	return plan
}

func (h *house) send(t tb, id lifecycle.BatchID) issuance.BatchPlan {
	t.Helper()
	plan := must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), id))
	h.event(t, h.FinishBureauFile(t.Context(), plan, []byte("sealed "+id), nil))
	return plan
}

// The bureau's answers. A plastic's serial follows from the card.
func made(id lifecycle.CardID) issuance.BureauAnswer {
	return issuance.BureauAnswer{Card: id, Result: lifecycle.BureauMade, PlasticSerial: "PL-" + string(id)}
}

func spoiled(id lifecycle.CardID) issuance.BureauAnswer {
	return issuance.BureauAnswer{Card: id, Result: lifecycle.BureauSpoiled, Reason: "chip"}
}

func missing(id lifecycle.CardID) issuance.BureauAnswer {
	return issuance.BureauAnswer{Card: id, Result: lifecycle.BureauMissing}
}

// take takes a return file whose bytes are the answers, parsed already.
func (h *house) take(t tb, batch lifecycle.BatchID, answers ...issuance.BureauAnswer) lifecycle.ReturnFileID {
	t.Helper()
	content := fmt.Appendf(nil, "%s %v", batch, answers)
	return must[lifecycle.ReturnFileID](t)(h.TakeReturnFile(t.Context(), leonie, batch, content))
}

func (h *house) bureauSays(t tb, batch lifecycle.BatchID, answers ...issuance.BureauAnswer) {
	t.Helper()
	h.event(t, h.ApplyReturn(t.Context(), h.take(t, batch, answers...), answers, nil))
}

// printCardLetter renders and prints all letters that wait, and gives a card's.
func (h *house) printCardLetter(t tb, id lifecycle.CardID) lifecycle.CardLetterID {
	t.Helper()
	h.printAll(t)
	letter := h.cardLetter(t, id)
	if letter.State != lifecycle.LetterPrinted && letter.State != lifecycle.LetterPosted {
		t.Fatalf("letter %s is %s", letter.ID, letter.State)
	}
	return letter.ID
}

// printPINLetter renders and prints all letters that wait, and gives the PIN
// letter of a card.
func (h *house) printPINLetter(t tb, id lifecycle.CardID) lifecycle.PINLetterID {
	t.Helper()
	h.printAll(t)
	letter := h.pinLetter(t, id)
	if letter.State != lifecycle.LetterPrinted {
		t.Fatalf("PIN letter %s is %s", letter.ID, letter.State)
	}
	return letter.ID
}

func (h *house) printAll(t tb) []string {
	t.Helper()
	h.paper.Lock() // cards that are taken somewhere at the same time share the print room
	defer h.paper.Unlock()
	h.event(t, h.press().gather(t.Context()))
	return must[[]string](t)(h.press().print(t.Context()))
}

func (h *house) post(t tb) issuance.Posted {
	t.Helper()
	return must[issuance.Posted](t)(h.PostLetters(t.Context()))
}

// authority records the issuing CA, with shards.
func (h *house) authority(t tb, shards int) {
	t.Helper()
	h.event(t, h.RecordAuthority(t.Context(), maxence, issuance.Authority{
		ID: "issuing-1", Certificate: longCA(t, 2), Mount: "transit", Key: "issuing-1", Shards: shards, Online: true,
	}))
}

// newKey is a certificate request with a new key and no name in it.
func newKey(t tb) []byte {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return requestWith(t, key, &x509.CertificateRequest{})
}

func requestWith(t tb, key any, template *x509.CertificateRequest) []byte {
	t.Helper()
	return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, template, key))
}

func (h *house) submitCertificate(t tb) lifecycle.OrderID {
	t.Helper()
	return h.submit(t, func(o *demodata.Order) { o.Product, o.Delivery = "certificate", "-" })
}

// certificate is a certificate in a state. The authority is recorded already.
func (h *house) certificate(t tb, state lifecycle.CertificateState) lifecycle.CertificateID {
	t.Helper()
	order := h.submitCertificate(t)
	id := h.order(t, order).Certificate.ID
	steps := []struct {
		reached lifecycle.CertificateState
		take    func()
	}{
		{lifecycle.CertOrdered, func() {}},
		{lifecycle.CertAwaitingKey, func() { h.approve(t, order) }},
		{lifecycle.CertIssuing, func() { h.event(t, h.TakeKey(t.Context(), helene, id, newKey(t))) }},
		{lifecycle.CertIssued, func() { h.issue(t, id) }},
		{lifecycle.CertActive, func() { h.event(t, h.Accept(t.Context(), helene, id)) }},
		{lifecycle.CertHeld, func() { h.event(t, h.Hold(t.Context(), helene, id)) }},
		{lifecycle.CertRevoked, func() {
			h.event(t, h.Revoke(t.Context(), maxence, id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
		}},
	}
	for _, s := range steps {
		s.take()
		h.wantCertificate(t, id, s.reached)
		if s.reached == state {
			return id
		}
	}
	t.Fatalf("no way leads to %s", state)
	return id
}

// draftOf stands for what the ca room makes of a plan; the octets are no matter.
func draftOf[T ~string](plan issuance.CertificatePlan, tbs T) issuance.LintedDraft {
	subject := plan.Subject.Organization + plan.Subject.HolderNumber + plan.Subject.Service
	return issuance.LintedDraft{
		TBS: []byte(tbs), SubjectSHA256: sha256.Sum256([]byte(subject)), NotBefore: plan.ReservedAt, NotAfter: plan.ReservedAt.Add(certificateLife),
	}
}

const certificateLife = 3 * 365 * 24 * time.Hour

// issue signs as the worker does: draft, store, sign, finish.
func (h *house) issue(t tb, id lifecycle.CertificateID) issuance.CertificatePlan {
	t.Helper()
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	h.event(t, h.RecordDraft(t.Context(), plan, draftOf(plan, "draft "+id)))
	h.event(t, h.FinishIssue(t.Context(), plan, []byte("signed "+id), nil))
	return plan
}

func (h *house) wantCertificate(t tb, id lifecycle.CertificateID, state lifecycle.CertificateState) {
	t.Helper()
	cert, err := h.Certificate(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if cert.State != state {
		t.Errorf("certificate is %s, want %s", cert.State, state)
	}
}
