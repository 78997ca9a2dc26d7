package jobs

import (
	"context"

	"sceau/issuance"
)

// revokeIssued revokes what a revoked CA has signed, some hundreds in each
// transaction: a worker killed at any line leaves the rest to the next run.
func (t Tools) revokeIssued(ctx context.Context, args issuance.RevokeIssuedArgs, done issuance.Done) error {
	for {
		n, err := t.Service.RevokeIssued(ctx, args.Issuer, done)
		if err != nil || n == 0 {
			return err
		}
	}
}
