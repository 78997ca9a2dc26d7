package issuance

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Criteria pick the cards of a campaign: those in use that fit all that is said, and
// in whose place no other is on its way.
type Criteria struct {
	Product     string    `json:"product,omitempty"`
	ExpiresFrom time.Time `json:"expires_from,omitzero"` // first and last day
	ExpiresTo   time.Time `json:"expires_to,omitzero"`
	AboveATC    int       `json:"above_atc,omitempty"`   // transaction counters near their end
	Profile     string    `json:"cap_profile,omitempty"` // one that is weak
	MasterKey   MasterKey `json:"master_key,omitempty"`  // one whose version retires
	Version     int       `json:"key_version,omitempty"`
	File        string    `json:"file,omitempty"` // SHA-256 of the list that names them
}

const maxATC = 65535

func (c Criteria) check() error {
	var errs lifecycle.FieldErrors
	if c == (Criteria{Product: c.Product}) {
		errs.Add("filter", "say which cards: by their expiry, counter, profile or master key, or in a file")
	}
	if c.AboveATC < 0 || c.AboveATC >= maxATC {
		errs.Add("above_atc", "a transaction counter goes from 0 to 65535")
	}
	if c.ExpiresTo.IsZero() != c.ExpiresFrom.IsZero() || c.ExpiresTo.Before(c.ExpiresFrom) {
		errs.Add("expires_to", "give the first and the last day, in this order")
	}
	if (c.MasterKey == "") != (c.Version == 0) || c.MasterKey != "" && !slices.Contains([]MasterKey{MasterKeyAC, MasterKeySMI, MasterKeySMC}, c.MasterKey) {
		errs.Add("master_key", "use ac, smi or smc, with a version")
	}
	if c.Version < 0 || c.Version > 99 {
		errs.Add("key_version", "use 1 to 99")
	}
	return errs.Err()
}

