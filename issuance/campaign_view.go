package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// CampaignContent is what an approver decides on. Its hash is what the approval
// covers.
type CampaignContent struct {
	ID          lifecycle.CampaignID      `json:"id"`
	Subject     lifecycle.CampaignSubject `json:"subject"`
	Why         string                    `json:"why"`
	Criteria    string                    `json:"criteria"`
	Profiles    string                    `json:"profiles,omitempty"` // by which versions certificates are made
	Size        int                       `json:"size"`
	Digest      string                    `json:"digest"` // of the identifiers of its cards or certificates
	Pilot       int                       `json:"pilot"`
	Hourly      int                       `json:"hourly"`
	Waiver      string                    `json:"waiver,omitempty"`
	SecondCards bool                      `json:"second_cards,omitempty"` // flagged ones too
	RequestedBy string                    `json:"requested_by"`
}

// Hash is the SHA-256 of the content.
func (c CampaignContent) Hash() [32]byte {
	data, err := json.Marshal(c)
	if err != nil {
		return [32]byte{} // strings and integers only: cannot happen
	}
	return sha256.Sum256(data)
}

func contentOfCampaign(c db.Campaign) CampaignContent {
	return CampaignContent{
		ID: c.ID, Subject: c.Subject, Why: c.Why, Criteria: c.Criteria, Profiles: c.Profiles, Size: int(c.Size), Digest: hex.EncodeToString(c.Digest), Pilot: int(c.Pilot),
		Hourly: int(c.Hourly), Waiver: c.Waiver, SecondCards: c.SecondCards, RequestedBy: c.RequestedBy,
	}
}

// CampaignView is a campaign and how far it is.
type CampaignView struct {
	CampaignContent

	State      lifecycle.CampaignState
	ApprovedBy string
	Created    time.Time
	// Progress counts its cards: those that are waiting and failed, and of those
	// that were ordered the new cards by their states. Of certificates it counts the
	// steps of their renewals.
	Progress map[string]int
}

// Campaign reads a campaign.
func (s *Service) Campaign(ctx context.Context, id lifecycle.CampaignID) (CampaignView, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixCampaign, string(id)); err != nil {
		return CampaignView{}, err
	}
	c, err := s.store.Campaign(ctx, id)
	if err != nil {
		return CampaignView{}, fmt.Errorf("campaign %s: %w", id, err)
	}
	return s.campaignView(ctx, c)
}

func (s *Service) campaignView(ctx context.Context, c db.Campaign) (CampaignView, error) {
	v := CampaignView{
		CampaignContent: contentOfCampaign(c), State: c.State, ApprovedBy: c.ApprovedBy, Created: c.CreatedAt,
	}
	var err error
	if v.Progress, err = campaignOf(c.Subject).progress(ctx, s.store.Queries, c.ID); err != nil {
		return v, fmt.Errorf("progress of campaign %s: %w", c.ID, err)
	}
	return v, nil
}

// Campaigns pages through the campaigns, oldest first, after the given one.
func (s *Service) Campaigns(ctx context.Context, after lifecycle.CampaignID) ([]CampaignView, error) {
	rows, err := s.store.Campaigns(ctx, after, 50)
	if err != nil {
		return nil, fmt.Errorf("campaigns: %w", err)
	}
	views := make([]CampaignView, len(rows))
	for i, c := range rows {
		if views[i], err = s.campaignView(ctx, c); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// CampaignFailure is a card or certificate that was not ordered, and why.
type CampaignFailure struct {
	On    string
	State string // a certificate whose life went on meanwhile is skipped, not failed
	Why   string
}

// CampaignFailures pages through them, after the given card or certificate.
func (s *Service) CampaignFailures(ctx context.Context, id lifecycle.CampaignID, after string) ([]CampaignFailure, error) {
	c, err := s.store.Campaign(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("campaign %s: %w", id, err)
	}
	failures, err := campaignOf(c.Subject).failures(ctx, s.store.Queries, id, after)
	if err != nil {
		return nil, fmt.Errorf("failures of campaign %s: %w", id, err)
	}
	return failures, nil
}
