package jobs

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/cms"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
	"sceau/hsm/pinblock"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
	"sceau/store/db"
)

// journey is a batch that went the whole way: what the bureau wrote on the chips,
// what stood in the letters.
type journey struct {
	*house

	orders []issuance.OrderView
	batch  lifecycle.BatchID
	images map[lifecycle.CardID]emv.CardImage
	pins   map[lifecycle.CardID]string
	texts  map[lifecycle.CardLetterID]string
}

// checkCardLetters opens the card letters as the print room does.
func (j *journey) checkCardLetters(t *testing.T) {
	t.Helper()
	j.texts = map[lifecycle.CardLetterID]string{}
	for id := range j.images {
		letter := get[issuance.CardView](t)(j.Card(t.Context(), id)).CardLetter
		j.texts[letter] = j.openLetter(t, string(letter))
	}
}

func TestABatchGoesFromApprovalToTheHoldersHands(t *testing.T) {
	t.Parallel()
	j := journey{house: setup(t, sharedRealm(t)), images: map[lifecycle.CardID]emv.CardImage{}, pins: map[lifecycle.CardID]string{}}
	j.orders = j.house.orders(t, "card", 4)
	before := codes(j.dump(t)) // user numbers, postcodes: not PINs, none exists yet
	client := j.work(t, j.tools(t))
	j.batch = j.seal(t)
	j.awaitBatch(t, j.batch, lifecycle.BatchSent)
	j.checkBureauFile(t)

	j.answer(t, j.batch)
	j.awaitBatch(t, j.batch, lifecycle.BatchReconciled)
	must(t, client.Insert(t.Context(), issuance.GatherLettersArgs{}))
	j.await(t, "four card letters", "SELECT count(*) = 4 FROM card_letter WHERE state = 'rendered'")
	j.checkCardLetters(t)
	j.print(t)
	must(t, client.Insert(t.Context(), issuance.PostLettersArgs{}))
	j.await(t, "four cards on their way", "SELECT count(*) = 4 FROM card WHERE state IN ('posted', 'at_branch')")
	j.awaitIdle(t, QueueDefault)
	must(t, client.Insert(t.Context(), issuance.GatherLettersArgs{}))
	j.awaitIdle(t, QueueDefault)
	if waiting := j.jobsOf(t, lifecycle.JobPINRun); len(waiting) == 0 || waiting[0].State != "available" {
		t.Errorf("without a process for them, PIN letters are %v", waiting)
	}
	pins := j.pinTools(t)
	j.workPINs(t, pins)
	j.awaitIdle(t, QueuePIN)
	j.checkLetters(t, pins.PINs)

	j.print(t)
	must(t, client.Insert(t.Context(), issuance.PostLettersArgs{}))
	j.awaitIdle(t, QueueDefault)
	j.await(t, "PIN letters that wait for their day", "SELECT count(*) = 4 FROM pin_letter WHERE state = 'printed'")
	j.clock.advance(48 * time.Hour)
	must(t, client.Insert(t.Context(), issuance.PostLettersArgs{}))
	j.await(t, "four orders that are done", "SELECT count(*) = 4 FROM orders WHERE state = 'completed'")
	j.awaitIdle(t, QueueDefault)
	j.checkSecrecy(t, before)
	j.awaitIdle(t, QueueDefault) // a schedule may have come due meanwhile
	for _, job := range j.jobs(t) {
		if job.State != "completed" || job.Attempt != 1 || len(job.Errors) != 0 {
			t.Errorf("job %v", job)
		}
	}
}

func (j *journey) checkBureauFile(t *testing.T) {
	t.Helper()
	sealed := get[[]byte](t)(j.Document(t.Context(), string(j.batch)))
	if _, err := cms.Open(sealed, j.printRoom.certificate, j.printRoom.key); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("the print room opens the bureau's file: %v", err)
	}
	file, images := j.bureauFile(t, j.batch)
	kcv := get[string](t)(keyblock.CheckValueTDES(j.transportKey))
	if file.Batch != j.batch || file.TransportKey != transportKey || file.TransportKCV != kcv || len(file.Cards) != len(j.orders) || file.Sequence != 1 {
		t.Errorf("the file's header is %+v with %d cards", file, len(file.Cards))
	}
	for i, record := range file.Cards {
		row := get[db.Card](t)(j.card(t, record.Card))
		if pan := get[lifecycle.PAN](t)(testenv.Safe().OpenPAN(row.ID, row.PANSealed)); images[i].PAN != pan.Reveal() || images[i].PSN != "01" || record.Expiry != row.Expiry.Format("0601") {
			t.Errorf("card %s: the chip has another number, sequence %s or month %s", record.Card, images[i].PSN, record.Expiry)
		}
		order := j.orderOf(t, record.Card)
		if want := get[string](t)(party.EmbossName(order.GivenName, order.Surname)); record.EmbossName != want {
			t.Errorf("card %s: embossed is %q, want %q", record.Card, record.EmbossName, want)
		}
		j.images[record.Card] = images[i]
	}
}

func (h *house) card(t *testing.T, id lifecycle.CardID) (db.Card, error) {
	t.Helper()
	return db.New(h.admin).Card(t.Context(), id)
}

