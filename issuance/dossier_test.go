package issuance_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sceau/certprofile"
	"sceau/evidence"
	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/safe"
	"sceau/store/db"
)

// papersOf is everything that a holder brings.
func (h *house) papersOf(ctx context.Context, holder lifecycle.HolderID) (issuance.Paperwork, error) {
	row, err := h.store.Holder(ctx, holder)
	if err != nil {
		return issuance.Paperwork{}, err
	}
	company, err := h.store.Company(ctx, row.CompanyID)
	if err != nil {
		return issuance.Paperwork{}, err
	}
	e, err := demodata.EvidenceOf(row.GivenName, row.Surname, company.RegistryNumber, h.clock.now())
	return issuance.Paperwork{
		Identity: &e.Identity, Mandate: &e.Mandate, Extract: &e.Extract, Terms: &e.Terms,
		Scans: []issuance.ScanFile{{Kind: evidence.IdentityScan, Content: e.Scan}},
	}, err
}

func (h *house) papers(t tb, holder lifecycle.HolderID) issuance.Paperwork {
	t.Helper()
	return must[issuance.Paperwork](t)(h.papersOf(t.Context(), holder))
}

func (h *house) openDossier(t tb, holder lifecycle.HolderID) lifecycle.DossierID {
	t.Helper()
	return must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, holder, h.papers(t, holder)))
}

// prove has the holder of an order bring evidence, if it is a certificate's and some
// is missing.
func (h *house) prove(t tb, id lifecycle.OrderID) {
	t.Helper()
	h.event(t, demodata.Prove(t.Context(), h.Service, stijn, id, h.clock.now()))
}

func (h *house) holderOf(t tb, id lifecycle.OrderID) lifecycle.HolderID {
	t.Helper()
	return must[db.Order](t)(h.store.Order(t.Context(), id)).HolderID
}

func (h *house) dossier(t tb, id lifecycle.DossierID) issuance.DossierView {
	t.Helper()
	return must[issuance.DossierView](t)(h.Dossier(t.Context(), owen, id, ""))
}

// orderFor orders a certificate for a holder who is known.
func (h *house) orderFor(t tb, holder lifecycle.HolderID, profile string) lifecycle.OrderID {
	t.Helper()
	return must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderNewCertificate, Holder: holder, Profile: profile}))
}

// asItStands approves an order with no evidence brought.
func (h *house) asItStands(t tb, id lifecycle.OrderID) error {
	t.Helper()
	return h.Approve(t.Context(), irene, id, h.shown(t, id))
}

// activated is a certificate of an approved order, issued and accepted.
func (h *house) activated(t tb, order lifecycle.OrderID) lifecycle.CertificateID {
	t.Helper()
	id := h.order(t, order).Certificate.ID
	device := issuance.Device{Manufacturer: "Aubépine", Model: "Jeton 2", Serial: string(id)}
	h.event(t, h.Service.TakeKey(t.Context(), h.ofCertificate(t.Context(), helene, id), id, newKey(t), &device))
	h.issue(t, id)
	h.event(t, h.Accept(t.Context(), helene, id))
	return id
}

// fieldsOf are the fields that an error names.
func fieldsOf(err error) []string {
	var fields []string
	if list, ok := errors.AsType[lifecycle.FieldErrors](err); ok {
		for _, f := range list {
			fields = append(fields, f.Field)
		}
	} else if f, ok := errors.AsType[*lifecycle.FieldError](err); ok {
		fields = append(fields, f.Field)
	}
	return fields
}

func wantFields(t tb, err error, fields ...string) {
	t.Helper()
	if got := fieldsOf(err); !slices.Equal(got, fields) {
		t.Errorf("wrong are %v, want %v: %v", got, fields, err)
	}
}

