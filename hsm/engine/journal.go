package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/lifecycle"
)

// Bounds of the journal: the newest entries stay, the oldest go.
const (
	journalSize  = 10_000
	maxJournaled = 1000 // entries of one answer
	maxPending   = 512  // kinds of counted commands between two writes
)

// journal is the engine's own log: who, when, which command, which keys, how it
// ended. It is only ever appended to. It holds no secret and no card number;
// Vault's audit device has the requests themselves.
type journal struct {
	mu      sync.Mutex
	started bool            // guarded by mu, as all below
	next    int             // number of the next entry
	pending map[event]tally // counted commands that are not written yet
}

// event is what happened, without its time. It is comparable, so that equal ones
// are counted together.
type event struct {
	By        string `json:"by"`
	Entity    string `json:"entity,omitempty"`
	Command   string `json:"command"`
	Operation string `json:"operation"`
	Keys      string `json:"keys,omitempty"`    // names of keys and profile, with commas
	Subject   string `json:"subject,omitempty"` // card and letter, with a comma
	Outcome   string `json:"outcome"`           // ok, a code word, or error

	when time.Time // not of the comparison: cleared before
}

type tally struct {
	count int
	since time.Time
}

type journalEntry struct {
	event

	Number int       `json:"number"`
	When   time.Time `json:"when"`
	Since  time.Time `json:"since,omitzero"`
	Count  int       `json:"count,omitempty"`
}

// eventOf describes a request by its names: only what has the form of a key's
// name or of an identifier is taken, since anything may be typed anywhere.
func (b *backend) eventOf(r *logical.Request, data *framework.FieldData, outcome string) event {
	e := event{By: r.DisplayName, Entity: r.EntityID, Operation: string(r.Operation), Command: commandOf(r.Path), Outcome: outcome, when: b.now()}
	for _, field := range []string{"name", "kbpk", "transport_key", "perso_key", "key", "from_key", "to_key", "profile"} {
		if _, declared := data.Schema[field]; declared && keyName.MatchString(text(data, field)) {
			e.Keys = joined(e.Keys, text(data, field))
		}
	}
	for field, prefix := range map[string]string{"card": lifecycle.PrefixCard, "attempt": lifecycle.PrefixAttempt} {
		if _, declared := data.Schema[field]; declared && lifecycle.CheckID(prefix, text(data, field)) == nil {
			e.Subject = joined(e.Subject, text(data, field))
		}
	}
	if _, declared := data.Schema["letter"]; declared && lifecycle.CheckID(lifecycle.PrefixPINLetter, text(data, "letter")) == nil {
		e.Subject = joined(e.Subject, text(data, "letter"))
	}
	return e
}

func joined(list, name string) string {
	if list == "" {
		return name
	}
	return list + "," + name
}

// commandOf is a path without the names in it.
func commandOf(path string) string {
	parts := strings.Split(path, "/")
	switch parts[0] {
	case "keys", "profiles", "activities", "marks":
		if len(parts) > 2 {
			return parts[0] + "/" + parts[2]
		}
		return parts[0]
	}
	return path
}

// record writes an entry at once.
func (j *journal) record(ctx context.Context, s logical.Storage, e event) error {
	return j.write(ctx, s, journalEntry{event: e, When: e.when})
}

// count adds to the entry that the next flush writes.
func (j *journal) count(ctx context.Context, s logical.Storage, e event) error {
	when := e.when
	e.when, e.Subject = time.Time{}, ""
	j.mu.Lock()
	if j.pending == nil {
		j.pending = map[event]tally{}
	}
	t, known := j.pending[e]
	if !known {
		t.since = when
	}
	t.count++
	j.pending[e] = t
	full := len(j.pending) > maxPending
	j.mu.Unlock()
	if full {
		return j.flush(ctx, s, when)
	}
	return nil
}

