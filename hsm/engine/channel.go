package engine

import (
	"context"
	"errors"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/globalplatform"
)

// underChip opens the name of what a card's data left under when they went into
// one chip. No key's name has a colon.
const underChip = "chip:"

func (b *backend) channelPaths() []*framework.Path {
	attempt := &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "Attempt ID: the same challenges alike, and makes the same card."}
	master := &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "AES key of usage imk-perso, from which the chip's keys are derived."}
	return []*framework.Path{
		{
			Pattern:      "card/challenge",
			Fields:       map[string]*framework.FieldSchema{"attempt": attempt, "perso_key": master},
			Operations:   operations{logical.UpdateOperation: b.quick("Challenge a blank chip.", b.challenge)},
			HelpSynopsis: "Make the host challenge with which a chip is opened in an attempt (INITIALIZE UPDATE).",
			HelpDescription: "Derived from the master key and the attempt, so that nothing is kept before a chip has answered, and a terminal that begins again is given the same. " +
				"It is no secret.",
		},
		{
			Pattern: "card/channel",
			Fields: map[string]*framework.FieldSchema{
				"attempt": attempt, "perso_key": master,
				"profile":     {Type: framework.TypeString, Required: true, Description: "Card profile."},
				"card":        {Type: framework.TypeString, Required: true, Description: "Card identifier."},
				"pin_version": {Type: framework.TypeString, Required: true, Description: "Version of its PIN, which is drawn here."},
				"pan":         {Type: framework.TypeString, Required: true, Description: "Card number."},
				"psn":         {Type: framework.TypeString, Required: true, Description: "Its sequence number, 2 digits."},
				"expiry":      {Type: framework.TypeString, Required: true, Description: "YYMM."},
				"answer":      {Type: framework.TypeString, Required: true, Description: "What the chip answered to INITIALIZE UPDATE, hexadecimal without status word: 29 or 32 bytes."},
			},
			Operations:   operations{logical.UpdateOperation: b.command("Make the commands that personalise a chip at a terminal.", b.channel)},
			HelpSynopsis: "Make the commands that personalise a blank chip at a branch terminal, over SCP03.",
			HelpDescription: "The chip proves by its answer that its keys come from the master key. The card's keys are derived and its PIN is drawn here, as by card/personalise; " +
				"they leave enciphered under the chip's data encryption key, in commands enciphered and with MAC under the session keys, which only this chip opens. " +
				"Answers serial (the chip's key diversification data), commands in their order, and key_versions. " +
				"The first chip is the card's: the same attempt makes the commands again for it, in a new session too, until the PIN is in its letter; another chip, or another attempt, is a conflict.",
		},
	}
}

// persoKey reads a master key of blank chips. The caller wipes it.
func persoKey(ctx context.Context, s logical.Storage, name string) (*storedKey, error) {
	k, err := usableKey(ctx, s, name, usageIMKPerso, toDerive)
	if err != nil {
		return nil, err
	}
	if !isAES(k.Algorithm) {
		k.wipe()
		return nil, refuse("key_usage", "key %s is %s: SCP03 takes an AES key", shown(name), k.Algorithm)
	}
	return k, nil
}

func (b *backend) challenge(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	attempt, err := attemptOf(data)
	if err != nil {
		return nil, err
	}
	name := text(data, "perso_key")
	master, err := persoKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	defer master.wipe()
	challenge, err := master.challenge(name, attempt)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"challenge": crypt.Hex(challenge[:]).String()}}, nil
}

// challenge is the attempt's, under the latest version.
func (k *storedKey) challenge(name, attempt string) ([8]byte, error) {
	latest, err := k.version(name, 0)
	if err != nil {
		return [8]byte{}, err
	}
	return globalplatform.HostChallenge(crypt.Key(latest.Value), attempt)
}

// chip is a blank chip that has proved itself, with an open channel to it.
type chip struct {
	serial  string
	kcv     string // of the version that its keys come from
	keys    globalplatform.Keys
	channel *globalplatform.SCP03
}

// wipe clears the chip's keys in memory.
func (c *chip) wipe() {
	for _, key := range []crypt.Key{c.keys.ENC, c.keys.MAC, c.keys.DEK} {
		clear(key)
	}
	if c.channel != nil {
		c.channel.Wipe()
	}
}