// after are the picked cards behind the given one.
func (c Criteria) after(last lifecycle.CardID) db.PickCardsParams {
	optional := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	p := db.PickCardsParams{
		After: last, Product: optional(c.Product), Profile: optional(c.Profile), Master: optional(string(c.MasterKey)),
		ExpiresFrom: c.ExpiresFrom, ExpiresTo: c.ExpiresTo, MaxRows: campaignPage,
	}
	if c.ExpiresTo.IsZero() {
		p.ExpiresTo = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	if c.AboveATC > 0 {
		p.LeastATC = int32(c.AboveATC) + 1 //nolint:gosec // check has looked
	}
	if c.MasterKey != "" {
		version := int32(c.Version) //nolint:gosec // check has looked
		p.Version = &version
	}
	return p
}

// campaignPage is how many cards are looked at together.
const campaignPage = 5000

// CampaignRequest proposes to renew many cards, or many certificates.
type CampaignRequest struct {
	Why          string // the approver reads it
	Filter       Criteria
	Cards        io.Reader            // a list of card identifiers, a line each; nil: by the filter
	Certificates *CertificateCriteria // of a campaign of certificates, instead
	Pilot        int                  // how many are renewed first, and looked at
	Hourly       int                  // so many an hour at most; 0: as fast as can be
	Waiver       string               // why nothing is charged
	// SecondCards takes also the cards of holders who had a card ordered shortly
	// before; else those are left to an approver who looks at each.
	SecondCards bool
}

func (r CampaignRequest) check() error {
	var errs lifecycle.FieldErrors
	if r.Why == "" || len(r.Why) > maxNote {
		errs.Add("why", "say why, in at most 500 characters: the approver reads it")
	}
	if len(r.Waiver) > maxNote {
		errs.Add("waiver", "say why in at most 500 characters")
	}
	if r.Pilot < 1 || r.Pilot > 1000 {
		errs.Add("pilot", "a pilot has 1 to 1000")
	}
	if r.Hourly < 0 || r.Hourly > 10_000_000 {
		errs.Add("hourly", "use 1 to 10 000 000 an hour, or 0 for as fast as can be")
	}
	if r.Cards != nil && r.Filter != (Criteria{}) {
		errs.Add("filter", "pick by filter or by file, not by both")
	}
	switch {
	case r.Certificates != nil:
		if r.Cards != nil || r.Filter != (Criteria{}) || r.SecondCards {
			errs.Add("filter", "pick certificates or cards, not both")
		}
		errs.Merge(r.Certificates.check())
	case r.Cards == nil:
		errs.Merge(r.Filter.check())
	}
	return errs.Err()
}

// PreviewCampaign counts the cards that a filter picks today.
func (s *Service) PreviewCampaign(ctx context.Context, filter Criteria) (cards int, err error) {
	if err := filter.check(); err != nil {
		return 0, err
	}
	err = s.pick(ctx, s.store.Queries, filter, func(page []lifecycle.CardID) error {
		cards += len(page)
		return nil
	})
	return cards, err
}

// pick gives the picked cards page by page, in order.
func (s *Service) pick(ctx context.Context, q *db.Queries, filter Criteria, take func(page []lifecycle.CardID) error) error {
	var last lifecycle.CardID
	for {
		page, err := q.PickCards(ctx, filter.after(last))
		if err != nil {
			return fmt.Errorf("pick cards: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		if err := take(page); err != nil {
			return err
		}
		last = page[len(page)-1]
	}
}

// Proposed is what became of a proposal.
type Proposed struct {
	ID      lifecycle.CampaignID
	Size    int         // its cards or certificates
	Refused int         // lines of the list whose card is left out
	Wrong   []LineError // why, of the first thousand
}

// ProposeCampaign records a campaign with what filter or list pick now: that, and
// nothing else, is what will be approved.
func (s *Service) ProposeCampaign(ctx context.Context, by lifecycle.Actor, r CampaignRequest) (Proposed, error) {
	p := Proposed{ID: lifecycle.CampaignID(s.newID(lifecycle.PrefixCampaign))}
	if !slices.Contains(lifecycle.Proposes(), by.Role) {
		return p, fmt.Errorf("%w: %s may not propose a campaign", lifecycle.Forbidden, by.Role)
	}
	if err := r.check(); err != nil {
		return p, err
	}
	var list, criteria []byte
	var err error
	if r.Cards != nil {
		if list, err = readCardList(r.Cards); err != nil {
			return p, err
		}
		digest := sha256.Sum256(list)
		r.Filter.File = hex.EncodeToString(digest[:])
	}
	row := db.InsertCampaignParams{
		ID: p.ID, Subject: lifecycle.OfCards, State: lifecycle.CampaignProposed, Why: r.Why, Pilot: int32(r.Pilot), //nolint:gosec // check has looked
		Hourly: int32(r.Hourly), Waiver: r.Waiver, SecondCards: r.SecondCards, RequestedBy: by.ID, RequesterAs: string(by.Role), CreatedAt: s.now(), //nolint:gosec // likewise
		Size: 1, Digest: make([]byte, sha256.Size),
	}
	if r.Certificates == nil {
		criteria, err = json.Marshal(r.Filter)
	} else {
		row.Subject, row.Profiles = lifecycle.OfCertificates, noProfiles
		criteria, err = json.Marshal(r.Certificates)
	}
	if err != nil {
		return p, fmt.Errorf("criteria: %w", err)
	}
	row.Criteria = string(criteria)
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		if err := tx.InsertCampaign(ctx, row); err != nil {
			return fmt.Errorf("campaign %s: %w", p.ID, err)
		}
		picked := db.SetCampaignPickedParams{ID: p.ID}
		switch {
		case list != nil:
			err = s.takeListTx(ctx, tx, &p, list)
		case r.Certificates != nil:
			picked.Profiles, err = s.takeCertificatesTx(ctx, tx, by, &p, *r.Certificates)
		default:
			err = s.pick(ctx, tx.Queries, r.Filter, func(page []lifecycle.CardID) error {
				taken, err := tx.InsertCampaignCards(ctx, p.ID, texts(page, func(id lifecycle.CardID) lifecycle.CardID { return id }))
				p.Size += len(taken)
				return err
			})
		}
		if err != nil {
			return err
		}
		if p.Size == 0 {
			return &lifecycle.FieldError{Field: "filter", Why: "nothing in use is picked: nothing to renew"}
		}
		picked.Size = int32(p.Size) //nolint:gosec // a million at most
		if _, picked.Digest, err = digestCampaign(ctx, tx.Queries, p.ID, row.Subject); err != nil {
			return err
		}
		if err := tx.SetCampaignPicked(ctx, picked); err != nil {
			return fmt.Errorf("campaign %s: %w", p.ID, err)
		}
		return s.born(ctx, tx, "campaign", string(p.ID), string(row.State), by, nil)
	})
	return p, err
}

