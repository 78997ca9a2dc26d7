package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/evidence"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// DossierView is a dossier as staff read it.
type DossierView struct {
	DossierContent

	Holder    lifecycle.HolderID
	State     lifecycle.DossierState
	Opened    time.Time
	OpenedBy  string
	Completed time.Time // zero: nothing relied on it
	Kept      string    // hash of what was relied on
	Held      string    // why it is not erased
	Extract   string
	Terms     string
	Retention int // years behind the last certificate's end
	Scans     []ScanView
}

// ScanView is a scan without its content.
type ScanView struct {
	ID            lifecycle.ScanID
	Kind          evidence.ScanKind
	Type          evidence.MediaType
	Size          int
	SHA256        string
	Pages         int
	Width, Height int
	Erased        bool
	AddedBy       string
	Added         time.Time
}

// Dossier reads a dossier, and what keeps certificates of a profile from being
// approved on it.
func (s *Service) Dossier(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, profile string) (DossierView, error) {
	if err := seesDossiers(by); err != nil {
		return DossierView{}, err
	}
	if err := lifecycle.CheckID(lifecycle.PrefixDossier, string(id)); err != nil {
		return DossierView{}, err
	}
	d, err := s.store.Dossier(ctx, id)
	if err != nil {
		return DossierView{}, fmt.Errorf("dossier %s: %w", id, err)
	}
	scans, err := s.store.Scans(ctx, id)
	if err != nil {
		return DossierView{}, fmt.Errorf("scans of dossier %s: %w", id, err)
	}
	view := dossierView(d, scans)
	if d.State != lifecycle.DossierOpen && d.State != lifecycle.DossierComplete {
		return view, nil
	}
	if profile == "" {
		profile = s.policy.CertProfile
	}
	live, err := s.LiveProfile(ctx, profile)
	if err != nil {
		return view, err
	}
	h, err := s.store.Holder(ctx, d.HolderID)
	if err != nil {
		return view, fmt.Errorf("holder of dossier %s: %w", id, err)
	}
	content, _, err := s.dossierContent(ctx, s.store.Queries, db.Certificate{HolderID: h.ID, Profile: profile}, h, live.Profile)
	if content != nil {
		view.Missing, view.ReKey = content.Missing, content.ReKey
	}
	return view, err
}

func dossierView(d db.Dossier, scans []db.ScansRow) DossierView {
	v := DossierView{
		DossierContent: *shownDossier(d, scans), Holder: d.HolderID, State: d.State, Opened: d.OpenedAt.UTC(), OpenedBy: d.OpenedBy,
		Completed: deref(d.CompletedAt).UTC(), Held: d.HeldWhy, Retention: int(d.RetentionYears),
	}
	if d.ContentSHA256 != nil {
		v.Kept = fmt.Sprintf("%x", d.ContentSHA256)
	}
	if d.ExtractOn != nil {
		v.Extract = d.ExtractNumber + " of " + date(d.ExtractOn)
	}
	if d.TermsOn != nil {
		v.Terms = d.TermsVersion + " on " + date(d.TermsOn)
	}
	for _, r := range scans {
		v.Scans = append(v.Scans, ScanView{
			ID: r.ID, Kind: evidence.ScanKind(r.Kind), Type: evidence.MediaType(r.MediaType), Size: int(r.Size), SHA256: fmt.Sprintf("%x", r.SHA256),
			Pages: int(r.Pages), Width: int(r.Width), Height: int(r.Height), Erased: r.Erased, AddedBy: r.AddedBy, Added: r.AddedAt.UTC(),
		})
	}
	return v
}

func seesDossiers(by lifecycle.Actor) error {
	if !slices.Contains(lifecycle.SeesDossiers(), by.Role) {
		return fmt.Errorf("%w: %s reads no dossiers", lifecycle.Forbidden, by.Role)
	}
	return nil
}

// DossierLine is a dossier in a list.
type DossierLine struct {
	ID                   lifecycle.DossierID
	State                lifecycle.DossierState
	ClientID, UserNumber string
	Opened               time.Time
	Held                 bool
}