// flush writes what was counted.
func (j *journal) flush(ctx context.Context, s logical.Storage, now time.Time) error {
	j.mu.Lock()
	pending := j.pending
	j.pending = nil
	j.mu.Unlock()
	for e, t := range pending {
		if err := j.write(ctx, s, journalEntry{event: e, When: now, Since: t.since, Count: t.count}); err != nil {
			return err
		}
	}
	return nil
}

func journalPath(n int) string { return fmt.Sprintf("%s%012d", journalPrefix, n) }

func (j *journal) write(ctx context.Context, s logical.Storage, e journalEntry) error {
	var err error
	if e.Number, err = j.number(ctx, s); err != nil {
		return err
	}
	if err := put(ctx, s, journalPath(e.Number), e); err != nil {
		return err
	}
	if old := e.Number - journalSize; old > 0 {
		if err := s.Delete(ctx, journalPath(old)); err != nil {
			return fmt.Errorf("drop the journal's oldest entry: %w", err)
		}
	}
	return nil
}

// number gives the next entry its number, after the last one in storage.
func (j *journal) number(ctx context.Context, s logical.Storage) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.started {
		names, err := s.List(ctx, journalPrefix)
		if err != nil {
			return 0, fmt.Errorf("find the journal's end: %w", err)
		}
		last := 0
		if len(names) > 0 {
			if last, err = strconv.Atoi(slices.Max(names)); err != nil {
				return 0, errors.New("the journal has an entry without number")
			}
		}
		j.next, j.started = last+1, true
	}
	n := j.next
	j.next++
	return n, nil
}

// restart has the journal look for its end again: another node may have written.
func (j *journal) restart() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.started = false
}

func (b *backend) pathAudit() *framework.Path {
	return &framework.Path{
		Pattern: "audit/?$",
		Fields: map[string]*framework.FieldSchema{
			"after": {Type: framework.TypeString, Query: true, Default: "0", Description: "Number of the last entry that the caller has."},
			"limit": {Type: framework.TypeString, Query: true, Default: "100", Description: "How many entries at most: 1 to 1000."},
		},
		Operations:   operations{logical.ReadOperation: b.quick("Read the engine's journal.", b.readJournal)},
		HelpSynopsis: "Read the engine's own log of commands, oldest first.",
		HelpDescription: "Who, when, which command, which keys, and how it ended; no secret and no card number. Commands that change something or let something out " +
			"are written before their answer leaves; verifications are counted and written each minute, and when this is read. The newest 10000 entries are kept.",
	}
}

func (b *backend) readJournal(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	after, err := bounded("after", text(data, "after"), 0, 1<<31-1)
	if err != nil {
		return nil, err
	}
	limit, err := bounded("limit", text(data, "limit"), 1, maxJournaled)
	if err != nil {
		return nil, err
	}
	if err := b.journal.flush(ctx, r.Storage, b.now()); err != nil {
		return nil, err
	}
	names, err := r.Storage.List(ctx, journalPrefix)
	if err != nil {
		return nil, fmt.Errorf("list the journal: %w", err)
	}
	slices.Sort(names)
	start, _ := slices.BinarySearch(names, fmt.Sprintf("%012d", after+1))
	entries := []map[string]any{}
	for _, name := range names[start:min(start+limit, len(names))] {
		var e journalEntry
		if found, err := get(ctx, r.Storage, journalPrefix+name, &e); err != nil {
			return nil, err
		} else if found {
			entries = append(entries, e.describe())
		}
	}
	return &logical.Response{Data: map[string]any{"entries": entries}}, nil
}

func (e journalEntry) describe() map[string]any {
	d := map[string]any{
		"number": strconv.Itoa(e.Number), "when": stamp(e.When), "by": e.By, "command": e.Command, "operation": e.Operation, "outcome": e.Outcome,
	}
	for name, value := range map[string]string{"entity": e.Entity, "keys": e.Keys, "subject": e.Subject} {
		if value != "" {
			d[name] = value
		}
	}
	if e.Count > 0 {
		d["count"], d["since"] = strconv.Itoa(e.Count), stamp(e.Since)
	}
	return d
}