// digestCampaign reads which cards or certificates a campaign has.
func digestCampaign(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, of lifecycle.CampaignSubject) (size int, digest []byte, err error) {
	sum := sha256.New()
	last := ""
	for {
		page, err := campaignOf(of).ids(ctx, q, id, last)
		if err != nil {
			return 0, nil, fmt.Errorf("what campaign %s has: %w", id, err)
		}
		if len(page) == 0 {
			return size, sum.Sum(nil), nil
		}
		for _, one := range page {
			_, _ = io.WriteString(sum, one+"\n")
		}
		size, last = size+len(page), page[len(page)-1]
	}
}

// DecideCampaign approves or refuses a campaign as it was shown, for a second
// person. From then on its orders count as approved by them.
func (s *Service) DecideCampaign(ctx context.Context, by lifecycle.Actor, id lifecycle.CampaignID, shown [32]byte, approve bool, note string) error {
	if !approve && note == "" || len(note) > maxNote {
		return &lifecycle.FieldError{Field: "note", Why: "say why, in at most 500 characters: the requester reads it"}
	}
	on, detail := lifecycle.Approve, map[string]string{"content": hex.EncodeToString(shown[:])}
	if !approve {
		on = lifecycle.Refuse
	}
	if note != "" {
		detail["note"] = note
	}
	return s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		n, digest, err := digestCampaign(ctx, tx.Queries, id, c.Subject)
		if err != nil {
			return err
		}
		now := contentOfCampaign(*c).Hash()
		if subtle.ConstantTimeCompare(now[:], shown[:]) != 1 || n != int(c.Size) || subtle.ConstantTimeCompare(digest, c.Digest) != 1 {
			return fmt.Errorf("campaign %s: %w: it is not what was shown; look at it again", id, lifecycle.Conflict)
		}
		if approve {
			if err := sameProfilesTx(ctx, tx, *c); err != nil {
				return err
			}
		}
		if err := s.moveCampaign(ctx, tx, c, on, by, detail); err != nil || !approve {
			return err
		}
		return tx.SetCampaignApproval(ctx, by.ID, shown[:], id)
	})
}

// MoveCampaign begins the pilot, says go, pauses, resumes or cancels. What a
// cancelled campaign has ordered goes on.
func (s *Service) MoveCampaign(ctx context.Context, by lifecycle.Actor, id lifecycle.CampaignID, on lifecycle.Event) error {
	steps := []lifecycle.Event{lifecycle.Pilot, lifecycle.Go, lifecycle.Pause, lifecycle.Resume, lifecycle.Cancel}
	if !slices.Contains(steps, on) {
		return fmt.Errorf("campaign %s: %w: %s is no step that somebody takes", id, lifecycle.Illegal, on)
	}
	return s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		return s.moveCampaign(ctx, tx, c, on, by, nil)
	})
}

// RetryCampaign has what failed ordered again, once what was wrong is mended. A
// campaign that is under way also gets its job back, if it had lost it to an error.
func (s *Service) RetryCampaign(ctx context.Context, by lifecycle.Actor, id lifecycle.CampaignID) (again int, err error) {
	err = s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		n, err := campaignOf(c.Subject).retry(ctx, tx.Queries, id)
		if err != nil {
			return fmt.Errorf("campaign %s: %w", id, err)
		}
		underWay := c.State == lifecycle.CampaignPiloting || c.State == lifecycle.CampaignRunning
		if again = int(n); again == 0 && !underWay {
			return fmt.Errorf("campaign %s: %w: nothing of it failed", id, lifecycle.Illegal)
		}
		if err := tx.SetCampaignReached(ctx, c.NextAt, "", id); err != nil {
			return fmt.Errorf("campaign %s: %w", id, err)
		}
		return s.moveCampaign(ctx, tx, c, lifecycle.Retry, by, map[string]string{"again": fmt.Sprint(again)})
	})
	return again, err
}

func (s *Service) withCampaign(ctx context.Context, id lifecycle.CampaignID, work func(tx store.Tx, c *db.Campaign) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCampaign, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		c, err := tx.LockCampaign(ctx, id)
		if err != nil {
			return fmt.Errorf("campaign %s: %w", id, err)
		}
		return work(tx, &c)
	})
}

func (s *Service) moveCampaign(ctx context.Context, tx store.Tx, c *db.Campaign, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Campaigns, c.State, change{id: string(c.ID), on: on, by: by, requester: c.RequestedBy, detail: detail},
		func(to lifecycle.CampaignState) (int64, error) {
			return tx.SetCampaignState(ctx, db.SetCampaignStateParams{ToState: to, At: s.now(), ID: c.ID, FromState: c.State})
		},
		func(lifecycle.JobKind) Job { return CampaignArgs{Campaign: c.ID} })
	c.State = to
	return err
}
