package issuance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/settings"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// loginAge is how old the sign-in may be with which a setting is tightened.
const loginAge = time.Hour

// SettingAnswer is what became of a request: a change, or what its holder signs first.
type SettingAnswer struct {
	Change SettingChange
	Sign   *signing.Operation // nothing was changed: this loosens, and needs the signature
}

// ChangeSetting changes a setting for a user. What tightens takes effect at once, by a
// sign-in of theirs that is not an hour old. What loosens needs their signature over
// old and new, takes effect after the bank's delay, is announced, and can be stopped
// until then.
func (s *Service) ChangeSetting(ctx context.Context, by lifecycle.Actor, r SettingRequest, proof lifecycle.AuthenticationID) (SettingAnswer, error) {
	if by.Role != lifecycle.RoleRelyingService {
		return SettingAnswer{}, fmt.Errorf("setting: %w: a relying service brings what a user wants", lifecycle.Forbidden)
	}
	v, err := settings.Parse(settings.DefaultBank(), r.Setting, r.Value)
	if err != nil {
		return SettingAnswer{}, err
	}
	r.Until = r.Until.UTC().Truncate(time.Second)
	var answer SettingAnswer
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		p, err := s.placeTx(ctx, tx, r)
		if err != nil {
			return err
		}
		loosens, err := p.loosens(v, r.Until)
		if err != nil {
			return err
		}
		now := s.now()
		row := db.InsertSettingChangeParams{
			ID: lifecycle.SettingID(s.newID(lifecycle.PrefixSetting)), State: lifecycle.SettingAccepted, Loosens: loosens, EffectiveFrom: &now,
			AskedBy: &p.user.ID, AuthenticationID: &proof,
		}
		if !loosens {
			if err := s.signedInTx(ctx, tx, by, proof, r); err != nil {
				return err
			}
			answer.Change, err = s.putTx(ctx, tx, by, r, p, v, row)
			return err
		}
		sign := p.operation(r, v)
		if proof == "" {
			answer.Sign = &sign
			return nil
		}
		if err := s.userSignedTx(ctx, tx, by, proof, r, sign, string(row.ID)); err != nil {
			return err
		}
		later := now.Add(s.policy.SettingDelay)
		row.EffectiveFrom = &later
		answer.Change, err = s.putTx(ctx, tx, by, r, p, v, row)
		return err
	})
	if err != nil {
		return SettingAnswer{}, fmt.Errorf("setting %s of %s/%s: %w", r.Setting, r.ClientID, r.UserNumber, err)
	}
	return answer, nil
}

// signedInTx checks a sign-in of the user, which may serve several times.
func (s *Service) signedInTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id lifecycle.AuthenticationID, r SettingRequest) error {
	wrong := &lifecycle.FieldError{Field: "authentication", Why: fmt.Sprintf("is a sign-in of this user that was accepted in the last %s", loginAge)}
	if lifecycle.CheckID(lifecycle.PrefixAuthentication, string(id)) != nil {
		return wrong
	}
	row, err := tx.Authentication(ctx, id)
	if isNotFound(err) {
		return wrong
	}
	if err != nil {
		return err
	}
	if row.Service != by.ID || row.Function != string(signing.SignIn) || row.State != lifecycle.AuthenticationAccepted || row.ClientID != r.ClientID ||
		row.UserNumber != r.UserNumber || s.now().Sub(*row.DecidedAt) > loginAge {
		return wrong
	}
	stopped, err := tx.Stopped(ctx, string(*row.HolderID))
	if err == nil && stopped {
		return wrong
	}
	return err
}