func TestAnOrderIsApprovedOnACompleteDossierOnly(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submitCertificate(t)
	holder := h.holderOf(t, order)
	wantFields(t, h.asItStands(t, order), "dossier")
	h.wantOrder(t, order, lifecycle.OrderSubmitted)
	before := h.shown(t, order)

	_, err := h.OpenDossier(t.Context(), owen, holder, issuance.Paperwork{})
	wantKind(t, err, lifecycle.Forbidden)
	id := must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), come, holder, issuance.Paperwork{}))
	wantKind(t, h.Approve(t.Context(), irene, order, before), lifecycle.Conflict) // it was not shown so
	left := []string{"identity", "scan.identity", "mandate", "extract", "terms"}
	wantFields(t, h.asItStands(t, order), left...)
	all := h.papers(t, holder)
	for i, part := range []issuance.Paperwork{{Identity: all.Identity}, {Scans: all.Scans}, {Mandate: all.Mandate}, {Extract: all.Extract}, {Terms: all.Terms}} {
		stale := h.shown(t, order)
		wantKind(t, h.AddEvidence(t.Context(), irene, id, part), lifecycle.Forbidden)
		h.event(t, h.AddEvidence(t.Context(), come, id, part))
		wantKind(t, h.Approve(t.Context(), irene, order, stale), lifecycle.Conflict)
		if left = left[1:]; len(left) > 0 {
			wantFields(t, h.asItStands(t, order), left...)
		}
		if got := h.dossier(t, id); len(got.Missing) != 4-i {
			t.Errorf("after %d parts %v is missing", i+1, got.Missing)
		}
	}
	wantKind(t, h.AddEvidence(t.Context(), come, id, issuance.Paperwork{Scans: all.Scans}), lifecycle.Invalid) // the same file

	wantKind(t, h.Approve(t.Context(), comeToo, order, h.shown(t, order)), lifecycle.Forbidden) // who brought the evidence
	shown := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
	if d := shown.Dossier; d.ID != id || len(d.Missing) > 0 || d.ReKey || len(shown.Flags) > 0 || strings.Contains(d.Document, all.Identity.Number.Reveal()) {
		t.Errorf("shown is %+v, %v", d, shown.Flags)
	}
	h.event(t, h.asItStands(t, order))
	view := h.dossier(t, id)
	if view.State != lifecycle.DossierComplete || view.Kept != shown.Dossier.SHA256 || view.Retention != 5 {
		t.Errorf("relied on: %+v", view)
	}
	wantKind(t, h.AddEvidence(t.Context(), come, id, issuance.Paperwork{Terms: all.Terms}), lifecycle.Illegal)
	if row := h.certificateRow(t, h.order(t, order).Certificate.ID); deref(row.DossierID) != id {
		t.Errorf("the certificate relies on %q", deref(row.DossierID))
	}

	// A card, and a system's certificate, ask for none; another holder's is no help.
	h.event(t, h.asItStands(t, h.submitCard(t)))
	system := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderNewCertificate, Holder: holder, Profile: certprofile.RelyingServiceClient, Service: "paie.example",
	}))
	h.event(t, h.asItStands(t, system))
	wantFields(t, h.asItStands(t, h.submitCertificate(t)), "dossier")
}

func TestEvidenceThatDoesNotHoldIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submitCertificate(t)
	holder := h.holderOf(t, order)
	id := must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, holder, issuance.Paperwork{}))
	h.authority(t, 1)
	foreign := h.certificate(t, lifecycle.CertActive)
	for name, c := range map[string]struct {
		spoil  func(p *issuance.Paperwork)
		fields []string
	}{
		"an expired document":             {func(p *issuance.Paperwork) { p.Identity.Expires = monday.AddDate(0, 0, -2) }, []string{"identity.expires"}},
		"a document good for ever":        {func(p *issuance.Paperwork) { p.Identity.Expires = monday.AddDate(40, 0, 0) }, []string{"identity.expires"}},
		"a driving licence":               {func(p *issuance.Paperwork) { p.Identity.Type = "driving_licence" }, []string{"identity.document"}},
		"a card of far away":              {func(p *issuance.Paperwork) { p.Identity.Type, p.Identity.Country = evidence.IdentityCard, "US" }, []string{"identity.country"}},
		"no country":                      {func(p *issuance.Paperwork) { p.Identity.Country = "fr" }, []string{"identity.country"}},
		"markup in a name":                {func(p *issuance.Paperwork) { p.Identity.Surname = "<b>Montclair" }, []string{"identity.surname"}},
		"markup in a place":               {func(p *issuance.Paperwork) { p.Identity.Where = "<script>" }, []string{"identity.where"}},
		"seen tomorrow":                   {func(p *issuance.Paperwork) { p.Identity.SeenOn = monday.AddDate(0, 0, 1) }, []string{"identity.seen_on"}},
		"seen four months ago":            {func(p *issuance.Paperwork) { p.Identity.SeenOn = monday.AddDate(0, -4, 0) }, []string{"identity.seen_on"}},
		"seen by nobody":                  {func(p *issuance.Paperwork) { p.Identity.SeenBy = "nobody" }, []string{"identity.seen_by"}},
		"seen in a dream":                 {func(p *issuance.Paperwork) { p.Identity.How = "dream" }, []string{"identity.how"}},
		"a request signed by another":     {func(p *issuance.Paperwork) { p.Identity.How, p.Identity.SignedWith = evidence.SignedRequest, foreign }, []string{"identity.signed_with"}},
		"a request signed by nothing":     {func(p *issuance.Paperwork) { p.Identity.How = evidence.SignedRequest }, []string{"identity.signed_with"}},
		"a mandate of four months":        {func(p *issuance.Paperwork) { p.Mandate.SignedOn = monday.AddDate(0, -4, 0) }, []string{"mandate.signed_on"}},
		"a mandate accepted before":       {func(p *issuance.Paperwork) { p.Mandate.AcceptedOn = p.Mandate.SignedOn.AddDate(0, 0, -1) }, []string{"mandate.accepted_on"}},
		"a mandate of the future":         {func(p *issuance.Paperwork) { p.Mandate.SignedOn = monday.AddDate(0, 0, 3) }, []string{"mandate.signed_on", "mandate.accepted_on"}},
		"an agent who is none":            {func(p *issuance.Paperwork) { p.Mandate.Agent = "0009" }, []string{"mandate.agent"}},
		"the holder as the agent":         {func(p *issuance.Paperwork) { p.Mandate.Agent = "0001" }, []string{"mandate.agent"}},
		"another company's extract":       {func(p *issuance.Paperwork) { p.Extract.RegistryNumber = "552100554" }, []string{"extract.registry_number"}},
		"an extract of nobody":            {func(p *issuance.Paperwork) { p.Extract.RegistryNumber = "1" }, []string{"extract.registry_number"}},
		"an old extract":                  {func(p *issuance.Paperwork) { p.Extract.IssuedOn = monday.AddDate(0, -5, 0) }, []string{"extract.issued_on"}},
		"terms of no version":             {func(p *issuance.Paperwork) { p.Terms.Version = "<1>" }, []string{"terms.version"}},
		"terms accepted tomorrow":         {func(p *issuance.Paperwork) { p.Terms.AcceptedOn = monday.AddDate(0, 0, 1) }, []string{"terms.accepted_on"}},
		"a scan that is none":             {func(p *issuance.Paperwork) { p.Scans[0].Content = []byte("<html>") }, []string{"scan"}},
		"a scan of something else":        {func(p *issuance.Paperwork) { p.Scans[0].Kind = "selfie" }, []string{"kind"}},
		"too many scans":                  {func(p *issuance.Paperwork) { p.Scans = slices.Repeat(p.Scans, evidence.MaxScans+1) }, []string{"scan"}},
		"the same scan twice":             {func(p *issuance.Paperwork) { p.Scans = slices.Repeat(p.Scans, 2) }, []string{"scan"}},
		"a scan with something behind it": {func(p *issuance.Paperwork) { p.Scans[0].Content = append(bytes.Clone(p.Scans[0].Content), "PK"...) }, []string{"scan"}},
	} {
		p := h.papers(t, holder)
		c.spoil(&p)
		if err := h.AddEvidence(t.Context(), stijn, id, p); !slices.Equal(fieldsOf(err), c.fields) {
			t.Errorf("%s: wrong are %v: %v", name, fieldsOf(err), err)
		}
	}
	if d := h.dossier(t, id); d.Document+d.Mandate+d.Extract+d.Terms != "" || len(d.Scans) > 0 {
		t.Errorf("something of it is kept: %+v", d)
	}

	// What ages while the order waits is missing again.
	h.event(t, h.AddEvidence(t.Context(), stijn, id, h.papers(t, holder)))
	h.clock.advance(95 * 24 * time.Hour)
	wantFields(t, h.asItStands(t, order), "identity.seen_on", "mandate.signed_on", "extract.issued_on")
	h.clock.set(monday.AddDate(6, 0, 0))
	wantFields(t, h.asItStands(t, order), "identity.expires", "identity.seen_on", "mandate.signed_on", "extract.issued_on")
}

