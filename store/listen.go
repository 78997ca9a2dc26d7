package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ListenStatuses calls heard after the database told that a certificate's status
// changed, on a connection of its own, until ctx ends or the connection does. It
// calls heard once at its start: what was told before is lost.
func (s *Store) ListenStatuses(ctx context.Context, heard func()) error {
	err := s.pool.AcquireFunc(ctx, func(shared *pgxpool.Conn) error {
		conn := shared.Hijack() // it listens for good: no pool may hand it on
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		if _, err := conn.Exec(ctx, "LISTEN certificate_status"); err != nil {
			return err
		}
		for {
			heard()
			if _, err := conn.WaitForNotification(ctx); err != nil {
				return err
			}
		}
	})
	return fmt.Errorf("listen for changes of status: %w", kindOf(err))
}
