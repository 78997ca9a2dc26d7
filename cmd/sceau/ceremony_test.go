package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sceau/bureau"
	"sceau/cmd/sceau/internal/house"
	"sceau/cms"
	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
)

// The components of the two custodians, and the keys that they make.
var components = map[string][2]string{
	"imk-ac":             {"1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80"},
	"transport-bureau-1": {"4F0E9B3D526C1A8792D4B05E37C86AF1", "8A61C4F70D93B52E6B1E7A9450D2F3C8"},
}

// bankAtWork is a bank whose commands run in processes of their own.
type bankAtWork struct {
	t        *testing.T
	vault    testenv.VaultServer
	database string
	dir      string
	tokens   map[string]string // files, by whose they are
	service  *issuance.Service
	env      []string // settings of every command

	mu   sync.Mutex
	said bytes.Buffer // by all processes; guarded by mu
}

// Write is the output of every process.
func (b *bankAtWork) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said.Write(text)
}

const bankFile = "../../testdata/demo/bank.yaml"

func newBankAtWork(t *testing.T) *bankAtWork {
	t.Helper()
	b := &bankAtWork{t: t, vault: testenv.OwnVault(t), database: testenv.Database(t), dir: t.TempDir(), tokens: map[string]string{}}
	b.tokens["admin"] = secretFile(t, b.vault.RootToken)
	b.ok("migrate", "--bank", bankFile)
	b.ok("vault", "setup", "--vault-token-file", b.tokens["admin"])
	for person, role := range map[string]string{
		"officer": "ceremony", "Mme Aubépin": "ceremony", "M. Tilleul": "ceremony", "auditor": "auditor", "worker": "worker", "office": "office", "pins": "pin-letter",
	} {
		token, err := b.quietly("vault", "token", "--role", role, "--for", person, "--vault-token-file", b.tokens["admin"])
		if err != nil {
			t.Fatalf("token of %s: %v", person, err)
		}
		b.tokens[person] = secretFile(t, strings.TrimSpace(token))
	}
	bank, err := house.ReadBank(bankFile)
	if err != nil {
		t.Fatal(err)
	}
	h, err := house.Open(t.Context(), house.Config{
		DatabaseURL: b.database, Policy: bank.Policy(), TestNames: true, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	b.service = h.Service
	return b
}

// command is one of the bank's commands, a process to be.
func (b *bankAtWork) command(args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := program(b.t, args...)
	cmd.Env = append(append(cmd.Env, b.env...), "SCEAU_DATABASE_URL="+b.database, "VAULT_ADDR="+b.vault.Addr, "SCEAU_TEST_NAMES=true")
	return cmd
}

// quietly runs a command whose output is a secret for who gave it.
func (b *bankAtWork) quietly(args ...string) (string, error) {
	out, err := b.command(args...).CombinedOutput()
	return string(out), err
}

func (b *bankAtWork) run(args ...string) (string, error) {
	out, err := b.quietly(args...)
	_, _ = b.Write([]byte(out))
	return out, err
}

func (b *bankAtWork) ok(args ...string) string {
	b.t.Helper()
	out, err := b.run(args...)
	if err != nil {
		b.t.Fatalf("sceau %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused wants a command to fail, and says so.
func (b *bankAtWork) refused(says string, args ...string) string {
	b.t.Helper()
	out, err := b.run(args...)
	if err == nil || !strings.Contains(out, says) {
		b.t.Errorf("sceau %s: %v, want %q:\n%s", strings.Join(args, " "), err, says, out)
	}
	return out
}

// ceremony are the flags of the officer's commands.
func (b *bankAtWork) ceremony(act, id string, more ...string) []string {
	return append([]string{"ceremony", act, "--id", id, "--bank", bankFile, "--officer", "m.rocheclaire", "--vault-token-file", b.tokens["officer"]}, more...)
}

func (b *bankAtWork) hold(id, plan string, more ...string) []string {
	return b.ceremony("hold", id, append([]string{"--plan", plan, "--public-base", "http://pki.example.test", "--admin-token-file", b.tokens["admin"]}, more...)...)
}

// enter has the custodians enter a key, one from a file and one at a terminal.
func (b *bankAtWork) enter(key, usage string, parts [2]string, more ...string) {
	b.t.Helper()
	args := func(i int, token string) []string {
		return append([]string{
			"ceremony", "component", "--key", key, "--usage", usage, "--environment", "live", "--index", fmt.Sprint(i + 1),
			"--kcv", checkValue(b.t, parts[i]), "--vault-addr", b.vault.Addr, "--vault-token-file", token,
		}, more...)
	}
	b.ok(append(args(0, b.tokens["Mme Aubépin"]), "--component-file", secretFile(b.t, parts[0]))...)
	s := sit(b.t, args(1, b.tokens["M. Tilleul"])...)
	s.asked()
	s.types(parts[1] + "\r")
	code, screen := s.ends()
	_, _ = b.Write([]byte(screen))
	if code != 0 || !strings.Contains(screen, "is whole") {
		b.t.Fatalf("component 2 of %s: %d, %s", key, code, screen)
	}
}

// correspondent makes the certificate of somebody whom files are encrypted for.
func (b *bankAtWork) correspondent(name string) (file string, certificate *x509.Certificate, key *rsa.PrivateKey) {
	b.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		b.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	if certificate, err = x509.ParseCertificate(der); err != nil {
		b.t.Fatal(err)
	}
	file = filepath.Join(b.dir, name+".pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return file, certificate, key
}

// works starts a worker, and gives what ends it in good order.
func (b *bankAtWork) works(args ...string) (stop func()) {
	b.t.Helper()
	cmd := b.command(append([]string{"work", "--bank", bankFile, "--log-level", "debug"}, args...)...)
	cmd.Stdout, cmd.Stderr = b, b
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return func() {
		b.t.Helper()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			b.t.Errorf("worker: %v", err)
		}
	}
}

func (b *bankAtWork) until(what string, is func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("in vain for %s:\n%s", what, b.said.String())
		}
	}
}

// document waits for what the workers make.
func (b *bankAtWork) document(id string) (content []byte) {
	b.t.Helper()
	b.until("document "+id, func() bool {
		var err error
		content, err = b.service.Document(b.t.Context(), id)
		return err == nil
	})
	return content
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// orders takes the first orders of a product from the sample bank's file, and
// has them approved.
func (b *bankAtWork) orders(product string, n int) {
	t := b.t
	t.Helper()
	all := must[[]byte](t)(os.ReadFile("../../testdata/demo/orders.csv"))
	var some []string
	for line := range strings.SplitAfterSeq(string(all), "\n") {
		if len(some) == 0 || len(some) <= n && strings.Contains(line, ";"+product+";") {
			some = append(some, line)
		}
	}
	file := filepath.Join(b.dir, "orders.csv")
	if err := os.WriteFile(file, []byte(strings.Join(some, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	b.ok("import", file, "--as", "l.boisjoli", "--vault-token-file", b.tokens["office"])
	vault := must[*hsm.Client](t)(hsm.Open(t.Context(), hsm.Config{Address: b.vault.Addr, TokenFile: b.tokens["office"]}))
	defer vault.Close()
	h := must[*house.House](t)(house.Open(t.Context(), house.Config{ // evidence is sealed
		DatabaseURL: b.database, Vault: vault, Policy: issuance.DefaultPolicy(), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}))
	defer h.Close()
	office, approver := h.Service, lifecycle.Actor{ID: "i.hautefeuille", Role: lifecycle.RoleApprover}
	for _, id := range must[[]lifecycle.OrderID](t)(b.service.OrdersInState(t.Context(), lifecycle.OrderSubmitted, "")) {
		if err := demodata.Prove(t.Context(), office, lifecycle.Actor{ID: "l.boisjoli", Role: lifecycle.RoleOperator}, id, time.Now()); err != nil {
			t.Fatal(err)
		}
		shown := must[issuance.OrderContent](t)(b.service.ShowOrder(t.Context(), id))
		if err := b.service.Approve(t.Context(), approver, id, shown.Hash()); err != nil {
			t.Fatal(err)
		}
	}
}

// madeCard is what only the holder of a card may have.
type madeCard struct {
	id    lifecycle.CardID
	image emv.CardImage
	pin   string
}

// cards has three cards ordered, made, and posted with their PIN letters.
func (b *bankAtWork) cards() []madeCard {
	t := b.t
	t.Helper()
	bureauFile, bureauCert, bureauKey := b.correspondent("bureau")
	printFile, printCert, printKey := b.correspondent("print-room")
	defer b.works("--bureau-cert", bureauFile, "--print-room-cert", printFile, "--public-base", "http://pki.example.test", "--vault-token-file", b.tokens["worker"])()
	defer b.works("--queues", "pin", "--print-room-cert", printFile, "--vault-token-file", b.tokens["pins"])()
	b.orders("card", 3)
	operator := lifecycle.Actor{ID: "l.boisjoli", Role: lifecycle.RoleOperator}
	batch, n, err := b.service.SealBatch(t.Context(), operator)
	if err != nil || n != 3 {
		t.Fatalf("a batch of %d cards, %v", n, err)
	}
	signed := must[[]byte](t)(cms.Open(b.document(string(batch)), bureauCert, bureauKey))
	signer := must[issuance.Delegate](t)(b.service.NewestDelegate(t.Context(), house.IssuingID, issuance.DelegateBureau))
	sent := must[bureau.File](t)(bureau.Decode(must[[]byte](t)(cms.Verify(signed, must[*x509.Certificate](t)(x509.ParseCertificate(signer.Certificate))))))
	value := keyOf(t, "transport-bureau-1")
	transport := must[*crypt.TDES](t)(crypt.NewTDES(value))
	answer := bureau.Return{Batch: sent.Batch, Sequence: 1}
	var made []madeCard
	for i, r := range sent.Cards {
		image := must[emv.CardImage](t)(emv.OpenDGIs(r.DGIs, transport))
		made = append(made, madeCard{id: r.Card, image: image})
		answer.Cards = append(answer.Cards, bureau.ReturnLine{Card: r.Card, Result: lifecycle.BureauMade, Plastic: fmt.Sprintf("PL%09d", i+1)})
	}
	back := filepath.Join(b.dir, "return.txt")
	if err := os.WriteFile(back, must[[]byte](t)(bureau.EncodeReturn(answer)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.ok("return", back, "--as", "l.boisjoli")
	for _, officer := range []string{"officer", "M. Tilleul"} {
		b.ok("ceremony", "open", "--for", "30m", "--vault-token-file", b.tokens[officer])
	}
	b.until("three cards", func() bool {
		return must[issuance.CardView](t)(b.service.Card(t.Context(), made[0].id)).State == lifecycle.CardMade
	})
	if sheets := b.prints(); len(sheets) != len(made) {
		t.Fatalf("%d card letters are printed", len(sheets))
	}
	must[issuance.Posted](t)(b.service.PostLetters(t.Context()))
	sheets := b.prints()
	for i, c := range made {
		sheet := sheets[string(must[issuance.CardView](t)(b.service.Card(t.Context(), c.id)).PINLetter)]
		sealed := must[[]byte](t)(os.ReadFile(filepath.Join(b.dir, sheet.file)))
		made[i].pin = pinOf(t, must[[]byte](t)(cms.Open(sealed, printCert, printKey)), sheet.page)
		if c.image.PAN == "" || !bytes.Contains(must[[]byte](t)(os.ReadFile(back)), []byte(c.id)) {
			t.Fatalf("card %s is not what was made", c.id)
		}
	}
	b.until("the first list", func() bool {
		list, err := b.service.NewestCRL(t.Context(), house.IssuingID, 0)
		return err == nil && list.Full != nil
	})
	return made
}

var pinLine = regexp.MustCompile(`(?m)^\s*([0-9]{4,12})\s*$`)

// pinOf reads the PIN in its letter, as its holder does.
// sheet is where the print room finds a letter.
type sheet struct{ file, page string }

var sheetLine = regexp.MustCompile(`(?m)^letter ([0-9]+)  page ([0-9]+) of (\S+)  (\S+)$`)

// prints has all letters that wait gathered, rendered and printed by the commands
// of the print room.
func (b *bankAtWork) prints() map[string]sheet {
	b.t.Helper()
	as := []string{"--as", "l.boisjoli"}
	list := func(state string) []string {
		return strings.Split(strings.TrimSpace(b.ok(append([]string{"letters", "runs", "--state", state}, as...)...)), "\n")
	}
	b.ok(append([]string{"letters", "gather"}, as...)...)
	b.until("the print runs", func() bool { return list("requested")[0] == "" })
	sheets := map[string]sheet{}
	for _, line := range list("rendered") {
		run, _, _ := strings.Cut(line, " ")
		out := b.ok(append([]string{"letters", "print", run, "--printer", "Laser 2", "--counter", "7", "--out", b.dir}, as...)...)
		found := sheetLine.FindAllStringSubmatch(out, -1)
		for _, m := range found {
			sheets[m[4]] = sheet{file: m[3], page: m[2]}
		}
		n := len(found)
		b.refused("counter", append([]string{"letters", "printed", run, "--last", fmt.Sprint(n), "--counter", fmt.Sprint(n)}, as...)...)
		b.ok(append([]string{"letters", "printed", run, "--last", fmt.Sprint(n), "--counter", fmt.Sprint(7 + n)}, as...)...)
	}
	return sheets
}

func pinOf(t *testing.T, pdf []byte, page string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "pdftotext", "-layout", "-f", page, "-l", page, "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	found := pinLine.FindSubmatch(must[[]byte](t)(cmd.Output()))
	if found == nil {
		t.Fatal("the PIN letter has no PIN")
	}
	return string(found[1])
}

// keyOf is a key that the custodians' components make.
func keyOf(t *testing.T, name string) []byte {
	t.Helper()
	value := must[[]byte](t)(hex.DecodeString(components[name][0]))
	for i, c := range must[[]byte](t)(hex.DecodeString(components[name][1])) {
		value[i] ^= c
	}
	return value
}

// dump is the whole database as text.
func (b *bankAtWork) dump() []byte {
	b.t.Helper()
	address := must[*url.URL](b.t)(url.Parse(b.database))
	text := must[[]byte](b.t)(testenv.Postgres(b.t).Dump(b.t.Context(), strings.TrimPrefix(address.Path, "/")))
	if !bytes.Contains(text, []byte("imk-ac")) || !bytes.Contains(text, []byte("COPY public.card ")) {
		b.t.Error("the dump has neither ceremony nor cards")
	}
	return text
}

// vaultFiles are storage, audit log and output of Vault.
func (b *bankAtWork) vaultFiles() []byte {
	b.t.Helper()
	var all []byte
	err := filepath.WalkDir(b.vault.Folder(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "plugins") || strings.HasSuffix(path, ".key") || strings.HasSuffix(path, ".token") {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, text...)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if !bytes.Contains(all, []byte("hsm/pin/letter")) || len(all) < 100_000 {
		b.t.Errorf("%d bytes of Vault's, without the PIN letters: this shows nothing", len(all))
	}
	return all
}

// leaksNothing looks for what is secret of ceremony, cards and letters wherever
// something is kept or said.
func (b *bankAtWork) leaksNothing(cards []madeCard) {
	b.t.Helper()
	b.mu.Lock()
	said := bytes.Clone(b.said.Bytes())
	b.mu.Unlock()
	if !bytes.Contains(said, []byte("is whole")) || !bytes.Contains(said, []byte("working")) {
		b.t.Error("neither ceremony nor workers said anything: this shows nothing")
	}
	places := map[string][]byte{"Vault's folder": b.vaultFiles(), "the dump of the database": b.dump(), "what the processes said": said}
	secrets := map[string][]byte{}
	for name, parts := range components {
		for i, part := range parts {
			secrets[fmt.Sprintf("component %d of %s", i+1, name)] = must[[]byte](b.t)(hex.DecodeString(part))
		}
		value := keyOf(b.t, name)
		secrets["key "+name], secrets["key "+name+" in odd parity"] = value, crypt.OddParity(value)
	}
	for _, c := range cards {
		secrets["the cryptogram key of "+string(c.id)], secrets["the PIN block of "+string(c.id)] = c.image.AC, c.image.PINBlock
	}
	for place, text := range places {
		for secret, value := range secrets {
			for how, form := range testenv.Spellings(value) {
				if bytes.Contains(text, form) {
					b.t.Errorf("%s has %s, %s", place, secret, how)
				}
			}
		}
		// Four digits can stand for something else; the PINs of two cards cannot.
		found := 0
		for _, c := range cards {
			if regexp.MustCompile(`(^|[^0-9A-Za-z])` + c.pin + `([^0-9A-Za-z]|$)`).Match(text) {
				found++
			}
		}
		if found > 1 {
			b.t.Errorf("%s has the PINs of %d cards of %d", place, found, len(cards))
		}
	}
}

func TestAKeyCeremonyByCommandItsKeysAfterwardsAndNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	b := newBankAtWork(t)
	plan := filepath.Join(b.dir, "plan.yaml")
	text := "environment: live\nwitnesses: [Mme Vlierstra]\nkeys:\n" +
		"  - {name: imk-ac, usage: imk-ac, custodians: [Mme Aubépin, M. Tilleul]}\n  - {name: imk-smi, usage: imk-smi}\n  - {name: imk-smc, usage: imk-smc}\n" +
		"  - {name: transport-bureau-1, usage: transport, custodians: [Mme Aubépin, M. Tilleul]}\n"
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.refused("no CA: hold `sceau ceremony`", "doctor", "--vault-token-file", b.tokens["auditor"])
	b.refused("the ceremony waits for custodians: imk-ac, transport-bureau-1", b.hold("2026-A", plan)...)
	for name, usage := range map[string]string{"imk-ac": "imk-ac", "transport-bureau-1": "transport"} {
		b.enter(name, usage, components[name])
	}
	minutes := filepath.Join(b.dir, "minutes.pdf")
	b.ok(b.hold("2026-A", plan, "--minutes", minutes)...)
	cards := b.cards()
	b.healthy(`ok +card key imk-ac +active, live: version 1 current`)
	b.rotations(cards)
	b.healthy(`ok +card key imk-ac +active, live: version 2 current`)
	b.reseals(cards)
	b.leaksNothing(cards)
	b.ages()
	b.ails()
}

// healthy has the doctor look with the eyes of an auditor, then of a worker.
func (b *bankAtWork) healthy(want string) {
	b.t.Helper()
	out := b.ok("doctor", "--vault-token-file", b.tokens["auditor"])
	for _, line := range []string{want, `ok +database`, `ok +CRL issuing-1/0 `, `ok +audit device +file on`, `ok +card engine +mounted, SHA-256 [0-9a-f]{64}`,
		`ok +card key imk-ac .*live: `, `ok +key of CA issuing-1 +transit/issuing-1, ecdsa-p256`, `ok +key of the OCSP responder`,
		`ok +key of the signer of bureau files`, `ok +product securaccess +as the engine's profile securaccess`, `ok +product bank-card `} {
		if !regexp.MustCompile(line).MatchString(out) {
			b.t.Errorf("the doctor does not say %q:\n%s", line, out)
		}
	}
	if strings.Contains(out, "unseen") {
		b.t.Errorf("an auditor's token does not show all:\n%s", out)
	}
	out = b.ok("doctor", "--vault-token-file", b.tokens["worker"])
	if !regexp.MustCompile(`unseen +audit device`).MatchString(out) || !regexp.MustCompile(`ok +key of CA issuing-1`).MatchString(out) {
		b.t.Errorf("with a worker's token:\n%s", out)
	}
}

// rotations are made, refused and ended by command.
func (b *bankAtWork) rotations(cards []madeCard) {
	b.t.Helper()
	retire := b.ceremony("retire", "2026-C", "--key", "imk-ac", "--key-version", "1")
	b.refused("invalid: ", b.ceremony("rotate", "2026-B", "--key", "issuing-1")...)
	for range 2 { // the second time only looks
		for _, key := range []string{"ocsp-1", "bureau-1"} {
			b.ok(b.ceremony("rotate", "2026-B", "--key", key, "--public-base", "http://pki.example.test")...)
		}
	}
	b.certifiesServer()
	b.ok(b.ceremony("rotate", "2026-B", "--key", "imk-smi")...)
	b.refused("the ceremony waits for custodians: imk-ac version 2", b.ceremony("rotate", "2026-B", "--key", "imk-ac", "--components")...)
	b.enter("imk-ac", "imk-ac", [2]string{"2C587FD3EA6B923E45B0C7921A6DF854", "3A5E43B6C89D107F6EA4D9327C15FB80"}, "--rotate")
	b.ok(b.ceremony("rotate", "2026-B", "--key", "imk-ac", "--components")...)
	until := must[issuance.CardView](b.t)(b.service.Card(b.t.Context(), cards[0].id)).Expiry
	for left := len(cards); left > 0; left-- {
		b.refused(fmt.Sprintf("retire version 1 of imk-ac: conflict: %d cards made under it may still be used, the last until %s", left, until.Format(time.DateOnly)), retire...)
		must[issuance.Opposition](b.t)(b.service.Oppose(b.t.Context(), lifecycle.Actor{ID: "m.rocheclaire", Role: lifecycle.RoleSecurityOfficer}, cards[left-1].id, lifecycle.CardStolen))
	}
	b.refused("version 2 is the latest", b.ceremony("retire", "2026-C", "--key", "imk-ac", "--key-version", "2")...)
	b.ok(retire...)
}

// certifiesServer certifies a listener by its request, of which only the key counts.
func (b *bankAtWork) certifiesServer() {
	b.t.Helper()
	key := must[*ecdsa.PrivateKey](b.t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must[[]byte](b.t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "evil.example"}, DNSNames: []string{"evil.example"},
	}, key))
	csr, out := filepath.Join(b.t.TempDir(), "api.csr"), filepath.Join(b.t.TempDir(), "api.pem")
	if err := os.WriteFile(csr, der, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.refused("is not a DNS name", b.ceremony("server", "2026-S", "--csr", csr, "--host", "api bank", "--out", out)...)
	b.ok(b.ceremony("server", "2026-S", "--csr", csr, "--host", "api.bank.example", "--host", "192.0.2.7", "--out", out, "--public-base", "http://pki.example.test")...)
	block, _ := pem.Decode(must[[]byte](b.t)(os.ReadFile(out)))
	certificate := must[*x509.Certificate](b.t)(x509.ParseCertificate(block.Bytes))
	if !slices.Equal(certificate.DNSNames, []string{"api.bank.example"}) || len(certificate.IPAddresses) != 1 || !key.PublicKey.Equal(certificate.PublicKey) ||
		!slices.Equal(certificate.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || certificate.NotAfter.After(certificate.NotBefore.AddDate(0, 0, 91)) {
		b.t.Errorf("%s %v %v until %s", certificate.Subject, certificate.DNSNames, certificate.IPAddresses, certificate.NotAfter)
	}
	serial := fmt.Sprintf("%032x", certificate.SerialNumber)
	if list := strings.ToLower(b.ok("crl", "certificates")); !strings.Contains(list, serial) || !strings.Contains(list, "server") {
		b.t.Errorf("%s is not on record:\n%s", serial, list)
	}
}

// reseals moves card numbers to another data key by command, and ends the first.
func (b *bankAtWork) reseals(cards []madeCard) {
	b.t.Helper()
	office, officer := []string{"--vault-token-file", b.tokens["office"]}, "--as=m.rocheclaire"
	number := b.ok(append([]string{"card", "number", string(cards[0].id), officer, "--why=before"}, office...)...)
	b.refused("does not hold the role security_officer", append([]string{"safe", "rotate", "--as=l.boisjoli"}, office...)...)
	b.ok(append([]string{"safe", "rotate", officer}, office...)...)
	b.refused("3 things are sealed under it", "safe", "retire", "1", officer)
	if out := b.ok(append([]string{"safe", "reseal", officer}, office...)...); !strings.Contains(out, "3 sealed again") {
		b.t.Errorf("sealed again: %s", out)
	}
	b.ok("safe", "retire", "1", officer)
	if out := b.ok("safe", "list"); !regexp.MustCompile(`1 .*retired .*  0 sealed\n2 .*in use .*3 sealed`).MatchString(out) {
		b.t.Errorf("keys:\n%s", out)
	}
	if again := b.ok(append([]string{"card", "number", string(cards[0].id), officer, "--why=after"}, office...)...); again != number {
		b.t.Error("another number came out of the safe")
	}
}

// ages has the doctor look on later days.
func (b *bankAtWork) ages() {
	b.t.Helper()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		later time.Duration
		says  string
	}{
		{3 * day, `WRONG +CRL issuing-1/0 +invalid: number 1 is of .*: are workers running`},
		{8 * day, `WRONG +CRL issuing-1/0 +invalid: number 1 ended at .*: are workers running`},
		{84 * day, `WRONG +OCSP responder of issuing-1 +invalid: it ends on .*: renew it`},
		{360 * day, `WRONG +CRL root-1/0 +invalid: number 1 ends at .*: hold a ceremony`},
	} {
		var out bytes.Buffer
		err := doctorCmd{
			databaseFlags: databaseFlags{DatabaseURL: b.database}, keystoreFlags: keystoreFlags{Keystore: inVault},
			vaultFlags: vaultFlags{VaultAddr: b.vault.Addr, VaultTokenFile: b.tokens["auditor"]},
		}.Run(&world{ctx: b.t.Context(), out: &out, logger: slog.New(slog.DiscardHandler), now: func() time.Time { return time.Now().Add(tt.later) }})
		if err == nil || !regexp.MustCompile(tt.says).MatchString(out.String()) || !regexp.MustCompile(`WRONG +clock`).MatchString(out.String()) {
			b.t.Errorf("after %s: %v, want %q:\n%s", tt.later, err, tt.says, out.String())
		}
	}
}

// ails has the doctor find what is wrong with keys and Vault.
func (b *bankAtWork) ails() {
	b.t.Helper()
	officer := must[*hsm.Client](b.t)(hsm.Open(b.t.Context(), hsm.Config{Address: b.vault.Addr, TokenFile: b.tokens["officer"]}))
	defer officer.Close()
	doctor := func(says string) {
		b.t.Helper()
		out, err := b.run("doctor", "--vault-token-file", b.tokens["auditor"])
		if err == nil || !regexp.MustCompile(says).MatchString(out) {
			b.t.Errorf("%v, want %q:\n%s", err, says, out)
		}
	}
	ctx := b.t.Context()
	var others issuance.Bank // products that say other than the engine does
	for i, adapt := range []func(*issuance.Product){
		func(p *issuance.Product) { p.PINLength, p.PINTries = 6, 5 },
		func(p *issuance.Product) { p.IPB = "80007F000000000001FFFF" },
		func(p *issuance.Product) { p.CAPProfile = "not-written-yet" },
	} {
		p := issuance.DefaultProducts()[0]
		p.Code = fmt.Sprintf("odd-%d", i)
		adapt(&p)
		others.Products = append(others.Products, p)
	}
	if err := b.service.SetUpBank(ctx, lifecycle.System("test"), others); err != nil {
		b.t.Fatal(err)
	}
	doctor(`WRONG +product odd-0 +conflict: PIN length is 6, the engine's profile securaccess has 4; PIN try limit is 5, the engine's profile securaccess has 3`)
	doctor(`WRONG +product odd-1 +conflict: bitmap is 80007F000000000001FFFF, the engine's profile securaccess has 8000FF000000000001FFFF`)
	doctor(`WRONG +product odd-2 +.*not found`)
	must[hsm.KeyInfo](b.t)(officer.DisableKey(ctx, "imk-smc"))
	doctor(`WRONG +card key imk-smc +conflict: the key is disabled`)
	must[hsm.KeyInfo](b.t)(officer.EnableKey(ctx, "imk-smc"))
	must[hsm.KeyInfo](b.t)(officer.RotateKey(ctx, "imk-smc"))
	doctor(`WRONG +card key imk-smc +conflict: version 2 is in no ceremony's minutes`)
	b.vault.Seal()
	doctor(`WRONG +vault +.*unavailable`)
}
