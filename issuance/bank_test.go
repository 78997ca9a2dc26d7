package issuance_test

import (
	"slices"
	"testing"
	"time"

	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
)

func TestAServiceIsMadeWhole(t *testing.T) {
	t.Parallel()
	h := setup(t)
	queue := must[*jobs.Enqueuer](t)(jobs.NewEnqueuer())
	policy := issuance.DefaultPolicy()
	if _, err := issuance.New(h.store, testenv.Safe(), queue, jobs.CSRChecker{}, policy, h.clock.now); err != nil {
		t.Errorf("the default policy: %v", err)
	}
	big, none := policy, policy
	big.BatchSize, none.BatchSize = 501, 0
	for name, err := range map[string]error{
		"no store":      second(issuance.New(nil, testenv.Safe(), queue, jobs.CSRChecker{}, policy, h.clock.now)),
		"no enqueuer":   second(issuance.New(h.store, testenv.Safe(), nil, jobs.CSRChecker{}, policy, h.clock.now)),
		"no CSRs":       second(issuance.New(h.store, testenv.Safe(), queue, nil, policy, h.clock.now)),
		"no clock":      second(issuance.New(h.store, testenv.Safe(), queue, jobs.CSRChecker{}, policy, nil)),
		"a large batch": second(issuance.New(h.store, testenv.Safe(), queue, jobs.CSRChecker{}, big, h.clock.now)),
		"no batch":      second(issuance.New(h.store, testenv.Safe(), queue, jobs.CSRChecker{}, none, h.clock.now)),
	} {
		if err == nil {
			t.Errorf("made with %s", name)
			continue
		}
		wantKind(t, err, lifecycle.Invalid)
	}
}

func second[T any](_ T, err error) error { return err }

func TestABankIsSetUpTwiceWithoutATrace(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 3)
	before := must[int64](t)(h.store.CountAudit(t.Context()))
	h.event(t, h.SetUpBank(t.Context(), system, bank()))
	h.authority(t, 3)
	if after := must[int64](t)(h.store.CountAudit(t.Context())); after != before {
		t.Errorf("the second time left %d entries", after-before)
	}
	if got := must[[]issuance.Authority](t)(h.Authorities(t.Context())); len(got) != 1 || got[0].Shards != 3 || !got[0].Online || got[0].Parent != "" {
		t.Errorf("authorities %+v", got)
	}
}

func TestStaffActInTheRolesTheyHold(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, role := range lifecycle.StaffRoles() {
		actor, err := h.StaffActor(t.Context(), "come", role)
		if slices.Contains([]lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleApprover}, role) {
			if err != nil || actor != (lifecycle.Actor{ID: "come", Role: role}) {
				t.Errorf("%s: %v, %v", role, actor, err)
			}
			continue
		}
		wantKind(t, err, lifecycle.Forbidden)
	}
	wantKind(t, second(h.StaffActor(t.Context(), "nobody", lifecycle.RoleApprover)), lifecycle.NotFound)
	if _, err := h.pool.Exec(t.Context(), "UPDATE staff SET active = false WHERE login = 'come'"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, second(h.StaffActor(t.Context(), "come", lifecycle.RoleApprover)), lifecycle.Forbidden)
	wantKind(t, second(h.StaffActor(t.Context(), "come", lifecycle.RoleSystem)), lifecycle.Forbidden)
}

func TestStaffOfAnUnknownRoleOrBranchAreNotAdded(t *testing.T) {
	t.Parallel()
	h := setup(t)
	person := issuance.Staff{Login: "new", Name: "x", Roles: []lifecycle.Role{lifecycle.RoleOperator}, BranchCode: "FR01", Language: "fr"}
	root, lost := person, person
	root.Roles, lost.BranchCode = []lifecycle.Role{lifecycle.RoleSystem}, "FR99"
	wantField(t, h.SetUpBank(t.Context(), system, issuance.Bank{Staff: []issuance.Staff{person, root}}), "roles")
	wantKind(t, h.SetUpBank(t.Context(), system, issuance.Bank{Staff: []issuance.Staff{lost}}), lifecycle.NotFound)
	wantKind(t, second(h.StaffActor(t.Context(), "new", lifecycle.RoleOperator)), lifecycle.NotFound) // all or nothing
}

func TestTheDelegateThatEndsLastAnswers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	wantKind(t, second(h.NewestDelegate(t.Context(), "issuing-1", issuance.DelegateOCSP)), lifecycle.NotFound)
	var made [][]byte
	for i, days := range []int{90, 180, 30} {
		made = append(made, certificateOf(t, int64(i+1)))
		h.event(t, h.RecordDelegate(t.Context(), maxence, issuance.Delegate{
			Issuer: "issuing-1", Purpose: issuance.DelegateOCSP, Certificate: made[i], Key: "ocsp-1", NotAfter: monday.Add(time.Duration(days) * 24 * time.Hour),
		}))
	}
	wantKind(t, second(h.NewestDelegate(t.Context(), "issuing-1", issuance.DelegateBureau)), lifecycle.NotFound)
	got := must[issuance.Delegate](t)(h.NewestDelegate(t.Context(), "issuing-1", issuance.DelegateOCSP))
	if !slices.Equal(got.Certificate, made[1]) || got.Key != "ocsp-1" || !got.NotAfter.Equal(monday.Add(180*24*time.Hour)) {
		t.Errorf("the delegate is %+v", got)
	}
	wantKind(t, h.RecordDelegate(t.Context(), maxence, issuance.Delegate{Issuer: "other", Purpose: issuance.DelegateOCSP, NotAfter: monday}), lifecycle.Invalid)
}

func TestAHolderIsFoundByWhatTheySignInWith(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.holder(t)
	all := must[[]issuance.HolderView](t)(h.Holders(t.Context()))
	if len(all) != 1 || all[0].ID != holder || all[0].Language != "fr" || all[0].Surname != "Montclair" {
		t.Fatalf("holders %+v", all)
	}
	if got := must[lifecycle.HolderID](t)(h.HolderByUser(t.Context(), all[0].ClientID, all[0].UserNumber)); got != holder {
		t.Errorf("found %s", got)
	}
	wantKind(t, second(h.HolderByUser(t.Context(), all[0].ClientID, "0002")), lifecycle.NotFound)
}
