package engine

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

// storedPIN is a card's PIN, what the card was made with, and who may have it.
type storedPIN struct {
	Attempt     string      `json:"attempt"`
	Card        string      `json:"card"`                  // fingerprint of what the card was made with
	Under       string      `json:"under,omitempty"`       // name and check value of the transport key
	Keys        setVersions `json:"keys,omitzero"`         // master keys that it was made under
	Environment string      `json:"environment,omitempty"` // of those keys; empty is test
	Number      string      `json:"number,omitempty"`      // tag of the card number: a PIN block with another is refused
	Block       crypt.Hex   `json:"block,omitempty"`       // ISO 9564-1 format 2, enciphered with AES-256-GCM
	Letter      string      `json:"letter,omitempty"`
	Releases    int         `json:"releases,omitempty"`
	Closed      bool        `json:"closed,omitempty"`
	Destroyed   bool        `json:"destroyed,omitempty"`

	guesses
}

// guesses are those at one PIN since the last right one.
type guesses struct {
	Wrong   int       `json:"wrong,omitempty"`
	WrongAt time.Time `json:"wrong_at,omitzero"`
}

// fingerprint tells cards that were made with other data apart, without
// keeping the data.
func (r cardRequest) fingerprint(profile, transportKey string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{profile, r.PAN, r.PSN, r.Expiry, transportKey}, "|")))
	return hex.EncodeToString(sum[:16])
}

// numberTag tells a card's number from another's.
func numberTag(card, pan string) string {
	sum := sha256.Sum256([]byte("number|" + card + "|" + pan))
	return hex.EncodeToString(sum[:16])
}

// randomPIN draws a PIN, every one as likely as another but for those that
// thieves try first: one digit throughout, or digits in a row.
func randomPIN(length int) (string, error) {
	for {
		var digits strings.Builder
		for range length {
			d, err := rand.Int(rand.Reader, big.NewInt(10))
			if err != nil {
				return "", fmt.Errorf("draw a PIN: %w", err)
			}
			digits.WriteString(d.String())
		}
		if pin := digits.String(); !weakPIN(pin) {
			return pin, nil
		}
	}
}

func weakPIN(pin string) bool {
	same, up, down := true, true, true
	for i := 1; i < len(pin); i++ {
		step := int(pin[i]) - int(pin[i-1])
		same, up, down = same && step == 0, up && step == 1, down && step == -1
	}
	return same || up || down
}

// pinCipher enciphers PIN blocks in storage, each bound to its place.
type pinCipher struct{ aead cipher.AEAD }

// pinCipher reads the PIN storage key, and makes it the first time.
func (b *backend) pinCipher(ctx context.Context, s logical.Storage) (*pinCipher, error) {
	b.mu.RLock()
	known := b.pins
	b.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	defer b.lock(pinKeyPath)()
	var key crypt.Hex
	found, err := get(ctx, s, pinKeyPath, &key)
	if err != nil {
		return nil, err
	}
	if !found {
		key = randomKey(algorithmAES256)
		if err := put(ctx, s, pinKeyPath, key); err != nil {
			return nil, err
		}
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("schedule the PIN storage key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("schedule the PIN storage key: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pins = &pinCipher{aead: aead}
	return b.pins, nil
}

// draw makes a PIN that nobody sees and seals it for its place.
func (c *pinCipher) draw(length int, place string) (crypt.Hex, error) {
	pin, err := randomPIN(length)
	if err != nil {
		return nil, err
	}
	block, err := pinblock.EncodeISO2(pin)
	if err != nil {
		return nil, err
	}
	defer clear(block[:])
	nonce := make([]byte, c.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails since Go 1.24: it ends the process instead
	return c.aead.Seal(nonce, nonce, block[:], []byte(place)), nil
}

// open answers the PIN as a format 2 block, which the caller clears.
func (c *pinCipher) open(sealed crypt.Hex, place string) (crypt.Key, error) {
	n := c.aead.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("the PIN at %s is cut", place)
	}
	block, err := c.aead.Open(nil, sealed[:n], sealed[n:], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("the PIN at %s does not open", place)
	}
	return block, nil
}

// withPIN works on a stored PIN under its lock and stores it again.
func (b *backend) withPIN(ctx context.Context, s logical.Storage, data *framework.FieldData, work func(p *storedPIN, path string) error) error {
	return b.lookAtPIN(ctx, s, data, func(p *storedPIN, path string) error {
		if err := work(p, path); err != nil {
			return err
		}
		return b.stored.put(ctx, s, path, p)
	})
}

// lookAtPIN works on a stored PIN under its lock.
func (b *backend) lookAtPIN(ctx context.Context, s logical.Storage, data *framework.FieldData, work func(p *storedPIN, path string) error) error {
	path, err := pinPath(text(data, "card"), text(data, "pin_version"))
	if err != nil {
		return err
	}
	defer b.lock(path)()
	there, err := b.stored.get(ctx, s, path)
	if err != nil {
		return err
	}
	p, found := there[path]
	if !found {
		return refuse("unknown_pin", "card %s has no PIN of this version", text(data, "card"))
	}
	return work(&p, path)
}
