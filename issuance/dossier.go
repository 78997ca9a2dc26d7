package issuance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/evidence"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Paperwork is evidence that comes in together; nil is what does not.
type Paperwork struct {
	Identity *evidence.Identity
	Mandate  *evidence.Mandate
	Extract  *evidence.Extract
	Terms    *evidence.Terms
	Scans    []ScanFile
}

// ScanFile is a file that somebody scanned.
type ScanFile struct {
	Kind    evidence.ScanKind
	Content []byte
}

// OpenDossier opens a dossier of a holder, with the evidence that is there. One that
// approvals relied on is archived by it: from then on the new one counts.
func (s *Service) OpenDossier(ctx context.Context, by lifecycle.Actor, holder lifecycle.HolderID, p Paperwork) (lifecycle.DossierID, error) {
	if err := keepsDossiers(by); err != nil {
		return "", err
	}
	scans, err := s.sealScans(p.Scans)
	if err != nil {
		return "", err
	}
	id := lifecycle.DossierID(s.newID(lifecycle.PrefixDossier))
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.Holder(ctx, holder); err != nil {
			return fmt.Errorf("holder %s: %w", holder, err)
		}
		if err := s.archiveLastTx(ctx, tx, by, holder); err != nil {
			return err
		}
		err := tx.InsertDossier(ctx, db.InsertDossierParams{
			ID: id, HolderID: holder, State: lifecycle.DossierOpen, OpenedBy: by.ID, OpenedAt: s.now(),
		})
		if errors.Is(err, lifecycle.Conflict) {
			return fmt.Errorf("holder %s: %w: somebody else has just opened a dossier", holder, lifecycle.Conflict)
		}
		if err != nil {
			return fmt.Errorf("dossier of holder %s: %w", holder, err)
		}
		if err := s.born(ctx, tx, lifecycle.Dossiers.Thing, string(id), string(lifecycle.DossierOpen), by, map[string]string{"holder": string(holder)}); err != nil {
			return err
		}
		d, err := tx.LockDossier(ctx, id)
		if err != nil {
			return fmt.Errorf("dossier %s: %w", id, err)
		}
		return s.addEvidenceTx(ctx, tx, by, d, p, scans)
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// archiveLastTx archives the dossier on which approvals relied so far.
func (s *Service) archiveLastTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, holder lifecycle.HolderID) error {
	last, err := tx.LockLiveDossier(ctx, holder)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("dossier of holder %s: %w", holder, err)
	}
	d, err := tx.Dossier(ctx, last)
	if err != nil {
		return fmt.Errorf("dossier %s: %w", last, err)
	}
	if d.State == lifecycle.DossierOpen {
		return fmt.Errorf("holder %s: %w: dossier %s is open: bring the evidence there, or close it", holder, lifecycle.Conflict, last)
	}
	return s.moveDossier(ctx, tx, &d, lifecycle.Archive, by, map[string]string{"why": "another one is opened"})
}

// AddEvidence brings evidence into an open dossier. What is there of the same kind is
// replaced, but for scans.
func (s *Service) AddEvidence(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, p Paperwork) error {
	if err := keepsDossiers(by); err != nil {
		return err
	}
	scans, err := s.sealScans(p.Scans)
	if err != nil {
		return err
	}
	return s.withDossier(ctx, id, func(tx store.Tx, d *db.Dossier) error {
		return s.addEvidenceTx(ctx, tx, by, *d, p, scans)
	})
}

// CloseDossier archives a dossier on which nothing is to rely any more: it was opened
// before a revocation, or what it says is wrong.
func (s *Service) CloseDossier(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.withDossier(ctx, id, func(tx store.Tx, d *db.Dossier) error {
		return s.moveDossier(ctx, tx, d, lifecycle.Archive, by, map[string]string{"why": why})
	})
}

func keepsDossiers(by lifecycle.Actor) error {
	if !slices.Contains(lifecycle.KeepsDossiers(), by.Role) {
		return fmt.Errorf("%w: %s keeps no dossiers", lifecycle.Forbidden, by.Role)
	}
	return nil
}

