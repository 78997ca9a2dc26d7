package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"sceau/issuance"
)

// Settings are how a process works its queues.
type Settings struct {
	Queues      []Queue       // worked here; at least one
	Parallel    int           // jobs at the same time in each queue; 0: 8
	Wait        time.Duration // before a job that found Vault or the database away tries again; 0: 30 s
	RescueAfter time.Duration // 0: 15 minutes; River takes no less than its own minute for a job
	Periodic    bool          // whether this process may lead, and insert the periodic jobs
}

const (
	defaultParallel = 8
	defaultWait     = 30 * time.Second
	softStop        = 20 * time.Second
)

// Client works queues.
type Client struct{ river *river.Client[pgx.Tx] }

// NewClient makes a client; [Client.Start] starts it. The pool stays the
// caller's.
func NewClient(pool *pgxpool.Pool, t Tools, s Settings) (*Client, error) {
	if err := t.check(s.Queues); err != nil {
		return nil, err
	}
	setDefault(&s.Parallel, defaultParallel)
	setDefault(&s.Wait, defaultWait)
	setDefault(&s.RescueAfter, rescueAfter)
	queues := make(map[string]river.QueueConfig, len(s.Queues))
	for _, q := range s.Queues {
		queues[string(q)] = river.QueueConfig{MaxWorkers: s.Parallel}
	}
	config := &river.Config{
		Queues: queues, Workers: workers(t, s.Wait), Logger: t.Logger, RescueStuckJobsAfter: s.RescueAfter,
		SoftStopTimeout: softStop, LeaderElectionDisabled: !s.Periodic,
		// A job kind of a newer version waits for a process that knows it.
		FetchOnlyKnownKinds: true,
	}
	if s.Periodic {
		config.PeriodicJobs = periodicJobs(t.Service.Policy().RevocationWatch)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return nil, fmt.Errorf("make the workers: %w", err)
	}
	return &Client{river: client}, nil
}

// workers registers every kind, also those of queues that this process does not
// work: River's rescuer must know them.
func workers(t Tools, wait time.Duration) *river.Workers {
	all := river.NewWorkers()
	authorities := &authorities{service: t.Service, publicBase: t.PublicBase}
	addWorker(all, t, wait, t.personalise)
	addWorker(all, t, wait, t.bureauFile)
	addWorker(all, t, wait, t.bureauReturn)
	addWorker(all, t, wait, t.gatherLetters)
	addWorker(all, t, wait, t.cardRun)
	addWorker(all, t, wait, t.pinRun)
	addWorker(all, t, wait, t.pinDestroy)
	addWorker(all, t, wait, t.postLetters)
	addWorker(all, t, wait, t.forgetFiles)
	addWorker(all, t, wait, certificates{t, authorities}.issue)
	addWorker(all, t, wait, lists{t, authorities}.publish)
	addWorker(all, t, wait, answers{t, authorities}.refresh)
	addWorker(all, t, wait, t.revokeIssued)
	addWorker(all, t, wait, t.expire)
	addWorker(all, t, wait, t.revokeDue)
	addWorker(all, t, wait, t.campaign)
	addWorker(all, t, wait, t.watchRevocation)
	addWorker(all, t, wait, t.sendNotice)
	addWorker(all, t, wait, t.remind)
	addWorker(all, t, wait, t.foreignLists)
	return all
}

// Start works until [Client.Stop] or until ctx ends.
func (c *Client) Start(ctx context.Context) error {
	if err := c.river.Start(ctx); err != nil {
		return fmt.Errorf("start the workers: %w", err)
	}
	return nil
}

// Stop lets running jobs end, for a while.
func (c *Client) Stop(ctx context.Context) error {
	if err := c.river.Stop(ctx); err != nil {
		return fmt.Errorf("stop the workers: %w", err)
	}
	return nil
}

// Insert adds a job outside a use case: staff ask for a run now.
func (c *Client) Insert(ctx context.Context, job issuance.Job) error {
	o, ok := options(job.Kind())
	if !ok {
		return fmt.Errorf("insert %s: no such kind of job", job.Kind())
	}
	if _, err := c.river.Insert(ctx, job, o.insert()); err != nil {
		return fmt.Errorf("insert %s: %w", job.Kind(), err)
	}
	return nil
}

// Unfinished tells how many jobs are still to come; those that wait for a later time
// count.
func (c *Client) Unfinished(ctx context.Context) (int, error) {
	list, err := c.river.JobList(ctx, river.NewJobListParams().States(unfinished()...).First(jobPage))
	if err != nil {
		return 0, fmt.Errorf("list jobs: %w", err)
	}
	return len(list.Jobs), nil
}

// Stuck lists the jobs that no retry will help, for staff to look at: kind,
// number and the last error.
func (c *Client) Stuck(ctx context.Context) ([]string, error) {
	params := river.NewJobListParams().States(rivertype.JobStateCancelled, rivertype.JobStateDiscarded).First(jobPage)
	list, err := c.river.JobList(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	stuck := make([]string, len(list.Jobs))
	for i, j := range list.Jobs {
		stuck[i] = fmt.Sprintf("%s %d", j.Kind, j.ID)
		if n := len(j.Errors); n > 0 {
			stuck[i] += ": " + j.Errors[n-1].Error
		}
	}
	return stuck, nil
}

const jobPage = 10_000

// Migrate brings River's own tables to its version, after Sceau's.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("migrate the job tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the job tables: %w", err)
	}
	return nil
}

func setDefault[T ~int | ~int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
