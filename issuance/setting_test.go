package issuance_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/settings"
	"sceau/signing"
	"sceau/store/db"
)

// inForce is the scope of foreign transfers that holds at the company's level now, as
// decisions see it.
func (h *house) inForce(t tb, client string) settings.Value {
	t.Helper()
	company := must[db.Company](t)(h.store.CompanyByClientID(t.Context(), client))
	rows := must[[]db.SettingsInForceRow](t)(h.store.SettingsInForce(t.Context(), db.SettingsInForceParams{
		Questions: []int32{0}, Companies: []string{string(company.ID)}, Holders: []string{""}, Accounts: []string{""}, At: h.clock.now(),
	}))
	for _, row := range rows {
		if row.Setting == string(settings.ForeignTransfers) {
			return must[settings.Value](t)(settings.Read(settings.ForeignTransfers, row.NewValue))
		}
	}
	return settings.Default(settings.ForeignTransfers)
}

// settingNotices are the changes of which a user was told.
func (h *house) settingNotices(t tb, change lifecycle.SettingID) (users []string) {
	t.Helper()
	rows, err := h.pool.Query(t.Context(), `SELECT h.user_number FROM notice n JOIN holder h ON h.id = n.holder_id WHERE n.setting_id = $1 ORDER BY 1`, change)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var user string
		if err := rows.Scan(&user); err != nil {
			t.Fatal(err)
		}
		users = append(users, user)
	}
	return users
}

func abroad(client, user, value string) issuance.SettingRequest {
	return issuance.SettingRequest{ClientID: client, UserNumber: user, Setting: settings.ForeignTransfers, Level: settings.OfCompany, Value: []byte(value)}
}

func TestTighteningIsAtOnceAndLooseningIsSignedDelayedAndAnnounced(t *testing.T) {
	t.Parallel()
	h := setup(t)
	client := h.users(t, "0001", "0002")
	h.entitle(t, client, "0001", signing.Grant{Function: signing.ManageEntitlements})
	h.entitle(t, client, "0002", signing.Grant{Function: signing.ChangeSetting})
	change := func(r issuance.SettingRequest, proof lifecycle.AuthenticationID) (issuance.SettingAnswer, error) {
		return h.ChangeSetting(t.Context(), online, r, proof)
	}
	domestic, world := abroad(client, "0002", `{"scope":"domestic"}`), abroad(client, "0002", `{"scope":"world"}`)

	// Tightening: a login, and at once.
	_, err := change(domestic, "")
	wantKind(t, err, lifecycle.Invalid)
	_, err = change(domestic, h.signed(t, client, "0001", signing.SignIn, nil)) // another user's
	wantKind(t, err, lifecycle.Invalid)
	login := h.signed(t, client, "0002", signing.SignIn, nil)
	done := must[issuance.SettingAnswer](t)(change(domestic, login))
	if got := settings.Canonical(h.inForce(t, client)); got != `{"scope":"domestic"}` || done.Change.Loosens || done.Change.Version != 1 || len(h.settingNotices(t, done.Change.ID)) != 0 {
		t.Errorf("in force is %s, the change %+v", got, done.Change)
	}
	_, err = change(domestic, login)
	wantKind(t, err, lifecycle.Invalid) // is so already

	// Loosening: not by a login; what is to be signed is told.
	_, err = change(world, login)
	wantKind(t, err, lifecycle.Invalid)
	asked := must[issuance.SettingAnswer](t)(change(world, ""))
	want := map[string]string{"setting": "foreign_transfers", "scope": "company", "old": `{"scope":"domestic"}`, "new": `{"scope":"world"}`}
	if asked.Sign == nil || fmt.Sprint(asked.Sign.Content) != fmt.Sprint(want) || asked.Change.ID != "" {
		t.Fatalf("to sign is %+v", asked)
	}
	other := h.signed(t, client, "0002", signing.ChangeSetting, map[string]string{"setting": "foreign_transfers", "scope": "company", "old": `{"scope":"sepa"}`, "new": `{"scope":"world"}`})
	_, err = change(world, other)
	wantKind(t, err, lifecycle.Invalid)
	_, err = change(world, h.signed(t, client, "0001", signing.ChangeSetting, want)) // who has not the entitlement, and is another
	wantKind(t, err, lifecycle.Invalid)
	signed := h.signed(t, client, "0002", signing.ChangeSetting, want)
	done = must[issuance.SettingAnswer](t)(change(world, signed))
	if !done.Change.Loosens || !done.Change.From.Equal(h.clock.now().UTC().Truncate(time.Microsecond).Add(4*time.Hour)) || done.Change.Authentication != signed {
		t.Errorf("the change is %+v", done.Change)
	}
	if got := settings.Canonical(h.inForce(t, client)); got != `{"scope":"domestic"}` {
		t.Errorf("before its time %s is in force", got)
	}
	if told := h.settingNotices(t, done.Change.ID); !slices.Equal(told, []string{"0001", "0002"}) {
		t.Errorf("told were %v", told)
	}
	_, err = change(world, signed) // used
	wantKind(t, err, lifecycle.Conflict)

	// It can be stopped until it takes effect.
	stopped := must[issuance.SettingChange](t)(h.StopSetting(t.Context(), online, done.Change.ID, "ce n'est pas moi"))
	h.clock.advance(5 * time.Hour)
	if got := settings.Canonical(h.inForce(t, client)); got != `{"scope":"domestic"}` || stopped.State != lifecycle.SettingStopped {
		t.Errorf("stopped, %s is in force: %+v", got, stopped)
	}
	// An opening ends by itself, and does not come back when a later one ends.
	opening := world
	opening.Until = h.clock.now().Add(48 * time.Hour)
	asked = must[issuance.SettingAnswer](t)(change(opening, ""))
	must[issuance.SettingAnswer](t)(change(opening, h.signed(t, client, "0002", signing.ChangeSetting, asked.Sign.Content)))
	h.clock.advance(4 * time.Hour)
	narrow := abroad(client, "0002", `{"scope":"domestic","countries":["US"]}`)
	narrow.Until = h.clock.now().Add(10 * time.Hour)
	asked = must[issuance.SettingAnswer](t)(change(narrow, ""))
	last := must[issuance.SettingAnswer](t)(change(narrow, h.signed(t, client, "0002", signing.ChangeSetting, asked.Sign.Content)))
	if got := settings.Canonical(h.inForce(t, client)); got != `{"scope":"world"}` {
		t.Errorf("opened, %s is in force", got)
	}
	h.clock.advance(4 * time.Hour)
	if got := settings.Canonical(h.inForce(t, client)); got != `{"scope":"domestic","countries":["US"]}` {
		t.Errorf("then %s is in force", got)
	}
	_, err = h.StopSetting(t.Context(), online, last.Change.ID, "")
	wantKind(t, err, lifecycle.Illegal)
	h.clock.advance(7 * time.Hour)
	if got := settings.Canonical(h.inForce(t, client)); got != `{"scope":"domestic"}` {
		t.Errorf("at the end %s is in force", got)
	}
	tight := abroad(client, "0002", `{"scope":"domestic"}`)
	tight.Until = h.clock.now().Add(24 * time.Hour)
	_, err = change(tight, h.signed(t, client, "0002", signing.SignIn, nil))
	wantKind(t, err, lifecycle.Invalid) // a tightening that ends would loosen
}

