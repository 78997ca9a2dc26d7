package jobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"sceau/issuance"
)

// Enqueuer inserts follow-up jobs in the transaction that caused them. It has no
// pool: outside a transaction it cannot insert at all.
type Enqueuer struct{ inserts *river.Client[pgx.Tx] }

// NewEnqueuer makes an enqueuer.
func NewEnqueuer() (*Enqueuer, error) {
	inserts, err := river.NewClient(riverpgxv5.New(nil), &river.Config{})
	if err != nil {
		return nil, fmt.Errorf("make the enqueuer: %w", err)
	}
	return &Enqueuer{inserts: inserts}, nil
}

// EnqueueTx inserts a job with its kind's options.
func (e *Enqueuer) EnqueueTx(ctx context.Context, tx pgx.Tx, job issuance.Job) error {
	o, ok := options(job.Kind())
	if !ok {
		return fmt.Errorf("enqueue %s: no such kind of job", job.Kind())
	}
	if _, err := e.inserts.InsertTx(ctx, tx, job, o.insert()); err != nil {
		return fmt.Errorf("enqueue %s: %w", job.Kind(), err)
	}
	return nil
}

// unfinished are the states of a job that is still to come.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable,
		rivertype.JobStateScheduled,
	}
}