// userSignedTx spends the user's own signature over exactly the change.
func (s *Service) userSignedTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id lifecycle.AuthenticationID, r SettingRequest, sign signing.Operation, usedFor string) error {
	if lifecycle.CheckID(lifecycle.PrefixAuthentication, string(id)) != nil {
		return &lifecycle.FieldError{Field: "authentication", Why: "is the identifier of an operation that was signed"}
	}
	row, err := s.signedTx(ctx, tx, by, id, sign, usedFor)
	if err != nil {
		return err
	}
	if row.ClientID != r.ClientID || row.UserNumber != r.UserNumber {
		return &lifecycle.FieldError{Field: "authentication", Why: "is another user's"}
	}
	stopped, err := tx.Stopped(ctx, string(*row.HolderID))
	if err != nil {
		return err
	}
	kept, err := tx.EntitlementInForce(ctx, db.EntitlementInForceParams{ClientID: r.ClientID, UserNumber: r.UserNumber, Usable: usableCards(), At: s.now()})
	if err != nil && !isNotFound(err) {
		return err
	}
	has := signing.Entitlements{}
	if err == nil {
		if has, err = signing.ReadEntitlements(kept); err != nil {
			return err
		}
	}
	if stopped || !has.Covers(sign) {
		return fmt.Errorf("%w: the user may not change settings any more", lifecycle.Forbidden)
	}
	return nil
}

// StaffSetting tightens a setting at once, or with the holder present proposes to
// loosen it, for an approver. Less than SEPA is the payer's own wish (Regulation
// 260/2012 article 9), so the holder is present for that too.
func (s *Service) StaffSetting(ctx context.Context, by lifecycle.Actor, r SettingRequest, holderPresent bool) (SettingChange, error) {
	if !slices.Contains(lifecycle.TightensSettings(), by.Role) {
		return SettingChange{}, fmt.Errorf("setting: %w: %s sees settings and changes none", lifecycle.Forbidden, by.Role)
	}
	v, err := settings.Parse(settings.DefaultBank(), r.Setting, r.Value)
	if err == nil {
		err = checkNote("note", r.Note)
	}
	if err != nil {
		return SettingChange{}, err
	}
	r.Until = r.Until.UTC().Truncate(time.Second)
	var made SettingChange
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		p, err := s.placeTx(ctx, tx, r)
		if err != nil {
			return err
		}
		loosens, err := p.loosens(v, r.Until)
		if err != nil {
			return err
		}
		if !holderPresent && (loosens || !settings.ReachesSEPA(v) && settings.ReachesSEPA(p.now)) {
			return fmt.Errorf("%w: staff tighten, and leave every payee in SEPA within reach; for more the holder is present, and an approver looks at it", lifecycle.Forbidden)
		}
		now := s.now()
		row := db.InsertSettingChangeParams{
			ID: lifecycle.SettingID(s.newID(lifecycle.PrefixSetting)), State: lifecycle.SettingAccepted, Loosens: loosens, EffectiveFrom: &now,
			HolderPresent: holderPresent, Note: r.Note,
		}
		if loosens {
			row.State, row.EffectiveFrom = lifecycle.SettingProposed, nil
		}
		if holderPresent {
			row.AskedBy = &p.user.ID
		}
		made, err = s.putTx(ctx, tx, by, r, p, v, row)
		return err
	})
	if err != nil {
		return SettingChange{}, fmt.Errorf("setting %s of %s/%s: %w", r.Setting, r.ClientID, r.UserNumber, err)
	}
	return made, nil
}

// Sum is the SHA-256 of what an approver is shown.
func (c SettingChange) Sum() [32]byte {
	return sha256.Sum256([]byte(fmt.Sprintf("%s %s %s %s %s %s", c.ID, c.Setting, c.Scope(), c.Old, c.New, c.Until.Format(time.RFC3339))))
}

// ApproveSetting accepts a loosening that somebody else of the staff proposed, if the
// value there is still the one that was shown. It is delayed and announced as any.
func (s *Service) ApproveSetting(ctx context.Context, by lifecycle.Actor, id lifecycle.SettingID, seen [32]byte) error {
	return s.decideSetting(ctx, by, id, func(tx store.Tx, c SettingChange, company db.Company) error {
		p := place{company: company, account: c.Account}
		if c.Holder != "" {
			p.holder = &c.Holder
		}
		if err := s.readPlaceTx(ctx, tx, c.Setting, &p); err != nil {
			return err
		}
		if c.Sum() != seen || settings.Canonical(p.now) != c.Old {
			return fmt.Errorf("%w: this is not the change that was shown", lifecycle.Conflict)
		}
		from := s.now().Add(s.policy.SettingDelay)
		if !c.Until.IsZero() && !c.Until.After(from) {
			return fmt.Errorf("%w: it would end before it takes effect", lifecycle.Conflict)
		}
		if err := s.moveSetting(ctx, tx, by, c, lifecycle.Approve, from, c.Note); err != nil {
			return err
		}
		return s.tellSettingTx(ctx, tx, c, company.ID, c.AskedBy)
	})
}

