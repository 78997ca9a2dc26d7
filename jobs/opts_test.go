package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sceau/issuance"
	"sceau/lifecycle"
)

// named are the kinds of job that lifecycle names.
func named(t *testing.T) []string {
	t.Helper()
	file := get[*ast.File](t)(parser.ParseFile(token.NewFileSet(), "../lifecycle/lifecycle.go", nil, 0))
	var kinds []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "JobKind" {
			kinds = append(kinds, get[string](t)(strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)))
		}
		return true
	})
	slices.Sort(kinds)
	return kinds
}

// registered are the kinds that a client works. River keeps them to itself.
func registered() []string {
	var kinds []string
	for _, key := range reflect.ValueOf(workers(Tools{}, time.Second)).Elem().FieldByName("workersMap").MapKeys() {
		kinds = append(kinds, key.String())
	}
	slices.Sort(kinds)
	return kinds
}

func follow[S ~string](table lifecycle.Table[S]) []string {
	var kinds []string
	for _, m := range table.Moves {
		for _, k := range m.Then {
			kinds = append(kinds, string(k))
		}
	}
	return kinds
}

func TestEveryKindOfJobIsNamedRegisteredAndHasItsOptions(t *testing.T) {
	t.Parallel()
	want := named(t)
	if got := registered(); !slices.Equal(got, want) {
		t.Errorf("workers are registered for %q, lifecycle names %q", got, want)
	}
	for _, kind := range want {
		o, ok := options(kind)
		if !ok {
			t.Errorf("%s has no options", kind)
			continue
		}
		if !slices.Contains(Queues(), o.queue) || o.attempts < 1 || o.priority < 1 || o.priority > 4 {
			t.Errorf("%s: %+v", kind, o)
		}
		if o.limit <= 0 || o.limit >= rescueAfter {
			t.Errorf("%s may run for %s, and is given to another after %s", kind, o.limit, rescueAfter)
		}
		if mail := kind == string(lifecycle.JobNoticeSend); mail != (o.queue == QueueMail) {
			t.Errorf("%s is worked in queue %s", kind, o.queue)
		}
		if pin := kind == string(lifecycle.JobPINRun); pin != (o.queue == QueuePIN) {
			t.Errorf("%s is worked in queue %s", kind, o.queue)
		}
	}
	if _, ok := options("badge_print"); ok {
		t.Error("an unknown kind has options")
	}
	for _, kind := range slices.Concat(follow(lifecycle.Orders), follow(lifecycle.Cards), follow(lifecycle.CardLetters),
		follow(lifecycle.PINLetters), follow(lifecycle.CardRuns), follow(lifecycle.PINRuns), follow(lifecycle.Certificates), follow(lifecycle.Batches), follow(lifecycle.Notices)) {
		if !slices.Contains(want, kind) {
			t.Errorf("a move is followed by %s, which nobody works", kind)
		}
	}
}

func TestAJobThatIsEnoughOnceIsSoUntilItIsDone(t *testing.T) {
	t.Parallel()
	for _, kind := range named(t) {
		o, _ := options(kind)
		unique := o.insert().UniqueOpts
		if o.once != unique.ByArgs {
			t.Errorf("%s: once %v, unique by arguments %v", kind, o.once, unique.ByArgs)
		}
		for _, over := range []rivertype.JobState{rivertype.JobStateCompleted, rivertype.JobStateCancelled, rivertype.JobStateDiscarded} {
			if slices.Contains(unique.ByState, over) {
				t.Errorf("%s: one that is %s keeps out the next", kind, over)
			}
		}
	}
}

