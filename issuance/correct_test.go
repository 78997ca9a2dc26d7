package issuance_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// move corrects where a holder lives.
func (h *house) move(t tb, by lifecycle.Actor, id lifecycle.HolderID, a issuance.Address) error {
	t.Helper()
	_, err := h.CorrectHolder(t.Context(), by, id, issuance.HolderCorrection{Address: &a, Why: "moved"})
	return err
}

func (h *house) clientOf(t tb, id lifecycle.HolderID) (client string) {
	t.Helper()
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT c.client_id FROM company c JOIN holder h ON h.company_id = c.id WHERE h.id = $1", id).Scan(&client))
	return client
}

// corrections are the notices of corrections to a holder: addresses by ID.
func (h *house) corrections(t tb, id lifecycle.HolderID) map[string]lifecycle.Corrections {
	t.Helper()
	told := map[string]lifecycle.Corrections{}
	for _, n := range must[[]issuance.NoticeView](t)(h.Notices(t.Context(), issuance.NoticeFilter{})) {
		if n.Holder == id && n.Kind == lifecycle.NoticeCorrected {
			plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), n.ID))
			told[plan.Address] = plan.Corrected
		}
	}
	return told
}

func (h *house) lastOf(t tb, id, event string) (db.AuditEntry, map[string]string) {
	t.Helper()
	var last db.AuditEntry
	for _, e := range must[[]db.AuditEntry](t)(h.AuditOf(t.Context(), id)) {
		if e.Event == event {
			last = e
		}
	}
	detail := map[string]string{}
	if len(last.Detail) > 0 {
		h.event(t, json.Unmarshal(last.Detail, &detail))
	}
	return last, detail
}

func TestAnAddressIsCorrectedAtOnceAndTheApprovalIsVoid(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	order := h.submitCard(t)
	h.approve(t, order)
	id := h.holderOf(t, order)
	was := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
	email, language, wrong := "right@correct.example", "nl", "no address"
	correct := func(by lifecycle.Actor, c issuance.HolderCorrection) (issuance.Corrected, error) {
		c.Why = "she called"
		return h.CorrectHolder(t.Context(), by, id, c)
	}
	for _, by := range []lifecycle.Actor{irene, owen, helene, online} {
		_, err := correct(by, issuance.HolderCorrection{Email: &email})
		wantKind(t, err, lifecycle.Forbidden)
	}
	_, err := correct(alix, issuance.HolderCorrection{Email: &wrong})
	wantField(t, unlist(err), "email")
	_, err = correct(alix, issuance.HolderCorrection{Language: &wrong})
	wantField(t, unlist(err), "language")
	_, err = correct(alix, issuance.HolderCorrection{Email: &was.Email})
	wantField(t, err, "correction")
	_, err = h.CorrectHolder(t.Context(), alix, id, issuance.HolderCorrection{Email: &email})
	wantField(t, err, "why")

	made := must[issuance.Corrected](t)(correct(come, issuance.HolderCorrection{Email: &email, Language: &language}))
	if !made.Done || len(made.Void) != 1 || made.Void[0] != order || made.Work != "" {
		t.Errorf("%+v", made)
	}
	now := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
	if now.State != lifecycle.OrderSubmitted || now.Revision != was.Revision+1 || now.Email != email || now.Language != language {
		t.Errorf("the order is %+v", now)
	}
	if view := h.order(t, order); view.Card.State != lifecycle.CardOrdered {
		t.Errorf("its card is %s", view.Card.State)
	}
	both := lifecycle.CorrectedEmail | lifecycle.CorrectedLanguage
	if told := h.corrections(t, id); len(told) != 2 || told[email] != both || told[was.Email] != both {
		t.Errorf("told: %v", told)
	}
	entry, detail := h.lastOf(t, string(id), "correct")
	if entry.Actor != come.ID || detail["email"] != was.Email+" → "+email || detail["language"] != "fr → nl" || detail["why"] != "she called" {
		t.Errorf("on record: %+v %v", entry, detail)
	}
	if _, of := h.lastOf(t, string(order), "correct"); of["by"] != come.ID || of["of"] != string(id) {
		t.Errorf("the order's trail: %v", of)
	}

	// Who corrected it does not decide on it.
	hash := h.shown(t, order)
	wantKind(t, h.Approve(t.Context(), comeToo, order, hash), lifecycle.Forbidden)
	h.approve(t, order)
	if state := h.order(t, order).State; state != lifecycle.OrderApproved {
		t.Errorf("approved anew, it is %s", state)
	}
}

