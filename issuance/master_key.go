package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// MasterKey is one of the issuer master keys that a card's keys come from.
type MasterKey string

// The issuer master keys.
const (
	MasterKeyAC  MasterKey = "ac"  // application cryptograms
	MasterKeySMI MasterKey = "smi" // secure messaging, integrity
	MasterKeySMC MasterKey = "smc" // secure messaging, confidentiality
)

// MasterKeyVersions are the versions of the issuer master keys that a card was
// made under.
type MasterKeyVersions struct{ AC, SMI, SMC int }

// keysOf are the versions of cards as they are kept; what is not told is the first
// version.
type keysOf db.SetCardsKeysParams

func (k *keysOf) add(card lifecycle.CardID, v MasterKeyVersions) {
	k.IDs, k.AC = append(k.IDs, string(card)), append(k.AC, int32(max(v.AC, 1)))            //nolint:gosec // the engine keeps at most 99
	k.SMI, k.SMC = append(k.SMI, int32(max(v.SMI, 1))), append(k.SMC, int32(max(v.SMC, 1))) //nolint:gosec // likewise
}

// CardsUnder counts the cards that were made under a version of a master key and
// may still be used, and tells the last day of the last of them.
func (s *Service) CardsUnder(ctx context.Context, key MasterKey, version int) (cards int, until time.Time, err error) {
	row, err := s.store.CardsUnder(ctx, s.now(), string(key), int32(version)) //nolint:gosec // the engine keeps at most 99
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("cards under version %d of the master key %s: %w", version, key, err)
	}
	return int(row.Cards), row.Until, nil
}