// addEvidenceTx checks what comes in, all of it at once, and writes it.
func (s *Service) addEvidenceTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, d db.Dossier, p Paperwork, scans []sealedScan) error {
	if _, err := allowed(lifecycle.Dossiers, d.State, change{id: string(d.ID), on: lifecycle.Edit, by: by}); err != nil {
		return err
	}
	h, err := tx.Holder(ctx, d.HolderID)
	if err != nil {
		return fmt.Errorf("holder of dossier %s: %w", d.ID, err)
	}
	c, err := tx.Company(ctx, h.CompanyID)
	if err != nil {
		return fmt.Errorf("company of dossier %s: %w", d.ID, err)
	}
	var what []string
	for _, part := range []struct {
		name  string
		there bool
		add   func() error
	}{
		{"identity", p.Identity != nil, func() error { return s.setIdentityTx(ctx, tx, by, d, *p.Identity) }},
		{"mandate", p.Mandate != nil, func() error { return s.setMandateTx(ctx, tx, d, h, c, *p.Mandate) }},
		{"extract", p.Extract != nil, func() error { return s.setExtractTx(ctx, tx, d, c, *p.Extract) }},
		{"terms", p.Terms != nil, func() error { return s.setTermsTx(ctx, tx, d, *p.Terms) }},
		{"scans", len(scans) > 0, func() error { return s.addScansTx(ctx, tx, by, d, scans) }},
	} {
		if !part.there {
			continue
		}
		if err := part.add(); err != nil {
			return under(part.name, err)
		}
		what = append(what, part.name)
	}
	if len(what) == 0 {
		return nil
	}
	return s.moveDossier(ctx, tx, &d, lifecycle.Edit, by, map[string]string{"evidence": strings.Join(what, ", ")})
}

// under names the part of a dossier whose fields are wrong.
func under(part string, err error) error {
	list, ok := errors.AsType[lifecycle.FieldErrors](err)
	if !ok {
		return err
	}
	named := make(lifecycle.FieldErrors, len(list))
	for i, f := range list {
		named[i] = &lifecycle.FieldError{Field: part + "." + f.Field, Why: f.Why}
	}
	return named
}

func (s *Service) setIdentityTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, d db.Dossier, i evidence.Identity) error {
	if err := i.Check(s.today()); err != nil {
		return err
	}
	if i.SeenBy == "" {
		i.SeenBy = by.ID
	}
	witness, err := tx.StaffByLogin(ctx, i.SeenBy)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("dossier %s: who saw the document: %w", d.ID, err)
	}
	if err != nil || !witness.Active {
		return lifecycle.FieldErrors{{Field: "seen_by", Why: "is the login of nobody who works here: say who saw the document"}}
	}
	row := db.SetDossierIdentityParams{
		DocumentType: string(i.Type), DocumentCountry: i.Country, DocumentLast: i.Number.Last(), DocumentExpires: &i.Expires,
		DocumentGivenName: i.GivenName, DocumentSurname: i.Surname, SeenHow: string(i.How), SeenWhere: i.Where, SeenOn: &i.SeenOn,
		SeenBy: i.SeenBy, ID: d.ID,
	}
	if i.How == evidence.SignedRequest {
		if row.SignedLevel, err = signedLevelTx(ctx, tx, d, i.SignedWith); err != nil {
			return err
		}
		row.SignedWith = &i.SignedWith
	}
	row.DocumentNumber, row.DocumentMark, err = s.safe.SealDocumentNumber(d.ID, string(i.Type), i.Country, i.Number)
	if err != nil {
		return err
	}
	if err := tx.SetDossierIdentity(ctx, row); err != nil {
		return fmt.Errorf("dossier %s: identity: %w", d.ID, err)
	}
	return nil
}

// signedLevelTx is the level of the certificate by which a holder signed a request
// from a distance: one of their own that is good now.
func signedLevelTx(ctx context.Context, tx store.Tx, d db.Dossier, id lifecycle.CertificateID) (string, error) {
	cert, err := tx.Certificate(ctx, id)
	if err != nil && !isNotFound(err) {
		return "", fmt.Errorf("certificate %s: %w", id, err)
	}
	if err != nil || cert.HolderID != d.HolderID || cert.State != lifecycle.CertActive || cert.Service != "" {
		return "", lifecycle.FieldErrors{{Field: "signed_with", Why: "is no certificate of this holder that is active"}}
	}
	profile, err := profileOf(ctx, tx.Queries, cert)
	return string(profile.Level), err
}

func (s *Service) setMandateTx(ctx context.Context, tx store.Tx, d db.Dossier, h db.Holder, c db.Company, m evidence.Mandate) error {
	if err := m.Check(s.today()); err != nil {
		return err
	}
	row := db.SetDossierMandateParams{MandateSignedBy: m.SignedBy, MandateSignedOn: &m.SignedOn, MandateAcceptedOn: &m.AcceptedOn, ID: d.ID}
	if m.Agent != "" {
		agent, err := tx.HolderByUser(ctx, c.ClientID, m.Agent)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("dossier %s: certification agent: %w", d.ID, err)
		}
		enrolled := false
		if err == nil && agent.ID != h.ID {
			if enrolled, err = tx.IsAgent(ctx, agent.ID); err != nil {
				return fmt.Errorf("dossier %s: certification agent: %w", d.ID, err)
			}
		}
		if !enrolled {
			return lifecycle.FieldErrors{{Field: "agent", Why: "is no other user of the company who is enrolled as its certification agent: sceau dossier agent enrol"}}
		}
		row.MandateAgent = &agent.ID
	}
	if err := tx.SetDossierMandate(ctx, row); err != nil {
		return fmt.Errorf("dossier %s: mandate: %w", d.ID, err)
	}
	return nil
}