func TestACertificationAgentSignsMandates(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.holderOf(t, h.submitCertificate(t))
	agent := h.holderOf(t, h.submit(t, func(o *demodata.Order) {
		row := must[db.Holder](t)(h.store.Holder(t.Context(), holder))
		company := must[db.Company](t)(h.store.Company(t.Context(), row.CompanyID))
		o.ClientID, o.RegistryNumber, o.UserNumber, o.GivenName = company.ClientID, company.RegistryNumber, "0002", "Claire"
	}))
	p := h.papers(t, holder)
	p.Mandate.Agent = "0002"
	id := must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, holder, issuance.Paperwork{}))
	wantFields(t, h.AddEvidence(t.Context(), stijn, id, p), "mandate.agent")
	wantKind(t, h.EnrolAgent(t.Context(), irene, agent, monday), lifecycle.Forbidden)
	wantField(t, h.EnrolAgent(t.Context(), alix, agent, monday.AddDate(0, 0, 1)), "mandate_on")
	h.event(t, h.EnrolAgent(t.Context(), alix, agent, monday.AddDate(0, -1, 0)))
	wantKind(t, h.EnrolAgent(t.Context(), alix, agent, monday), lifecycle.Conflict)
	h.event(t, h.AddEvidence(t.Context(), stijn, id, p))
	if d := h.dossier(t, id); !strings.Contains(d.Mandate, string(agent)) {
		t.Errorf("the mandate is %q", d.Mandate)
	}
	h.event(t, h.EndAgent(t.Context(), alix, agent))
	wantKind(t, h.EndAgent(t.Context(), alix, agent), lifecycle.NotFound)
	wantFields(t, h.AddEvidence(t.Context(), stijn, id, issuance.Paperwork{Mandate: p.Mandate}), "mandate.agent")
	h.event(t, h.EnrolAgent(t.Context(), alix, agent, monday))
}

func TestAnApproverIsToldOfNamesAndDocumentsThatDoNotAgree(t *testing.T) {
	t.Parallel()
	h := setup(t)
	flags := func(given, surname string) []issuance.Flag {
		order := h.submit(t, func(o *demodata.Order) {
			o.Product, o.Delivery, o.GivenName, o.Surname = "certificate", "-", given, surname
		})
		p := h.papers(t, h.holderOf(t, order))
		e := must[demodata.Evidence](t)(demodata.EvidenceOf("Zoë Anne", "Müller-Gøtz", "552100554", monday)) // one passport for all
		p.Identity.GivenName, p.Identity.Surname, p.Identity.Number = "Zoë Anne", "Müller-Gøtz", e.Identity.Number
		must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, h.holderOf(t, order), p))
		content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
		h.event(t, h.asItStands(t, order)) // a flag is to think about
		return content.Flags
	}
	for _, c := range []struct {
		given, surname string
		want           []issuance.Flag
	}{
		{"Zoe", "Muller Gotz", nil}, // transliterated, the usual name only, at another company
		{"Anne", "Müller-Gøtz", nil},
		{"Zoë", "Muller", []issuance.Flag{issuance.NameDiffers, issuance.DocumentElsewhere}[:1]},
		{"Zoe", "Muller Gotz", []issuance.Flag{issuance.DocumentElsewhere}}, // which the last one has, too
		{"Eve", "Müller-Gøtz", []issuance.Flag{issuance.NameDiffers, issuance.DocumentElsewhere}},
	} {
		if got := flags(c.given, c.surname); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: flags %v, want %v", c.given, c.surname, got, c.want)
		}
	}
}

