package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sceau/certprofile"
	"sceau/evidence"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Flags of a dossier.
const (
	NameDiffers       Flag = "name_differs"       // the document shows another name than the order
	DocumentElsewhere Flag = "document_elsewhere" // it is in the dossier of a holder of another name, too
)

// DossierContent is what an approver is shown of the evidence that a certificate is
// approved on.
type DossierContent struct {
	ID       lifecycle.DossierID   `json:"id"`
	SHA256   string                `json:"sha256"` // of all evidence
	Document string                `json:"document"`
	Seen     string                `json:"seen"`
	Mandate  string                `json:"mandate"`
	Missing  lifecycle.FieldErrors `json:"missing,omitempty"` // what keeps the order from being approved
	ReKey    bool                  `json:"re_key,omitempty"`  // a certificate of the profile relies on it already

	sum       [32]byte
	retention int // years
}

// usesOfDossier is how many certificates of a profile may rely on one dossier: the
// first, and its first re-key (RGS A2 III.3.1).
const usesOfDossier = 2

// dossierContent is what an approver of a certificate is shown of the holder's
// dossier, and what speaks against it; nil where the profile takes none.
func (s *Service) dossierContent(ctx context.Context, q *db.Queries, cert db.Certificate, h db.Holder, p certprofile.Profile) (*DossierContent, []Flag, error) {
	if !evidence.Needed(p) {
		return nil, nil, nil
	}
	var d db.Dossier
	var err error
	if cert.DossierID != nil {
		d, err = q.Dossier(ctx, *cert.DossierID)
	} else {
		d, err = q.LiveDossier(ctx, h.ID)
	}
	if isNotFound(err) {
		none := lifecycle.FieldErrors{{Field: "dossier", Why: "the holder has none: sceau dossier open"}}
		return &DossierContent{Missing: none}, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("dossier of holder %s: %w", h.ID, err)
	}
	scans, err := q.Scans(ctx, d.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("scans of dossier %s: %w", d.ID, err)
	}
	content := shownDossier(d, scans)
	content.retention = p.RetentionYears
	if cert.DossierID != nil { // approved: what it relied on is all that counts
		return content, nil, nil
	}
	reliance, err := q.Reliance(ctx, string(d.ID), h.ID, cert.Profile)
	if err != nil {
		return nil, nil, fmt.Errorf("what relies on dossier %s: %w", d.ID, err)
	}
	asOf := s.today()
	if content.ReKey = reliance.Uses > 0; content.ReKey {
		asOf = deref(d.CompletedAt).Truncate(24 * time.Hour)
	}
	content.Missing = evidence.Missing(evidenceOf(d, scans, h), p, asOf, s.today())
	switch {
	case reliance.RevokedAt.After(d.OpenedAt):
		content.Missing.Add("dossier", "a certificate of the holder's was revoked since it was opened: identify the holder anew, in another dossier (RGS A2 III.3.2)")
	case reliance.Uses >= usesOfDossier:
		content.Missing.Add("dossier", "a certificate and its first re-key rely on it already: identify the holder anew, in another dossier (RGS A2 III.3.1)")
	}
	flags, err := dossierFlags(ctx, q, d, h)
	return content, flags, err
}

func dossierFlags(ctx context.Context, q *db.Queries, d db.Dossier, h db.Holder) ([]Flag, error) {
	if d.DocumentType == nil {
		return nil, nil
	}
	var flags []Flag
	if !evidence.SameName(h.GivenName, h.Surname, d.DocumentGivenName, d.DocumentSurname) {
		flags = append(flags, NameDiffers)
	}
	others, err := q.SameDocument(ctx, d.DocumentMark, h.ID)
	if err != nil {
		return nil, fmt.Errorf("document of dossier %s elsewhere: %w", d.ID, err)
	}
	for _, o := range others { // one person may be a user of two companies
		if !evidence.SameName(o.GivenName, o.Surname, d.DocumentGivenName, d.DocumentSurname) {
			return append(flags, DocumentElsewhere), nil
		}
	}
	return flags, nil
}

