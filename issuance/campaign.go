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

// CampaignRequest proposes to renew many cards.
type CampaignRequest struct {
	Why    string // the approver reads it
	Filter Criteria
	Cards  io.Reader // a list of card identifiers, a line each; nil: by the filter
	Pilot  int       // how many are renewed first, and looked at
	Hourly int       // cards an hour at most; 0: as fast as can be
	Waiver string    // why nothing is charged
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
		errs.Add("pilot", "a pilot has 1 to 1000 cards")
	}
	if r.Hourly < 0 || r.Hourly > 10_000_000 {
		errs.Add("hourly", "use 1 to 10 000 000 cards an hour, or 0 for as fast as can be")
	}
	if r.Cards != nil && r.Filter != (Criteria{}) {
		errs.Add("filter", "pick by filter or by file, not by both")
	}
	if r.Cards == nil {
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
	Cards   int
	Refused int         // lines of the list whose card is left out
	Wrong   []LineError // why, of the first thousand
}

// ProposeCampaign records a campaign with the cards that filter or list pick now:
// those, and no others, are what will be approved.
func (s *Service) ProposeCampaign(ctx context.Context, by lifecycle.Actor, r CampaignRequest) (Proposed, error) {
	p := Proposed{ID: lifecycle.CampaignID(s.newID(lifecycle.PrefixCampaign))}
	if !slices.Contains(lifecycle.Proposes(), by.Role) {
		return p, fmt.Errorf("%w: %s may not propose a campaign", lifecycle.Forbidden, by.Role)
	}
	if err := r.check(); err != nil {
		return p, err
	}
	var list []byte
	if r.Cards != nil {
		var err error
		if list, err = readCardList(r.Cards); err != nil {
			return p, err
		}
		digest := sha256.Sum256(list)
		r.Filter.File = hex.EncodeToString(digest[:])
	}
	criteria, err := json.Marshal(r.Filter)
	if err != nil {
		return p, fmt.Errorf("criteria: %w", err)
	}
	row := db.InsertCampaignParams{
		ID: p.ID, State: lifecycle.CampaignProposed, Why: r.Why, Criteria: string(criteria), Pilot: int32(r.Pilot), //nolint:gosec // check has looked
		Hourly: int32(r.Hourly), Waiver: r.Waiver, SecondCards: r.SecondCards, RequestedBy: by.ID, RequesterAs: string(by.Role), CreatedAt: s.now(), //nolint:gosec // likewise
		Cards: 1, Digest: make([]byte, sha256.Size),
	}
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		if err := tx.InsertCampaign(ctx, row); err != nil {
			return fmt.Errorf("campaign %s: %w", p.ID, err)
		}
		if list != nil {
			err = s.takeListTx(ctx, tx, &p, list)
		} else {
			err = s.pick(ctx, tx.Queries, r.Filter, func(page []lifecycle.CardID) error {
				taken, err := tx.InsertCampaignCards(ctx, p.ID, texts(page, func(id lifecycle.CardID) lifecycle.CardID { return id }))
				p.Cards += len(taken)
				return err
			})
		}
		if err != nil {
			return err
		}
		if p.Cards == 0 {
			return &lifecycle.FieldError{Field: "filter", Why: "no card in use is picked: nothing to renew"}
		}
		_, digest, err := digestCampaign(ctx, tx.Queries, p.ID)
		if err != nil {
			return err
		}
		if err := tx.SetCampaignPicked(ctx, int32(p.Cards), digest, p.ID); err != nil { //nolint:gosec // a million at most
			return fmt.Errorf("campaign %s: %w", p.ID, err)
		}
		return s.born(ctx, tx, "campaign", string(p.ID), string(row.State), by, nil)
	})
	return p, err
}

// digestCampaign reads which cards a campaign has.
func digestCampaign(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (cards int, digest []byte, err error) {
	sum := sha256.New()
	var last lifecycle.CardID
	for {
		page, err := q.CampaignCards(ctx, id, last, campaignPage)
		if err != nil {
			return 0, nil, fmt.Errorf("cards of campaign %s: %w", id, err)
		}
		if len(page) == 0 {
			return cards, sum.Sum(nil), nil
		}
		for _, card := range page {
			_, _ = io.WriteString(sum, string(card)+"\n")
		}
		cards, last = cards+len(page), page[len(page)-1]
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
		n, digest, err := digestCampaign(ctx, tx.Queries, id)
		if err != nil {
			return err
		}
		now := contentOfCampaign(*c).Hash()
		if subtle.ConstantTimeCompare(now[:], shown[:]) != 1 || n != int(c.Cards) || subtle.ConstantTimeCompare(digest, c.Digest) != 1 {
			return fmt.Errorf("campaign %s: %w: it is not what was shown; look at it again", id, lifecycle.Conflict)
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

// RetryCampaign has the cards that failed ordered again, once what was wrong is
// mended. One that is under way also gets its job back, if it had lost it to an
// error.
func (s *Service) RetryCampaign(ctx context.Context, by lifecycle.Actor, id lifecycle.CampaignID) (cards int, err error) {
	err = s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		n, err := tx.RetryCampaignCards(ctx, id)
		if err != nil {
			return fmt.Errorf("campaign %s: %w", id, err)
		}
		underWay := c.State == lifecycle.CampaignPiloting || c.State == lifecycle.CampaignRunning
		if cards = int(n); cards == 0 && !underWay {
			return fmt.Errorf("campaign %s: %w: none of its cards failed", id, lifecycle.Illegal)
		}
		if err := tx.SetCampaignReached(ctx, c.NextAt, "", id); err != nil {
			return fmt.Errorf("campaign %s: %w", id, err)
		}
		return s.moveCampaign(ctx, tx, c, lifecycle.Retry, by, map[string]string{"cards": fmt.Sprint(cards)})
	})
	return cards, err
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