func TestALevelSaysHowAHolderIsIdentified(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	two := nominative(t)
	two.Name, two.Level, two.Device, two.RetentionYears, two.RevocationQuestions = "two-stars", certprofile.LevelTwo, true, 7, 4
	three := two
	three.Name, three.Level, three.FaceToFace, three.RetentionYears, three.RevocationQuestions = "three-stars", certprofile.LevelThree, true, 10, 5
	met := nominative(t)
	met.Name, met.FaceToFace = "met", true
	free := nominative(t)
	free.Name, free.Level, free.RetentionYears, free.RevocationQuestions = "free", certprofile.LevelNone, 0, 0
	for _, p := range []certprofile.Profile{two, three, met, free} {
		h.newProfile(t, p)
	}
	holder := h.holderOf(t, h.submitCertificate(t))
	h.event(t, h.asItStands(t, h.orderFor(t, holder, "free")))
	sees := func(how evidence.Way, with lifecycle.CertificateID) map[string][]string {
		t.Helper()
		p := h.papers(t, holder)
		p.Identity.How, p.Identity.SignedWith = how, with
		id := must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, holder, p))
		wrong := map[string][]string{}
		for _, profile := range []string{certprofile.NominativeAuthentication, "two-stars", "three-stars", "met"} {
			wrong[profile] = fieldsOf(must[issuance.DossierView](t)(h.Dossier(t.Context(), owen, id, profile)).Missing)
		}
		return wrong
	}
	want := func(how string, got map[string][]string, one, two, three, met string) {
		t.Helper()
		for profile, field := range map[string]string{certprofile.NominativeAuthentication: one, "two-stars": two, "three-stars": three, "met": met} {
			if strings.Join(got[profile], " ") != field {
				t.Errorf("%s, %s: missing is %v, want %q", how, profile, got[profile], field)
			}
		}
	}
	want("a copy", sees(evidence.PaperCopy, ""), "", "identity.how", "identity.how", "identity.how")
	h.event(t, h.asItStands(t, h.orderFor(t, holder, certprofile.NominativeAuthentication))) // closes that dossier
	want("a meeting", sees(evidence.FaceToFace, ""), "", "", "", "")
	second := h.orderFor(t, holder, "two-stars")
	h.event(t, h.asItStands(t, second))
	strong := h.activated(t, second)
	want("a request signed at **", sees(evidence.SignedRequest, strong), "", "", "identity.how", "identity.how")
	first := h.orderFor(t, holder, certprofile.NominativeAuthentication)
	h.event(t, h.asItStands(t, first))
	weak := h.activated(t, first)
	want("a request signed at *", sees(evidence.SignedRequest, weak), "identity.signed_with", "identity.signed_with", "identity.how", "identity.how")
}

