package hsm_test

import (
	"maps"
	"testing"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

func TestMarksAreRaisedByWorkersAndReadByResponders(t *testing.T) {
	t.Parallel()
	vault := testenv.Vault(t)
	if err := open(t, vault).ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	worker, responder := as(t, vault, hsm.RoleWorker), as(t, vault, hsm.RoleOCSP)
	name := "crl-marks-test"
	got, err := responder.Marks(t.Context(), name)
	if err != nil || len(got) != 0 {
		t.Errorf("before the first: %v %v", got, err)
	}
	high := map[string]int64{"0.number": 1 << 60, "0.revision": 3}
	for range 2 { // the same again changes nothing
		if err := worker.RaiseMarks(t.Context(), name, high); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, worker.RaiseMarks(t.Context(), name, map[string]int64{"0.number": 5}), lifecycle.Conflict)
	wantKind(t, worker.RaiseMarks(t.Context(), "Not a name", high), lifecycle.Invalid)
	wantKind(t, responder.RaiseMarks(t.Context(), name, map[string]int64{"0.number": 1 << 61}), lifecycle.Forbidden)
	if got, err := responder.Marks(t.Context(), name); err != nil || !maps.Equal(got, high) {
		t.Errorf("marks %v %v, want %v", got, err, high)
	}
	elsewhere := openWith(t, hsm.Config{Address: vault.Addr, Token: vault.RootToken, CardMount: "nowhere"})
	_, err = elsewhere.Marks(t.Context(), name) // an engine that is away knows no marks
	wantKind(t, err, lifecycle.Unavailable)
}
