package house_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/hsm/keyblock"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(doorVariable); text != "" {
		if err := serveDoor(text); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	options := []testenv.Option{testenv.WithMigrations(house.Migrate)}
	if slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.bench=") }) {
		options = append(options, testenv.Durable())
	}
	testenv.Main(m, options...)
}

// bankHouse is a bank before its first ceremony.
type bankHouse struct {
	*house.House

	vault    testenv.VaultServer
	database string
	clock    atomic.Int64 // nanoseconds that passed since now
	admin    *hsm.Client
	cards    *hsm.Client
	bank     *house.Bank
	now      time.Time
	said     []string
	toSay    func(string) // is called at each line that the ceremony says
	holder   lifecycle.Actor
	address  string // of an open door, host:port
}

func newBankHouse(t testing.TB) *bankHouse {
	t.Helper()
	b := &bankHouse{
		vault: testenv.OwnVault(t), now: time.Now().UTC().Truncate(time.Second), toSay: func(string) {},
		holder: lifecycle.Actor{ID: "m.rocheclaire", Role: lifecycle.RoleSecurityOfficer}, database: testenv.Database(t),
	}
	b.admin = b.open(t, b.vault.RootToken)
	if err := b.admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.cards = b.as(t, "Maxence Rocheclaire")
	var err error
	if b.bank, err = house.ReadBank(filepath.Join("..", "..", "..", "..", "testdata", "demo", "bank.yaml")); err != nil {
		t.Fatal(err)
	}
	b.House, err = house.Open(t.Context(), house.Config{
		DatabaseURL: b.database, Policy: b.bank.Policy(), Now: func() time.Time { return b.now.Add(time.Duration(b.clock.Load())) }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func (b *bankHouse) open(t testing.TB, token string) *hsm.Client {
	t.Helper()
	client, err := hsm.Open(t.Context(), hsm.Config{Address: b.vault.Addr, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// as is somebody at the ceremony.
func (b *bankHouse) as(t testing.TB, person string) *hsm.Client {
	t.Helper()
	token, err := b.admin.NewToken(t.Context(), hsm.RoleCeremony, person)
	if err != nil {
		t.Fatal(err)
	}
	return b.open(t, token)
}

func (b *bankHouse) ceremony(plan house.Plan) house.Ceremony {
	return house.Ceremony{
		ID: "2026-A", By: b.holder, OpenRoot: house.VaultRoot(b.admin, b.cards, b.holder.ID), Admin: b.admin, Online: b.cards, Cards: b.cards, Plan: plan, Bank: b.bank,
		PublicBase: "http://127.0.0.1:1", Shards: 2, Now: func() time.Time { return b.now },
		Say: func(format string, args ...any) {
			line := fmt.Sprintf(format, args...)
			b.said = append(b.said, line)
			b.toSay(line)
		},
	}
}

func names(acts []issuance.CeremonyAct) string {
	var all []string
	for _, a := range acts {
		name, _, _ := strings.Cut(a.Name, " 20") // times
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

func (b *bankHouse) hold(t testing.TB, c house.Ceremony) []issuance.CeremonyAct {
	t.Helper()
	acts, err := b.Hold(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return acts
}

func TestACeremonyHeldAgainRenewsTheResponderAloneAndInTime(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	hold := func() (ca, responder []byte) {
		t.Helper()
		b.hold(t, b.ceremony(house.DefaultPlan()))
		return newest(t.Context(), t, b.House)
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
		b.now = b.now.Add(step.passes)
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

func newest(ctx context.Context, t testing.TB, h *house.House) (ca, responder []byte) {
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
	d, err := h.Service.NewestDelegate(ctx, house.IssuingID, issuance.DelegateOCSP)
	if err != nil {
		t.Fatal(err)
	}
	return ca, d.Certificate
}

// livePlan has one key that two custodians enter, and one that the engine draws.
func livePlan() house.Plan {
	return house.Plan{Environment: "live", Witnesses: []string{"Elke Vlierstra"}, Keys: []house.PlanKey{
		{Name: "imk-smi", Usage: hsm.UsageIMKSMI},
		{Name: "imk-ac", Usage: hsm.UsageIMKAC, Custodians: []string{"Mme Aubépin", "M. Tilleul"}},
	}}
}

// enter has two custodians enter a key, or its next version.
func (b *bankHouse) enter(t *testing.T, key string, rotate bool, components ...string) {
	t.Helper()
	for i, person := range []string{"Mme Aubépin", "M. Tilleul"} {
		raw, err := hex.DecodeString(components[i])
		if err != nil {
			t.Fatal(err)
		}
		kcv, err := keyblock.CheckValueTDES(raw)
		if err != nil {
			t.Fatal(err)
		}
		part := hsm.KeyComponent{
			Key: key, Usage: hsm.UsageIMKAC, Index: i + 1, Total: 2, Component: components[i], KCV: kcv, Environment: "live", Rotate: rotate,
		}
		if _, _, err := b.as(t, person).EnterComponent(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACeremonyThatWaitsForCustodiansGoesOnAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	c := b.ceremony(livePlan())
	acts, err := b.Hold(t.Context(), c)
	if !errors.Is(err, house.ErrWaiting) {
		t.Fatalf("a key without its components: %v", err)
	}
	const before = "begun, root-opened, root, issuing, root-list 1, root-closed, responder, bureau-signer, statement-signer, key imk-smi"
	if got := withoutFingerprint(names(acts)); got != before {
		t.Errorf("acts before the custodians: %s", got)
	}
	said := strings.Join(b.said, "\n")
	for _, want := range []string{"component 1 by Mme Aubépin", "component 2 by M. Tilleul", "--environment live --index 2 --total 2"} {
		if !strings.Contains(said, want) {
			t.Errorf("nobody was told %q", want)
		}
	}
	b.enter(t, "imk-ac", false, "1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80")
	ca, responder := newest(t.Context(), t, b.House)
	for range 2 {
		acts = b.hold(t, c)
		if got := withoutFingerprint(names(acts)); got != before+", key imk-ac" {
			t.Errorf("all acts: %s", got)
		}
	}
	sameCA, sameResponder := newest(t.Context(), t, b.House)
	if !bytes.Equal(ca, sameCA) || !bytes.Equal(responder, sameResponder) {
		t.Error("going on made certificates again")
	}
	if got := acts[len(acts)-1].Detail["custodians"]; got != "Mme Aubépin, M. Tilleul" {
		t.Errorf("the custodians on record: %q", got)
	}
}

// withoutFingerprint leaves a responder's fingerprint out of its act's name.
// fingerprint is the beginning of a certificate's, in the name of its act.
var fingerprint = regexp.MustCompile(` [0-9A-F]{8}\b`)

func withoutFingerprint(acts string) string { return fingerprint.ReplaceAllString(acts, "") }

func TestACeremonyThatDiesAfterAnyLineGoesOn(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	c := b.ceremony(house.DefaultPlan())
	for died := 0; ; died++ {
		ctx, die := context.WithCancel(t.Context())
		lines := 0
		b.toSay = func(string) {
			if lines++; lines == 1+died { // each time a line later
				die()
			}
		}
		acts, err := b.Hold(ctx, c)
		over := ctx.Err() == nil
		die()
		if over {
			if err != nil {
				t.Fatal(err)
			}
			if died == 0 {
				t.Error("it never died")
			}
			seen := map[string]bool{}
			for _, a := range acts {
				if seen[a.Name] {
					t.Errorf("%s is on record twice", a.Name)
				}
				seen[a.Name] = true
			}
			for _, want := range []string{"begun", "root", "issuing", "key imk-ac", "key imk-smi", "key imk-smc", "key " + house.DefaultTransportKey} {
				if !seen[want] {
					t.Errorf("%s is not on record", want)
				}
			}
			break
		}
		b.now = b.now.Add(2 * time.Minute) // a list that was begun and left is taken over
		if died > 30 {
			t.Fatal("it does not come to an end")
		}
	}
	all, err := b.Service.Authorities(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("%d authorities, %v", len(all), err)
	}
}

func TestARehearsalLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	c := b.ceremony(livePlan())
	c.Rehearsal = true
	acts := b.hold(t, c)
	var keys []string
	for _, a := range acts {
		if key := a.Detail["key"]; key != "" {
			keys = append(keys, key)
			if !strings.Contains(key, "/rehearsal-") {
				t.Errorf("%s is of %s", a.Name, key)
			}
			if s := a.Detail["subject"]; s != "" && !strings.Contains(s, "REHEARSAL") {
				t.Errorf("a certificate that does not say what it is: %s", s)
			}
		}
	}
	if len(keys) != 8 {
		t.Errorf("it rehearsed %v", keys)
	}
	if all, err := b.Service.Authorities(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("the database has %d authorities, %v", len(all), err)
	}
	if left, err := b.Service.Acts(t.Context(), c.ID); err != nil || len(left) != 0 {
		t.Errorf("the database has %d acts, %v", len(left), err)
	}
	live, err := b.cards.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range live {
		if info, err := b.cards.KeyInfo(t.Context(), name); err != nil || info.State != "deleted" {
			t.Errorf("card key %s is %s, %v", name, info.State, err)
		}
	}
	for _, key := range keys {
		mount, name, _ := strings.Cut(key, "/")
		store := hsm.Keystore(b.admin)
		if mount == "transit-root" {
			store = b.admin.RootKeystore()
		}
		if mount == "hsm" {
			continue
		}
		if _, err := store.SigningKey(t.Context(), name, 0); !errors.Is(err, lifecycle.NotFound) {
			t.Errorf("key %s: %v", key, err)
		}
	}
}

func TestAMasterKeyIsRotatedOnceAndRetiredByARecordedAct(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	c := b.ceremony(house.Plan{})
	c.ID = "2026-B"
	for range 2 { // the second time only looks
		if err := b.Rotate(t.Context(), c, "imk-ac", false); err != nil {
			t.Fatal(err)
		}
	}
	info, err := b.cards.KeyInfo(t.Context(), "imk-ac")
	if err != nil || info.Version != 2 {
		t.Fatalf("version %d, %v", info.Version, err)
	}
	if err := b.Retire(t.Context(), c, "imk-ac", 1); err != nil {
		t.Fatal(err)
	}
	acts, err := b.Service.Acts(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(acts); got != "rotating imk-ac, rotate imk-ac 2, retire imk-ac 1" {
		t.Errorf("acts: %s", got)
	}
	if kcv := acts[1].Detail["kcv"]; kcv != info.KCV || len(kcv) != 6 {
		t.Errorf("check value on record: %q, of the key: %q", kcv, info.KCV)
	}
}

func TestANewVersionInComponentsIsRecordedOnceItIsWhole(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	c := b.ceremony(livePlan())
	if _, err := b.Hold(t.Context(), c); !errors.Is(err, house.ErrWaiting) {
		t.Fatal(err)
	}
	b.enter(t, "imk-ac", false, "1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80")
	b.hold(t, c)
	c.ID = "2026-C"
	if err := b.Rotate(t.Context(), c, "imk-ac", true); !errors.Is(err, house.ErrWaiting) {
		t.Fatalf("before the custodians: %v", err)
	}
	b.enter(t, "imk-ac", true, "2C587FD3EA6B923E45B0C7921A6DF854", "3A5E43B6C89D107F6EA4D9327C15FB80")
	if err := b.Rotate(t.Context(), c, "imk-ac", true); err != nil {
		t.Fatal(err)
	}
	acts, err := b.Service.Acts(t.Context(), c.ID)
	if err != nil || !slices.ContainsFunc(acts, func(a issuance.CeremonyAct) bool {
		return a.Name == "rotate imk-ac 2" && a.Detail["origin"] == "components" && a.Detail["custodians"] == "Mme Aubépin, M. Tilleul"
	}) {
		t.Errorf("acts: %v, %v", names(acts), err)
	}
	pdf, err := house.Minutes{ID: c.ID, Acts: acts}.PDF(b.bank, "en", b.now)
	if err != nil {
		t.Fatal(err)
	}
	read := exec.CommandContext(t.Context(), "pdftotext", "-layout", "-", "-")
	read.Stdin = bytes.NewReader(pdf)
	if text, err := read.Output(); err != nil || !regexp.MustCompile(`Environment +live`).Match(text) || regexp.MustCompile(`Environment +test`).Match(text) {
		t.Errorf("minutes of a rotation of live keys: %v\n%s", err, text)
	}
}
