package jobs

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// watcher sees what it is told.
type watcher struct {
	mu     sync.Mutex
	alarms []issuance.Alarm // guarded by mu
}

func (w *watcher) WatchRevocation(context.Context) ([]issuance.Alarm, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.alarms), nil
}

func (w *watcher) sees(alarms ...issuance.Alarm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alarms = alarms
}

func TestWhatIsWrongOutsideIsPutBeforeStaffOnce(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	tools, seen := h.tools(t), &watcher{}
	tools.Watcher = seen
	client := h.toil(t, tools)
	rounds := 0
	look := func() []issuance.WorkItem {
		t.Helper()
		must(t, client.Insert(t.Context(), issuance.RevocationWatchArgs{}))
		rounds++
		h.await(t, "a look", "SELECT count(*) = $1 FROM river_job WHERE kind = 'revocation_watch' AND state = 'completed'", rounds)
		return get[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkRevocation}))
	}
	if items := look(); len(items) != 0 {
		t.Fatalf("all is well, and %+v waits", items)
	}
	lists := issuance.Alarm{Issuer: "issuing-1", About: "lists", Why: strings.Repeat("é", 1000)}
	seen.sees(lists, issuance.Alarm{Issuer: "issuing-1", About: "answers", Why: "serial 12: it is good"})
	for range 3 {
		items := look()
		if len(items) != 2 || items[0].Thing != "revocation" || items[0].Kind != lifecycle.WorkRevocation {
			t.Fatalf("two things are wrong, %+v waits", items)
		}
		if !slices.ContainsFunc(items, func(i issuance.WorkItem) bool {
			return i.On == "issuing-1: answers" && i.Why == "serial 12: it is good"
		}) {
			t.Errorf("%+v waits", items)
		}
	}
	seen.sees()
	items := look()
	if len(items) != 2 {
		t.Fatalf("mended, nobody has looked at it: %+v waits", items)
	}
	for _, item := range items {
		must(t, h.ResolveWork(t.Context(), officer, item.ID, "the disk was full"))
	}
	if items := look(); len(items) != 0 {
		t.Errorf("resolved, %+v waits", items)
	}
	seen.sees(lists)
	if items := look(); len(items) != 1 {
		t.Errorf("wrong again, %+v waits", items)
	}
}
