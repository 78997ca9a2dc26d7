package issuance_test

import (
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// under counts the cards of a version that may still be used.
func (h *house) under(t tb, key issuance.MasterKey, version int) int {
	t.Helper()
	cards, _, err := h.CardsUnder(t.Context(), key, version)
	if err != nil {
		t.Fatal(err)
	}
	return cards
}

func TestAVersionOfAMasterKeyIsInUseUntilItsLastCardIsNot(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.approved(t, 3)
	plan := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), h.seal(t)))
	made := answered(plan)
	made[0].Keys = issuance.MasterKeyVersions{AC: 2, SMI: 1, SMC: 3} // the others: not told, the first
	h.event(t, h.FinishPersonalise(t.Context(), plan, made, nil))
	for _, c := range []struct {
		key     issuance.MasterKey
		version int
		want    int
	}{
		{issuance.MasterKeyAC, 1, 2},
		{issuance.MasterKeyAC, 2, 1},
		{issuance.MasterKeyAC, 3, 0},
		{issuance.MasterKeySMI, 1, 3},
		{issuance.MasterKeySMI, 2, 0},
		{issuance.MasterKeySMC, 1, 2},
		{issuance.MasterKeySMC, 3, 1},
	} {
		if got := h.under(t, c.key, c.version); got != c.want {
			t.Errorf("%d cards under version %d of %s, want %d", got, c.version, c.key, c.want)
		}
	}
	_, until, err := h.CardsUnder(t.Context(), issuance.MasterKeyAC, 2)
	if want := must[issuance.CardView](t)(h.Card(t.Context(), made[0].Card)).Expiry; err != nil || !until.Equal(want) {
		t.Errorf("the last card of version 2 ends %s, want %s, %v", until, want, err)
	}
	h.oppose(t, made[1].Card)
	if got := h.under(t, issuance.MasterKeyAC, 1); got != 1 {
		t.Errorf("an opposed card still counts: %d", got)
	}
	h.clock.advance(20 * 365 * 24 * time.Hour)
	if got := h.under(t, issuance.MasterKeyAC, 1); got != 0 {
		t.Errorf("an expired card still counts: %d", got)
	}
}

func TestAnActOfACeremonyIsOnRecordOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	by := lifecycle.Actor{ID: "m.rocheclaire", Role: lifecycle.RoleSecurityOfficer}
	detail := map[string]string{"kcv": "08D7B4"}
	for _, c := range []struct {
		name, ceremony, act string
		kind                error
	}{
		{"the first time", "2026-A", "key imk-ac", nil},
		{"again", "2026-A", "key imk-ac", lifecycle.Conflict},
		{"another act", "2026-A", "key imk-smi", nil},
		{"in another ceremony", "2026-B", "key imk-ac", nil},
	} {
		err := h.RecordAct(t.Context(), by, c.ceremony, c.act, detail)
		if c.kind == nil && err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if c.kind != nil {
			wantKind(t, err, lifecycle.Conflict)
		}
	}
	acts := must[[]issuance.CeremonyAct](t)(h.Acts(t.Context(), "2026-A"))
	if len(acts) != 2 || acts[0].Name != "key imk-ac" || acts[0].By != by.ID || acts[0].Detail["kcv"] != "08D7B4" {
		t.Errorf("on record: %+v", acts)
	}
}
