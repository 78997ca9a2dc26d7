package house_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.WithMigrations(house.Migrate)) }

func TestACeremonyHeldAgainRenewsTheResponderAloneAndInTime(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin, err := hsm.Open(t.Context(), hsm.Config{Address: vault.Addr, Token: vault.RootToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	bank, err := house.ReadBank(filepath.Join("..", "..", "..", "..", "testdata", "demo", "bank.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	h, err := house.Open(t.Context(), house.Config{
		DatabaseURL: testenv.Database(t), Policy: bank.Policy(), Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	hold := func() (ca, responder []byte) {
		t.Helper()
		err := h.Hold(t.Context(), house.Ceremony{
			By: lifecycle.Actor{ID: "m.rocheclaire", Role: lifecycle.RoleSecurityOfficer}, Root: admin.RootKeystore(), Online: admin, Cards: admin, Bank: bank,
			PublicBase: "http://127.0.0.1:1", Shards: 2, Say: func(string, ...any) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		return newest(t.Context(), t, h)
	}
	ca, responder := hold()
	for _, step := range []struct {
		name    string
		passes  time.Duration
		renewed bool
	}{
		{"at once", 0, false},
		{"with half of its life left", 45 * 24 * time.Hour, false},
		{"with less than a month left", 20 * 24 * time.Hour, true},
		{"after its end", 120 * 24 * time.Hour, true},
	} {
		now = now.Add(step.passes)
		sameCA, next := hold()
		if !bytes.Equal(sameCA, ca) {
			t.Errorf("%s: the issuing CA is another", step.name)
		}
		if got := !bytes.Equal(next, responder); got != step.renewed {
			t.Errorf("%s: renewed = %v, want %v", step.name, got, step.renewed)
		}
		responder = next
	}
}

func newest(ctx context.Context, t *testing.T, h *house.House) (ca, responder []byte) {
	t.Helper()
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.ID == house.IssuingID {
			ca = a.Certificate
		}
	}
	d, err := h.Service.NewestDelegate(ctx, house.IssuingID)
	if err != nil {
		t.Fatal(err)
	}
	return ca, d.Certificate
}
