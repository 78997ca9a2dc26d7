package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store"
)

// SetSecretCode gives a user a secret code, in the place of the one before, by a
// consent of theirs. Wrong codes are forgotten: this is how a block ends.
func (s *Service) SetSecretCode(ctx context.Context, by lifecycle.Actor, clientID, userNumber string, code lifecycle.SecretCode, c Consent) (lifecycle.MeansID, error) {
	fail := func(err error) (lifecycle.MeansID, error) {
		return "", fmt.Errorf("set the secret code of user %s of %s: %w", userNumber, clientID, err)
	}
	holder, err := s.store.HolderByUser(ctx, clientID, userNumber)
	if isNotFound(err) {
		return fail(errConsent)
	}
	if err != nil {
		return fail(err)
	}
	of := act{holder: holder.ID, kind: lifecycle.MeansCode, says: signing.AddMeans}
	// Before the dear work: who has no consent has none done.
	if err := s.checkConsent(ctx, s.store.Queries, by, c, of); err != nil {
		return fail(err)
	}
	hash, err := s.codes.Hash(ctx, holder.ID, code)
	if err != nil {
		return fail(err)
	}
	var id lifecycle.MeansID
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.LockHolder(ctx, holder.ID); err != nil {
			return err
		}
		before, err := tx.LockMeansOfKind(ctx, holder.ID, lifecycle.MeansCode)
		if err != nil {
			return err
		}
		for _, m := range before {
			if m.State == lifecycle.MeansSuspended && m.SuspendedBy != string(lifecycle.RoleHolder) && m.SuspendedBy != string(lifecycle.RoleRelyingService) {
				return fmt.Errorf("%w: the bank suspended it: its account manager can help", lifecycle.Forbidden)
			}
			if err := s.moveMeans(ctx, tx, &m, lifecycle.End, by, map[string]string{"for": "another code"}); err != nil {
				return err
			}
		}
		if id, err = s.bornMeans(ctx, tx, by, c, of, "secret code"); err != nil {
			return err
		}
		if err := tx.InsertSecretCode(ctx, id, hash); err != nil {
			return err
		}
		return tx.ForgetSecretCodeTries(ctx, clientID, userNumber)
	})
	if err != nil {
		return fail(err)
	}
	return id, nil
}