// The first re-key may rely on the dossier of the first certificate, the second asks
// anew (RGS A2 III.3.1), and so does the one behind a revocation (III.3.2).
func TestEverySecondRenewalAndOneAfterARevocationAskAnew(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	order := h.submitCertificate(t)
	holder := h.holderOf(t, order)
	opened := func() {
		p := h.papers(t, holder)
		p.Identity.Expires = h.clock.now().AddDate(10, 0, 0).Truncate(24 * time.Hour)
		must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, holder, p))
	}
	opened()
	h.event(t, h.asItStands(t, order))
	h.activated(t, order)
	years := func() { h.clock.advance(3*365*24*time.Hour - 30*24*time.Hour) }

	years()
	first := h.orderFor(t, holder, "")
	if c := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), first)); !c.Dossier.ReKey {
		t.Error("an approver is not told that it is a re-key")
	}
	h.event(t, h.asItStands(t, first)) // relies on what was seen three years ago
	h.activated(t, first)

	years()
	second := h.orderFor(t, holder, "")
	wantFields(t, h.asItStands(t, second), "dossier")
	opened()
	h.event(t, h.asItStands(t, second))
	h.activated(t, second)

	years()
	third := h.orderFor(t, holder, "")
	h.event(t, h.asItStands(t, third))
	last := h.activated(t, third)

	h.clock.advance(24 * time.Hour)
	opened() // evidence of before the revocation does not count
	h.clock.advance(time.Hour)
	h.event(t, h.Revoke(t.Context(), maxence, last, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	after := h.orderFor(t, holder, "")
	wantFields(t, h.asItStands(t, after), "dossier")
	h.clock.advance(time.Hour)
	_, err := h.OpenDossier(t.Context(), stijn, holder, h.papers(t, holder))
	wantKind(t, err, lifecycle.Conflict)
	wantKind(t, h.CloseDossier(t.Context(), irene, h.liveDossier(t, holder), "no"), lifecycle.Forbidden)
	h.event(t, h.CloseDossier(t.Context(), stijn, h.liveDossier(t, holder), "of before the revocation"))
	opened()
	h.event(t, h.asItStands(t, after))
	h.activated(t, after)
}

func (h *house) liveDossier(t tb, holder lifecycle.HolderID) lifecycle.DossierID {
	t.Helper()
	return must[db.Dossier](t)(h.store.LiveDossier(t.Context(), holder)).ID
}

func TestAScanIsSealedAndOpenedOnRecord(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.holderOf(t, h.submitCertificate(t))
	p := h.papers(t, holder)
	id := h.openDossier(t, holder)
	scan := h.dossier(t, id).Scans[0]
	number := p.Identity.Number.Reveal()
	dump := h.everything(t)
	if strings.Contains(dump, number) || strings.Contains(dump, hex.EncodeToString(p.Scans[0].Content[:32])) || strings.Contains(dump, hex.EncodeToString([]byte(number))) {
		t.Error("the database has number or scan in clear")
	}
	for _, by := range []lifecycle.Actor{irene, leonie, owen, helene, online, system} {
		_, _, err := h.ShowScan(t.Context(), by, scan.ID, "curiosity")
		wantKind(t, err, lifecycle.Forbidden)
		_, err = h.ShowDocumentNumber(t.Context(), by, id, "curiosity")
		wantKind(t, err, lifecycle.Forbidden)
	}
	_, _, err := h.ShowScan(t.Context(), maxence, scan.ID, "")
	wantField(t, err, "why")
	// An account manager of another branch.
	_, err = h.pool.Exec(t.Context(), "UPDATE staff SET branch_id = (SELECT id FROM branch WHERE code = 'BE02') WHERE login = 'come'")
	h.event(t, err)
	_, _, err = h.ShowScan(t.Context(), come, scan.ID, "another branch")
	wantKind(t, err, lifecycle.Forbidden)
	opened := 0
	for _, by := range []lifecycle.Actor{maxence, alix} {
		content, kind, err := h.ShowScan(t.Context(), by, scan.ID, "asked by the auditor")
		if err != nil || kind != evidence.PNG || !bytes.Equal(content, p.Scans[0].Content) {
			t.Errorf("%s sees %s of %d octets, %v", by, kind, len(content), err)
		}
	}
	if got := must[lifecycle.DocumentNumber](t)(h.ShowDocumentNumber(t.Context(), maxence, id, "asked by the auditor")); got.Reveal() != number {
		t.Error("another number")
	}
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_entry WHERE thing_id = $1 AND event = 'show_evidence' AND detail->>'why' = 'asked by the auditor'", id).Scan(&opened); err != nil || opened != 3 {
		t.Errorf("%d entries say that it was opened, %v", opened, err)
	}
	// A row that is put in another's place does not open.
	other := h.openDossier(t, h.holderOf(t, h.submitCertificate(t)))
	_, err = h.pool.Exec(t.Context(), "UPDATE dossier_scan SET content = (SELECT content FROM dossier_scan WHERE id = $1) WHERE dossier_id = $2", scan.ID, other)
	h.event(t, err)
	if _, _, err := h.ShowScan(t.Context(), maxence, h.dossier(t, other).Scans[0].ID, "why"); err == nil {
		t.Error("another's scan opens")
	}
}

