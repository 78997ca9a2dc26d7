package jobs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/bureau"
	"sceau/cms"
	"sceau/hsm"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
	"sceau/issuance"
	"sceau/lifecycle"
)

// witness is a card engine that remembers what it answered.
type witness struct {
	CardEngine

	mu      sync.Mutex
	answers []string // digests of the data of each call; guarded by mu
}

// Personalise has the engine make the cards.
func (w *witness) Personalise(ctx context.Context, r hsm.PersonaliseRequest) ([]hsm.PersonalisedCard, error) {
	made, err := w.CardEngine.Personalise(ctx, r)
	sum := sha256.Sum256(dgisOf(made))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, hex.EncodeToString(sum[:]))
	return made, err
}

func (h *house) seal(t testing.TB) lifecycle.BatchID {
	t.Helper()
	batch, n, err := h.SealBatch(t.Context(), operator)
	must(t, err)
	if n == 0 {
		t.Fatal("no card waits")
	}
	return batch
}

// bureauFile opens what was sent to the bureau, and checks whose it is.
func (h *house) bureauFile(t testing.TB, batch lifecycle.BatchID) (bureau.File, []emv.CardImage) {
	t.Helper()
	sealed := get[[]byte](t)(h.Document(t.Context(), string(batch)))
	signed := get[[]byte](t)(cms.Open(sealed, h.bureau.certificate, h.bureau.key))
	clear := get[[]byte](t)(cms.Verify(signed, get[*x509.Certificate](t)(x509.ParseCertificate(h.BureauSigner))))
	file := get[bureau.File](t)(bureau.Decode(clear))
	images := make([]emv.CardImage, len(file.Cards))
	for i, record := range file.Cards {
		images[i] = get[emv.CardImage](t)(emv.OpenDGIs(record.DGIs, h.transport))
	}
	return file, images
}

// answer has the bureau make every card of a batch.
func (h *house) answer(t testing.TB, batch lifecycle.BatchID) {
	t.Helper()
	file, _ := h.bureauFile(t, batch)
	back := bureau.Return{Batch: batch, Sequence: 1}
	for _, record := range file.Cards {
		back.Cards = append(back.Cards, bureau.ReturnLine{Card: record.Card, Result: lifecycle.BureauMade, Plastic: "PL-" + string(record.Card)})
	}
	get[lifecycle.ReturnFileID](t)(TakeReturn(t.Context(), h.Service, operator, get[[]byte](t)(bureau.EncodeReturn(back))))
}

// posted takes every approved card as far as the post, and gives the batch.
func (h *house) posted(t testing.TB) lifecycle.BatchID {
	t.Helper()
	batch := h.seal(t)
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	h.answer(t, batch)
	h.await(t, "every card", "SELECT NOT EXISTS (SELECT FROM card WHERE batch_id = $1 AND state <> 'made')", batch)
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "every card letter", "SELECT NOT EXISTS (SELECT FROM card c WHERE c.batch_id = $1 AND NOT EXISTS "+
		"(SELECT FROM card_letter l WHERE l.card_id = c.id AND l.state = 'rendered'))", batch)
	h.print(t)
	get[issuance.Posted](t)(h.PostLetters(t.Context()))
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	return batch
}

func TestAWorkerKilledAfterTheEngineMadeTheCardsLeavesOneOfEach(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	h.orders(t, "card", 3)
	batch := h.seal(t)
	answered := h.kill(t, afterPersonalise)
	if got := h.jobsOf(t, lifecycle.JobPersonalise); len(got) != 1 || got[0].State != "running" {
		t.Fatalf("after the kill: %v", got)
	}
	h.timeout(t)
	tools := h.tools(t)
	engine := &witness{CardEngine: tools.Engine}
	tools.Engine = engine
	h.work(t, tools)
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	if len(engine.answers) != 1 || engine.answers[0] != answered {
		t.Errorf("the engine answered %s before the kill and %v after it", answered, engine.answers)
	}
	file, images := h.bureauFile(t, batch)
	if len(file.Cards) != 3 || file.Batch != batch {
		t.Errorf("the bureau gets %d cards of batch %s", len(file.Cards), file.Batch)
	}
	pans := map[string]bool{}
	for _, image := range images {
		pans[image.PAN] = true
	}
	if len(pans) != 3 {
		t.Errorf("%d card numbers for three cards", len(pans))
	}
	var moves int
	must(t, h.admin.QueryRow(t.Context(), "SELECT count(*) FROM audit_entry WHERE thing = 'card' AND event = 'personalise'").Scan(&moves))
	if moves != 3 {
		t.Errorf("three cards were personalised %d times", moves)
	}
}

