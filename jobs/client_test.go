package jobs

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/bureau"
	"sceau/issuance"
	"sceau/lifecycle"
)

func TestAProcessWithoutItsQueuesToolsDoesNotStart(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	tools, pins := h.tools(t), h.pinTools(t)
	both := []Queue{QueueDefault, QueuePIN}
	for name, test := range map[string]struct {
		queues []Queue
		lacks  func(*Tools)
	}{
		"use cases":         {[]Queue{QueueDefault}, func(t *Tools) { t.Service = nil }},
		"a clock":           {[]Queue{QueueDefault}, func(t *Tools) { t.Now = nil }},
		"a logger":          {[]Queue{QueueDefault}, func(t *Tools) { t.Logger = nil }},
		"the card engine":   {[]Queue{QueueDefault}, func(t *Tools) { t.Engine = nil }},
		"signers":           {[]Queue{QueueDefault}, func(t *Tools) { t.Signers = nil }},
		"the transport key": {[]Queue{QueueDefault}, func(t *Tools) { t.Bureaux = map[string]Bureau{"bureau-1": {Certificate: parsed(h.Bureau)}} }},
		"the public base":   {[]Queue{QueueDefault}, func(t *Tools) { t.PublicBase = "" }},
		"the bureau":        {[]Queue{QueueDefault}, func(t *Tools) { t.Bureaux = nil }},
		"a bureau with RSA": {[]Queue{QueueDefault}, func(t *Tools) {
			t.Bureaux = map[string]Bureau{"bureau-1": {TransportKey: transportKey, Certificate: parsed(h.Issuing)}}
		}},
		"the PINs":            {both, func(*Tools) {}},
		"a mail server":       {[]Queue{QueueMail}, func(*Tools) {}},
		"a known queue":       {[]Queue{"letters"}, func(*Tools) {}},
		"the print room too":  {[]Queue{QueueDefault}, func(t *Tools) { t.PrintRoomCert = nil }},
		"the print room":      {[]Queue{QueuePIN}, func(t *Tools) { *t = pins; t.PrintRoomCert = nil }},
		"a printer with RSA":  {[]Queue{QueuePIN}, func(t *Tools) { *t = pins; t.PrintRoomCert = parsed(h.Issuing) }},
		"PINs for their room": {[]Queue{QueuePIN}, func(t *Tools) { *t = pins; t.PINs = nil }},
	} {
		t.Run("without "+name, func(t *testing.T) {
			t.Parallel()
			tools := tools
			test.lacks(&tools)
			if _, err := NewClient(h.pool, tools, Settings{Queues: test.queues}); !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("error = %v, want one of kind invalid", err)
			}
		})
	}
	for queue, whole := range map[Queue]Tools{QueueDefault: tools, QueuePIN: pins} {
		if _, err := NewClient(h.pool, whole, Settings{Queues: []Queue{queue}}); err != nil {
			t.Errorf("with all tools of queue %s: %v", queue, err)
		}
	}
}

func TestAJobIsInsertedWithItsCauseOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	queue := get[*Enqueuer](t)(NewEnqueuer())
	undone := errors.New("undone")
	err := pgx.BeginFunc(t.Context(), h.pool, func(tx pgx.Tx) error {
		must(t, queue.EnqueueTx(t.Context(), tx, issuance.PersonaliseArgs{Batch: "B-1"}))
		return undone
	})
	if !errors.Is(err, undone) || len(h.jobs(t)) != 0 {
		t.Errorf("%v; jobs %v", err, h.jobs(t))
	}
	must(t, pgx.BeginFunc(t.Context(), h.pool, func(tx pgx.Tx) error {
		for range 2 {
			for _, args := range arguments() {
				if err := queue.EnqueueTx(t.Context(), tx, args); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	for _, args := range arguments() {
		o, _ := options(args.Kind())
		want := 2
		if o.once {
			want = 1
		}
		if got := h.jobsOf(t, lifecycle.JobKind(args.Kind())); len(got) != want {
			t.Errorf("asked for twice, %s stands %d times, want %d", args.Kind(), len(got), want)
		}
	}
	err = pgx.BeginFunc(t.Context(), h.pool, func(tx pgx.Tx) error { return queue.EnqueueTx(t.Context(), tx, unknown{}) })
	if err == nil {
		t.Error("a job that nobody works was inserted")
	}
}

// unknown is a job of no kind.
type unknown struct{}

// Kind is the job's name.
func (unknown) Kind() string { return "badge_print" }

func TestOneScheduleAsksForTheListsOfEveryOnlineShardAndNoneOfTheRoot(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	if jobs := periodicJobs(time.Hour); len(jobs) != 10 {
		t.Errorf("%d periodic jobs; want lists, answers, runs, old files, post, expiry, revocations that are due, notices, the watch and other CAs' lists", len(jobs))
	}
	h.work(t, h.tools(t))
	h.await(t, "each shard's first list", "SELECT count(*) = $1 FROM crl WHERE full_size IS NOT NULL", shards)
	h.awaitIdle(t, QueueDefault)
	var kinds []string
	for _, j := range h.jobs(t) {
		kinds = append(kinds, j.Kind)
		if j.State != "completed" || bytes.Contains(j.Args, []byte("root")) {
			t.Errorf("job %v", j)
		}
	}
	slices.Sort(kinds)
	if want := []string{"crl_publish", "crl_publish", "crl_publish", "expire", "foreign_lists", "letters_gather", "letters_post", "ocsp_refresh", "remind", "revocations_due", "run_files_forget"}; !slices.Equal(kinds, want) {
		t.Errorf("at its start a leader inserts %q, want %q", kinds, want)
	}
}

func TestAJobThatNoRetryHelpsIsShownToStaff(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	client := h.run(t, h.pool, h.tools(t), Settings{Queues: []Queue{QueueDefault}})
	if err := client.Insert(t.Context(), unknown{}); err == nil {
		t.Error("a job that nobody works was inserted")
	}
	must(t, client.Insert(t.Context(), issuance.PersonaliseArgs{Batch: "B-0000000000000000"}))
	h.awaitIdle(t, QueueDefault)
	stuck := get[[]string](t)(client.Stuck(t.Context()))
	if len(stuck) != 1 || !strings.HasPrefix(stuck[0], "card_personalise ") || !strings.Contains(stuck[0], "B-0000000000000000: not found") {
		t.Errorf("stuck are %q", stuck)
	}
	must(t, client.Insert(t.Context(), issuance.PINRunArgs{Run: "PR-0000000000000000"})) // nobody works its queue here
	if n := get[int](t)(client.Unfinished(t.Context())); n != 1 {
		t.Errorf("%d jobs are to come, want one", n)
	}
}

func TestABureauFileThatCannotBeTrueIsCancelledAndOneThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	h.orders(t, "card", 2)
	client := h.work(t, h.tools(t))
	batch := h.seal(t)
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	file, _ := h.bureauFile(t, batch)
	line := bureau.ReturnLine{Card: file.Cards[0].Card, Result: lifecycle.BureauMade, Plastic: "PL-1"}
	strange := line
	strange.Card, strange.Plastic = "C-0000000000000000", "PL-2"
	content := get[[]byte](t)(bureau.EncodeReturn(bureau.Return{Batch: batch, Sequence: 1, Cards: []bureau.ReturnLine{line, strange}}))
	for name, bad := range map[string][]byte{"cut short": content[:len(content)-4], "empty": nil, "a picture": []byte("\x89PNG\n")} {
		if _, err := TakeReturn(t.Context(), h.Service, operator, bad); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	get[lifecycle.ReturnFileID](t)(TakeReturn(t.Context(), h.Service, operator, content))
	if _, err := TakeReturn(t.Context(), h.Service, operator, content); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("taken again: %v, want a conflict", err)
	}
	h.awaitIdle(t, QueueDefault)
	got := h.jobsOf(t, lifecycle.JobBureauReturn)
	if len(got) != 1 || got[0].State != "cancelled" || got[0].Attempt != 1 {
		t.Errorf("its job: %v", got)
	}
	if stuck := get[[]string](t)(client.Stuck(t.Context())); len(stuck) != 1 || !strings.Contains(stuck[0], "C-0000000000000000") {
		t.Errorf("stuck are %q", stuck)
	}
	h.answer(t, batch) // the right file of the same batch
	h.awaitBatch(t, batch, lifecycle.BatchReconciled)
}

func TestALoggerIsToldOfFailuresOnly(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	var log buffer
	tools := h.tools(t)
	tools.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	client := h.run(t, h.pool, tools, Settings{Queues: []Queue{QueueDefault}})
	must(t, client.Insert(t.Context(), issuance.ExpireArgs{}))
	h.awaitIdle(t, QueueDefault)
	if got := log.String(); got != "" {
		t.Errorf("a job that was done is logged: %s", got)
	}
	must(t, client.Insert(t.Context(), issuance.BureauFileArgs{Batch: "B-0000000000000000"}))
	h.awaitIdle(t, QueueDefault)
	if got := log.String(); !strings.Contains(got, "kind=bureau_file") || !strings.Contains(got, "attempt=1") {
		t.Errorf("the log says %q", got)
	}
}
