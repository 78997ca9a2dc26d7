package jobs

import (
	"context"

	"sceau/issuance"
)

// revokeDue carries out revocations that were asked for a moment that has come.
func (t Tools) revokeDue(ctx context.Context, _ issuance.RevocationsDueArgs, done issuance.Done) error {
	return t.Service.RevokeDue(ctx, done)
}

// watchRevocation looks at revocation from outside, and puts what is wrong before
// staff.
func (t Tools) watchRevocation(ctx context.Context, _ issuance.RevocationWatchArgs, done issuance.Done) error {
	alarms, err := t.Watcher.WatchRevocation(ctx)
	if err != nil {
		return err
	}
	return t.Service.RaiseAlarms(ctx, alarms, done)
}