func TestDossiersAreSealedAgainUnderANewDataKey(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, wrapped := range []string{"vault:v1:0", "vault:v1:1"} {
		must[int](t)(h.AddDataKey(t.Context(), maxence, wrapped))
	}
	holder := h.holderOf(t, h.submitCertificate(t))
	p := h.papers(t, holder)
	id := h.openDossier(t, holder)
	wantKind(t, h.RetireDataKey(t.Context(), maxence, 1), lifecycle.Conflict)
	newer, _ := h.twoKeys(t)
	if done := must[int64](t)(newer.Reseal(t.Context(), maxence, func(int64, int64) {})); done != 2 {
		t.Errorf("%d sealed again", done)
	}
	h.event(t, newer.RetireDataKey(t.Context(), maxence, 1))
	row := must[db.Dossier](t)(h.store.Dossier(t.Context(), id))
	number, err := newer.ShowDocumentNumber(t.Context(), maxence, id, "why")
	if err != nil || safe.Under(row.DocumentNumber) != 2 || number.Reveal() != p.Identity.Number.Reveal() {
		t.Errorf("the number is under %d, %v", safe.Under(row.DocumentNumber), err)
	}
	if content, _, err := newer.ShowScan(t.Context(), maxence, h.dossier(t, id).Scans[0].ID, "why"); err != nil || !bytes.Equal(content, p.Scans[0].Content) {
		t.Errorf("the scan: %v", err)
	}
	// A process that has not learnt of the new key can lose nothing.
	if _, err := h.OpenDossier(t.Context(), stijn, h.holderOf(t, h.submitCertificate(t)), p); err == nil {
		t.Error("evidence was sealed under the retired key")
	}
}

