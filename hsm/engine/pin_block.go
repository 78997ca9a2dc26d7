package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

// Guesses of one PIN at pin/verify: after each three wrong ones a pause, after
// nine in a row none more.
const (
	guessesARow  = 3
	guessesEver  = 9
	guessesPause = time.Hour
)

func (b *backend) pathPINVerify() *framework.Path {
	fields := map[string]*framework.FieldSchema{
		"card":        {Type: framework.TypeString, Description: "Card whose PIN is kept here, with pin_version; or verify_data in its place."},
		"pin_version": {Type: framework.TypeString, Description: "Version of its PIN."},
		"profile":     {Type: framework.TypeString, Description: "With verify_data: card profile that names the key and the rule (pvk)."},
		"verify_data": {Type: framework.TypeString, Description: "PVV, or IBM 3624 offset, that pin/verify-data made of the card's PIN."},
		"key_version": {Type: framework.TypeString, Description: "With verify_data: version of the key that they were made under; empty tries all that are not retired."},
	}
	fields["pan"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "Card number that the PIN block is made with."}
	fields["key"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "Key of usage pin that the block is under."}
	fields["format"] = formatField("of the block")
	fields["pin_block"] = blockField()
	return &framework.Path{
		Pattern: "pin/verify", Fields: fields,
		Operations:   operations{logical.UpdateOperation: b.command("Tell whether a PIN is right.", b.verifyPIN)},
		HelpSynopsis: "Tell whether the PIN in an enciphered PIN block is the card's: right or wrong, no more.",
		HelpDescription: "The PIN is the one that is kept here, or the one of the PVV or offset in verify_data, which are judged under the profile's key, of mode C or V. " +
			"A guess is counted before it is judged. After three wrong ones in a row the card's PIN is refused for an hour (rate_limited), " +
			"after nine for good (pin_locked); a right one starts the count anew.",
	}
}

func (b *backend) pathPINTranslate() *framework.Path {
	return &framework.Path{
		Pattern: "pin/translate",
		Fields: map[string]*framework.FieldSchema{
			"pan":         {Type: framework.TypeString, Required: true, Description: "Card number of both blocks."},
			"pin_block":   blockField(),
			"from_key":    {Type: framework.TypeString, Required: true, Description: "Key of usage pin that the block is under."},
			"from_format": formatField("of the block"),
			"to_key":      {Type: framework.TypeString, Required: true, Description: "Key of usage pin that the new block is under."},
			"to_format":   formatField("of the new block"),
		},
		Operations:   operations{logical.UpdateOperation: b.command("Bring a PIN block under another key.", b.translatePIN)},
		HelpSynopsis: "Bring a PIN block from one PIN key and format to another.",
		HelpDescription: "Formats 0, 3 and 4 of ISO 9564-1, of the same card number on both sides: a PIN never moves to another card. " +
			"Format 4 is under an AES key, 0 and 3 under a TDES key.",
	}
}

func formatField(whose string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "ISO 9564-1 format " + whose + ": 0, 3 or 4."}
}

func blockField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "The enciphered PIN block, hexadecimal: 8 bytes, 16 in format 4."}
}

// pinKey is a key of usage pin, for one format.
type pinKey struct {
	*storedKey

	name   string
	value  crypt.Key
	format string
}

func openPINKey(ctx context.Context, s logical.Storage, name, format string, need byte) (pinKey, error) {
	if format != "0" && format != "3" && format != "4" {
		return pinKey{}, refuse("invalid", "the PIN block format is 0, 3 or 4")
	}
	k, err := usableKey(ctx, s, name, usagePIN, need)
	if err != nil {
		return pinKey{}, err
	}
	v, err := k.version(name, 0)
	if err != nil {
		return pinKey{}, err
	}
	if isAES(k.Algorithm) != (format == "4") {
		return pinKey{}, refuse("key_usage", "format 4 is under an AES key, 0 and 3 under a TDES key; %s is of %s", name, k.Algorithm)
	}
	return pinKey{storedKey: k, name: name, value: crypt.Key(v.Value), format: format}, nil
}

// open reads the PIN out of a block.
func (k pinKey) open(block, pan string) (string, error) {
	raw, err := crypt.ParseHex(block)
	if err != nil {
		return "", err
	}
	if k.format == "4" {
		return pinblock.DecodeISO4(k.value, raw, pan)
	}
	tdes, err := crypt.NewTDES(k.value)
	if err != nil {
		return "", err
	}
	if len(raw) != tdes.BlockSize() {
		return "", refuse("invalid", "a PIN block of format %s has %d bytes", k.format, tdes.BlockSize())
	}
	tdes.Decrypt(raw, raw)
	defer clear(raw)
	if k.format == "0" {
		return pinblock.DecodeISO0(raw, pan)
	}
	return pinblock.DecodeISO3(raw, pan)
}

