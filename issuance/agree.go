package issuance

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// proposalLife is how long a second person has to agree.
const proposalLife = 24 * time.Hour

// agreeTx keeps an act that is proposed, and tells when another person agrees:
// they ask for the same, to the letter. by is then who had proposed it, else who
// proposes it now.
func (s *Service) agreeTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, subject string, content [32]byte) (agreed bool, proposer string, err error) {
	p, err := tx.LockProposal(ctx, subject)
	if err != nil && !isNotFound(err) {
		return false, "", fmt.Errorf("proposal %s: %w", subject, err)
	}
	if err != nil || !bytes.Equal(p.ContentSHA256, content[:]) || s.now().After(p.ProposedAt.Add(proposalLife)) {
		err := tx.PutProposal(ctx, db.PutProposalParams{Subject: subject, ContentSHA256: content[:], ProposedBy: by.ID, ProposedAt: s.now()})
		if err != nil {
			return false, "", fmt.Errorf("propose %s: %w", subject, err)
		}
		return false, by.ID, s.audit(ctx, tx, "proposal", change{
			id: subject, on: proposed, by: by, detail: map[string]string{"content": fmt.Sprintf("%x", content)},
		}, "", "proposed")
	}
	if p.ProposedBy == by.ID {
		return false, "", fmt.Errorf("%s: %w: you proposed it yourself, somebody else must agree before %s",
			subject, lifecycle.Forbidden, p.ProposedAt.Add(proposalLife).Format(time.RFC3339))
	}
	if err := tx.DeleteProposal(ctx, subject); err != nil {
		return false, "", fmt.Errorf("agree to %s: %w", subject, err)
	}
	return true, p.ProposedBy, s.audit(ctx, tx, "proposal", change{
		id: subject, on: agreedTo, by: by, detail: map[string]string{"proposed_by": p.ProposedBy},
	}, "proposed", "agreed")
}

// Events of acts that two people agree on, and of a shard's repair.
const (
	proposed lifecycle.Event = "propose"
	agreedTo lifecycle.Event = "agree"
	repaired lifecycle.Event = "repair"
)
