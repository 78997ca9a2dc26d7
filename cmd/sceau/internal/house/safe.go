package house

import (
	"context"
	"fmt"
	"time"

	"sceau/hsm"
	"sceau/safe"
	"sceau/store"
)

// openSafe has Vault unwrap the safe's data keys, the only call that it takes:
// from then on the process opens card numbers by itself. The first process ever
// has Vault make the first key; of two at once, one wins.
func openSafe(ctx context.Context, st *store.Store, vault *hsm.Client, now time.Time) (*safe.Safe, error) {
	wrapped, err := st.DataKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the safe's keys: %w", err)
	}
	if len(wrapped) == 0 {
		first, err := vault.NewDataKey(ctx)
		if err != nil {
			return nil, err
		}
		if err := st.InsertDataKey(ctx, 1, first, now); err != nil {
			return nil, fmt.Errorf("keep the safe's first key: %w", err)
		}
		if wrapped, err = st.DataKeys(ctx); err != nil {
			return nil, fmt.Errorf("read the safe's keys: %w", err)
		}
	}
	keys := make([][]byte, len(wrapped))
	for i, w := range wrapped {
		if keys[i], err = vault.UnwrapDataKey(ctx, w.Wrapped); err != nil {
			return nil, fmt.Errorf("data key %d: %w", w.Number, err)
		}
		defer clear(keys[i])
	}
	return safe.New(keys...)
}