func (j *journey) orderOf(t *testing.T, id lifecycle.CardID) issuance.OrderView {
	t.Helper()
	i := slices.IndexFunc(j.orders, func(o issuance.OrderView) bool { return o.Card.ID == id })
	if i < 0 {
		t.Fatalf("card %s was not ordered", id)
	}
	return j.orders[i]
}

// checkLetters reads both letters of each card.
func (j *journey) checkLetters(t *testing.T, pins PINSource) {
	t.Helper()
	for id, image := range j.images {
		card := get[issuance.CardView](t)(j.Card(t.Context(), id))
		order := j.orderOf(t, id)
		onCard := get[string](t)(pinblock.DecodeISO2(image.PINBlock))

		pinText := j.openPINLetter(t, card.PINLetter)
		j.pins[id] = pinOf(t, pinText)
		if j.pins[id] != onCard {
			t.Errorf("card %s: the letter's PIN is not the chip's", id)
		}
		cardText := j.texts[card.CardLetter]
		if !strings.Contains(cardText, card.Last4) || !strings.Contains(cardText, order.ClientID) || !strings.Contains(cardText, order.UserNumber) {
			t.Errorf("card %s: its letter misses the end of its number, or who it is for", id)
		}
		// Who holds one letter learns nothing that leads to the other, and no code
		// stands in either that its sheet does not explain.
		j.wantCodes(t, "card letter", cardText, order, card.Last4, order.UserNumber, card.Expiry.Format("2006"))
		j.wantCodes(t, "PIN letter", pinText, order, onCard)
		for name, secret := range map[string]string{"card number": image.PAN, "client number": order.ClientID} {
			if strings.Contains(pinText, secret) {
				t.Errorf("card %s: the PIN letter has the %s", id, name)
			}
		}
		if strings.Contains(cardText, image.PAN) {
			t.Errorf("card %s: the card letter has the whole number", id)
		}
		j.wantClosed(t, pins, id, card.PINLetter)
	}
}

// wantCodes tells the four-digit words of a letter that nothing explains: the
// bank's and the holder's address, the bank's telephone and the year are on each.
func (j *journey) wantCodes(t *testing.T, what, text string, order issuance.OrderView, allowed ...string) {
	t.Helper()
	bank := commonTools(nil, nil, nil).Bank
	known := append(codes(strings.Join(append(order.Address[:], bank.ReturnAddress, bank.Phone), " ")), "2026")
	for _, code := range codes(text) {
		if !slices.Contains(known, code) && !slices.Contains(allowed, code) {
			t.Errorf("the %s of order %s has a code that it does not explain", what, order.ID)
		}
	}
}

// dump is the whole database as text.
func (h *house) dump(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pg_dump", "--dbname", h.url, "--data-only").Output()
	if err != nil {
		t.Fatalf("pg_dump is needed (make deps): %v", err)
	}
	return string(out)
}

// checkSecrecy looks for PINs, keys and card numbers where none may be. before are
// the codes that the database held when there was no PIN yet.
func (j *journey) checkSecrecy(t *testing.T, before []string) {
	t.Helper()
	dump := j.dump(t)
	if !strings.Contains(dump, string(j.batch)) || !strings.Contains(dump, "card_personalise") {
		t.Fatal("the dump is not this database's")
	}
	judged := 0
	after := codes(dump)
	for id, pin := range j.pins {
		if slices.Contains(before, pin) || strings.HasPrefix(pin, "20") {
			continue // a user number or a year like any other
		}
		judged++
		if slices.Contains(after, pin) {
			t.Errorf("the database has the PIN of card %s", id)
		}
	}
	if judged == 0 {
		t.Error("every PIN is also a user number: nothing was shown")
	}
	var clear int
	must(t, j.admin.QueryRow(t.Context(), `SELECT count(*) FROM document WHERE position('%PDF'::bytea in content) > 0`).Scan(&clear))
	if clear != 0 {
		t.Errorf("%d documents that must be sealed are pages", clear)
	}
	log := j.log.String()
	audit := string(get[[]byte](t)(os.ReadFile(j.auditFile)))
	rows, err := j.admin.Query(t.Context(), "SELECT to_jsonb(r)::text FROM river_job r")
	must(t, err)
	var jobs strings.Builder
	for rows.Next() {
		var row string
		must(t, rows.Scan(&row))
		jobs.WriteString(row)
	}
	must(t, rows.Err())
	for id, image := range j.images {
		for name, secret := range map[string][]byte{"AC key": image.AC, "SMI key": image.SMI, "SMC key": image.SMC, "PIN block": image.PINBlock, "transport key": j.transportKey} {
			for where, text := range map[string]string{"the database": dump, "the log": log, "Vault's audit log": audit} {
				if holds(text, secret) {
					t.Errorf("%s has the %s of card %s", where, name, id)
				}
			}
		}
		for where, text := range map[string]string{"the jobs": jobs.String(), "the log": log, "Vault's audit log": audit} {
			if strings.Contains(text, image.PAN) {
				t.Errorf("%s: the number of card %s", where, id)
			}
		}
	}
}

// holds tells whether a text has a secret, in hexadecimal or base 64.
func holds(text string, secret []byte) bool {
	lower := hex.EncodeToString(secret)
	for _, form := range []string{lower, strings.ToUpper(lower), base64.StdEncoding.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret)} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return bytes.Contains([]byte(text), secret)
}
