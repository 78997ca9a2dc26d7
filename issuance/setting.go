package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/settings"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// SettingRequest is a change of a security setting that somebody wants.
type SettingRequest struct {
	ClientID   string
	UserNumber string // who asks, or is present
	Setting    settings.Name
	Level      settings.Level
	Account    string // of the level account
	Value      []byte // JSON
	Until      time.Time
	Note       string // of staff
}

// SettingChange is a change with what became of it.
type SettingChange struct {
	ID             lifecycle.SettingID
	Setting        settings.Name
	Level          settings.Level
	Holder         lifecycle.HolderID // of the level user
	Account        string
	Version        int
	State          lifecycle.SettingState
	Old, New       string // canonical
	Loosens        bool
	From, Until    time.Time // zero while it is proposed; zero for ever
	AskedBy        lifecycle.HolderID
	MadeBy         string
	Authentication lifecycle.AuthenticationID
	HolderPresent  bool
	DecidedBy      string
	Note           string
	Created        time.Time
}

// Scope is the level as it is signed.
func (c SettingChange) Scope() string { return scopeOf(c.Level, c.Account) }

func scopeOf(level settings.Level, account string) string {
	if level == settings.OfAccount {
		return string(level) + "/" + account
	}
	return string(level)
}

// signedValue is the new value as it is signed: with its end.
func signedValue(v settings.Value, until time.Time) string {
	text := settings.Canonical(v)
	if !until.IsZero() {
		text += " until " + until.UTC().Format(time.RFC3339)
	}
	return text
}

func settingOf(r db.SettingChange) SettingChange {
	c := SettingChange{
		ID: r.ID, Setting: settings.Name(r.Setting), Level: settings.OfCompany, Holder: deref(r.HolderID), Account: r.Account, Version: int(r.Version),
		State: r.State, Old: r.OldValue, New: r.NewValue, Loosens: r.Loosens, AskedBy: deref(r.AskedBy), MadeBy: r.MadeBy,
		Authentication: deref(r.AuthenticationID), HolderPresent: r.HolderPresent, DecidedBy: r.DecidedBy, Note: r.Note, Created: r.CreatedAt.UTC(),
	}
	switch {
	case r.HolderID != nil:
		c.Level = settings.OfUser
	case r.Account != "":
		c.Level = settings.OfAccount
	}
	if r.EffectiveFrom != nil {
		c.From = r.EffectiveFrom.UTC()
	}
	if r.EffectiveUntil != nil {
		c.Until = r.EffectiveUntil.UTC()
	}
	return c
}

// Waits tells whether a change is accepted and not in force yet.
func (c SettingChange) Waits(now time.Time) bool {
	return c.State == lifecycle.SettingAccepted && c.From.After(now)
}

// Holds tells whether it has begun and not ended; the newest of those counts.
func (c SettingChange) Holds(now time.Time) bool {
	return c.State == lifecycle.SettingAccepted && !c.From.After(now) && (c.Until.IsZero() || c.Until.After(now))
}

// place is where a setting is set: the value there, and what comes after an opening.
type place struct {
	company db.Company
	user    db.Holder // who asks or is present
	holder  *lifecycle.HolderID
	account string

	rows      []SettingChange // that hold, will hold or wait, newest first
	version   int             // of the next change
	now, base settings.Value
}

func (p place) holderText() string { return string(deref(p.holder)) }

// placeTx finds the place of a request and holds its company.
func (s *Service) placeTx(ctx context.Context, tx store.Tx, r SettingRequest) (place, error) {
	var errs lifecycle.FieldErrors
	if !slices.Contains(r.Setting.Levels(), r.Level) {
		errs.Add("level", fmt.Sprintf("use one of %v for this setting", r.Setting.Levels()))
	}
	if (r.Level == settings.OfAccount) != settings.IsAccount(r.Account) || r.Level != settings.OfAccount && r.Account != "" {
		errs.Add("account", "names an account, where the level is account")
	}
	if !r.Until.IsZero() && !r.Until.After(s.now().Add(s.policy.SettingDelay)) {
		errs.Add("until", "lies after the moment when the change takes effect")
	}
	if err := errs.Err(); err != nil {
		return place{}, err
	}
	p := place{account: r.Account}
	var err error
	if p.company, p.user, err = userTx(ctx, tx, r.ClientID, r.UserNumber); err != nil {
		return p, err
	}
	if r.Level == settings.OfUser {
		p.holder = &p.user.ID
	}
	return p, s.readPlaceTx(ctx, tx, r.Setting, &p)
}

func (s *Service) readPlaceTx(ctx context.Context, tx store.Tx, n settings.Name, p *place) error {
	rows, err := tx.SettingChangesAt(ctx, db.SettingChangesAtParams{
		CompanyID: p.company.ID, Setting: string(n), HolderID: p.holderText(), Account: p.account, At: s.now(),
	})
	if err != nil {
		return err
	}
	last, err := tx.LastSettingVersion(ctx, db.LastSettingVersionParams{CompanyID: p.company.ID, Setting: string(n), HolderID: p.holderText(), Account: p.account})
	if err != nil {
		return err
	}
	p.version, p.now, p.base = int(last)+1, settings.Default(n), settings.Default(n)
	found, based := false, false
	for _, row := range rows {
		c := settingOf(row)
		p.rows = append(p.rows, c)
		if !c.Holds(s.now()) || based {
			continue
		}
		v, err := settings.Read(n, c.New)
		if err != nil {
			return fmt.Errorf("setting change %s: %w", c.ID, err)
		}
		if !found {
			p.now, found = v, true
		}
		if c.Until.IsZero() {
			p.base, based = v, true
		}
	}
	return nil
}

