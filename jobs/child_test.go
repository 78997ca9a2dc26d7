package jobs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/migrations"
)

// childTask is the variable that makes this binary a worker which kills itself.
const childTask = "SCEAU_JOBS_CHILD"

// Where a worker dies: after Vault has answered, before anything is recorded.
const (
	afterPersonalise = "personalise"
	afterRelease     = "release"
	afterClose       = "close"
	afterSign        = "sign"
)

// task is what the parent tells the child.
type task struct {
	Realm    realm
	App, PIN string // database addresses
	Now      time.Time
	Die      string
}

// die ends this process as a power failure would, once it has said what Vault
// answered.
func die(evidence []byte) {
	sum := sha256.Sum256(evidence)
	_, _ = os.Stdout.WriteString(hex.EncodeToString(sum[:]))
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal comes
}

// deadly are Vault's clients that kill their process once Vault has answered.
type deadly struct {
	*hsm.Client

	point string
}

// Personalise has the engine make the cards, and dies.
func (d deadly) Personalise(ctx context.Context, r hsm.PersonaliseRequest) ([]hsm.PersonalisedCard, error) {
	made, err := d.Client.Personalise(ctx, r)
	if err == nil && d.point == afterPersonalise {
		die(dgisOf(made))
	}
	return made, err
}

func dgisOf(cards []hsm.PersonalisedCard) []byte {
	var all []byte
	for _, c := range cards {
		all = append(all, c.DGIs...)
	}
	return all
}

// ReleasePIN takes the PIN, and dies.
func (d deadly) ReleasePIN(ctx context.Context, r hsm.PINRelease) (lifecycle.PIN, error) {
	pin, err := d.Client.ReleasePIN(ctx, r)
	if err == nil && d.point == afterRelease {
		die([]byte(r.Letter))
	}
	return pin, err
}

// ClosePIN closes the PIN, and dies.
func (d deadly) ClosePIN(ctx context.Context, r hsm.PINRelease) error {
	err := d.Client.ClosePIN(ctx, r)
	if err == nil && d.point == afterClose {
		die([]byte(r.Letter))
	}
	return err
}

// Signer gives a signer that dies of its first signature.
func (d deadly) Signer(ctx context.Context, key string, public crypto.PublicKey) (crypto.Signer, error) {
	signer, err := hsm.NewKeyring(d.Client).Signer(ctx, key, public)
	if err != nil || d.point != afterSign {
		return signer, err
	}
	return deadlySigner{signer}, nil
}

// deadlyQuery kills its process when it is about to put a query of this name to
// the database, in the midst of a transaction.
type deadlyQuery string

// TraceQueryStart dies.
func (q deadlyQuery) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "-- name: "+string(q)+" ") {
		die([]byte(q))
	}
	return ctx
}

// TraceQueryEnd is never of interest.
func (deadlyQuery) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

type deadlySigner struct{ crypto.Signer }

// Sign signs, and dies.
func (s deadlySigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := s.Signer.Sign(rand, digest, opts)
	if err == nil {
		die(digest)
	}
	return signature, err
}

// child works both queues until it dies, or gives up.
func child(text string) int {
	if err := runChild(text); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
	}
	return 3
}

func runChild(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	now := func() time.Time { return t.Now }
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	for _, q := range []struct {
		queue      Queue
		url, token string
	}{{QueueDefault, t.App, t.Realm.Worker}, {QueuePIN, t.PIN, t.Realm.PINs}} {
		p, err := openProcess(ctx, q.url, now, deadlyQuery(t.Die))
		if err != nil {
			return err
		}
		vault, err := hsm.Open(ctx, hsm.Config{Address: t.Realm.Address, Token: q.token})
		if err != nil {
			return err
		}
		tools := defaultTools(t.Realm, p.Service, now, logger, vault)
		tools.Engine, tools.Signers = deadly{vault, t.Die}, deadly{vault, t.Die}
		if q.queue == QueuePIN {
			tools = pinTools(t.Realm, p.Service, now, logger, vault)
			tools.PINs = deadly{vault, t.Die}
		}
		client, err := NewClient(p.pool, tools, Settings{Queues: []Queue{q.queue}})
		if err != nil {
			return err
		}
		if err := client.Start(ctx); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return fmt.Errorf("nothing killed this worker at %q", t.Die)
}

// kill runs a worker in a process of its own that dies at the point, and gives
// the digest of what Vault had answered it.
func (h *house) kill(t *testing.T, point string) string {
	t.Helper()
	text := get[[]byte](t)(json.Marshal(task{
		Realm: h.realm, Now: h.clock.now(), Die: point,
		App: testenv.DatabaseAs(t, h.url, migrations.RoleApp), PIN: testenv.DatabaseAs(t, h.url, migrations.RolePIN),
	}))
	cmd := exec.CommandContext(t.Context(), get[string](t)(os.Executable()), "-test.run=^$")
	cmd.Env = append(os.Environ(), childTask+"="+string(text))
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	_ = cmd.Run() // how it ended is read below
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the worker was not killed at %q: %s\n%s", point, cmd.ProcessState, log.String())
	}
	return out.String()
}

// timeout makes the jobs of a dead or frozen worker look abandoned for longer
// than any of them may run, so that River's rescuer gives them to another.
func (h *house) timeout(t *testing.T) {
	t.Helper()
	tag, err := h.admin.Exec(t.Context(), "UPDATE river_job SET attempted_at = attempted_at - interval '1 hour' WHERE state = 'running'")
	must(t, err)
	if tag.RowsAffected() != 1 {
		t.Fatalf("%d jobs are under way, want one: %v", tag.RowsAffected(), h.jobs(t))
	}
}
