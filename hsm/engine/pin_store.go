package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// pinStore is where PINs are in storage. The cards of one call of card/personalise
// have their PINs in one entry, because a write costs more than all that is
// computed for a card; a PIN about which something changes gets an entry of its
// own, which counts from then on. A batch all of whose PINs have their own is
// dropped. Who works on a PIN holds its lock.
//
// What is kept in memory is where PINs are, never a PIN. It is read from storage
// on the first use, and again after a write of which nobody knows how it ended.
type pinStore struct {
	mu      sync.Mutex
	loaded  bool                // guarded by mu, as all below
	batches map[string]int      // by the path of a PIN: the batch that holds it
	left    map[int]int         // by batch: how many PINs it holds that have no entry of their own
	cards   map[string]struct{} // cards of which a PIN has an entry of its own
	next    int                 // number of the next batch; none is used twice
}

// pinBatch are PINs in one entry, by their paths: at most maxCards, far below the
// 1 MiB of an entry in Raft storage.
type pinBatch map[string]storedPIN

func batchPath(n int) string { return fmt.Sprintf("%s%012d", batchPrefix, n) }

// cardOf is the card in the path of a PIN.
func cardOf(path string) string {
	card, _, _ := strings.Cut(strings.TrimPrefix(path, pinPrefix), "/")
	return card
}

// forget has the next use read storage again.
func (p *pinStore) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded = false
}

// load finds out where PINs are. The caller holds mu.
func (p *pinStore) load(ctx context.Context, s logical.Storage) error {
	if p.loaded {
		return nil
	}
	p.batches, p.left, p.cards = map[string]int{}, map[int]int{}, map[string]struct{}{}
	cards, err := s.List(ctx, pinPrefix)
	if err != nil {
		return fmt.Errorf("list the PINs: %w", err)
	}
	for _, name := range cards {
		p.cards[strings.TrimSuffix(name, "/")] = struct{}{}
	}
	names, err := s.List(ctx, batchPrefix)
	if err != nil {
		return fmt.Errorf("list the batches of PINs: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil {
			return fmt.Errorf("batch of PINs %s has no number", batchPrefix+name)
		}
		p.next = max(p.next, n+1)
		if err := p.loadBatch(ctx, s, n); err != nil {
			return err
		}
	}
	p.loaded = true
	return nil
}

func (p *pinStore) loadBatch(ctx context.Context, s logical.Storage, n int) error {
	var batch pinBatch
	if _, err := get(ctx, s, batchPath(n), &batch); err != nil {
		return err
	}
	for path := range batch {
		if _, maybe := p.cards[cardOf(path)]; maybe {
			entry, err := s.Get(ctx, path)
			if err != nil {
				return fmt.Errorf("read %s: %w", path, err)
			}
			if entry != nil {
				continue
			}
		}
		if before, twice := p.batches[path]; twice { // a write whose end nobody knew, and its repetition, which was answered
			p.left[before]--
		}
		p.batches[path] = n
		p.left[n]++
	}
	return nil
}

// find tells where a PIN is: in an entry of its own, perhaps, or else in a batch.
func (p *pinStore) find(ctx context.Context, s logical.Storage, path string) (own bool, batch int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx, s); err != nil {
		return false, 0, err
	}
	if batch, ok := p.batches[path]; ok {
		return false, batch, nil
	}
	_, own = p.cards[cardOf(path)]
	return own, 0, nil
}

// get reads PINs; one that is not there is missing in the answer.
func (p *pinStore) get(ctx context.Context, s logical.Storage, paths ...string) (map[string]storedPIN, error) {
	pins := make(map[string]storedPIN, len(paths))
	batches := map[int]pinBatch{}
	for _, path := range paths {
		own, n, err := p.find(ctx, s, path)
		if err != nil {
			return nil, err
		}
		if own {
			var pin storedPIN
			found, err := get(ctx, s, path, &pin)
			if err != nil {
				return nil, err
			}
			if found {
				pins[path] = pin
			}
			continue
		}
		if n == 0 {
			continue
		}
		if batches[n] == nil {
			var batch pinBatch
			if _, err := get(ctx, s, batchPath(n), &batch); err != nil {
				return nil, err
			}
			batches[n] = batch
		}
		pin, ok := batches[n][path]
		if !ok {
			return nil, fmt.Errorf("batch %d of PINs does not hold %s", n, path)
		}
		pins[path] = pin
	}
	return pins, nil
}

// put gives a PIN an entry of its own, or writes that again.
func (p *pinStore) put(ctx context.Context, s logical.Storage, path string, pin *storedPIN) error {
	if err := p.announce(ctx, s, path); err != nil {
		return err
	}
	if err := put(ctx, s, path, pin); err != nil {
		p.forget()
		return err
	}
	p.mu.Lock()
	n, batched := p.batches[path]
	if batched {
		delete(p.batches, path)
		p.left[n]--
	}
	empty := batched && p.left[n] == 0
	p.mu.Unlock()
	if !empty {
		return nil
	}
	if err := s.Delete(ctx, batchPath(n)); err != nil {
		return fmt.Errorf("drop batch %d of PINs: %w", n, err)
	}
	return nil
}

// announce has readers look for an entry before it is there.
func (p *pinStore) announce(ctx context.Context, s logical.Storage, path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(ctx, s); err != nil {
		return err
	}
	p.cards[cardOf(path)] = struct{}{}
	return nil
}

// add writes new PINs as one entry: all of them are there, or none.
func (p *pinStore) add(ctx context.Context, s logical.Storage, pins pinBatch) error {
	if len(pins) == 0 {
		return nil
	}
	p.mu.Lock()
	if err := p.load(ctx, s); err != nil {
		p.mu.Unlock()
		return err
	}
	p.next = max(p.next, 1)
	n := p.next
	p.next++
	p.mu.Unlock()
	if err := put(ctx, s, batchPath(n), pins); err != nil {
		p.forget()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.loaded { // what is read again has it
		return nil
	}
	for path := range pins {
		if p.batches[path] != n {
			p.batches[path] = n
			p.left[n]++
		}
	}
	return nil
}