func TestADossierIsErasedWhenItsYearsAreOver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	order := h.submitCertificate(t)
	holder := h.holderOf(t, order)
	p := h.papers(t, holder)
	relied := h.openDossier(t, holder)
	h.event(t, h.asItStands(t, order))
	waiting := h.submitCertificate(t)
	pending := h.openDossier(t, h.holderOf(t, waiting))
	h.event(t, h.asItStands(t, waiting)) // its key never comes
	unused := h.openDossier(t, h.holderOf(t, h.submitCertificate(t)))
	certificate := h.activated(t, order)
	end := deref(h.certificateRow(t, certificate).NotAfter)
	state := func(at time.Time, want map[lifecycle.DossierID]lifecycle.DossierState) {
		t.Helper()
		h.clock.set(at)
		must[issuance.Expired](t)(h.ExpireDue(t.Context()))
		for id, s := range want {
			if got := h.dossier(t, id).State; got != s {
				t.Errorf("at %s %s is %s, want %s", at, id, got, s)
			}
		}
	}
	const open, complete, archived, erased = lifecycle.DossierOpen, lifecycle.DossierComplete, lifecycle.DossierArchived, lifecycle.DossierErased
	state(monday.AddDate(0, 0, 364), map[lifecycle.DossierID]lifecycle.DossierState{relied: complete, pending: complete, unused: open})
	state(monday.AddDate(0, 0, 366), map[lifecycle.DossierID]lifecycle.DossierState{relied: complete, pending: complete, unused: erased})
	state(monday.AddDate(5, 0, 2), map[lifecycle.DossierID]lifecycle.DossierState{relied: archived, pending: archived}) // the document has ended
	wantKind(t, h.HoldDossier(t.Context(), alix, relied, "a suit"), lifecycle.Forbidden)
	wantField(t, h.HoldDossier(t.Context(), maxence, relied, ""), "why")
	h.event(t, h.HoldDossier(t.Context(), maxence, relied, "a suit"))
	wantKind(t, h.HoldDossier(t.Context(), maxence, relied, "another"), lifecycle.Illegal)
	due := must[[]issuance.DossierDue](t)(h.DossiersDue(t.Context(), end.AddDate(5, 0, 0)))
	if len(due) != 1 || due[0].ID != relied || due[0].Held != "a suit" || !due[0].At.Equal(end.AddDate(5, 0, 0)) {
		t.Errorf("due are %+v", due)
	}
	state(end.AddDate(5, 0, -1), map[lifecycle.DossierID]lifecycle.DossierState{relied: archived})
	state(end.AddDate(6, 0, 0), map[lifecycle.DossierID]lifecycle.DossierState{relied: archived, pending: archived}) // disputed; waited for
	h.event(t, h.ReleaseDossier(t.Context(), maxence, relied, "the suit is over"))
	kept := h.dossier(t, relied)
	state(end.AddDate(6, 0, 1), map[lifecycle.DossierID]lifecycle.DossierState{relied: erased, pending: archived})

	gone := h.dossier(t, relied)
	row := must[db.Dossier](t)(h.store.Dossier(t.Context(), relied))
	if row.DocumentNumber != nil || row.DocumentMark != nil || row.DocumentLast+row.DocumentGivenName+row.DocumentSurname+row.MandateSignedBy != "" {
		t.Errorf("something of the evidence is left: %+v", gone)
	}
	if !gone.Scans[0].Erased || gone.Scans[0].SHA256 != kept.Scans[0].SHA256 || gone.Kept != kept.Kept || gone.Kept == "" {
		t.Errorf("what stays is %+v", gone)
	}
	_, _, err := h.ShowScan(t.Context(), maxence, gone.Scans[0].ID, "why")
	wantKind(t, err, lifecycle.Illegal)
	wantKind(t, h.AddEvidence(t.Context(), stijn, relied, p), lifecycle.Illegal)
	wantKind(t, h.HoldDossier(t.Context(), maxence, relied, "too late"), lifecycle.Illegal)
	_, err = h.Dossier(t.Context(), helene, relied, "")
	wantKind(t, err, lifecycle.Forbidden)
}

func TestTwoOfficersAtOneDossierLoseNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submitCertificate(t)
	holder := h.holderOf(t, order)
	p := h.papers(t, holder)
	opened := 0
	errs := make([]error, 4)
	var group errgroup.Group
	for i := range errs {
		group.Go(func() error {
			_, errs[i] = h.OpenDossier(t.Context(), stijn, holder, issuance.Paperwork{Terms: p.Terms})
			return nil
		})
	}
	_ = group.Wait()
	for _, err := range errs {
		if err == nil {
			opened++
		} else {
			wantKind(t, err, lifecycle.Conflict)
		}
	}
	if opened != 1 {
		t.Errorf("%d dossiers are opened: %v", opened, errs)
	}
	id := h.liveDossier(t, holder)
	for _, part := range []issuance.Paperwork{{Identity: p.Identity}, {Mandate: p.Mandate}, {Extract: p.Extract}, {Scans: p.Scans}} {
		group.Go(func() error { return h.AddEvidence(t.Context(), stijn, id, part) })
	}
	h.event(t, group.Wait())
	// Evidence that changes and an approval of what was shown exclude each other.
	shown := h.shown(t, order)
	var change, approval error
	group.Go(func() error {
		change = h.AddEvidence(t.Context(), leonie, id, issuance.Paperwork{Terms: &evidence.Terms{Version: "2026-02", AcceptedOn: p.Terms.AcceptedOn}})
		return nil
	})
	group.Go(func() error { approval = h.Approve(t.Context(), irene, order, shown); return nil })
	_ = group.Wait()
	switch {
	case change == nil:
		wantKind(t, approval, lifecycle.Conflict)
	case approval == nil:
		wantKind(t, change, lifecycle.Illegal)
	default:
		t.Errorf("neither: %v, %v", change, approval)
	}
}