// DossierLines pages through the dossiers in a state, all for "", oldest first, after
// the given one.
func (s *Service) DossierLines(ctx context.Context, by lifecycle.Actor, state lifecycle.DossierState, after lifecycle.DossierID) ([]DossierLine, error) {
	if err := seesDossiers(by); err != nil {
		return nil, err
	}
	rows, err := s.store.Dossiers(ctx, string(state), after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("dossiers: %w", err)
	}
	lines := make([]DossierLine, len(rows))
	for i, r := range rows {
		lines[i] = DossierLine{
			ID: r.ID, State: r.State, ClientID: r.ClientID, UserNumber: r.UserNumber, Opened: r.OpenedAt.UTC(), Held: r.HeldWhy != "",
		}
	}
	return lines, nil
}

// ShowScan opens a scan to a security officer, or to an account manager of the
// company's branch, who says why. Nobody sees it before the entry in the audit trail
// is committed.
func (s *Service) ShowScan(ctx context.Context, by lifecycle.Actor, id lifecycle.ScanID, why string) ([]byte, evidence.MediaType, error) {
	if !slices.Contains(lifecycle.SeesScans(), by.Role) {
		return nil, "", fmt.Errorf("scan %s: %w: %s opens no scans", id, lifecycle.Forbidden, by.Role)
	}
	if err := lifecycle.CheckID(lifecycle.PrefixScan, string(id)); err != nil {
		return nil, "", err
	}
	scan, err := s.store.Scan(ctx, id)
	if err != nil {
		return nil, "", fmt.Errorf("scan %s: %w", id, err)
	}
	var content []byte
	err = s.showEvidence(ctx, by, scan.DossierID, why, "scan "+string(id), func(tx store.Tx, d *db.Dossier) error {
		if by.Role == lifecycle.RoleAccountManager {
			if err := ofBranchTx(ctx, tx, by, d.HolderID); err != nil {
				return err
			}
		}
		sealed, err := tx.Scan(ctx, id) // as it is under the lock: not erased since
		if err != nil {
			return fmt.Errorf("scan %s: %w", id, err)
		}
		content, err = s.safe.OpenScan(id, sealed.Content)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return content, evidence.MediaType(scan.MediaType), nil
}

// ofBranchTx keeps an account manager to the companies of the own branch.
func ofBranchTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, holder lifecycle.HolderID) error {
	member, err := tx.StaffByLogin(ctx, by.ID)
	if err != nil {
		return fmt.Errorf("staff %s: %w", by.ID, err)
	}
	h, err := tx.Holder(ctx, holder)
	if err != nil {
		return fmt.Errorf("holder %s: %w", holder, err)
	}
	c, err := tx.Company(ctx, h.CompanyID)
	if err != nil {
		return fmt.Errorf("company of holder %s: %w", holder, err)
	}
	if c.BranchID != member.BranchID {
		return fmt.Errorf("holder %s: %w: the company is of another branch than %s", holder, lifecycle.Forbidden, by.ID)
	}
	return nil
}

// ShowDocumentNumber opens the number of an identity document to a security officer
// who says why, on record as a scan is.
func (s *Service) ShowDocumentNumber(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, why string) (lifecycle.DocumentNumber, error) {
	if !slices.Contains(lifecycle.HoldsDossiers(), by.Role) {
		return lifecycle.DocumentNumber{}, fmt.Errorf("dossier %s: %w: %s may not see document numbers", id, lifecycle.Forbidden, by.Role)
	}
	var number lifecycle.DocumentNumber
	err := s.showEvidence(ctx, by, id, why, "document number", func(_ store.Tx, d *db.Dossier) error {
		if d.DocumentNumber == nil {
			return fmt.Errorf("document of dossier %s: %w", id, lifecycle.NotFound)
		}
		var err error
		number, err = s.safe.OpenDocumentNumber(id, d.DocumentNumber)
		return err
	})
	if err != nil {
		return lifecycle.DocumentNumber{}, err
	}
	return number, nil
}

func (s *Service) showEvidence(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, why, what string, open func(store.Tx, *db.Dossier) error) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.withDossier(ctx, id, func(tx store.Tx, d *db.Dossier) error {
		if d.State == lifecycle.DossierErased {
			return fmt.Errorf("dossier %s: %w: it is erased", id, lifecycle.Illegal)
		}
		if err := open(tx, d); err != nil {
			return err
		}
		return s.noteDossier(ctx, tx, *d, lifecycle.ShowEvidence, by, map[string]string{"what": what, "why": why})
	})
}
