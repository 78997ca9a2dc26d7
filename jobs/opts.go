package jobs

import (
	"time"

	"github.com/riverqueue/river"

	"sceau/lifecycle"
)

// Queue is a queue of jobs. PIN letters have their own, so that a process of
// its own, with its own Vault policy, can work it; and so has mail, so that a
// server that is slow keeps no list waiting.
type Queue string

// The queues.
const (
	QueueDefault Queue = river.QueueDefault
	QueuePIN     Queue = "pin"
	QueueMail    Queue = "mail"
)

// Queues lists them.
func Queues() []Queue { return []Queue{QueueDefault, QueuePIN, QueueMail} }

// rescueAfter is when River gives a silent job to another worker, which may run
// while the first still does: the fence in the row decides between them. Every
// job's time limit is shorter.
const rescueAfter = 15 * time.Minute

// option is what a kind of job is worked with.
type option struct {
	queue    Queue
	limit    time.Duration // of one run
	attempts int           // runs that end in an error; waiting for Vault counts none
	priority int           // 1 first
	once     bool          // one job with the same arguments at a time is enough
}

// options are the queue options of every kind, in one place.
func options(kind string) (option, bool) {
	o, ok := map[lifecycle.JobKind]option{
		lifecycle.JobPersonalise:      {queue: QueueDefault, limit: 5 * time.Minute, attempts: 25, priority: 2, once: true},
		lifecycle.JobBureauFile:       {queue: QueueDefault, limit: 5 * time.Minute, attempts: 25, priority: 2, once: true},
		lifecycle.JobBureauReturn:     {queue: QueueDefault, limit: 5 * time.Minute, attempts: 25, priority: 2, once: true},
		lifecycle.JobGatherLetters:    {queue: QueueDefault, limit: 5 * time.Minute, attempts: 3, priority: 3},
		lifecycle.JobCardRun:          {queue: QueueDefault, limit: 5 * time.Minute, attempts: 25, priority: 3, once: true},
		lifecycle.JobPINRun:           {queue: QueuePIN, limit: 10 * time.Minute, attempts: 25, priority: 2, once: true},
		lifecycle.JobPINDestroy:       {queue: QueueDefault, limit: time.Minute, attempts: 100, priority: 2},
		lifecycle.JobPostLetters:      {queue: QueueDefault, limit: 10 * time.Minute, attempts: 3, priority: 3},
		lifecycle.JobForgetFiles:      {queue: QueueDefault, limit: 10 * time.Minute, attempts: 3, priority: 4},
		lifecycle.JobCampaign:         {queue: QueueDefault, limit: 5 * time.Minute, attempts: 25, priority: 3, once: true},
		lifecycle.JobCertificateIssue: {queue: QueueDefault, limit: time.Minute, attempts: 25, priority: 2, once: true},
		// Never once: a job under way may have read the shard before the
		// revocation that asks for this one.
		lifecycle.JobCRLPublish:      {queue: QueueDefault, limit: 5 * time.Minute, attempts: 100, priority: 1},
		lifecycle.JobOCSPRefresh:     {queue: QueueDefault, limit: 5 * time.Minute, attempts: 25, priority: 1},
		lifecycle.JobRevocationWatch: {queue: QueueDefault, limit: 10 * time.Minute, attempts: 3, priority: 3, once: true},
		lifecycle.JobRevocationsDue:  {queue: QueueDefault, limit: 5 * time.Minute, attempts: 3, priority: 1, once: true},
		lifecycle.JobRevokeIssued:    {queue: QueueDefault, limit: 10 * time.Minute, attempts: 100, priority: 1, once: true},
		lifecycle.JobExpire:          {queue: QueueDefault, limit: 10 * time.Minute, attempts: 3, priority: 4},
		lifecycle.JobNoticeSend:      {queue: QueueMail, limit: time.Minute, attempts: 25, priority: 2, once: true},
		lifecycle.JobForeignLists:    {queue: QueueDefault, limit: 10 * time.Minute, attempts: 3, priority: 2, once: true},
		lifecycle.JobRemind:          {queue: QueueDefault, limit: 10 * time.Minute, attempts: 3, priority: 4},
	}[lifecycle.JobKind(kind)]
	return o, ok
}

func (o option) insert() *river.InsertOpts {
	opts := &river.InsertOpts{Queue: string(o.queue), MaxAttempts: o.attempts, Priority: o.priority}
	if o.once {
		opts.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: unfinished()}
	}
	return opts
}