func (s *Service) setExtractTx(ctx context.Context, tx store.Tx, d db.Dossier, c db.Company, e evidence.Extract) error {
	if err := e.Check(c.Country, c.RegistryNumber, s.today()); err != nil {
		return err
	}
	if err := tx.SetDossierExtract(ctx, c.RegistryNumber, &e.IssuedOn, d.ID); err != nil {
		return fmt.Errorf("dossier %s: extract: %w", d.ID, err)
	}
	return nil
}

func (s *Service) setTermsTx(ctx context.Context, tx store.Tx, d db.Dossier, t evidence.Terms) error {
	if err := t.Check(s.today()); err != nil {
		return err
	}
	if err := tx.SetDossierTerms(ctx, t.Version, &t.AcceptedOn, d.ID); err != nil {
		return fmt.Errorf("dossier %s: terms: %w", d.ID, err)
	}
	return nil
}

// today is the day, as dates of evidence are.
func (s *Service) today() time.Time { return s.now().Truncate(24 * time.Hour) }

// withDossier works on a locked dossier in one transaction. Dossiers are locked last,
// behind certificates, orders and holders.
func (s *Service) withDossier(ctx context.Context, id lifecycle.DossierID, work func(tx store.Tx, d *db.Dossier) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixDossier, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		d, err := tx.LockDossier(ctx, id)
		if err != nil {
			return fmt.Errorf("dossier %s: %w", id, err)
		}
		return work(tx, &d)
	})
}

func (s *Service) moveDossier(ctx context.Context, tx store.Tx, d *db.Dossier, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Dossiers, d.State, change{id: string(d.ID), on: on, by: by, detail: detail},
		func(to lifecycle.DossierState) (int64, error) {
			return tx.SetDossierState(ctx, db.SetDossierStateParams{ToState: to, At: s.now(), FromState: d.State, ID: d.ID})
		}, noJob)
	d.State = to
	return err
}

// noteDossier writes in the audit trail what moves nothing.
func (s *Service) noteDossier(ctx context.Context, tx store.Tx, d db.Dossier, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	return s.audit(ctx, tx, lifecycle.Dossiers.Thing, change{id: string(d.ID), on: on, by: by, detail: detail}, string(d.State), string(d.State))
}

// sealedScan is a scan that was looked at and sealed, before its transaction began.
type sealedScan struct {
	evidence.Scan

	id      lifecycle.ScanID
	kind    evidence.ScanKind
	size    int
	sum     [32]byte
	content []byte
}

func (s *Service) sealScans(files []ScanFile) ([]sealedScan, error) {
	if len(files) > evidence.MaxScans {
		return nil, tooManyScans()
	}
	scans := make([]sealedScan, len(files))
	for i, f := range files {
		if !slices.Contains(evidence.ScanKinds(), f.Kind) {
			return nil, &lifecycle.FieldError{Field: "kind", Why: "use identity, mandate, extract or terms"}
		}
		found, err := evidence.Inspect(f.Content)
		if err != nil {
			return nil, err
		}
		id := lifecycle.ScanID(s.newID(lifecycle.PrefixScan))
		sealed, err := s.safe.SealScan(id, f.Content)
		if err != nil {
			return nil, err
		}
		scans[i] = sealedScan{Scan: found, id: id, kind: f.Kind, size: len(f.Content), sum: sha256.Sum256(f.Content), content: sealed}
	}
	return scans, nil
}

func tooManyScans() error {
	return &lifecycle.FieldError{Field: "scan", Why: fmt.Sprintf("a dossier has at most %d: join pages in one PDF", evidence.MaxScans)}
}

func (s *Service) addScansTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, d db.Dossier, scans []sealedScan) error {
	there, err := tx.Scans(ctx, d.ID)
	if err != nil {
		return fmt.Errorf("scans of dossier %s: %w", d.ID, err)
	}
	if len(there)+len(scans) > evidence.MaxScans {
		return tooManyScans()
	}
	for _, scan := range scans {
		err := tx.InsertScan(ctx, db.InsertScanParams{
			ID: scan.id, DossierID: d.ID, Kind: string(scan.kind), MediaType: string(scan.Type), Size: int32(scan.size), SHA256: scan.sum[:], //nolint:gosec // evidence.MaxScan
			Pages: int32(scan.Pages), Width: int32(scan.Width), Height: int32(scan.Height), Content: scan.content, AddedBy: by.ID, AddedAt: s.now(), //nolint:gosec // bounded by evidence
		})
		if errors.Is(err, lifecycle.Conflict) {
			return &lifecycle.FieldError{Field: "scan", Why: "this very file is in the dossier already"}
		}
		if err != nil {
			return fmt.Errorf("dossier %s: scan: %w", d.ID, err)
		}
	}
	return nil
}
