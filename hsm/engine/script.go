package engine

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// scriptFields are the live card that asks for a script.
func scriptFields(more map[string]*framework.FieldSchema) map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{
		"pan":         {Type: framework.TypeString, Required: true, Description: "Card number."},
		"psn":         {Type: framework.TypeString, Required: true, Description: "Its sequence number, 2 digits."},
		"profile":     {Type: framework.TypeString, Required: true, Description: "Card profile."},
		"atc":         {Type: framework.TypeString, Required: true, Description: "Transaction counter that the card gave."},
		"arqc":        {Type: framework.TypeString, Required: true, Description: "Cryptogram that the card gave, 16 hexadecimal digits."},
		"scripts":     {Type: framework.TypeCommaStringSlice, Description: "Numbers of issuer scripts that the card may have taken."},
		"sequence":    {Type: framework.TypeString, Default: "0", Description: "How many commands went before this one in the same transaction: 0 to 9."},
		"data":        {Type: framework.TypeString, Description: "What GENERATE AC brought, as the profile's CDOL1 lists it: for a cryptogram over typed data, and for every profile but of cryptogram version 14."},
		"iad":         {Type: framework.TypeString, Description: "With data: issuer application data that the card gave (9F10); empty takes the profile's expected ones."},
		"key_version": {Type: framework.TypeString, Description: "Version of the master key that the card was made under; empty tries all that are not retired."},
	}
	for name, field := range more {
		fields[name] = field
	}
	return fields
}

func (b *backend) scriptPaths() []*framework.Path {
	const proved = "The card proves itself by the cryptogram of this transaction: without data, one made without typed data and without a right PIN; with data, one over these, " +
		"of an M/Chip card still without a right PIN. The command works for this card and this transaction only, and the answer is its APDU, with its MAC under a session key from the cryptogram."
	return []*framework.Path{
		{
			Pattern: "script/pin-unblock", Fields: scriptFields(nil),
			Operations:      operations{logical.UpdateOperation: b.command("Make a PIN CHANGE/UNBLOCK command that resets the try counter.", b.unblock)},
			HelpSynopsis:    "Make the issuer script that resets a card's PIN try counter (EMV Book 3 §6.5.10).",
			HelpDescription: proved,
		},
		{
			Pattern: "script/pin-change",
			Fields: scriptFields(map[string]*framework.FieldSchema{
				"attempt":     {Type: framework.TypeString, Required: true, Description: "Attempt ID: the same gets the same PIN."},
				"card":        {Type: framework.TypeString, Required: true, Description: "Card identifier."},
				"pin_version": {Type: framework.TypeString, Required: true, Description: "Version of the new PIN; drawn here when it is not there."},
			}),
			Operations:   operations{logical.UpdateOperation: b.command("Make a PIN CHANGE/UNBLOCK command with a new PIN.", b.changePIN)},
			HelpSynopsis: "Make the issuer script that gives a card a new PIN (EMV Book 3 §6.5.10, P2 = 02).",
			HelpDescription: proved + " The new PIN is drawn in the engine, kept under its version for its letter (pin/letter), " +
				"and leaves enciphered for the card only.",
		},
		{
			Pattern: "script/block",
			Fields: scriptFields(map[string]*framework.FieldSchema{
				"command": {Type: framework.TypeString, Required: true, Description: "application-block, application-unblock or card-block."},
			}),
			Operations:      operations{logical.UpdateOperation: b.command("Make a command that blocks or unblocks.", b.block)},
			HelpSynopsis:    "Make the issuer script that blocks or unblocks the application, or blocks the card for good (EMV Book 3 §6.5.1 to §6.5.3).",
			HelpDescription: proved + " A blocked card does not come back.",
		},
	}
}

// session is a live card with the keys for its scripts.
type session struct {
	card   emv.SchemeCard
	script emv.ScriptSession
	keys   *profileKeys
	pan    string
}

// session checks the card's proof and derives the keys of this transaction.
func (b *backend) session(ctx context.Context, r *logical.Request, data *framework.FieldData) (*session, error) {
	keys, sets, err := b.setsOf(ctx, r.Storage, text(data, "profile"), text(data, "key_version"))
	if err != nil {
		return nil, err
	}
	given, err := proofOf(data)
	if err != nil {
		return nil, err
	}
	numbers, _ := data.Get("scripts").([]string)
	scripts, err := scriptNumbers(numbers)
	if err != nil {
		return nil, err
	}
	sequence, err := bounded("sequence", orElse(text(data, "sequence"), "0"), 0, 9)
	if err != nil {
		return nil, err
	}
	shows, err := proofFor(data, keys, given, scripts)
	if err != nil {
		return nil, err
	}
	set, err := proved(sets, shows)
	if err != nil {
		return nil, err
	}
	s := &session{keys: keys, pan: given.pan}
	if s.card, err = keys.card(set, given); err != nil {
		return nil, err
	}
	s.script, err = s.card.Scripts(given.atc, given.arqc, uint64(sequence)) //nolint:gosec // bounded
	return s, err
}

// wipe clears the card's keys.
func (s *session) wipe() { wipeCard(s.card) }