func TestAWorkerKilledWithAPINInItsHandsLeavesOneLetter(t *testing.T) {
	t.Parallel()
	for _, point := range []string{afterRelease, afterClose} {
		t.Run("after "+point, func(t *testing.T) {
			t.Parallel()
			h := setup(t, sharedRealm(t))
			card := h.orders(t, "card", 1)[0].Card.ID
			h.toil(t, h.tools(t))
			batch := h.posted(t)
			h.awaitIdle(t, QueueDefault)
			letter := h.kill(t, point)
			id := get[issuance.CardView](t)(h.Card(t.Context(), card)).PINLetter
			if sum := sha256.Sum256([]byte(id)); hex.EncodeToString(sum[:]) != letter {
				t.Errorf("the PIN was asked for another letter than %s", id)
			}
			var run lifecycle.PrintRunID
			must(t, h.admin.QueryRow(t.Context(), "SELECT id FROM print_run WHERE kind = 'pin'").Scan(&run))
			_, err := h.Document(t.Context(), issuance.RunDocument(run, 1))
			if stored := err == nil; stored != (point == afterClose) {
				t.Errorf("after the kill the letter is stored: %v, %v", stored, err)
			}
			h.timeout(t)
			h.work(t, h.tools(t)) // a leader rescues the jobs of every queue
			tools := h.pinTools(t)
			h.workPINs(t, tools)
			h.awaitIdle(t, QueuePIN)

			_, images := h.bureauFile(t, batch)
			onCard := get[string](t)(pinblock.DecodeISO2(images[0].PINBlock))
			if pin := pinOf(t, h.openPINLetter(t, id)); pin != onCard {
				t.Error("the letter's PIN is not the card's")
			}
			var letters, documents int
			must(t, h.admin.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pin_letter), (SELECT count(*) FROM document WHERE id LIKE 'PR-%' AND id LIKE (SELECT id FROM print_run WHERE kind = 'pin') || '-%')").
				Scan(&letters, &documents))
			if letters != 1 || documents != 1 {
				t.Errorf("%d PIN letters and %d documents", letters, documents)
			}
			h.wantClosed(t, tools.PINs, card, id)
		})
	}
}

// wantClosed proves that the engine gives the PIN to nobody any more.
func (h *house) wantClosed(t testing.TB, pins PINSource, card lifecycle.CardID, letter lifecycle.PINLetterID) {
	t.Helper()
	for _, l := range []lifecycle.PINLetterID{letter, "P-0000000000000000"} {
		if _, err := pins.ReleasePIN(t.Context(), hsm.PINRelease{Card: card, PINVersion: 1, Letter: l}); !errors.Is(err, lifecycle.Conflict) {
			t.Errorf("asked again for letter %s: %v, want a conflict", l, err)
		}
	}
}

// request is a holder's certificate request with a new key.
func request(t testing.TB) []byte {
	t.Helper()
	key := get[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return get[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
}

func TestAWorkerKilledAfterTheKeySignedLeavesOneCertificate(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t), nil))
	digest := h.kill(t, afterSign)
	var draft []byte
	must(t, h.admin.QueryRow(t.Context(), "SELECT tbs FROM certificate WHERE id = $1 AND der IS NULL", id).Scan(&draft))
	inner := sha256.Sum256(draft)
	if sum := sha256.Sum256(inner[:]); hex.EncodeToString(sum[:]) != digest {
		t.Error("what was signed before the kill is not the draft that was stored before it")
	}
	h.timeout(t)
	h.work(t, h.tools(t))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", id)
	certificate := parsed(get[issuance.CertificateView](t)(h.Certificate(t.Context(), id)).DER)
	if !bytes.Equal(certificate.RawTBSCertificate, draft) {
		t.Error("the certificate is another than the draft whose signature may be known")
	}
	if err := certificate.CheckSignatureFrom(parsed(h.Issuing)); err != nil {
		t.Error(err)
	}
}

func TestAWorkerKilledAfterAListWasSignedLeavesItsNumberToTheNext(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	queue := get[*Enqueuer](t)(NewEnqueuer())
	must(t, pgx.BeginFunc(t.Context(), h.pool, func(tx pgx.Tx) error {
		return queue.EnqueueTx(t.Context(), tx, issuance.CRLPublishArgs{Issuer: "issuing-1"})
	}))
	h.kill(t, afterSign)
	if _, err := h.NewestCRL(t.Context(), "issuing-1", 0); !errors.Is(err, lifecycle.NotFound) {
		t.Errorf("after the kill a list is served: %v", err)
	}
	h.timeout(t)
	h.clock.advance(time.Minute) // the dead worker's time with the list is over
	h.work(t, h.tools(t))
	h.await(t, "each shard's first list", "SELECT count(*) = $1 FROM crl WHERE full_size IS NOT NULL", shards)
	h.awaitIdle(t, QueueDefault)
	var lists, newest int
	must(t, h.admin.QueryRow(t.Context(), "SELECT count(*), max(number) FROM crl WHERE shard = 0").Scan(&lists, &newest))
	if lists != 1 || newest != 1 {
		t.Errorf("%d lists up to number %d, want number 1 alone", lists, newest)
	}
}