func TestANameIsCorrectedByTwo(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	waiting := h.certificate(t, lifecycle.CertAwaitingKey)
	order := h.certificateRow(t, waiting).OrderID
	id := h.holderOf(t, order)
	mean := func(table string) { // what the holder has already
		var others []string
		h.event(t, h.pool.QueryRow(t.Context(), "SELECT array_agg(id) FROM "+table+" WHERE holder_id <> $1", id).Scan(&others))
		if _, err := h.pool.Exec(t.Context(), "UPDATE "+table+" SET holder_id = $1 WHERE id = ANY ($2)", id, others); err != nil {
			t.Fatal(err)
		}
	}
	active := h.certificate(t, lifecycle.CertActive)
	card := h.card(t, lifecycle.CardActive)
	mean("certificate")
	mean("card")
	surname := "Corrigée"
	correct := func(by lifecycle.Actor, surname string) (issuance.Corrected, error) {
		return h.CorrectHolder(t.Context(), by, id, issuance.HolderCorrection{Surname: &surname, Why: "her passport"})
	}
	bad := "x\ny"
	_, err := correct(alix, bad)
	wantField(t, unlist(err), "surname")
	language := "de"
	_, err = h.CorrectHolder(t.Context(), alix, id, issuance.HolderCorrection{Surname: &surname, Language: &language, Why: "both"})
	wantField(t, err, "surname")

	made := must[issuance.Corrected](t)(correct(alix, surname))
	if made.Done || made.Proposer != alix.ID || len(made.Cards) != 1 || made.Cards[0] != card || len(made.Certificates) != 1 || made.Certificates[0] != active ||
		len(made.Void) != 1 || made.Void[0] != order || made.Work != "" {
		t.Errorf("proposed: %+v", made)
	}
	h.wantCertificate(t, waiting, lifecycle.CertAwaitingKey) // nothing is done yet
	wantKind(t, second(correct(alix, surname)), lifecycle.Forbidden)
	wantKind(t, second(correct(leonie, surname)), lifecycle.Forbidden) // no approver
	if again := must[issuance.Corrected](t)(correct(irene, "Autrement")); again.Done {
		t.Error("another name was agreed to")
	}
	must[issuance.Corrected](t)(correct(alix, surname))
	made = must[issuance.Corrected](t)(correct(irene, surname))
	if !made.Done || made.Proposer != alix.ID || made.Work == "" {
		t.Errorf("agreed: %+v", made)
	}
	items := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkCorrected}))
	if len(items) != 1 || items[0].On != string(id) || !strings.Contains(items[0].Why, string(card)) || !strings.Contains(items[0].Why, string(active)) {
		t.Errorf("work: %+v", items)
	}
	h.event(t, h.ResolveWork(t.Context(), leonie, string(made.Work), "another card and certificate are ordered"))
	entry, detail := h.lastOf(t, string(id), "correct")
	if entry.Actor != irene.ID || detail["proposed_by"] != alix.ID || !strings.HasSuffix(detail["surname"], " → "+surname) {
		t.Errorf("on record: %+v %v", entry, detail)
	}
	if told := h.corrections(t, id); len(told) != 1 {
		t.Errorf("told: %v", told)
	}

	// Its approval was of another name: evidence, approval and key come anew.
	h.wantCertificate(t, waiting, lifecycle.CertOrdered)
	row := h.certificateRow(t, waiting)
	if row.ProfileVersion != nil || row.DossierID != nil || h.order(t, order).State != lifecycle.OrderSubmitted {
		t.Errorf("it keeps %+v", row)
	}
	wantKind(t, h.TakeKey(t.Context(), helene, waiting, newKey(t)), lifecycle.Illegal)
}

func TestACertificateThatIsBeingSignedIsNotCorrectedUnderItsSigner(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	signing := h.certificate(t, lifecycle.CertIssuing)
	id := h.holderOf(t, h.certificateRow(t, signing).OrderID)
	email := "right@correct.example"
	correct := func() (issuance.Corrected, error) {
		return h.CorrectHolder(t.Context(), alix, id, issuance.HolderCorrection{Email: &email, Why: "a slip"})
	}
	wantKind(t, second(correct()), lifecycle.Conflict)
	h.event(t, h.move(t, alix, id, issuance.Address{Street: "2 rue du Bois", Postcode: "35000", City: "Rennes", Country: "FR"})) // it says no street
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), signing))
	h.event(t, h.StopIssue(t.Context(), plan, "its e-mail address is wrong", nil))
	if made := must[issuance.Corrected](t)(correct()); len(made.Void) != 1 {
		t.Errorf("%+v", made)
	}
	h.wantCertificate(t, signing, lifecycle.CertOrdered)
	if row := h.certificateRow(t, signing); row.Serial != nil || row.SPKISHA256 != nil || row.Stopped != "" {
		t.Errorf("it keeps %+v", row)
	}
}

