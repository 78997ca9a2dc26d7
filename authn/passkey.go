package authn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"sceau/lifecycle"
	"sceau/passkey"
	"sceau/store"
	"sceau/store/db"
)

// Passkeys is for whom passkeys are made.
func (s *Service) Passkeys() (passkey.RelyingParty, error) {
	if s.passkeys == nil {
		return passkey.RelyingParty{}, fmt.Errorf("%w: this process knows no passkeys: set the passkey domain and origins", lifecycle.Unavailable)
	}
	return *s.passkeys, nil
}

// PasskeyRequest is what a browser is given for an authentication by passkey. Its
// challenge is the digest of what is signed. Who has no passkey, and whom nobody
// knows, is asked for one as well, the same each time.
func (s *Service) PasskeyRequest(ctx context.Context, by lifecycle.Actor, a Authentication) (passkey.Request, error) {
	party, err := s.Passkeys()
	if err != nil {
		return passkey.Request{}, err
	}
	row, err := s.readAuthentication(ctx, by, a.ID)
	if err != nil {
		return passkey.Request{}, err
	}
	var allow []passkey.Descriptor
	if row.HolderID != nil {
		there, err := s.store.PasskeysOf(ctx, *row.HolderID, false)
		if err != nil {
			return passkey.Request{}, fmt.Errorf("passkeys of %s: %w", *row.HolderID, err)
		}
		for _, p := range there {
			allow = append(allow, passkey.Describe(p.CredentialID, p.Transports))
		}
	}
	invented, err := s.safe.Mark("passkey of nobody", subject(row))
	if err != nil {
		return passkey.Request{}, err
	}
	if len(allow) == 0 {
		lengths := [4]int{16, 20, 20, 32} // that the makers of passkeys use
		allow = []passkey.Descriptor{passkey.Describe(invented[:lengths[invented[0]%4]], []string{"hybrid", "internal"})}
	}
	return party.Request(a.Digest(), allow, row.ExpiresAt.Sub(row.CreatedAt)), nil
}

// judgePasskey judges what a passkey signed: it is the user's, active, and its count
// rises. One whose count does not is one of two copies: refused, and staff look at it.
func (s *Service) judgePasskey(ctx context.Context, row db.Authentication, asked Authentication, given Given) (proven, error) {
	party, err := s.Passkeys()
	if err != nil {
		return proven{}, err
	}
	a, err := passkey.ParseAssertion(given.Passkey)
	if err != nil {
		return proven{}, err
	}
	kept, err := s.store.Passkey(ctx, a.CredentialID)
	if errors.Is(err, lifecycle.NotFound) {
		return proven{}, ErrRefused
	}
	if err != nil {
		return proven{}, fmt.Errorf("look a passkey up: %w", err)
	}
	if row.HolderID == nil || kept.HolderID != *row.HolderID || kept.State != lifecycle.MeansActive || !a.Is([]byte(kept.HolderID)) {
		return proven{}, ErrRefused
	}
	count, err := party.Signed(a, asked.Digest(), kept.PublicKey, kept.BackedUp)
	if err != nil {
		return proven{}, ErrRefused
	}
	n, err := s.store.RaiseSignCount(ctx, int64(count), kept.MeansID)
	if err != nil {
		return proven{}, fmt.Errorf("count a passkey: %w", err)
	}
	if n != 1 {
		return proven{}, errors.Join(ErrRefused, s.suspectPasskey(ctx, kept, count))
	}
	return proven{
		holder: kept.HolderID, means: kept.MeansID, evidence: map[string]string{"means": string(kept.MeansID), "count": strconv.FormatUint(uint64(count), 10)},
	}, nil
}

// suspectPasskey has staff look at a passkey of which there may be two.
func (s *Service) suspectPasskey(ctx context.Context, kept db.PasskeyRow, count uint32) error {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	id := lifecycle.WorkItemID(lifecycle.NewID(lifecycle.PrefixWorkItem, s.now(), binary.BigEndian.Uint32(random[:])))
	return s.store.InTx(ctx, func(tx store.Tx) error {
		why := fmt.Sprintf("a right signature with count %d after %d: there may be a copy; call holder %s, then end it", count, kept.SignCount, kept.HolderID)
		if err := tx.InsertWorkItem(ctx, db.InsertWorkItemParams{
			ID: id, State: lifecycle.WorkOpen, Thing: lifecycle.Means.Thing, ThingID: string(kept.MeansID), Why: why, OpenedAt: s.now(),
		}); err != nil {
			return fmt.Errorf("work on passkey %s: %w", kept.MeansID, err)
		}
		return tx.InsertAudit(ctx, db.InsertAuditParams{
			At: s.now(), Actor: "authn", Role: string(lifecycle.RoleSystem), Thing: lifecycle.WorkItems.Thing, ThingID: string(id), Event: string(lifecycle.Submit),
			ToState: string(lifecycle.WorkOpen), Detail: []byte("{}"),
		})
	})
}