// arguments are a value of each kind.
func arguments() []issuance.Job {
	return []issuance.Job{
		issuance.PersonaliseArgs{Batch: "B-1"}, issuance.BureauFileArgs{Batch: "B-1"}, issuance.BureauReturnArgs{File: "R-1"},
		issuance.GatherLettersArgs{}, issuance.CardRunArgs{Run: "PR-1"}, issuance.PINRunArgs{Run: "PR-1"}, issuance.ForgetFilesArgs{},
		issuance.PINDestroyArgs{Card: "C-1", PINVersion: 2},
		issuance.PostLettersArgs{}, issuance.RevocationWatchArgs{}, issuance.RevocationsDueArgs{}, issuance.CampaignArgs{Campaign: "CM-1"}, issuance.CertificateIssueArgs{Certificate: "N-1"},
		issuance.CRLPublishArgs{Issuer: "issuing-1", Shard: 3, Scheduled: true}, issuance.OCSPRefreshArgs{Certificate: "N-1"}, issuance.ExpireArgs{},
		issuance.NoticeArgs{Notice: "NT-1"}, issuance.RemindArgs{}, issuance.RevokeIssuedArgs{Issuer: "issuing-1"}, issuance.ForeignListsArgs{},
	}
}

// River keeps arguments as rows that anybody with the database reads.
func TestArgumentsAreIdentifiersOnly(t *testing.T) {
	t.Parallel()
	allowed := []string{"batch", "campaign", "card", "certificate", "file", "issuer", "notice", "pin_version", "run", "scheduled", "shard"}
	var kinds []string
	for _, args := range arguments() {
		kinds = append(kinds, args.Kind())
		var members map[string]any
		must(t, json.Unmarshal(get[[]byte](t)(json.Marshal(args)), &members))
		for name := range members {
			if !slices.Contains(allowed, name) {
				t.Errorf("%s has the argument %s", args.Kind(), name)
			}
		}
	}
	slices.Sort(kinds)
	if want := named(t); !slices.Equal(kinds, want) {
		t.Errorf("kinds of arguments %q, want %q", kinds, want)
	}
}

func TestTheVerdictFollowsTheKindOfError(t *testing.T) {
	t.Parallel()
	const wait = 7 * time.Second
	wrap := func(kind error) error { return fmt.Errorf("tried: %w: why", kind) }
	plain := errors.New("a bug")
	for _, test := range []struct {
		name             string
		err              error
		cancels, snoozes bool
	}{
		{"nothing", nil, false, false},
		{"Vault sealed", wrap(lifecycle.Unavailable), false, true},
		{"no such move", wrap(lifecycle.Illegal), true, false},
		{"wrong input", &lifecycle.FieldError{Field: "card", Why: "why"}, true, false},
		{"no such row", wrap(lifecycle.NotFound), true, false},
		{"a lost race", wrap(lifecycle.Conflict), false, false},
		{"a policy that is too narrow", wrap(lifecycle.Forbidden), false, false},
		{"an error without a kind", plain, false, false},
		{"a list that another worker signs", river.JobSnooze(time.Second), false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := verdict(test.err, wait)
			if cancels := errors.Is(got, &river.JobCancelError{}); cancels != test.cancels {
				t.Errorf("cancelled: %v", cancels)
			}
			snooze, ok := errors.AsType[*river.JobSnoozeError](got)
			if ok != test.snoozes {
				t.Errorf("waits: %v", ok)
			}
			if ok && errors.Is(test.err, lifecycle.Unavailable) && snooze.Duration != wait {
				t.Errorf("waits %s", snooze.Duration)
			}
			if !test.cancels && !test.snoozes && !errors.Is(got, test.err) {
				t.Errorf("the error became %v", got)
			}
			if test.cancels && !strings.Contains(got.Error(), "why") {
				t.Errorf("staff read %q", got)
			}
		})
	}
}

func TestAScheduleStandsAtWholeIntervals(t *testing.T) {
	t.Parallel()
	quarter := every(15 * time.Minute)
	for from, want := range map[string]string{"09:30:15": "09:45:00", "09:44:59": "09:45:00", "09:45:00": "10:00:00", "23:59:59": "00:00:00"} {
		at := get[time.Time](t)(time.Parse(time.TimeOnly, from))
		if got := quarter.Next(at).Format(time.TimeOnly); got != want {
			t.Errorf("after %s comes %s, want %s", from, got, want)
		}
	}
}
