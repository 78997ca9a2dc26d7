package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// maxReleases bounds how often one letter gets its PIN: a worker that is killed
// so often is a fault, or an attack.
const maxReleases = 5

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

func (b *backend) pinPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern: "pin/letter", Fields: pinFields(true),
			Operations:   operations{logical.UpdateOperation: b.command("Give a PIN to its letter.", b.releasePIN)},
			HelpSynopsis: "Give a PIN to the one letter that carries it, until the letter is closed.",
			HelpDescription: "The first call binds the PIN to the letter, for good; the same letter gets it again, five times at most, for a worker that was killed. " +
				"For live cards two officers open the activity pin-letter first. The answer is the PIN, a dot and noise, so that its HMAC in the audit log tells nothing.",
		},
		{
			Pattern: "pin/close", Fields: pinFields(true),
			Operations:      operations{logical.UpdateOperation: b.command("Close a PIN: nobody is given it again.", b.closePIN)},
			HelpSynopsis:    "Close a PIN once its letter is encrypted and stored.",
			HelpDescription: "From then on the PIN is only marked as released.",
		},
		{
			Pattern: "pin/destroy", Fields: pinFields(false),
			Operations:      operations{logical.UpdateOperation: b.command("Destroy a PIN.", b.destroyPIN)},
			HelpSynopsis:    "Erase a PIN that must not be used.",
			HelpDescription: "The block is erased; that it was there is kept, so that its card is never made again under this version.",
		},
		b.pathPINVerify(), b.pathPINData(), b.pathPINTranslate(),
	}
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
		if err := b.permitted(ctx, r.Storage, activityPINLetter, p.Environment); err != nil {
			return err
		}
		p.Releases++
		block, err := pins.open(p.Block, path)
		if err != nil {
			return err
		}
		defer clear(block)
		pin, err = pinblock.DecodeISO2(block)
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
