package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// campaignSubject is what differs between campaigns of cards and of certificates.
type campaignSubject interface {
	// ids pages through what a campaign has, in order.
	ids(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, after string) ([]string, error)
	progress(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (map[string]int, error)
	failures(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, after string) ([]CampaignFailure, error)
	// retry has what failed wait again.
	retry(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (int64, error)
	// order orders at most so many of those that wait.
	order(ctx context.Context, s *Service, tx store.Tx, c db.Campaign, most int32) (chunk, error)
}

func campaignOf(s lifecycle.CampaignSubject) campaignSubject {
	if s == lifecycle.OfCertificates {
		return ofCertificates{}
	}
	return ofCards{}
}

type ofCards struct{}

func (ofCards) ids(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, after string) ([]string, error) {
	page, err := q.CampaignCards(ctx, id, lifecycle.CardID(after), campaignPage)
	return texts(page, func(c lifecycle.CardID) lifecycle.CardID { return c }), err
}

func (ofCards) progress(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (map[string]int, error) {
	counts, err := q.CountCampaignCards(ctx, id)
	progress := make(map[string]int, len(counts))
	for _, c := range counts {
		progress[c.State] = int(c.N)
	}
	return progress, err
}

func (ofCards) failures(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, after string) ([]CampaignFailure, error) {
	rows, err := q.CampaignFailures(ctx, id, lifecycle.CardID(after), pageSize)
	all := make([]CampaignFailure, len(rows))
	for i, r := range rows {
		all[i] = CampaignFailure{On: string(r.CardID), State: hasFailed, Why: r.Failure}
	}
	return all, err
}

func (ofCards) retry(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (int64, error) {
	return q.RetryCampaignCards(ctx, id)
}

func (ofCards) order(ctx context.Context, s *Service, tx store.Tx, c db.Campaign, most int32) (chunk, error) {
	rows, err := tx.LockWaitingCards(ctx, db.LockWaitingCardsParams{
		CampaignID: c.ID, After: lifecycle.CardID(c.Reached), SecondSince: s.now().Add(-s.policy.SecondCardWithin), MaxRows: most,
	})
	if err != nil {
		return chunk{}, fmt.Errorf("next cards of campaign %s: %w", c.ID, err)
	}
	if len(rows) == 0 {
		return chunk{}, nil
	}
	return chunk{len(rows), string(rows[len(rows)-1].ID)}, s.orderChunkTx(ctx, tx, c, rows)
}

type ofCertificates struct{}

func (ofCertificates) ids(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, after string) ([]string, error) {
	page, err := q.CampaignCertificates(ctx, id, lifecycle.CertificateID(after), campaignPage)
	return texts(page, func(c lifecycle.CertificateID) lifecycle.CertificateID { return c }), err
}

func (ofCertificates) progress(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (map[string]int, error) {
	counts, err := q.CountCampaignCertificates(ctx, id)
	progress := make(map[string]int, len(counts))
	for _, c := range counts {
		progress[c.State] = int(c.N)
	}
	return progress, err
}

func (ofCertificates) failures(ctx context.Context, q *db.Queries, id lifecycle.CampaignID, after string) ([]CampaignFailure, error) {
	rows, err := q.CampaignCertificatesNotDone(ctx, id, lifecycle.CertificateID(after), pageSize)
	all := make([]CampaignFailure, len(rows))
	for i, r := range rows {
		all[i] = CampaignFailure{On: string(r.CertificateID), State: r.State, Why: r.Why}
	}
	return all, err
}

func (ofCertificates) retry(ctx context.Context, q *db.Queries, id lifecycle.CampaignID) (int64, error) {
	return q.RetryCampaignCertificates(ctx, id)
}

func (ofCertificates) order(ctx context.Context, s *Service, tx store.Tx, c db.Campaign, most int32) (chunk, error) {
	ids, err := tx.LockWaitingCertificates(ctx, c.ID, lifecycle.CertificateID(c.Reached), most)
	if err != nil {
		return chunk{}, fmt.Errorf("next certificates of campaign %s: %w", c.ID, err)
	}
	if len(ids) == 0 {
		return chunk{}, nil
	}
	return chunk{len(ids), string(ids[len(ids)-1])}, s.rekeyChunkTx(ctx, tx, c, ids)
}
