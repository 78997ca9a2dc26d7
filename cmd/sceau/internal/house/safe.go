package house

import (
	"context"
	"fmt"
	"time"

	"sceau/hsm"
	"sceau/lifecycle"
	"sceau/safe"
	"sceau/store"
)

// openSafe has Vault unwrap the safe's data keys: from then on the process opens
// card numbers by itself, and asks again only when it meets what is sealed under
// a newer one. The first process ever has Vault make the first key; of two at
// once, one wins.
func openSafe(ctx context.Context, databaseURL string, st *store.Store, vault *hsm.Client, now time.Time) (*safe.Safe, error) {
	wrapped, err := st.DataKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the safe's keys: %w", err)
	}
	if len(wrapped) == 0 {
		first, err := vault.NewDataKey(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := st.InsertDataKey(ctx, 1, first, now); err != nil {
			return nil, fmt.Errorf("keep the safe's first key: %w", err)
		}
	}
	return safe.Loading(func() ([][]byte, error) { return unwrap(context.WithoutCancel(ctx), databaseURL, vault) })
}

// unwrap gives the data keys in clear, nil for one whose wrapped form is gone. It
// takes a connection of its own: those of the pool may all wait for what it
// brings.
func unwrap(ctx context.Context, databaseURL string, vault *hsm.Client) ([][]byte, error) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pool, err := openPool(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	wrapped, err := store.New(pool).DataKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the safe's keys: %w", err)
	}
	keys := make([][]byte, len(wrapped))
	for i, w := range wrapped {
		if w.Wrapped == "" {
			continue
		}
		if keys[i], err = vault.UnwrapDataKey(ctx, w.Wrapped); err != nil {
			return nil, fmt.Errorf("data key %d: %w", w.Number, err)
		}
	}
	return keys, nil
}

// RotateSafe has Vault make another data key, under which what is new is sealed
// from then on. Processes that run learn of it when they meet it.
func (h *House) RotateSafe(ctx context.Context, by lifecycle.Actor) (number int, err error) {
	wrapped, err := h.config.Vault.NewDataKey(ctx)
	if err != nil {
		return 0, err
	}
	return h.Service.AddDataKey(ctx, by, wrapped)
}
