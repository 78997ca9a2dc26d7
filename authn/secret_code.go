package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// ErrStrongNeeded is a right secret code that opens nothing: the user's last strong
// sign-in through this door is too long ago (RTS article 10). Only who knows the code
// learns it.
var ErrStrongNeeded = fmt.Errorf("%w: the code is right, and strong authentication is due: sign in by another means", lifecycle.Forbidden)

const (
	maxSecretCodes = 5                    // wrong in a row (RTS article 4(3)(b))
	strongLife     = 180 * 24 * time.Hour // of a strong sign-in
)

// judgeSecretCode judges a secret code. It is counted by what was typed, whether there
// is such a user or not, so that a block tells nothing; and a code of nobody costs as
// much. A block ends when the user sets another code.
func (s *Service) judgeSecretCode(ctx context.Context, by lifecycle.Actor, row db.Authentication, given Given) (proven, error) {
	failures, err := s.store.CountSecretCodeTry(ctx, db.CountSecretCodeTryParams{
		ClientID: row.ClientID, UserNumber: row.UserNumber, Now: s.now(), Most: maxSecretCodes,
	})
	if errors.Is(err, lifecycle.NotFound) {
		return proven{}, errLocked
	}
	if err != nil {
		return proven{}, fmt.Errorf("count a secret code: %w", err)
	}
	var kept db.SecretCodeOfRow
	whose := lifecycle.HolderID("")
	if row.HolderID != nil {
		whose = *row.HolderID
		if kept, err = s.store.SecretCodeOf(ctx, whose); err != nil && !errors.Is(err, lifecycle.NotFound) {
			return proven{}, fmt.Errorf("secret code of %s: %w", whose, err)
		}
	}
	right, err := s.codes.Matches(ctx, whose, lifecycle.TypedSecretCode(given.Code), kept.Hash)
	if err != nil { // nobody judged: the guess goes back
		back := s.store.GiveSecretCodeTryBack(context.WithoutCancel(ctx), row.ClientID, row.UserNumber)
		return proven{}, errors.Join(err, back)
	}
	if !right {
		return proven{}, errors.Join(ErrRefused, s.auditBlock(ctx, by, kept.ID, int(failures)))
	}
	if err := s.store.ForgetSecretCodeTries(ctx, row.ClientID, row.UserNumber); err != nil {
		return proven{}, fmt.Errorf("forget wrong codes: %w", err)
	}
	last, err := s.store.LastStrongSignIn(ctx, row.HolderID)
	if err != nil {
		return proven{}, fmt.Errorf("last strong sign-in of %s: %w", whose, err)
	}
	if last.Add(strongLife).Before(s.now()) {
		return proven{}, ErrStrongNeeded
	}
	return proven{holder: whose, evidence: map[string]string{"means": string(kept.ID)}, means: kept.ID}, nil
}

// blockCode is the trail's word for the wrong code that was one too many.
const blockCode lifecycle.Event = "block_code"

func (s *Service) auditBlock(ctx context.Context, by lifecycle.Actor, id lifecycle.MeansID, failures int) error {
	if failures < maxSecretCodes || id == "" {
		return nil
	}
	return s.store.InsertAudit(ctx, db.InsertAuditParams{
		At: s.now(), Actor: by.ID, Role: string(by.Role), Thing: lifecycle.Means.Thing, ThingID: string(id), Event: string(blockCode),
		FromState: string(lifecycle.MeansActive), ToState: string(lifecycle.MeansActive), Detail: []byte("{}"),
	})
}

// accept accepts an authentication, and says in the same transaction that its means
// was used.
func (s *Service) accept(ctx context.Context, row db.Authentication, by lifecycle.Actor, found proven) (Authentication, error) {
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		if found.means != "" {
			if err := tx.MeansUsed(ctx, s.now(), found.means); err != nil {
				return err
			}
		}
		return s.moveAuthentication(ctx, tx, &row, lifecycle.AcceptProof, by, found.evidence)
	})
	if err != nil {
		return Authentication{}, err
	}
	return s.authentication(row)
}

// weak refuses all further proofs of an authentication for which a code is too weak.
func (s *Service) weak(ctx context.Context, row db.Authentication, by lifecycle.Actor) (Authentication, error) {
	now, err := s.conclude(ctx, row, lifecycle.RefuseProof, by, map[string]string{"why": "strong authentication is due"})
	if errors.Is(err, lifecycle.Conflict) {
		return s.stopped(ctx, row, by)
	}
	return now, errors.Join(ErrStrongNeeded, err)
}
