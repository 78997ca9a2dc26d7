package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sceau/issuance"
)

// work is what a kind of job does; done completes the job in the transaction
// that records the result.
type work[A river.JobArgs] func(ctx context.Context, args A, done issuance.Done) error

// worker runs a kind of job: time limit, verdict, completion.
type worker[A river.JobArgs] struct {
	river.WorkerDefaults[A]

	limit  time.Duration
	wait   time.Duration
	logger *slog.Logger
	work   work[A]
}

// Timeout is the kind's time limit.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.limit }

// Work runs a job.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error {
	done := func(tx pgx.Tx) error {
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	}
	err := w.work(ctx, job.Args, done)
	if err != nil && !errors.Is(err, &river.JobSnoozeError{}) {
		w.logger.WarnContext(ctx, "job", slog.String("kind", job.Kind), slog.Int64("job", job.ID),
			slog.Int("attempt", job.Attempt), slog.String("error", err.Error()))
	}
	return verdict(err, w.wait)
}

func addWorker[A river.JobArgs](workers *river.Workers, t Tools, wait time.Duration, do work[A]) {
	var args A
	o, _ := options(args.Kind()) // a kind without options stops the client: see its test
	river.AddWorker(workers, &worker[A]{limit: o.limit, wait: wait, logger: t.Logger, work: do})
}
