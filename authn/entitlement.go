package authn

import (
	"context"
	"errors"
	"fmt"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store/db"
)

// errNotEntitled is the one answer for who may not: a user without the entitlement,
// one whose last strong means has ended, and nobody at all.
var errNotEntitled = fmt.Errorf("%w: the user is not entitled to this: the company's principal user gives entitlements to named users with a strong means of their own", lifecycle.Forbidden)

// checkEntitled refuses an operation that no entitlement of the user covers. A
// certificate or a card is always somebody's own, and so is a right.
func (s *Service) checkEntitled(ctx context.Context, clientID, userNumber string, o signing.Operation) error {
	if !o.Function.Sensitive() {
		return nil
	}
	kept, err := s.store.EntitlementInForce(ctx, db.EntitlementInForceParams{
		ClientID: clientID, UserNumber: userNumber, Usable: states(lifecycle.CardState.Usable), At: s.now(),
	})
	if errors.Is(err, lifecycle.NotFound) {
		return errNotEntitled
	}
	if err != nil {
		return fmt.Errorf("entitlements: %w", err)
	}
	has, err := signing.ReadEntitlements(kept)
	if err != nil {
		return err
	}
	if !has.Covers(o) {
		return errNotEntitled
	}
	return nil
}