// RefuseSetting turns a proposal down, with the reason.
func (s *Service) RefuseSetting(ctx context.Context, by lifecycle.Actor, id lifecycle.SettingID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.decideSetting(ctx, by, id, func(tx store.Tx, c SettingChange, _ db.Company) error {
		return s.moveSetting(ctx, tx, by, c, lifecycle.Refuse, time.Time{}, why)
	})
}

// StopSetting stops a change that has not taken effect: "ce n'est pas moi". Who hears
// of it may.
func (s *Service) StopSetting(ctx context.Context, by lifecycle.Actor, id lifecycle.SettingID, why string) (SettingChange, error) {
	if why != "" {
		if err := checkNote("why", why); err != nil {
			return SettingChange{}, err
		}
	}
	err := s.decideSetting(ctx, by, id, func(tx store.Tx, c SettingChange, _ db.Company) error {
		if c.State == lifecycle.SettingAccepted && !c.Waits(s.now()) {
			return fmt.Errorf("%w: it has taken effect: tighten the setting again", lifecycle.Illegal)
		}
		return s.moveSetting(ctx, tx, by, c, lifecycle.Halt, c.From, why)
	})
	if err != nil {
		return SettingChange{}, err
	}
	return s.SettingChange(ctx, id)
}

func (s *Service) decideSetting(ctx context.Context, by lifecycle.Actor, id lifecycle.SettingID, decide func(store.Tx, SettingChange, db.Company) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixSetting, string(id)); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		row, err := tx.SettingChange(ctx, id)
		if err != nil {
			return err
		}
		company, err := tx.LockCompany(ctx, row.CompanyID)
		if err != nil {
			return err
		}
		if row, err = tx.SettingChange(ctx, id); err != nil { // as it is now that nobody else changes it
			return err
		}
		return decide(tx, settingOf(row), company)
	})
	if err != nil {
		return fmt.Errorf("setting change %s: %w", id, err)
	}
	return nil
}

// SettingChange reads a change.
func (s *Service) SettingChange(ctx context.Context, id lifecycle.SettingID) (SettingChange, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixSetting, string(id)); err != nil {
		return SettingChange{}, err
	}
	row, err := s.store.SettingChange(ctx, id)
	if err != nil {
		return SettingChange{}, fmt.Errorf("setting change %s: %w", id, err)
	}
	return settingOf(row), nil
}

// Settings reads the changes that concern a user, newest first in each place: their
// company's, its accounts' and their own.
func (s *Service) Settings(ctx context.Context, clientID, userNumber string) ([]SettingChange, error) {
	holder, err := s.store.HolderByUser(ctx, clientID, userNumber)
	if err != nil {
		return nil, fmt.Errorf("settings of %s/%s: %w", clientID, userNumber, err)
	}
	rows, err := s.store.SettingChangesOf(ctx, holder.CompanyID, string(holder.ID))
	if err != nil {
		return nil, fmt.Errorf("settings of %s/%s: %w", clientID, userNumber, err)
	}
	list := make([]SettingChange, len(rows))
	for i, row := range rows {
		list[i] = settingOf(row)
	}
	return list, nil
}

// InForce tells of each change, of a list as [Service.Settings] gives it, whether it is
// the one that holds in its place.
func InForce(changes []SettingChange, now time.Time) []bool {
	type at struct {
		setting settings.Name
		scope   string
	}
	newer, held := map[at]bool{}, map[at]bool{}
	in := make([]bool, len(changes))
	for i, c := range changes {
		if c.State != lifecycle.SettingAccepted || c.From.After(now) {
			continue
		}
		where := at{c.Setting, c.Scope()}
		// An opening is over when something newer has begun.
		if in[i] = c.Holds(now) && !held[where] && (c.Until.IsZero() || !newer[where]); in[i] {
			held[where] = true
		}
		newer[where] = true
	}
	return in
}
