package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// EntitlementRequest is what a user is to be able to sign, as a whole.
type EntitlementRequest struct {
	ClientID   string
	UserNumber string
	Grants     []signing.Grant
}

// Entitlement is a set of what a user may sign, with what became of it.
type Entitlement struct {
	ID             lifecycle.EntitlementID
	Holder         lifecycle.HolderID
	State          lifecycle.EntitlementState
	Grants         signing.Entitlements
	RequestedBy    string
	Authentication lifecycle.AuthenticationID // of the principal user; "" when staff gave it
	DecidedBy      string
	Why            string
	Created        time.Time
}

// UserEntitlements are a user's: what is live, whether it has effect, what waits for
// an approver, and the versions of before.
type UserEntitlements struct {
	Strong   bool // has a strong means of their own: without one nothing has effect
	Versions []Entitlement
}

// Live is what the user may sign, as long as they have a strong means.
func (u UserEntitlements) Live() (Entitlement, bool) { return u.in(lifecycle.EntitlementsLive) }

// Proposed is what waits for an approver.
func (u UserEntitlements) Proposed() (Entitlement, bool) {
	return u.in(lifecycle.EntitlementsProposed)
}

func (u UserEntitlements) in(state lifecycle.EntitlementState) (Entitlement, bool) {
	i := slices.IndexFunc(u.Versions, func(e Entitlement) bool { return e.State == state })
	if i < 0 {
		return Entitlement{}, false
	}
	return u.Versions[i], true
}

// proofAge is how old an authentication may be that changes something.
const proofAge = 15 * time.Minute

func entitlementOf(r db.Entitlement) (Entitlement, error) {
	grants, err := signing.ReadEntitlements(r.Grants)
	if err != nil {
		return Entitlement{}, fmt.Errorf("entitlements %s: %w", r.ID, err)
	}
	return Entitlement{
		ID: r.ID, Holder: r.HolderID, State: r.State, Grants: grants, RequestedBy: r.RequestedBy, Authentication: deref(r.AuthenticationID),
		DecidedBy: r.DecidedBy, Why: r.Why, Created: r.CreatedAt.UTC(),
	}, nil
}

// ProposeEntitlements records what a user is to be able to sign, for an approver. So
// the bank names a company's first principal user.
func (s *Service) ProposeEntitlements(ctx context.Context, by lifecycle.Actor, r EntitlementRequest) (Entitlement, error) {
	if !slices.Contains(lifecycle.Entitles(), by.Role) {
		return Entitlement{}, fmt.Errorf("entitlements: %w: %s proposes none", lifecycle.Forbidden, by.Role)
	}
	return s.newEntitlements(ctx, by, r, lifecycle.EntitlementsProposed, "")
}

// GiveEntitlements gives a user what the company's principal user has signed: an
// accepted authentication of theirs over exactly this, used for nothing else.
func (s *Service) GiveEntitlements(ctx context.Context, by lifecycle.Actor, r EntitlementRequest, signed lifecycle.AuthenticationID) (Entitlement, error) {
	if by.Role != lifecycle.RoleRelyingService {
		return Entitlement{}, fmt.Errorf("entitlements: %w: a relying service brings what a principal user signed", lifecycle.Forbidden)
	}
	if err := lifecycle.CheckID(lifecycle.PrefixAuthentication, string(signed)); err != nil {
		return Entitlement{}, &lifecycle.FieldError{Field: "authentication", Why: "is the identifier of an operation that was signed"}
	}
	return s.newEntitlements(ctx, by, r, lifecycle.EntitlementsLive, signed)
}

