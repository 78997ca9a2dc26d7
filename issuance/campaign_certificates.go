package issuance

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// CertificateCriteria pick the certificates of a campaign: those in use that fit all
// that is said and that no other renews yet. The reason picks, too: when they end
// soon, those within the policy's days before their end; when their profile has
// changed, those made by another version; when another CA signs, those of the others.
type CertificateCriteria struct {
	Reason  lifecycle.RenewalReason `json:"reason"`
	Profile string                  `json:"profile,omitempty"`
	Issuer  string                  `json:"issuer,omitempty"`
	EndsBy  time.Time               `json:"ends_by,omitzero"`  // they end at this moment or before
	Company string                  `json:"company,omitempty"` // its client number
	Branch  string                  `json:"branch,omitempty"`  // its code
}

func (c CertificateCriteria) check() error {
	var errs lifecycle.FieldErrors
	if !slices.Contains(lifecycle.RenewalReasons(), c.Reason) {
		errs.Add("reason", fmt.Sprintf("use one of %v", lifecycle.RenewalReasons()))
	}
	if c.Reason == lifecycle.RenewExpiry && c.EndsBy.IsZero() {
		errs.Add("ends_by", "say until when they end, or another reason to renew them")
	}
	return errs.Err()
}

// firstPickTx is the first page of those picked now. What is named in the criteria has to
// be there; an account manager picks of their own branch.
func (s *Service) firstPickTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, c CertificateCriteria) (db.PickCertificatesParams, error) {
	now := s.now()
	p := db.PickCertificatesParams{
		At: &now, EndsBy: &c.EndsBy, Profile: c.Profile, Issuer: c.Issuer, Company: c.Company, Branch: c.Branch, MaxRows: campaignPage,
	}
	if err := c.check(); err != nil {
		return p, err
	}
	if c.EndsBy.IsZero() {
		p.EndsBy = new(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	}
	var err error
	switch c.Reason {
	case lifecycle.RenewExpiry:
		if last := now.Add(s.policy.RenewWithin); p.EndsBy.After(last) {
			p.EndsBy = &last
		}
	case lifecycle.RenewProfileChange:
		p.Profiles = lifecycle.Profiles.Thing
	case lifecycle.RenewCAChange:
		if p.SignsNow, err = tx.SigningIssuerID(ctx); isNotFound(err) {
			return p, &lifecycle.FieldError{Field: "reason", Why: "no CA signs now: there is none to change to"}
		}
	}
	return p, errors.Join(err, namedInCriteria(ctx, tx, by, c))
}

func namedInCriteria(ctx context.Context, tx store.Tx, by lifecycle.Actor, c CertificateCriteria) error {
	var errs lifecycle.FieldErrors
	named := func(field, value, unknown string, look func() error) error {
		if value == "" {
			return nil
		}
		err := look()
		if isNotFound(err) {
			errs.Add(field, unknown)
			return nil
		}
		return err
	}
	var branch db.Branch
	err := errors.Join(
		named("profile", c.Profile, "the bank has no certificate profile of this name", func() error {
			_, err := liveProfile(ctx, tx.Queries, c.Profile)
			return err
		}),
		named("issuer", c.Issuer, "there is no such CA", func() error { _, err := tx.Issuer(ctx, c.Issuer); return err }),
		named("company", c.Company, "no company has this client number", func() error { _, err := tx.CompanyByClientID(ctx, c.Company); return err }),
		named("branch", c.Branch, "no branch has this code", func() (err error) { branch, err = tx.BranchByCode(ctx, c.Branch); return err }),
	)
	if err != nil {
		return fmt.Errorf("criteria of a campaign: %w", err)
	}
	if err := errs.Err(); err != nil {
		return err
	}
	if err := ownBranchTx(ctx, tx, by, db.Company{BranchID: branch.ID}); err != nil {
		return fmt.Errorf("an account manager renews certificates of their own branch, by --branch: %w", err)
	}
	return nil
}

// PickedCertificate is one that a campaign would renew.
type PickedCertificate struct {
	ID         lifecycle.CertificateID
	Profile    string
	Issuer     string
	Ends       time.Time
	UserNumber string
	GivenName  string
	Surname    string
	ClientID   string
	Company    string
}

// PreviewCertificates shows each certificate that criteria pick now, and counts them.
func (s *Service) PreviewCertificates(ctx context.Context, by lifecycle.Actor, c CertificateCriteria, show func(PickedCertificate) error) (n int, err error) {
	if !slices.Contains(lifecycle.Proposes(), by.Role) {
		return 0, fmt.Errorf("%w: %s may not propose a campaign", lifecycle.Forbidden, by.Role)
	}
	var first db.PickCertificatesParams
	err = s.store.InTx(ctx, func(tx store.Tx) (err error) {
		first, err = s.firstPickTx(ctx, tx, by, c)
		return err
	})
	if err != nil {
		return 0, err
	}
	err = eachPicked(ctx, s.store.Queries, first, func(page []db.PickCertificatesRow) error {
		for _, r := range page {
			n++
			if err := show(PickedCertificate{
				ID: r.ID, Profile: r.Profile, Issuer: deref(r.IssuerID), Ends: deref(r.NotAfter), UserNumber: r.UserNumber, GivenName: r.GivenName,
				Surname: r.Surname, ClientID: r.ClientID, Company: r.Company,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// eachPicked reads page by page, from the first.
func eachPicked(ctx context.Context, q *db.Queries, p db.PickCertificatesParams, take func([]db.PickCertificatesRow) error) error {
	for {
		page, err := q.PickCertificates(ctx, p)
		if err != nil {
			return fmt.Errorf("pick certificates: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		if err := take(page); err != nil {
			return err
		}
		p.After = page[len(page)-1].ID
	}
}

// campaignProfile is the version of a profile by which a campaign's certificates are made.
type campaignProfile struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"`
}

// noProfiles is what a campaign of certificates has before it has any.
const noProfiles = "[]"

// takeCertificatesTx puts the certificates that are picked into a campaign, and answers by
// which versions of their profiles the new ones are made.
func (s *Service) takeCertificatesTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, p *Proposed, c CertificateCriteria) (profiles string, err error) {
	first, err := s.firstPickTx(ctx, tx, by, c)
	if err != nil {
		return "", err
	}
	err = eachPicked(ctx, tx.Queries, first, func(page []db.PickCertificatesRow) error {
		n, err := tx.InsertCampaignCertificates(ctx, p.ID, texts(page, func(r db.PickCertificatesRow) lifecycle.CertificateID { return r.ID }))
		p.Size += int(n)
		return err
	})
	if err != nil {
		return "", err
	}
	return liveProfilesTx(ctx, tx, p.ID)
}

// liveProfilesTx are the versions that are live of a campaign's profiles. A profile
// that has none has its certificates fail.
func liveProfilesTx(ctx context.Context, tx store.Tx, id lifecycle.CampaignID) (string, error) {
	names, err := tx.CampaignProfiles(ctx, id)
	if err != nil {
		return "", fmt.Errorf("profiles of campaign %s: %w", id, err)
	}
	all := []campaignProfile{}
	for _, name := range names {
		live, err := liveProfile(ctx, tx.Queries, name)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		all = append(all, campaignProfile{name, live.Version, hex.EncodeToString(live.SHA256[:])})
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// sameProfilesTx refuses the approval of a campaign whose profiles are others now.
func sameProfilesTx(ctx context.Context, tx store.Tx, c db.Campaign) error {
	if c.Subject != lifecycle.OfCertificates {
		return nil
	}
	now, err := liveProfilesTx(ctx, tx, c.ID)
	if err == nil && now != c.Profiles {
		err = fmt.Errorf("campaign %s: %w: a profile has changed since it was proposed; refuse it, and propose it again", c.ID, lifecycle.Conflict)
	}
	return err
}