func TestACompanyIsCorrectedByTwoAndItsNamesStayItsOwn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	active := h.certificate(t, lifecycle.CertActive)
	client := h.clientOf(t, h.holderOf(t, h.certificateRow(t, active).OrderID))
	colleague := h.submit(t, func(o *demodata.Order) {
		var registry string
		h.event(t, h.pool.QueryRow(t.Context(), "SELECT registry_number FROM company WHERE client_id = $1", client).Scan(&registry))
		o.ClientID, o.RegistryNumber, o.UserNumber, o.GivenName = client, registry, "0002", "Maël"
	})
	h.approve(t, colleague)
	another := h.submitCard(t)
	h.approve(t, another)
	taken := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), another))
	correct := func(by lifecycle.Actor, c issuance.CompanyCorrection) (issuance.Corrected, error) {
		c.Why = "extract of the register"
		return h.CorrectCompany(t.Context(), by, client, c)
	}
	_, err := correct(alix, issuance.CompanyCorrection{RegistryNumber: "123"})
	wantField(t, unlist(err), "registry_number")
	_, err = correct(alix, issuance.CompanyCorrection{})
	wantField(t, err, "correction")
	_, err = h.CorrectCompany(t.Context(), alix, "99999999", issuance.CompanyCorrection{Name: "X", Why: "x"})
	wantKind(t, err, lifecycle.NotFound)
	var theirs string
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT registry_number FROM company WHERE client_id = $1", taken.ClientID).Scan(&theirs))
	must[issuance.Corrected](t)(correct(alix, issuance.CompanyCorrection{RegistryNumber: theirs}))
	_, err = correct(irene, issuance.CompanyCorrection{RegistryNumber: theirs})
	wantField(t, err, "registry_number")

	must[issuance.Corrected](t)(correct(leonie, issuance.CompanyCorrection{Name: "Ateliers Montclair Frères"}))
	made := must[issuance.Corrected](t)(correct(irene, issuance.CompanyCorrection{Name: "Ateliers Montclair Frères"}))
	if !made.Done || len(made.Certificates) != 1 || made.Certificates[0] != active || len(made.Cards) != 0 || made.Work == "" ||
		len(made.Void) != 1 || made.Void[0] != colleague {
		t.Errorf("%+v", made)
	}
	if content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), colleague)); content.State != lifecycle.OrderSubmitted || content.Company != "Ateliers Montclair Frères" {
		t.Errorf("%+v", content)
	}
	if state := h.order(t, another).State; state != lifecycle.OrderApproved {
		t.Errorf("another company's order is %s", state)
	}
	if told := h.corrections(t, h.holderOf(t, colleague)); len(told) != 1 {
		t.Errorf("told: %v", told)
	}
	var company string
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT id FROM company WHERE client_id = $1", client).Scan(&company))
	if entry, detail := h.lastOf(t, company, "correct"); entry.Actor != irene.ID || detail["company"] != "Ateliers Montclair → Ateliers Montclair Frères" {
		t.Errorf("on record: %+v %v", entry, detail)
	}

	// The name that it had stays its own: no other holder is certified under it.
	before := must[issuance.Subject](t)(h.SubjectOf(t.Context(), active))
	before.Organization = "Ateliers Montclair"
	other := h.certificate(t, lifecycle.CertIssuing)
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), other))
	plan.Subject = before
	wantField(t, h.RecordDraft(t.Context(), plan, draftOf(plan, "draft")), "subject")
}

// Whichever comes first, nothing stays approved that the approver was not shown.
func TestACorrectionAndAnApprovalAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for range 8 {
		order := h.submitCard(t)
		id, hash := h.holderOf(t, order), h.shown(t, order)
		email := "right@correct.example"
		var race sync.WaitGroup
		var approved, corrected error
		race.Go(func() { approved = h.Approve(t.Context(), irene, order, hash) })
		race.Go(func() {
			_, corrected = h.CorrectHolder(t.Context(), alix, id, issuance.HolderCorrection{Email: &email, Why: "a slip"})
		})
		race.Wait()
		for _, err := range []error{approved, corrected} {
			if err != nil && !errors.Is(err, lifecycle.Conflict) {
				t.Error(err)
			}
		}
		content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
		if (content.State == lifecycle.OrderApproved) != (corrected != nil) || (content.Email == email) != (corrected == nil) {
			t.Errorf("approval %v, correction %v: %+v", approved, corrected, content)
		}
	}
}