// proofFor tells of a generation of keys whether its card made the cryptogram:
// over the data of the request, or over none.
func proofFor(data *framework.FieldData, keys *profileKeys, given proof, scripts []int) (func(set *keySet) (bool, error), error) {
	if text(data, "data") == "" {
		if !keys.profile.AsksForUnblock() {
			return nil, refuse("invalid", "cards of profile %s prove themselves over data and iad of the transaction", keys.profile.Name)
		}
		return func(set *keySet) (bool, error) {
			_, ok, err := set.verifier.VerifyUnblock(given.pan, given.psn, given.atc, [4]byte{}, given.arqc, scripts)
			return ok, err
		}, nil
	}
	terminal, err := terminalData(data, keys.profile)
	if err != nil {
		return nil, err
	}
	iad, err := iadOf(data, keys.profile)
	if err != nil {
		return nil, err
	}
	if keys.profile.ProvesRightPIN(iad) {
		return nil, refuse("wrong_arqc", "a card with a right PIN asks for no script")
	}
	return func(set *keySet) (bool, error) {
		card, err := keys.card(set, given)
		if err != nil {
			return false, err
		}
		defer wipeCard(card)
		want, err := keys.profile.ARQC(card, terminal, given.atc, iad)
		return crypt.Equal(want[:], given.arqc[:]), err
	}, nil
}

// proved finds the generation whose card made the cryptogram. Two generations
// with one cryptogram key but other keys for scripts cannot be told apart.
func proved(sets []*keySet, shows func(set *keySet) (bool, error)) (*keySet, error) {
	var found *keySet
	for _, set := range sets {
		if found != nil && set.AC != found.AC {
			break
		}
		ok, err := shows(set)
		if err != nil {
			return nil, err
		}
		if ok && found != nil {
			return nil, refuse("conflict", "cards of master key version %d have different keys for scripts: rotate the three together", set.AC)
		}
		if ok {
			found = set
		}
	}
	if found == nil {
		return nil, refuse("wrong_arqc", "the card did not make this cryptogram for this counter")
	}
	return found, nil
}

func apdu(command []byte) *logical.Response {
	return &logical.Response{Data: map[string]any{"apdu": crypt.Hex(command).String()}}
}

func (b *backend) unblock(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	s, err := b.session(ctx, r, data)
	if err != nil {
		return nil, err
	}
	defer s.wipe()
	return apdu(s.script.APDU(emv.PINUnblockCommand, nil)), nil
}

func (b *backend) block(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	command, ok := map[string]emv.Command{
		"application-block": emv.ApplicationBlock, "application-unblock": emv.ApplicationUnblock, "card-block": emv.CardBlock,
	}[text(data, "command")]
	if !ok {
		return nil, refuse("invalid", "command is application-block, application-unblock or card-block")
	}
	s, err := b.session(ctx, r, data)
	if err != nil {
		return nil, err
	}
	defer s.wipe()
	return apdu(s.script.APDU(command, nil)), nil
}

// changePIN draws the card's next PIN, or takes the one that the same attempt
// drew, and enciphers it for the card.
func (b *backend) changePIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	path, err := pinPath(text(data, "card"), text(data, "pin_version"))
	if err != nil {
		return nil, err
	}
	attempt := text(data, "attempt")
	if lifecycle.CheckID(lifecycle.PrefixAttempt, attempt) != nil {
		return nil, refuse("invalid", "attempt is not an attempt identifier")
	}
	s, err := b.session(ctx, r, data)
	if err != nil {
		return nil, err
	}
	defer s.wipe()
	pins, err := b.pinCipher(ctx, r.Storage)
	if err != nil {
		return nil, err
	}
	defer b.lock(path)()
	p, err := b.nextPIN(ctx, r.Storage, s, pins, path, text(data, "card"), attempt)
	if err != nil {
		return nil, err
	}
	block, err := pins.open(p.Block, path)
	if err != nil {
		return nil, err
	}
	defer clear(block)
	pin, err := pinblock.DecodeISO2(block)
	if err != nil {
		return nil, err
	}
	command, err := s.card.PINChange(s.script, pin, "")
	if err != nil {
		return nil, err
	}
	return apdu(command), nil
}

func (b *backend) nextPIN(ctx context.Context, storage logical.Storage, s *session, pins *pinCipher, path, card, attempt string) (*storedPIN, error) {
	there, err := b.stored.get(ctx, storage, path)
	if err != nil {
		return nil, err
	}
	p, found := there[path]
	number := numberTag(card, s.pan)
	switch {
	case !found:
		p = storedPIN{Attempt: attempt, Environment: s.keys.environment, Number: number}
		if p.Block, err = pins.draw(s.keys.profile.PINLength, path); err != nil {
			return nil, err
		}
		return &p, b.stored.put(ctx, storage, path, &p)
	case p.Attempt != attempt || p.Number != number:
		return nil, refuse("conflict", "this PIN of card %s was drawn by another attempt, or for another card number", card)
	case p.Destroyed:
		return nil, refuse("pin_destroyed", "this PIN of card %s was destroyed", card)
	}
	return &p, nil
}
