package jobs

import (
	"time"

	"github.com/riverqueue/river"

	"sceau/issuance"
)

// every is a schedule at whole multiples of an interval, not counted from the
// start of a process: one that is restarted often misses none.
type every time.Duration

// Next is the first moment of the schedule after t.
func (e every) Next(t time.Time) time.Time {
	return t.Truncate(time.Duration(e)).Add(time.Duration(e))
}

// periodicJobs are what happens without anybody asking. Each job finds for
// itself what is due, so that one more or one less does no harm.
func periodicJobs(watch time.Duration) []*river.PeriodicJob {
	return []*river.PeriodicJob{
		periodic("crl_publish", 15*time.Minute, issuance.CRLPublishArgs{}), // of the CAs that there are then
		periodic("ocsp_refresh", 10*time.Minute, issuance.OCSPRefreshArgs{}),
		periodic("letters_gather", time.Hour, issuance.GatherLettersArgs{}),
		periodic("run_files_forget", 24*time.Hour, issuance.ForgetFilesArgs{}),
		periodic("letters_post", time.Hour, issuance.PostLettersArgs{}),
		periodic("expire", time.Hour, issuance.ExpireArgs{}),
		periodic("revocations_due", time.Minute, issuance.RevocationsDueArgs{}),
		watching(watch),
		periodic("remind", time.Hour, issuance.RemindArgs{}),
		periodic("foreign_lists", 5*time.Minute, issuance.ForeignListsArgs{}),
	}
}

// watching looks at lists and answers from outside. Not at the start: the doors
// may open after the workers.
func watching(interval time.Duration) *river.PeriodicJob {
	args := issuance.RevocationWatchArgs{}
	o, _ := options(args.Kind()) // a kind without options stops the client: see its test
	return river.NewPeriodicJob(every(max(interval, time.Minute)), func() (river.JobArgs, *river.InsertOpts) { return args, o.insert() },
		&river.PeriodicJobOpts{ID: args.Kind()})
}

func periodic(id string, interval time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(every(interval), func() (river.JobArgs, *river.InsertOpts) {
		o, ok := options(args.Kind())
		if !ok {
			return nil, nil
		}
		return args, o.insert()
	}, &river.PeriodicJobOpts{ID: id, RunOnStart: true})
}
