package jobs

import (
	"errors"
	"time"

	"github.com/riverqueue/river"

	"sceau/lifecycle"
)

// verdict turns a worker's error into what River does: cancel what no retry can
// help (staff look at cancelled jobs), wait without counting an attempt while
// Vault is sealed or the database away, back off and try again otherwise. A
// worker that lost on the fence tries again too, and finds the work done.
func verdict(err error, wait time.Duration) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lifecycle.Unavailable):
		return river.JobSnooze(wait)
	case errors.Is(err, lifecycle.Illegal), errors.Is(err, lifecycle.Invalid), errors.Is(err, lifecycle.NotFound):
		return river.JobCancel(err)
	}
	return err
}