// loosens tells whether a value lets anything through that the place does not, now or
// after the opening that it has. What ends is measured by what it ends with alone: a
// tightening that ends would loosen by itself.
func (p place) loosens(v settings.Value, until time.Time) (bool, error) {
	now, base := settings.Loosens(p.now, v), settings.Loosens(p.base, v)
	if until.IsZero() {
		if settings.Canonical(v) == settings.Canonical(p.now) && settings.Canonical(v) == settings.Canonical(p.base) {
			return false, &lifecycle.FieldError{Field: "value", Why: "is so already"}
		}
		return now || base, nil
	}
	if !base {
		return false, &lifecycle.FieldError{Field: "until", Why: "is of an opening: what tightens holds until it is loosened"}
	}
	return true, nil
}

// operation is what a holder signs to loosen.
func (p place) operation(r SettingRequest, v settings.Value) signing.Operation {
	return signing.Operation{Function: signing.ChangeSetting, Content: map[string]string{
		"setting": string(r.Setting), "scope": scopeOf(r.Level, r.Account), "old": settings.Canonical(p.now), "new": signedValue(v, r.Until),
	}}
}

// putTx writes a change: what waits there gives way to it.
func (s *Service) putTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, r SettingRequest, p place, v settings.Value, row db.InsertSettingChangeParams) (SettingChange, error) {
	for _, before := range p.rows {
		if before.State == lifecycle.SettingProposed || before.Waits(s.now()) {
			if err := s.moveSetting(ctx, tx, by, before, lifecycle.Halt, before.From, "gave way to "+string(row.ID)); err != nil {
				return SettingChange{}, err
			}
		}
	}
	row.Setting, row.CompanyID, row.HolderID, row.Account = string(r.Setting), p.company.ID, p.holder, p.account
	row.Version, row.MadeBy, row.CreatedAt = int32(p.version), by.ID, s.now() //nolint:gosec // few versions
	row.OldValue, row.NewValue = settings.Canonical(p.now), settings.Canonical(v)
	if !r.Until.IsZero() {
		row.EffectiveUntil = &r.Until
	}
	if err := tx.InsertSettingChange(ctx, row); err != nil {
		return SettingChange{}, err
	}
	kept, err := tx.SettingChange(ctx, row.ID)
	if err != nil {
		return SettingChange{}, err
	}
	c := settingOf(kept)
	detail := map[string]string{"setting": row.Setting, "scope": c.Scope(), "user": r.ClientID + "/" + r.UserNumber, "old": c.Old, "new": signedValue(v, r.Until)}
	if c.Authentication != "" {
		detail["authentication"] = string(c.Authentication)
	}
	if err := s.born(ctx, tx, lifecycle.Settings.Thing, string(c.ID), string(c.State), by, detail); err != nil {
		return c, err
	}
	if c.State == lifecycle.SettingAccepted && c.Loosens {
		return c, s.tellSettingTx(ctx, tx, c, p.company.ID, p.user.ID)
	}
	return c, nil
}

// tellSettingTx announces a loosening to who asks for it and to the company's
// principal users.
func (s *Service) tellSettingTx(ctx context.Context, tx store.Tx, c SettingChange, company lifecycle.CompanyID, user lifecycle.HolderID) error {
	told, err := tx.PrincipalsOf(ctx, company)
	if err != nil {
		return err
	}
	if !slices.Contains(told, user) {
		told = append(told, user)
	}
	for _, holder := range told {
		id := lifecycle.NoticeID(s.newID(lifecycle.PrefixNotice))
		err := tx.InsertSettingNotice(ctx, db.InsertSettingNoticeParams{
			ID: string(id), Occasion: int32(c.Setting.Number()), SettingID: string(c.ID), DueAt: s.now(), HolderID: holder, //nolint:gosec // eight
		})
		if err != nil {
			return err
		}
		detail := map[string]string{"holder": string(holder), "kind": string(lifecycle.NoticeSetting), "change": string(c.ID)}
		if err := s.born(ctx, tx, lifecycle.Notices.Thing, string(id), string(lifecycle.NoticeRequested), lifecycle.System("notice"), detail); err != nil {
			return err
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), NoticeArgs{Notice: id}); err != nil {
			return fmt.Errorf("notice to holder %s: %w", holder, err)
		}
	}
	return nil
}

func (s *Service) moveSetting(ctx context.Context, tx store.Tx, by lifecycle.Actor, c SettingChange, on lifecycle.Event, from time.Time, note string) error {
	_, err := apply(ctx, s, tx, lifecycle.Settings, c.State, change{id: string(c.ID), on: on, by: by, requester: c.MadeBy, detail: map[string]string{"note": note}},
		func(to lifecycle.SettingState) (int64, error) {
			p := db.SetSettingStateParams{ToState: to, DecidedBy: c.DecidedBy, Note: note, At: s.now(), ID: c.ID, FromState: c.State}
			if !from.IsZero() {
				p.EffectiveFrom = &from
			}
			if on != lifecycle.Halt {
				p.DecidedBy = by.ID
			}
			return tx.SetSettingState(ctx, p)
		}, noJob)
	return err
}
