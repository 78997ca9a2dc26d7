package house

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// ledger is where a ceremony keeps what it made: the database, or for a
// rehearsal this process alone.
type ledger interface {
	Authorities(ctx context.Context) ([]issuance.Authority, error)
	RecordAuthority(ctx context.Context, by lifecycle.Actor, a issuance.Authority) error
	CrossCertificates(ctx context.Context) ([]issuance.CrossCertificate, error)
	RecordCross(ctx context.Context, by lifecycle.Actor, c issuance.CrossCertificate) error
	NewestDelegate(ctx context.Context, issuer string, purpose issuance.Delegation) (issuance.Delegate, error)
	RecordDelegate(ctx context.Context, by lifecycle.Actor, d issuance.Delegate) error
	BeginCRL(ctx context.Context, issuer string, shard int, scheduled bool, mark issuance.Mark) (issuance.CRLPlan, error)
	ReadCRL(ctx context.Context, plan *issuance.CRLPlan, use func(*issuance.CRLEntries) error) error
	OpenCRL(ctx context.Context, issuer string, shard int, head issuance.CRLHead, delta bool) io.Reader
	MayLeave(ctx context.Context, plan issuance.CRLPlan, serials []lifecycle.Serial) ([]lifecycle.Serial, error)
	FinishCRL(ctx context.Context, plan issuance.CRLPlan, full, delta []byte, entries int, done issuance.Done) error
	RecordAct(ctx context.Context, by lifecycle.Actor, ceremony, act string, detail map[string]string) error
	Acts(ctx context.Context, ceremony string) ([]issuance.CeremonyAct, error)
}

// rehearsal is the ledger of a rehearsal: it forgets all when it is over.
type rehearsal struct {
	now         func() time.Time
	authorities []issuance.Authority
	crosses     []issuance.CrossCertificate
	delegates   []issuance.Delegate
	listed      []string // roots
	acts        []issuance.CeremonyAct
}

func (r *rehearsal) Authorities(context.Context) ([]issuance.Authority, error) {
	return r.authorities, nil
}

func (r *rehearsal) RecordAuthority(_ context.Context, _ lifecycle.Actor, a issuance.Authority) error {
	r.authorities = append(r.authorities, a)
	return nil
}

func (r *rehearsal) CrossCertificates(context.Context) ([]issuance.CrossCertificate, error) {
	return r.crosses, nil
}

func (r *rehearsal) RecordCross(_ context.Context, _ lifecycle.Actor, c issuance.CrossCertificate) error {
	r.crosses = append(r.crosses, c)
	return nil
}

func (r *rehearsal) NewestDelegate(_ context.Context, issuer string, purpose issuance.Delegation) (issuance.Delegate, error) {
	for _, d := range r.delegates {
		if d.Issuer == issuer && d.Purpose == purpose {
			return d, nil
		}
	}
	return issuance.Delegate{}, fmt.Errorf("%s delegate of %s: %w", purpose, issuer, lifecycle.NotFound)
}

func (r *rehearsal) RecordDelegate(_ context.Context, _ lifecycle.Actor, d issuance.Delegate) error {
	r.delegates = append(r.delegates, d)
	return nil
}

func (r *rehearsal) BeginCRL(_ context.Context, issuer string, shard int, _ bool, _ issuance.Mark) (issuance.CRLPlan, error) {
	now := r.now().Truncate(time.Second)
	return issuance.CRLPlan{Issuer: issuer, Shard: shard, Number: 1, ThisUpdate: now, NextUpdate: now.AddDate(1, 0, 0), Nothing: slices.Contains(r.listed, issuer)}, nil
}

func (r *rehearsal) ReadCRL(_ context.Context, _ *issuance.CRLPlan, use func(*issuance.CRLEntries) error) error {
	return use(&issuance.CRLEntries{Full: func(func([]byte, error) bool) {}})
}

func (r *rehearsal) OpenCRL(context.Context, string, int, issuance.CRLHead, bool) io.Reader {
	return nil
}

func (r *rehearsal) MayLeave(_ context.Context, _ issuance.CRLPlan, serials []lifecycle.Serial) ([]lifecycle.Serial, error) {
	return serials, nil
}

func (r *rehearsal) FinishCRL(_ context.Context, plan issuance.CRLPlan, _, _ []byte, _ int, _ issuance.Done) error {
	r.listed = append(r.listed, plan.Issuer)
	return nil
}

func (r *rehearsal) RecordAct(_ context.Context, by lifecycle.Actor, _, act string, detail map[string]string) error {
	r.acts = append(r.acts, issuance.CeremonyAct{Name: act, At: r.now(), By: by.ID, Detail: detail})
	return nil
}

func (r *rehearsal) Acts(context.Context, string) ([]issuance.CeremonyAct, error) { return r.acts, nil }
