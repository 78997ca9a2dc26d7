package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sceau/issuance"
)

// campaign orders a campaign's next cards, some hundreds at once, and the job for
// those after them comes with them. All of it is one transaction of the database's:
// a worker killed at any line has ordered all of them or none.
func (t Tools) campaign(ctx context.Context, args issuance.CampaignArgs, done issuance.Done) error {
	wait, err := t.Service.RunCampaign(ctx, args.Campaign, done)
	if err == nil && wait > 0 {
		return river.JobSnooze(wait)
	}
	return err
}