func TestStaffTightenAndLoosenWithTheHolderPresent(t *testing.T) {
	t.Parallel()
	h := setup(t)
	client := h.users(t, "0001")
	limits := issuance.SettingRequest{ClientID: client, UserNumber: "0001", Setting: settings.Limits, Level: settings.OfUser, Value: []byte(`{"limits":[{"per_day":500}]}`), Note: "called by the number on record"}
	for _, who := range []lifecycle.Actor{alix, irene, owen, online} {
		_, err := h.StaffSetting(t.Context(), who, limits, false)
		wantKind(t, err, lifecycle.Forbidden)
	}
	if c := must[issuance.SettingChange](t)(h.StaffSetting(t.Context(), leonie, limits, false)); c.State != lifecycle.SettingAccepted || c.Loosens {
		t.Errorf("tightened by staff: %+v", c)
	}
	limits.Value = []byte(`{"limits":[{"per_day":900}]}`)
	_, err := h.StaffSetting(t.Context(), leonie, limits, false)
	wantKind(t, err, lifecycle.Forbidden)
	c := must[issuance.SettingChange](t)(h.StaffSetting(t.Context(), leonie, limits, true))
	wantKind(t, h.ApproveSetting(t.Context(), lifecycle.Actor{ID: leonie.ID, Role: lifecycle.RoleApprover}, c.ID, c.Sum()), lifecycle.Forbidden)
	wantKind(t, h.ApproveSetting(t.Context(), irene, c.ID, [32]byte{}), lifecycle.Conflict)
	if err := h.ApproveSetting(t.Context(), irene, c.ID, c.Sum()); err != nil {
		t.Fatal(err)
	}
	c = must[issuance.SettingChange](t)(h.SettingChange(t.Context(), c.ID))
	if c.State != lifecycle.SettingAccepted || !c.Waits(h.clock.now()) || !slices.Equal(h.settingNotices(t, c.ID), []string{"0001"}) {
		t.Errorf("loosened by staff: %+v", c)
	}
	// Less than SEPA is the payer's own wish.
	_, err = h.StaffSetting(t.Context(), leonie, abroadNoted(client), false)
	wantKind(t, err, lifecycle.Forbidden)
	must[issuance.SettingChange](t)(h.StaffSetting(t.Context(), leonie, abroadNoted(client), true))
}