func (s *Service) newEntitlements(ctx context.Context, by lifecycle.Actor, r EntitlementRequest, state lifecycle.EntitlementState, signed lifecycle.AuthenticationID) (Entitlement, error) {
	grants, err := signing.NewEntitlements(r.Grants)
	if err != nil {
		return Entitlement{}, err
	}
	var made Entitlement
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		company, holder, err := userTx(ctx, tx, r.ClientID, r.UserNumber)
		if err != nil {
			return err
		}
		row := db.InsertEntitlementParams{
			ID: lifecycle.EntitlementID(s.newID(lifecycle.PrefixEntitlement)), HolderID: holder.ID, State: state, Grants: grants.Canonical(),
			RequestedBy: by.ID, CreatedAt: s.now(),
		}
		detail := map[string]string{"user": r.ClientID + "/" + r.UserNumber, "entitlements": grants.Text()}
		if signed != "" {
			row.AuthenticationID = &signed
			detail["authentication"] = string(signed)
			if err := s.principalSignedTx(ctx, tx, by, company, r, grants, signed, string(row.ID)); err != nil {
				return err
			}
		}
		if err := s.mayHaveTx(ctx, tx, company.ID, holder.ID, grants); err != nil {
			return err
		}
		if err := s.clearEntitlementsTx(ctx, tx, by, holder.ID, state); err != nil {
			return err
		}
		if err := tx.InsertEntitlement(ctx, row); err != nil {
			return err
		}
		made = Entitlement{
			ID: row.ID, Holder: holder.ID, State: state, Grants: grants, RequestedBy: by.ID, Authentication: signed, Created: row.CreatedAt,
		}
		return s.born(ctx, tx, lifecycle.Entitlements.Thing, string(row.ID), string(state), by, detail)
	})
	if err != nil {
		return Entitlement{}, fmt.Errorf("entitlements of %s/%s: %w", r.ClientID, r.UserNumber, err)
	}
	return made, nil
}

// userTx finds a user and holds their company: who may do what in it changes one at
// a time.
func userTx(ctx context.Context, tx store.Tx, clientID, userNumber string) (db.Company, db.Holder, error) {
	holder, err := tx.HolderByUser(ctx, clientID, userNumber)
	if isNotFound(err) {
		return db.Company{}, db.Holder{}, &lifecycle.FieldError{Field: "user_number", Why: "is no user's of this company"}
	}
	if err != nil {
		return db.Company{}, db.Holder{}, err
	}
	company, err := tx.LockCompany(ctx, holder.CompanyID)
	return company, db.Holder(holder), err
}

// signedTx spends an accepted authentication of a user of the company on something:
// one of the caller's, fresh, of the function, over exactly the content. A reference
// of the caller's may stand in it.
func (s *Service) signedTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id lifecycle.AuthenticationID, o signing.Operation, usedFor string) (db.Authentication, error) {
	refuse := func(why string) (db.Authentication, error) {
		return db.Authentication{}, &lifecycle.FieldError{Field: "authentication", Why: why}
	}
	row, err := tx.LockAuthentication(ctx, id)
	if isNotFound(err) || err == nil && row.Service != by.ID {
		return refuse("is none of the caller's")
	}
	if err != nil {
		return row, err
	}
	if row.State != lifecycle.AuthenticationAccepted || row.Function != string(o.Function) || s.now().Sub(*row.DecidedAt) > proofAge {
		return refuse(fmt.Sprintf("is no %s that was accepted in the last %s", o.Function, proofAge))
	}
	var content map[string]string
	if err := json.Unmarshal(row.Content, &content); err != nil {
		return row, fmt.Errorf("authentication %s: %w", id, err)
	}
	delete(content, "reference")
	if !maps.Equal(content, o.Content) {
		return refuse("is over something else: what is signed is exactly what is asked for")
	}
	n, err := tx.UseAuthentication(ctx, id, usedFor, s.now())
	if err == nil && n != 1 {
		err = fmt.Errorf("authentication %s: %w: it was used already", id, lifecycle.Conflict)
	}
	return row, err
}

