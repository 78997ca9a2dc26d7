package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/authn"
	"sceau/card"
	"sceau/card/pcsc"
	"sceau/cmd/sceau/internal/client"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/internal/devenv"
	"sceau/issuance"
	"sceau/lifecycle"
)

// openDoors plays the demonstration in dir and keeps its doors open until the
// test ends.
func openDoors(t *testing.T, dir string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	said, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"dev", "--dir", dir}, writer, writer)
		_ = writer.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("sceau dev: %v", err)
		}
	})
	var all strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		_, _ = all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "doors open") {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return
		}
	}
	t.Fatalf("the demonstration opened no doors:\n%s", all.String())
}

// branch is a desk with a reader, and the bank behind it.
type branch struct {
	t       *testing.T
	house   *house.House
	bank    *client.Client // as online banking
	api     string
	desk    string // URL of the door for terminals that personalise
	key     string // file of the terminal's API key
	pcscd   *devenv.PCSCD
	holders map[lifecycle.HolderID]issuance.HolderView
	demo    string   // the demonstration's folder
	dev     []string // flags of commands inside the house
}

func newBranch(t *testing.T, dir string) *branch {
	t.Helper()
	var dev struct {
		API, Terminals, Database, Vault string
		Token                           string `json:"vault_token"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dev); err != nil {
		t.Fatal(err)
	}
	b := &branch{t: t, api: dev.API, desk: dev.Terminals, demo: filepath.Join(dir, "demo"), key: filepath.Join(t.TempDir(), "key"), holders: map[lifecycle.HolderID]issuance.HolderView{}}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(dev.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	b.dev = []string{"--database-url", dev.Database, "--vault-addr", dev.Vault, "--vault-token-file", token}
	vault, err := hsm.Open(t.Context(), hsm.Config{Address: dev.Vault, Token: dev.Token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vault.Close)
	b.house, err = house.Open(t.Context(), house.Config{
		DatabaseURL: dev.Database, Vault: vault, Policy: issuance.DefaultPolicy(), TestNames: true, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.house.Close)
	keys, err := b.house.CodesDesk()
	if err != nil {
		t.Fatal(err)
	}
	_, terminal, err := keys.NewAPIKey(t.Context(), b.staff(lifecycle.RoleSecurityOfficer), "a branch", []authn.Scope{authn.ScopeResetPIN, authn.ScopePersonalise}, "FR01", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.key, []byte(terminal.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, online, err := keys.NewAPIKey(t.Context(), b.staff(lifecycle.RoleSecurityOfficer), "online banking at the branch", []authn.Scope{authn.ScopeVerifyCAP}, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b.bank = client.New(b.api, online.Reveal())
	all, err := b.house.Service.Holders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		b.holders[h.ID] = h
	}
	if b.pcscd, err = devenv.StartPCSCD(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.pcscd.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// staff is somebody of the sample bank with a role.
func (b *branch) staff(role lifecycle.Role) lifecycle.Actor {
	b.t.Helper()
	bank, err := house.ReadBank("../../testdata/demo/bank.yaml")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range bank.Staff {
		if actor, err := b.house.Service.StaffActor(b.t.Context(), p.Login, role); err == nil {
			return actor
		}
	}
	b.t.Fatalf("nobody is %s", role)
	return lifecycle.Actor{}
}

// approved submits an order and has a second person approve it.
func (b *branch) approved(r issuance.OrderRequest) lifecycle.OrderID {
	b.t.Helper()
	service := b.house.Service
	id, err := service.Submit(b.t.Context(), b.staff(lifecycle.RoleAccountManager), r)
	if err != nil {
		b.t.Fatal(err)
	}
	content, err := service.ShowOrder(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := service.Approve(b.t.Context(), b.staff(lifecycle.RoleApprover), id, content.Hash()); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// insert puts a simulated card into the virtual reader until the test ends.
func (b *branch) insert(t *testing.T, image string) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "simcard-*")
	if err != nil {
		t.Fatal(err)
	}
	root, err := devenv.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	sim := exec.Command(filepath.Join(root, "bin", "simcard"), "--card", image, "--vpcd", b.pcscd.VPCD)
	sim.Stderr = log
	if err := sim.Start(); err != nil {
		t.Fatalf("%v: run `make build`", err)
	}
	t.Cleanup(func() {
		_ = sim.Process.Kill() // as a card is pulled: what it counted is on file
		_ = sim.Wait()
		b.waitUntil(t, false)
	})
	b.waitUntil(t, true)
}

// waitUntil waits until the daemon has seen a card come or go.
func (b *branch) waitUntil(t *testing.T, present bool) {
	t.Helper()
	err := pcsc.Watch(context.WithoutCancel(t.Context()), b.pcscd.Socket, func(readers []pcsc.Reader) bool {
		return slices.ContainsFunc(readers, func(r pcsc.Reader) bool { return r.Present }) == present
	})
	if err != nil {
		t.Fatal(err)
	}
}

// foreign runs somebody else's PC/SC program.
func (b *branch) foreign(t *testing.T, in string, program ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+b.pcscd.Socket)
	cmd.Stdin = strings.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", program[0], err, out, errs.String())
	}
	return string(out)
}

// reader is a CAP reader that knows nothing of Sceau.
func (b *branch) reader(t *testing.T, pins ...string) []string {
	t.Helper()
	out := b.foreign(t, strings.Join(pins, "\n"), "/usr/bin/python3", "testdata/cap_reader.py")
	return strings.Split(strings.TrimSpace(out), "\n")
}

// terminal runs our terminal over PC/SC.
func (b *branch) terminal(t *testing.T, command string, order lifecycle.OrderID, more ...string) (string, error) {
	t.Helper()
	door := b.api
	if command == "personalise" {
		door = b.desk
	}
	args := []string{"terminal", command, "--api", door, "--api-key-file", b.key, "--operator", "a.clairvallon", "--pcscd", b.pcscd.Socket, "--order", string(order)}
	return sceau(t, append(args, more...)...)
}

func (b *branch) verify(t *testing.T, h issuance.HolderView, code string) string {
	t.Helper()
	var answer struct{ Result string }
	body := map[string]string{"client_id": h.ClientID, "user_number": h.UserNumber, "code": code}
	if err := b.bank.Post(t.Context(), "/v1/cap/verify", body, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Result
}

// activeCards are cards in use, most recent last.
func (b *branch) activeCards(t *testing.T) []issuance.CardView {
	t.Helper()
	var active []issuance.CardView
	for after := lifecycle.CardID(""); ; {
		page, err := b.house.Service.Cards(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			if after = c.ID; c.State == lifecycle.CardActive {
				active = append(active, c)
			}
		}
		if len(page) == 0 {
			return active
		}
	}
}

// image is a simulated card's file, and the PIN in it.
func (b *branch) image(t *testing.T, id lifecycle.CardID) (path, pin string) {
	t.Helper()
	path = filepath.Join(b.demo, "bureau", "cards", string(id)+".json")
	var image struct {
		Block string `json:"pin_block"`
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &image)
	}
	if err != nil || len(image.Block) != 16 {
		t.Fatal(err)
	}
	return path, image.Block[2 : 2+image.Block[1]-'0']
}

// aBranchWithARealDaemon is what other people's programs and our terminal do with
// cards in a reader of pcscd.
func aBranchWithARealDaemon(t *testing.T, dir string) {
	t.Helper()
	b := newBranch(t, dir)
	cards := b.activeCards(t)
	t.Run("opensc-tool sees the card and talks to it", func(t *testing.T) { b.openSC(t, cards[2]) })
	t.Run("three wrong PINs, the reset over PC/SC, a right code", func(t *testing.T) { b.unblock(t, cards[3]) })
	t.Run("another PIN over PC/SC, its letter to the holder", func(t *testing.T) { b.changePIN(t, cards[4]) })
	t.Run("a blank chip is made a card over PC/SC", func(t *testing.T) { b.personalise(t, cards[7], dir) })
	t.Run("a card is ordered at the desk, and flagged", func(t *testing.T) {
		h := b.holders[cards[6].Holder]
		args := append([]string{"order", "submit", "new_card", "--client-id", h.ClientID, "--user", h.UserNumber, "--as", "a.clairvallon"}, b.dev...)
		if out, err := sceau(t, args...); err != nil || !strings.Contains(out, "waits for an approver: fee 15.00 EUR") || !strings.Contains(out, "second_card") {
			t.Error(out, err)
		}
	})
	t.Run("the same terminal with a card's file", func(t *testing.T) {
		path, _ := b.image(t, cards[5].ID)
		order := b.approved(issuance.OrderRequest{Kind: lifecycle.OrderPINReset, TargetCard: cards[5].ID, Identity: "residence_permit 77XA", BranchCode: "FR01"})
		out, err := b.terminal(t, "unblock", order, "--card", path)
		if kept, openErr := card.Open(path); err != nil || openErr != nil || kept.Status().Scripts != 1 || !strings.Contains(out, "3 tries") {
			t.Error(out, err, openErr)
		}
		if _, err := b.terminal(t, "unblock", order, "--card", path); !errors.Is(err, lifecycle.Conflict) {
			t.Errorf("an order that has done its work: %v", err)
		}
	})
	t.Run("without a card the terminal says so", func(t *testing.T) {
		_, err := b.terminal(t, "unblock", "O-0000000000000000", "--wait", "1ms")
		if !errors.Is(err, lifecycle.Unavailable) || !strings.Contains(err.Error(), "no card") {
			t.Error(err)
		}
	})
}

func (b *branch) openSC(t *testing.T, c issuance.CardView) {
	t.Helper()
	path, _ := b.image(t, c.ID)
	b.insert(t, path)
	if atr := b.foreign(t, "", "opensc-tool", "--atr"); !strings.Contains(atr, "3b:80:80:01:01") {
		t.Errorf("ATR: %s", atr)
	}
	if out, err := sceau(t, "terminal", "readers", "--pcscd", b.pcscd.Socket); err != nil || !strings.Contains(out, "card   Virtual PCD") || !strings.Contains(out, "empty  Virtual PCD") {
		t.Errorf("%s, %v", out, err)
	}
	out := b.foreign(t, "", "opensc-tool", "-s", "00A4040007A000000004800200", "-s", "80CA9F1700", "-s", "00A404000E315041592E5359532E444446303100")
	for _, want := range []string{"SW1=0x90, SW2=0x00", "9F 17 01 03", "SW1=0x6A, SW2=0x82"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func (b *branch) unblock(t *testing.T, c issuance.CardView) {
	t.Helper()
	path, pin := b.image(t, c.ID)
	b.insert(t, path)
	holder := b.holders[c.Holder]
	if got := b.verify(t, holder, b.reader(t, pin)[0]); got != "accepted" {
		t.Errorf("an independent reader's code is %s", got)
	}
	wrong := string('0'+(pin[0]-'0'+1)%10) + pin[1:]
	got := strings.Join(b.reader(t, wrong, wrong, wrong, pin), "; ")
	if got != "wrong PIN, 2 left; wrong PIN, 1 left; wrong PIN, 0 left; blocked" {
		t.Fatal(got)
	}
	order := b.approved(issuance.OrderRequest{Kind: lifecycle.OrderPINReset, TargetCard: c.ID, Identity: "passport 4T7K", BranchCode: "FR01"})
	if out, err := b.terminal(t, "unblock", order); err != nil {
		t.Fatal(out, err)
	}
	codes := b.reader(t, pin)
	if got := b.verify(t, holder, codes[0]); got != "accepted" {
		t.Errorf("after the reset the code %q is %s", codes[0], got)
	}
	if kept, err := card.Open(path); err != nil || kept.Status().TriesLeft != 3 || kept.Status().Scripts != 1 {
		t.Errorf("the card keeps %+v, %v", kept.Status(), err)
	}
}

func (b *branch) changePIN(t *testing.T, c issuance.CardView) {
	t.Helper()
	path, old := b.image(t, c.ID)
	b.insert(t, path)
	order := b.approved(issuance.OrderRequest{Kind: lifecycle.OrderPINChange, TargetCard: c.ID, Identity: "identity_card 0QZ9", BranchCode: "FR01"})
	out, err := b.terminal(t, "change-pin", order)
	if err != nil {
		t.Fatal(out, err)
	}
	_, pin := b.image(t, c.ID)
	if pin == old { // one in ten thousand
		t.Fatal("the engine drew the same PIN again: run the test again")
	}
	if strings.Contains(out, pin) {
		t.Errorf("the terminal shows the PIN: %s", out)
	}
	if got := b.reader(t, old, pin); got[0] != "wrong PIN, 2 left" || b.verify(t, b.holders[c.Holder], got[1]) != "accepted" {
		t.Errorf("after the change: %v", got)
	}
	after, err := b.house.Service.Card(t.Context(), c.ID)
	if err != nil || after.PINLetter == c.PINLetter || after.PINLetter == "" {
		t.Errorf("letter %q before, %q after, %v", c.PINLetter, after.PINLetter, err)
	}
}

// personalise replaces a card in a chip that simcard plays, from the chip maker's
// key to the holder's collection.
func (b *branch) personalise(t *testing.T, damaged issuance.CardView, dir string) {
	t.Helper()
	order := b.approved(issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: damaged.ID, Reason: lifecycle.CardDamaged,
		Delivery: lifecycle.DeliverBranch, BranchCode: "FR01", InHouse: true,
	})
	blank := func(name string) string {
		path := filepath.Join(t.TempDir(), name)
		out, err := exec.CommandContext(t.Context(), "../../bin/simcard", "--card", path, "blank", "--master-key-file", filepath.Join(dir, "chip-maker.key")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return path
	}
	path := blank("blank.json")
	if _, err := b.terminal(t, "personalise", order, "--spoiled", "nothing begun"); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("a chip of which nobody knows: %v", err)
	}
	t.Run("in a card that is made already", func(t *testing.T) {
		used, _ := b.image(t, damaged.ID)
		b.insert(t, used)
		if _, err := b.terminal(t, "personalise", order); !errors.Is(err, card.ErrMade) {
			t.Errorf("a card in use: %v", err)
		}
	})
	if out, err := b.terminal(t, "personalise", order, "--spoiled", "bent"); err != nil || !strings.Contains(out, "given up") {
		t.Error(out, err)
	}
	b.insert(t, path)
	out, err := b.terminal(t, "personalise", order)
	if err != nil || !strings.Contains(out, "is made: 3 tries") {
		t.Fatal(out, err)
	}
	view, err := b.house.Service.Order(t.Context(), order)
	if err != nil || view.Card.State != lifecycle.CardAtBranch || !strings.Contains(out, string(view.Card.ID)) {
		t.Errorf("%+v, %v", view.Card, err)
	}
	if _, err := b.terminal(t, "personalise", order); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("an order whose card is made: %v", err)
	}
	if kept, err := card.Open(path); err != nil || kept.Status().Blank || kept.Status().ATC != 1 {
		t.Errorf("the chip keeps %+v, %v", kept.Status(), err)
	}
	if chips, err := b.house.Service.Chips(t.Context(), order); err != nil || len(chips) != 2 || chips[0].Reason != "bent" || chips[1].Result != "made" {
		t.Errorf("chips %+v, %v", chips, err)
	}
}
