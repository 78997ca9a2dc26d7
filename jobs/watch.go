package jobs

import (
	"context"

	"sceau/issuance"
)

// watchRevocation looks at revocation from outside, and puts what is wrong before
// staff.
func (t Tools) watchRevocation(ctx context.Context, _ issuance.RevocationWatchArgs, done issuance.Done) error {
	alarms, err := t.Watcher.WatchRevocation(ctx)
	if err != nil {
		return err
	}
	return t.Service.RaiseAlarms(ctx, alarms, done)
}
