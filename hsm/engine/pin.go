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

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// maxReleases bounds how often one letter gets its PIN: a worker that is killed
// so often is a fault, or an attack.
const maxReleases = 5

// storedPIN is a card's PIN and who may have it.
type storedPIN struct {
	Attempt   string    `json:"attempt"`
	Card      string    `json:"card"`            // fingerprint of what the card was made with
	Block     crypt.Hex `json:"block,omitempty"` // ISO 9564-1 format 2, enciphered with AES-256-GCM
	Letter    string    `json:"letter,omitempty"`
	Releases  int       `json:"releases,omitempty"`
	Closed    bool      `json:"closed,omitempty"`
	Destroyed bool      `json:"destroyed,omitempty"`
}

// fingerprint tells cards that were made with other data apart, without
// keeping the data.
func (r cardRequest) fingerprint(profile, transportKey string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{profile, r.PAN, r.PSN, r.Expiry, transportKey}, "|")))
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
	lock := locksutil.LockForKey(b.locks, pinKeyPath)
	lock.Lock()
	defer lock.Unlock()
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
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("schedule the PIN storage key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("schedule the PIN storage key: %w", err)
	}
	return &pinCipher{aead: aead}, nil
}

func (c *pinCipher) seal(pin, place string) (crypt.Hex, error) {
	block, err := pinblock.EncodeISO2(pin)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, c.aead.NonceSize())
	_, _ = rand.Read(nonce)
	return c.aead.Seal(nonce, nonce, block[:], []byte(place)), nil
}

func (c *pinCipher) open(sealed crypt.Hex, place string) (string, error) {
	n := c.aead.NonceSize()
	if len(sealed) < n {
		return "", fmt.Errorf("the PIN at %s is cut", place)
	}
	block, err := c.aead.Open(nil, sealed[:n], sealed[n:], []byte(place))
	if err != nil {
		return "", fmt.Errorf("the PIN at %s does not open", place)
	}
	return pinblock.DecodeISO2(block)
}

func pinFields(letter bool) map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{
		"card":        {Type: framework.TypeString, Required: true, Description: "Card identifier."},
		"pin_version": {Type: framework.TypeString, Required: true, Description: "Version of its PIN."},
	}
	if letter {
		fields["letter"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "The one letter that may carry it."}
	}
	return fields
}

func (b *backend) pathPINLetter() *framework.Path {
	return &framework.Path{
		Pattern: "pin/letter", Fields: pinFields(true),
		Operations:   write("Give a PIN to its letter.", b.releasePIN),
		HelpSynopsis: "Give a PIN to the one letter that carries it, until the letter is closed.",
	}
}

func (b *backend) pathPINClose() *framework.Path {
	return &framework.Path{
		Pattern: "pin/close", Fields: pinFields(true),
		Operations:   write("Close a PIN: nobody is given it again.", b.closePIN),
		HelpSynopsis: "Close a PIN once its letter is encrypted and stored.",
	}
}

func (b *backend) pathPINDestroy() *framework.Path {
	return &framework.Path{
		Pattern: "pin/destroy", Fields: pinFields(false),
		Operations:   write("Destroy a PIN.", b.destroyPIN),
		HelpSynopsis: "Erase a PIN that must not be used.",
	}
}

// withPIN works on a stored PIN under its lock and stores it again.
func (b *backend) withPIN(ctx context.Context, s logical.Storage, data *framework.FieldData, work func(p *storedPIN, path string) error) error {
	path, err := pinPath(text(data, "card"), text(data, "pin_version"))
	if err != nil {
		return err
	}
	lock := locksutil.LockForKey(b.locks, path)
	lock.Lock()
	defer lock.Unlock()
	var p storedPIN
	found, err := get(ctx, s, path, &p)
	if err != nil {
		return err
	}
	if !found {
		return refuse("unknown_pin", "card %s has no PIN of this version", text(data, "card"))
	}
	if err := work(&p, path); err != nil {
		return err
	}
	return put(ctx, s, path, p)
}

// bind ties a PIN to its letter, or refuses another.
func (p *storedPIN) bind(letter string) error {
	switch {
	case lifecycle.CheckID(lifecycle.PrefixPINLetter, letter) != nil:
		return refuse("invalid", "letter is not a PIN letter's identifier")
	case p.Destroyed:
		return refuse("pin_destroyed", "this PIN was destroyed")
	case p.Letter != "" && p.Letter != letter:
		return refuse("pin_released", "this PIN belongs to another letter")
	}
	p.Letter = letter
	return nil
}

func (b *backend) releasePIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	pins, err := b.pinCipher(ctx, r.Storage)
	if err != nil {
		return nil, err
	}
	pin := ""
	err = b.withPIN(ctx, r.Storage, data, func(p *storedPIN, path string) error {
		if err := p.bind(text(data, "letter")); err != nil {
			return err
		}
		if p.Closed {
			return refuse("pin_closed", "this PIN's letter is stored: nobody is given it again")
		}
		if p.Releases >= maxReleases {
			return refuse("pin_released", "this PIN was given %d times: make the card again", maxReleases)
		}
		p.Releases++
		var err error
		pin, err = pins.open(p.Block, path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"pin": pin + "." + noise()}}, nil
}

// noise is 128 random bits behind a PIN in an answer: the HMAC that Vault's audit
// log keeps of the string cannot be tried out.
func noise() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return hex.EncodeToString(random[:])
}

func (b *backend) closePIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, b.withPIN(ctx, r.Storage, data, func(p *storedPIN, _ string) error {
		if err := p.bind(text(data, "letter")); err != nil {
			return err
		}
		p.Closed = true
		return nil
	})
}

// destroyPIN erases the PIN and keeps that it was there: its card is never made
// again under this version.
func (b *backend) destroyPIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, b.withPIN(ctx, r.Storage, data, func(p *storedPIN, _ string) error {
		p.Block, p.Destroyed = nil, true
		return nil
	})
}