func abroadNoted(client string) issuance.SettingRequest {
	r := abroad(client, "0001", `{"scope":"domestic"}`)
	r.Note = "asked for at the desk"
	return r
}

// However people and staff change a setting, and whenever one looks: nothing was
// loosened without proof, delay and notice.
func TestNothingIsLoosenedWithoutProofDelayAndNotice(t *testing.T) {
	t.Parallel()
	h := setup(t)
	client := h.users(t, "0001", "0002")
	h.entitle(t, client, "0001", signing.Grant{Function: signing.ManageEntitlements}, signing.Grant{Function: signing.ChangeSetting})
	delay := h.Policy().SettingDelay
	value := rapid.SampledFrom([]string{`{"scope":"domestic"}`, `{"scope":"domestic","countries":["BE"]}`, `{"scope":"sepa"}`, `{"scope":"world"}`})
	var all []lifecycle.SettingID
	rapid.Check(t, func(rt *rapid.T) {
		before := h.inForce(t, client)
		look := func() {
			rt.Helper()
			after := h.inForce(t, client)
			if settings.Loosens(before, after) {
				h.wasProven(t, rt, client, after, delay)
			}
			before = after
		}
		request := func(rt *rapid.T) issuance.SettingRequest {
			r := abroad(client, "0001", value.Draw(rt, "value"))
			if rapid.IntRange(0, 3).Draw(rt, "ends") == 0 {
				r.Until = h.clock.now().Add(delay + time.Duration(rapid.IntRange(1, 300).Draw(rt, "minutes"))*time.Minute)
			}
			r.Note = "walked"
			return r
		}
		tolerate := func(err error) {
			if err != nil && !errors.Is(err, lifecycle.Invalid) && !errors.Is(err, lifecycle.Forbidden) && !errors.Is(err, lifecycle.Conflict) && !errors.Is(err, lifecycle.Illegal) {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { look() },
			"time": func(rt *rapid.T) {
				h.clock.advance(time.Duration(rapid.IntRange(1, 200).Draw(rt, "minutes")) * time.Minute)
			},
			"login": func(rt *rapid.T) {
				answer, err := h.ChangeSetting(t.Context(), online, request(rt), h.signed(t, client, "0001", signing.SignIn, nil))
				tolerate(err)
				all = append(all, answer.Change.ID)
			},
			"sign": func(rt *rapid.T) {
				r := request(rt)
				answer, err := h.ChangeSetting(t.Context(), online, r, "")
				tolerate(err)
				if answer.Sign != nil {
					answer, err = h.ChangeSetting(t.Context(), online, r, h.signed(t, client, "0001", signing.ChangeSetting, answer.Sign.Content))
					tolerate(err)
					all = append(all, answer.Change.ID)
				}
			},
			"staff": func(rt *rapid.T) {
				c, err := h.StaffSetting(t.Context(), leonie, request(rt), rapid.Bool().Draw(rt, "present"))
				tolerate(err)
				if err == nil && rapid.Bool().Draw(rt, "approve") {
					tolerate(h.ApproveSetting(t.Context(), irene, c.ID, c.Sum()))
				}
				all = append(all, c.ID)
			},
			"stop": func(rt *rapid.T) {
				if len(all) > 0 {
					_, err := h.StopSetting(t.Context(), online, all[len(all)-1-rapid.IntRange(0, min(2, len(all)-1)).Draw(rt, "which")], "")
					tolerate(err)
				}
			},
		})
	})
}

// wasProven fails unless the value came by a change with proof, delay and notice.
func (h *house) wasProven(t tb, rt *rapid.T, client string, v settings.Value, delay time.Duration) {
	rt.Helper()
	for _, c := range must[[]issuance.SettingChange](t)(h.Settings(t.Context(), client, "0001")) {
		if !c.Holds(h.clock.now()) || c.New != settings.Canonical(v) {
			continue
		}
		accepted := c.Created
		if c.Authentication == "" {
			accepted = c.From.Add(-delay) // of the approver
		}
		proven := c.Authentication != "" || c.HolderPresent && c.DecidedBy != "" && c.DecidedBy != c.MadeBy
		if c.Loosens && proven && c.From.Sub(accepted) >= delay && len(h.settingNotices(t, c.ID)) > 0 {
			return
		}
		rt.Fatalf("%s came by %+v", settings.Canonical(v), c)
	}
	rt.Fatalf("%s came by nothing", settings.Canonical(v))
}