// principalSignedTx checks that a principal user of the company signed exactly this.
func (s *Service) principalSignedTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, company db.Company, r EntitlementRequest, grants signing.Entitlements, id lifecycle.AuthenticationID, usedFor string) error {
	row, err := s.signedTx(ctx, tx, by, id, signing.Operation{Function: signing.ManageEntitlements, Content: map[string]string{
		"user_number": r.UserNumber, "entitlements": grants.Text(),
	}}, usedFor)
	if err != nil {
		return err
	}
	if row.ClientID != company.ClientID {
		return &lifecycle.FieldError{Field: "authentication", Why: "is of another company"}
	}
	kept, err := tx.EntitlementInForce(ctx, db.EntitlementInForceParams{
		ClientID: row.ClientID, UserNumber: row.UserNumber, Usable: usableCards(), At: s.now(),
	})
	if err != nil && !isNotFound(err) {
		return err
	}
	has := signing.Entitlements{}
	if err == nil {
		if has, err = signing.ReadEntitlements(kept); err != nil {
			return err
		}
	}
	if !has.Has(signing.ManageEntitlements) {
		return fmt.Errorf("%w: user %s is no principal user any more", lifecycle.Forbidden, row.UserNumber)
	}
	return nil
}

func usableCards() []string {
	var all []string
	for _, state := range lifecycle.Cards.States {
		if state.Usable() {
			all = append(all, string(state))
		}
	}
	return all
}

// mayHaveTx keeps entitlements from a user without a strong means of their own, and
// the last principal user in place. The caller holds the company.
func (s *Service) mayHaveTx(ctx context.Context, tx store.Tx, company lifecycle.CompanyID, holder lifecycle.HolderID, grants signing.Entitlements) error {
	if len(grants) > 0 {
		strong, err := tx.HasStrongMeans(ctx, holder, usableCards(), s.now())
		if err != nil {
			return err
		}
		if !strong {
			return &lifecycle.FieldError{Field: "user_number", Why: "has no strong means of their own: order a card or a certificate in their name first"}
		}
	}
	if grants.Has(signing.ManageEntitlements) {
		return nil
	}
	live, err := tx.EntitlementsInState(ctx, holder, lifecycle.EntitlementsLive)
	if err != nil {
		return err
	}
	for _, row := range live {
		has, err := signing.ReadEntitlements(row.Grants)
		if err != nil {
			return err
		}
		if !has.Has(signing.ManageEntitlements) {
			continue
		}
		others, err := tx.OtherPrincipals(ctx, company, holder)
		if err != nil {
			return err
		}
		if !s.anyStrong(ctx, tx, others) {
			return fmt.Errorf("%w: the user is the company's last principal user: name another first", lifecycle.Conflict)
		}
	}
	return nil
}

func (s *Service) anyStrong(ctx context.Context, tx store.Tx, holders []lifecycle.HolderID) bool {
	return slices.ContainsFunc(holders, func(h lifecycle.HolderID) bool {
		strong, err := tx.HasStrongMeans(ctx, h, usableCards(), s.now())
		return err == nil && strong
	})
}

// clearEntitlementsTx makes room: what waits gives way to what is newer, and what is
// live to what becomes live.
func (s *Service) clearEntitlementsTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, holder lifecycle.HolderID, to lifecycle.EntitlementState) error {
	clear := map[lifecycle.EntitlementState]lifecycle.Event{lifecycle.EntitlementsProposed: lifecycle.Cancel}
	if to == lifecycle.EntitlementsLive {
		clear[lifecycle.EntitlementsLive] = lifecycle.Retire
	}
	for _, state := range []lifecycle.EntitlementState{lifecycle.EntitlementsProposed, lifecycle.EntitlementsLive} {
		on, ok := clear[state]
		if !ok {
			continue
		}
		rows, err := tx.EntitlementsInState(ctx, holder, state)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.moveEntitlement(ctx, tx, by, row, on, row.Why); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) moveEntitlement(ctx context.Context, tx store.Tx, by lifecycle.Actor, row db.Entitlement, on lifecycle.Event, why string) error {
	_, err := apply(ctx, s, tx, lifecycle.Entitlements, row.State, change{id: string(row.ID), on: on, by: by, requester: row.RequestedBy},
		func(to lifecycle.EntitlementState) (int64, error) {
			decided := row.DecidedBy
			if on == lifecycle.Approve || on == lifecycle.Refuse {
				decided = by.ID
			}
			return tx.SetEntitlementState(ctx, db.SetEntitlementStateParams{
				ToState: to, DecidedBy: decided, Why: why, At: s.now(), ID: row.ID, FromState: row.State,
			})
		}, noJob)
	return err
}