// shownDossier is what anybody is shown of the evidence: of the number, its last
// characters.
func shownDossier(d db.Dossier, scans []db.ScansRow) *DossierContent {
	c := &DossierContent{ID: d.ID, sum: sumOf(d, scans)}
	c.SHA256 = hex.EncodeToString(c.sum[:])
	if d.DocumentType != nil {
		c.Document = fmt.Sprintf("%s %s …%s of %s, good until %s", *d.DocumentType, d.DocumentCountry, d.DocumentLast,
			strings.TrimSpace(d.DocumentGivenName+" "+d.DocumentSurname), date(d.DocumentExpires))
		c.Seen = fmt.Sprintf("%s, %s, by %s on %s", d.SeenHow, d.SeenWhere, d.SeenBy, date(d.SeenOn))
	}
	if d.MandateSignedOn != nil {
		c.Mandate = fmt.Sprintf("signed by %s on %s, accepted on %s", d.MandateSignedBy, date(d.MandateSignedOn), date(d.MandateAcceptedOn))
		if d.MandateAgent != nil {
			c.Mandate += ", co-signed by agent " + string(*d.MandateAgent)
		}
	}
	return c
}

func date(day *time.Time) string {
	if day == nil {
		return ""
	}
	return day.Format(time.DateOnly)
}

// evidenceOf is a dossier as the rules of completeness read it.
func evidenceOf(d db.Dossier, scans []db.ScansRow, h db.Holder) evidence.Dossier {
	e := evidence.Dossier{Contact: h.Email != "" && h.Street != "" && h.City != "", SignedAt: certprofile.Level(d.SignedLevel)}
	if d.DocumentType != nil {
		e.Identity = &evidence.Identity{How: evidence.Way(d.SeenHow), Expires: deref(d.DocumentExpires), SeenOn: deref(d.SeenOn)}
	}
	if d.MandateSignedOn != nil {
		e.Mandate = &evidence.Mandate{SignedOn: *d.MandateSignedOn}
	}
	if d.ExtractOn != nil {
		e.Extract = &evidence.Extract{IssuedOn: *d.ExtractOn}
	}
	if d.TermsOn != nil {
		e.Terms = &evidence.Terms{Version: d.TermsVersion}
	}
	for _, scan := range scans {
		e.Scans = append(e.Scans, evidence.ScanKind(scan.Kind))
	}
	return e
}

// sumOf is the hash of all evidence. The number is in it by its mark, which nobody
// can make without the safe's key: so that the hash, which is kept, tells no number.
func sumOf(d db.Dossier, scans []db.ScansRow) [32]byte {
	type scan struct{ Kind, SHA256 string }
	files := make([]scan, len(scans))
	for i, f := range scans {
		files[i] = scan{f.Kind, hex.EncodeToString(f.SHA256)}
	}
	text, err := json.Marshal([]any{
		d.ID, d.HolderID, d.DocumentType, d.DocumentCountry, hex.EncodeToString(d.DocumentMark), date(d.DocumentExpires), d.DocumentGivenName,
		d.DocumentSurname, d.SeenHow, d.SeenWhere, date(d.SeenOn), d.SeenBy, d.SignedWith, d.SignedLevel, d.MandateSignedBy, date(d.MandateSignedOn),
		date(d.MandateAcceptedOn), d.MandateAgent, d.ExtractNumber, date(d.ExtractOn), d.TermsVersion, date(d.TermsOn), files,
	})
	if err != nil {
		return [32]byte{} // texts only: cannot happen
	}
	return sha256.Sum256(text)
}

// relyTx has the approval of a certificate rely on the dossier that was shown: refused
// with the list of what is missing, and to whoever brought evidence. The first
// approval closes the dossier.
func (s *Service) relyTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, shown *DossierContent) error {
	if err := shown.Missing.Err(); err != nil {
		return err
	}
	if err := noHandInItTx(ctx, tx, by, lifecycle.Dossiers.Thing, string(shown.ID)); err != nil {
		return err
	}
	d, err := tx.Dossier(ctx, shown.ID)
	if err != nil {
		return fmt.Errorf("dossier %s: %w", shown.ID, err)
	}
	if d.State == lifecycle.DossierOpen {
		detail := map[string]string{"certificate": string(cert.ID), "sha256": shown.SHA256}
		if err := s.moveDossier(ctx, tx, &d, lifecycle.Complete, by, detail); err != nil {
			return err
		}
	}
	err = tx.SetDossierRelied(ctx, db.SetDossierReliedParams{
		RetentionYears: int32(shown.retention), At: new(s.now()), ContentSHA256: shown.sum[:], ID: d.ID, //nolint:gosec // of a profile
	})
	if err != nil {
		return fmt.Errorf("dossier %s: %w", d.ID, err)
	}
	if err := tx.SetCertificateDossier(ctx, string(d.ID), cert.ID); err != nil {
		return fmt.Errorf("certificate %s: its dossier: %w", cert.ID, err)
	}
	cert.DossierID = &d.ID
	return nil
}