func (b *backend) verifyPIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if text(data, "verify_data") != "" {
		return b.judgePIN(ctx, r, data)
	}
	key, err := openPINKey(ctx, r.Storage, text(data, "key"), text(data, "format"), toDecipher)
	if err != nil {
		return nil, err
	}
	defer key.wipe()
	pins, err := b.pinCipher(ctx, r.Storage)
	if err != nil {
		return nil, err
	}
	pan, now := text(data, "pan"), b.now()
	err = b.withPIN(ctx, r.Storage, data, func(p *storedPIN, _ string) error {
		return p.countGuess(now, text(data, "card"), pan, key.Environment)
	})
	if err != nil {
		return nil, err
	}
	right := false
	given, err := key.open(text(data, "pin_block"), pan)
	if _, ours := refused(err); err != nil && !ours {
		return nil, err
	}
	wanted, err2 := pinblock.EncodeISO2(given)
	if err != nil || err2 != nil { // a block that does not open is a wrong guess
		return &logical.Response{Data: map[string]any{"valid": false}}, nil
	}
	defer clear(wanted[:])
	err = b.withPIN(ctx, r.Storage, data, func(p *storedPIN, path string) error {
		block, err := pins.open(p.Block, path)
		if err != nil {
			return err
		}
		defer clear(block)
		if right = subtle.ConstantTimeCompare(block, wanted[:]) == 1; right {
			p.guesses = guesses{}
		}
		return nil
	})
	return &logical.Response{Data: map[string]any{"valid": right}}, err
}

// countGuess takes a guess off before it is judged, or refuses it.
func (p *storedPIN) countGuess(now time.Time, card, pan, environment string) error {
	switch {
	case p.Destroyed:
		return refuse("pin_destroyed", "this PIN was destroyed")
	case orElse(p.Environment, environmentTest) != environment:
		return refuse("mixed_environment", "the card is for %s, the PIN key for %s", orElse(p.Environment, environmentTest), environment)
	case p.Number != "" && p.Number != numberTag(card, pan):
		return refuse("invalid", "this is not the number of card %s", card)
	}
	return p.count(now)
}

// count takes a guess off, or refuses it.
func (g *guesses) count(now time.Time) error {
	switch {
	case g.Wrong >= guessesEver:
		return refuse("pin_locked", "too many wrong guesses: this PIN is not judged again")
	case g.Wrong > 0 && g.Wrong%guessesARow == 0 && now.Before(g.WrongAt.Add(guessesPause)):
		return refuse("rate_limited", "%d wrong guesses in a row: none before %s", g.Wrong, stamp(g.WrongAt.Add(guessesPause)))
	}
	g.Wrong++
	g.WrongAt = now
	return nil
}

func (b *backend) translatePIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	from, err := openPINKey(ctx, r.Storage, text(data, "from_key"), text(data, "from_format"), toDecipher)
	if err != nil {
		return nil, err
	}
	defer from.wipe()
	to, err := openPINKey(ctx, r.Storage, text(data, "to_key"), text(data, "to_format"), toEncipher)
	if err != nil {
		return nil, err
	}
	defer to.wipe()
	if from.Environment != to.Environment {
		return nil, refuse("mixed_environment", "key %s is for %s, key %s for %s", from.name, from.Environment, to.name, to.Environment)
	}
	pan := text(data, "pan")
	pin, err := from.open(text(data, "pin_block"), pan)
	if err != nil {
		return nil, err
	}
	block, err := to.seal(pin, pan)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"pin_block": block.String(), "format": to.format}}, nil
}

// seal makes a block of a PIN.
func (k pinKey) seal(pin, pan string) (crypt.Hex, error) {
	if k.format == "4" {
		block, err := pinblock.EncodeISO4(k.value, pin, pan, rand.Reader)
		return block[:], err
	}
	tdes, err := crypt.NewTDES(k.value)
	if err != nil {
		return nil, err
	}
	encode := pinblock.EncodeISO0
	if k.format == "3" {
		encode = func(pin, pan string) ([8]byte, error) { return pinblock.EncodeISO3(pin, pan, rand.Reader) }
	}
	block, err := encode(pin, pan)
	if err != nil {
		return nil, err
	}
	tdes.Encrypt(block[:], block[:])
	return block[:], nil
}