// openChip finds the version of the master key from which the chip's keys come,
// the newest first, by the cryptogram in its answer.
func openChip(master *storedKey, name, attempt string, answer []byte) (*chip, error) {
	challenge, err := master.challenge(name, attempt)
	if err != nil {
		return nil, err
	}
	if len(answer) < 10 {
		return nil, refuse("invalid", "answer is what the chip answered to INITIALIZE UPDATE, of 29 or 32 bytes")
	}
	serial := [10]byte(answer)
	for n := master.latest(); n > 0; n-- {
		version := master.Versions[n-1]
		if version.Retired {
			continue
		}
		c := &chip{serial: crypt.Hex(serial[:]).String(), kcv: version.KCV}
		if c.keys, err = globalplatform.Diversify(crypt.Key(version.Value), globalplatform.TemplateKDF3, serial); err != nil {
			return nil, err
		}
		c.channel, err = globalplatform.OpenSCP03(c.keys, challenge, answer)
		if err == nil {
			return c, nil
		}
		c.wipe()
		if !errors.Is(err, crypt.ErrMismatch) {
			return nil, err
		}
	}
	return nil, refuse("wrong_chip", "the chip's keys do not come from key %s, or it answered another challenge", shown(name))
}

// channel makes a card in a chip: as personalise does, with the chip's own key in
// the place of a bureau's. The PIN is bound to the chip by the fingerprint of what
// its card was made with.
func (b *backend) channel(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	c := &batch{storage: r.Storage, cards: []cardRequest{{
		Card: text(data, "card"), PINVersion: text(data, "pin_version"), PAN: text(data, "pan"), PSN: text(data, "psn"), Expiry: text(data, "expiry"),
	}}}
	var err error
	if c.paths, err = checkCards(c.cards); err != nil {
		return nil, err
	}
	if c.attempt, err = attemptOf(data); err != nil {
		return nil, err
	}
	name := text(data, "perso_key")
	master, err := persoKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	defer master.wipe()
	answer, err := hexField(data, "answer", 29, 32)
	if err != nil {
		return nil, err
	}
	chip, err := openChip(master, name, c.attempt, answer)
	if err != nil {
		return nil, err
	}
	defer chip.wipe()
	dek, err := globalplatform.NewDataKey(chip.keys.DEK)
	if err != nil {
		return nil, err
	}
	c.encipher, c.underKey = dek.Encipher, underChip+name+"/"+chip.kcv+"/"+chip.serial
	if err := b.openProfile(ctx, c, text(data, "profile"), master.Environment); err != nil {
		return nil, err
	}
	if err := b.recordSet(ctx, r.Storage, c.keys); err != nil {
		return nil, err
	}
	pins, err := b.makeCards(ctx, c)
	if err != nil {
		return nil, err
	}
	groupings, err := c.groupings(c.cards[0], pins[0], c.paths[0])
	if err != nil {
		return nil, err
	}
	commands, err := chip.commands(groupings)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{
		"serial": chip.serial, "commands": commands, "key_versions": pins[0].generation().texts(),
	}}, nil
}

// commands are EXTERNAL AUTHENTICATE and a STORE DATA for each grouping.
func (c *chip) commands(groupings []emv.DGI) ([]string, error) {
	first, err := c.channel.ExternalAuthenticate(globalplatform.LevelCommands)
	if err != nil {
		return nil, err
	}
	commands := []string{crypt.Hex(first).String()}
	for i, d := range groupings {
		grouping, err := emv.EncodeDGIs([]emv.DGI{d})
		if err != nil {
			return nil, err
		}
		if len(grouping) > maxGrouping {
			return nil, refuse("invalid", "data grouping %s of the profile does not fit a command", strconv.FormatUint(uint64(d.ID), 16))
		}
		plain := globalplatform.StoreData(byte(i), i == len(groupings)-1, d.Enciphered(), grouping) //nolint:gosec // at most 64
		command, err := c.channel.Wrap(plain)
		if err != nil {
			return nil, err
		}
		commands = append(commands, crypt.Hex(command).String())
	}
	return commands, nil
}

// maxGrouping is what fits a short command with padding and MAC.
const maxGrouping = 239
