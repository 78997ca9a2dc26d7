package issuance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
)

// refuseTerminal is what the trail has of a terminal that was not let at an order.
const refuseTerminal lifecycle.Event = "refuse_terminal"

// AdmitTerminal lets a branch's terminal at an order: the order names the branch, or
// none and its card or company is of the branch; and who stands there is staff of
// the branch who hand cards over. A refusal stays in the trail.
func (s *Service) AdmitTerminal(ctx context.Context, by lifecycle.Actor, branch lifecycle.BranchID, id lifecycle.OrderID) error {
	if err := lifecycle.CheckID(lifecycle.PrefixOrder, string(id)); err != nil {
		return err
	}
	refused := errors.Join(s.standsThere(ctx, by, branch), s.orderedThere(ctx, branch, id))
	if !errors.Is(refused, lifecycle.Forbidden) {
		return refused
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		detail := map[string]string{"branch": string(branch), "why": refused.Error()}
		return s.audit(ctx, tx, "terminal", change{id: string(id), on: refuseTerminal, by: by, detail: detail}, "", "")
	})
	return errors.Join(refused, err)
}

// standsThere tells whether the person at the terminal is of its branch.
func (s *Service) standsThere(ctx context.Context, by lifecycle.Actor, branch lifecycle.BranchID) error {
	if branch == "" {
		return fmt.Errorf("terminal: %w: its API key names no branch: have one made that does", lifecycle.Forbidden)
	}
	if by.Operator == "" {
		return fmt.Errorf("terminal: %w: who stands there? give the login of staff of the branch (Sceau-Operator)", lifecycle.Forbidden)
	}
	p, err := s.store.StaffByLogin(ctx, by.Operator)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("staff at the terminal: %w", err)
	}
	hands := func(role string) bool { return slices.Contains(lifecycle.StandsAtTerminals(), lifecycle.Role(role)) }
	if err != nil || !p.Active || p.BranchID != branch || !slices.ContainsFunc(p.Roles, hands) {
		return fmt.Errorf("terminal: %w: %q is no account manager or operator of this terminal's branch", lifecycle.Forbidden, by.Operator)
	}
	return nil
}

// orderedThere tells whether an order may be carried out at a branch.
func (s *Service) orderedThere(ctx context.Context, branch lifecycle.BranchID, id lifecycle.OrderID) error {
	at, err := s.store.PlacesOfOrder(ctx, id)
	if err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	allowed := []string{at.Named}
	if at.Named == "" {
		allowed = []string{at.OfCard, at.OfCompany}
	}
	if branch == "" || !slices.Contains(allowed, string(branch)) {
		return fmt.Errorf("order %s: %w: it is for another branch than this terminal's", id, lifecycle.Forbidden)
	}
	return nil
}
