package house

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// publishRootList signs a root's list of revoked CAs, when one was revoked
// since the last or the last is old. Its number is marked beside the database
// before it may be served.
func (h *House) publishRootList(ctx context.Context, c *Ceremony, id string) error {
	marks, err := c.marks(ctx, id)
	if err != nil {
		return err
	}
	plan, err := c.ledger.BeginCRL(ctx, id, 0, true, issuance.MarkOf(marks, 0))
	if err != nil || plan.Nothing {
		return err
	}
	if plan.UnderWay {
		return fmt.Errorf("%w: somebody signs it now: hold the ceremony again in a minute", lifecycle.Conflict)
	}
	root, signer, err := h.rootIssuer(ctx, c, id)
	if err != nil {
		return err
	}
	var draft *ca.ListDraft
	entries := 0
	err = c.ledger.ReadCRL(ctx, &plan, func(e *issuance.CRLEntries) (err error) {
		draft, err = ca.DraftCRL(ca.CRL{
			Issuer: root.Certificate, Number: plan.Number, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate, OnlyCA: true,
		}, e.Full)
		entries = e.Read
		return err
	})
	if err != nil {
		return err
	}
	der, err := draft.Sign(signer)
	if err != nil {
		return err
	}
	var old io.Reader
	if plan.Previous.Number > 0 {
		old = c.ledger.OpenCRL(ctx, id, 0, plan.Previous, false)
	}
	err = ca.CheckSuccessor(old, der, root.Certificate, h.config.Now(), func(serials []lifecycle.Serial) ([]lifecycle.Serial, error) {
		return c.ledger.MayLeave(ctx, plan, serials)
	})
	if err != nil {
		return err
	}
	err = c.act(ctx, actOf("root-list", id, RootID)+" "+strconv.FormatInt(plan.Number, 10), map[string]string{
		"key": c.root.Where() + "/" + c.prefix + id, "sha256": fmt.Sprintf("%X", sha256.Sum256(der)),
		"until": plan.NextUpdate.Format("2006-01-02"), "revoked": strconv.Itoa(entries),
	})
	if err != nil {
		return err
	}
	if !c.Rehearsal {
		if err := c.Cards.RaiseMarks(ctx, issuance.MarksName(id), plan.Mark().Named(0)); err != nil {
			return err
		}
	}
	return c.ledger.FinishCRL(ctx, plan, der, nil, entries, nil)
}

// marks are a root's; a rehearsal has none.
func (c *Ceremony) marks(ctx context.Context, root string) (map[string]int64, error) {
	if c.Rehearsal {
		return nil, nil //nolint:nilnil // no marks
	}
	return c.Cards.Marks(ctx, issuance.MarksName(root))
}
