// Package passcode is what is kept of the secret codes with which users sign in:
// argon2id (RFC 9106) over the code's mark under the house's own key. Who has the
// database alone can try no code; who has the key too pays for each.
//
// It does no I/O. So many hashes are made at once and no more, so that nobody can
// have a process use up its memory. Data runs authn, issuance → passcode → safe.
package passcode

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"sceau/lifecycle"
	"sceau/safe"
)

// Cost is how dear a hash is.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// DefaultCost takes 64 MiB, and 50 to 100 ms of a processor of 2026 (`make bench
// BENCH=Passcode`).
func DefaultCost() Cost { return Cost{Memory: 64 << 10, Passes: 1, Threads: 1} }

const (
	together = 2  // hashes at once: 128 MiB
	waiting  = 30 // that wait for their turn, some two seconds
	saltSize = 16
	hashSize = 32
)

// Hasher makes and compares hashes. It is safe for concurrent use.
type Hasher struct {
	safe  *safe.Safe
	cost  Cost
	queue chan struct{} // who hashes or waits
	turns chan struct{} // who hashes
}

// New makes a hasher. With a nil safe all it does is [lifecycle.Unavailable].
func New(keys *safe.Safe, cost Cost) *Hasher {
	return &Hasher{safe: keys, cost: cost, queue: make(chan struct{}, together+waiting), turns: make(chan struct{}, together)}
}

// Hash is what is kept of a holder's code, another each time.
func (h *Hasher) Hash(ctx context.Context, whose lifecycle.HolderID, code lifecycle.SecretCode) (string, error) {
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // never fails since Go 1.24: it ends the process instead
	sum, err := h.sum(ctx, whose, code, salt[:], h.cost)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Passes, h.cost.Threads,
		b64.EncodeToString(salt[:]), b64.EncodeToString(sum)), nil
}

// Matches tells whether a holder's code is the one that was hashed. Of nobody, whose
// hash is "", no code is right, and costs as much.
func (h *Hasher) Matches(ctx context.Context, whose lifecycle.HolderID, code lifecycle.SecretCode, hash string) (bool, error) {
	cost, salt, want := h.cost, make([]byte, saltSize), make([]byte, hashSize)
	if hash != "" {
		var err error
		if cost, salt, want, err = read(hash); err != nil {
			return false, err
		}
	}
	sum, err := h.sum(ctx, whose, code, salt, cost)
	return err == nil && subtle.ConstantTimeCompare(sum, want) == 1 && hash != "", err
}

// sum waits for its turn. Whoever would wait too long is told at once.
func (h *Hasher) sum(ctx context.Context, whose lifecycle.HolderID, code lifecycle.SecretCode, salt []byte, cost Cost) ([]byte, error) {
	mark, err := h.safe.Mark("secret code of "+string(whose), code.Reveal())
	if err != nil {
		return nil, err
	}
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, fmt.Errorf("%w: too many secret codes are looked at: try again in a moment", lifecycle.Unavailable)
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("look at a secret code: %w", ctx.Err())
	}
	return argon2.IDKey(mark, salt, cost.Passes, cost.Memory, cost.Threads, hashSize), nil
}

// read takes a hash apart. One on record costs what it was made with, within bounds.
func read(hash string) (c Cost, salt, sum []byte, err error) {
	wrong := fmt.Errorf("%w: the hash of a secret code on record cannot be read", lifecycle.Invalid)
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, wrong
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Threads); n != 3 || err != nil {
		return c, nil, nil, wrong
	}
	const mostMemory, mostPasses, mostThreads = 256 << 10, 16, 4
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(salt) != saltSize || len(sum) != hashSize || c.Memory == 0 || c.Memory > mostMemory ||
		c.Passes == 0 || c.Passes > mostPasses || c.Threads == 0 || c.Threads > mostThreads {
		return c, nil, nil, wrong
	}
	return c, salt, sum, nil
}
