package engine

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/lifecycle"
)

const (
	maxCards      = 100 // in one call
	maxPINVersion = 9999
)

// cardRequest is one card of a call.
type cardRequest struct {
	Card       string `json:"card"`
	PINVersion string `json:"pin_version"`
	PAN        string `json:"pan"`
	PSN        string `json:"psn"`
	Expiry     string `json:"expiry"`
}

func (b *backend) cardPaths() []*framework.Path {
	fields := map[string]*framework.FieldSchema{
		"attempt":       {Type: framework.TypeString, Required: true, Description: "Attempt ID: the same gets the same answer."},
		"profile":       {Type: framework.TypeString, Required: true, Description: "Card profile."},
		"transport_key": {Type: framework.TypeString, Required: true, Description: "Key that enciphers keys and PINs for the bureau."},
		"cards":         {Type: framework.TypeSlice, Description: "1 to 100 cards: card, pin_version, pan, psn, expiry (YYMM)."},
		"batch":         {Type: framework.TypeString, Description: "The cards as one text, a line each of those members with commas between, in the place of cards; answered as one: card, data groupings in base64, three versions of master keys. Vault's audit log then hashes one text a call."},
	}
	rekeyed := map[string]*framework.FieldSchema{
		"renew": {Type: framework.TypeBool, Description: "Derive the card's keys from the latest versions of the master keys, not from those it was made under."},
	}
	for name, field := range fields {
		rekeyed[name] = field
	}
	return []*framework.Path{
		{
			Pattern: "card/personalise", Fields: fields,
			Operations:   operations{logical.UpdateOperation: b.command("Make keys, PIN and data groupings of cards.", b.personalise)},
			HelpSynopsis: "Personalise a batch of cards (EMV CPS data groupings).",
			HelpDescription: "Each card's keys are derived, its PIN is drawn and kept here, and both are answered enciphered under the transport key only. " +
				"The same attempt gets the same bytes until the PIN is in its letter; another attempt is a conflict.",
		},
		{
			Pattern: "card/rekey", Fields: rekeyed,
			Operations:   operations{logical.UpdateOperation: b.command("Make data groupings of cards again under another transport key.", b.rekey)},
			HelpSynopsis: "Re-encipher a batch of cards' personalisation data, before their PINs are in letters.",
			HelpDescription: "For a card whose data must go to another bureau, or under a new version of the transport key or, with renew, of the master keys. " +
				"Number, expiry and PIN stay; the attempt becomes the card's own, and the earlier attempt gets nothing more. " +
				"It lets the data of a card out a second time: for live cards two officers open the activity rekey first.",
		},
	}
}

// batch is what the cards of one call share.
type batch struct {
	attempt   string
	keys      *profileKeys
	underKey  string // name and check value of the transport key
	kcv       string // its check value
	transport *crypt.TDES
	pins      *pinCipher
	storage   logical.Storage
	cards     []cardRequest
	paths     []string // of their PINs
	asText    bool     // they came as one text, and go as one
}

func (b *backend) personalise(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	c, err := b.open(ctx, r.Storage, data)
	if err != nil {
		return nil, err
	}
	if err := b.recordSet(ctx, r.Storage, c.keys); err != nil {
		return nil, err
	}
	pins, err := b.makeCards(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.answer(pins)
}

// open checks what the cards of a call share, and each card, before the first is
// made.
func (b *backend) open(ctx context.Context, s logical.Storage, data *framework.FieldData) (*batch, error) {
	c := &batch{storage: s, asText: text(data, "batch") != ""}
	var err error
	if c.asText {
		c.cards, err = cardsOfText(text(data, "batch"))
	} else {
		err = decode(data.Get("cards"), &c.cards, "cards")
	}
	if err != nil {
		return nil, err
	}
	if c.paths, err = checkCards(c.cards); err != nil {
		return nil, err
	}
	if c.attempt = text(data, "attempt"); lifecycle.CheckID(lifecycle.PrefixAttempt, c.attempt) != nil {
		return nil, refuse("invalid", "attempt is not an attempt identifier")
	}
	name := text(data, "transport_key")
	transport, err := usableKey(ctx, c.storage, name, usageTransport, toEncipher)
	if err != nil {
		return nil, err
	}
	defer transport.wipe()
	if c.transport, err = transport.schedule(name); err != nil {
		return nil, err
	}
	c.kcv = transport.Versions[transport.latest()-1].KCV
	c.underKey = name + "/" + c.kcv
	if c.keys, err = b.profileKeys(ctx, c.storage, text(data, "profile")); err != nil {
		return nil, err
	}
	if c.keys.environment != transport.Environment {
		return nil, refuse("mixed_environment", "the cards' keys are for %s, the transport key is for %s", c.keys.environment, transport.Environment)
	}
	if !c.keys.profile.Simulated() {
		return nil, refuse("invalid", "cards of profile %s are made elsewhere: here are made cards of cryptogram version 14 without variants", c.keys.profile.Name)
	}
	c.pins, err = b.pinCipher(ctx, c.storage)
	return c, err
}

// cardsOfText reads the cards that came as one text.
func cardsOfText(batch string) ([]cardRequest, error) {
	lines, err := linesOf(batch, maxCards)
	if err != nil {
		return nil, err
	}
	cards := make([]cardRequest, len(lines))
	for i, line := range lines {
		c := strings.Split(line, ",")
		if len(c) != 5 {
			return nil, refuse("invalid", "a line of batch is card, pin_version, pan, psn and expiry with commas between")
		}
		cards[i] = cardRequest{Card: c[0], PINVersion: c[1], PAN: c[2], PSN: c[3], Expiry: c[4]}
	}
	return cards, nil
}

// checkCards checks each card of a call and answers where their PINs are.
func checkCards(cards []cardRequest) ([]string, error) {
	if len(cards) == 0 {
		return nil, refuse("invalid", "a call has 1 to %d cards", maxCards)
	}
	if len(cards) > maxCards {
		return nil, refuse("batch_too_large", "a call has 1 to %d cards", maxCards)
	}
	seen := map[string]bool{}
	paths := make([]string, len(cards))
	for i, card := range cards {
		path, err := pinPath(card.Card, card.PINVersion)
		if err != nil {
			return nil, err
		}
		if seen[path] {
			return nil, refuse("invalid", "card %s is there twice", card.Card)
		}
		seen[path] = true
		paths[i] = path
		if err := emv.CheckCard(card.PAN, card.PSN); err != nil {
			return nil, err
		}
		month, err := strconv.Atoi(card.Expiry)
		if err != nil || len(card.Expiry) != 4 || month < 0 || month%100 < 1 || month%100 > 12 {
			return nil, refuse("invalid", "expiry is YYMM")
		}
	}
	return paths, nil
}

// makeCards makes the cards of a call, or makes them again: keys follow from the
// card number, the PIN is the stored one, so the bytes are the same. Again is for
// a worker that was killed, hence under the same transport key, and over once the
// PIN is in its letter. New PINs are stored before an answer leaves, all or none.
func (b *backend) makeCards(ctx context.Context, c *batch) ([]storedPIN, error) {
	defer b.lockAll(c.paths)()
	there, err := b.stored.get(ctx, c.storage, c.paths...)
	if err != nil {
		return nil, err
	}
	made, fresh := make([]storedPIN, len(c.cards)), pinBatch{}
	for i, r := range c.cards {
		fingerprint := r.fingerprint(c.keys.profile.Name, c.underKey)
		p, found := there[c.paths[i]]
		if !found {
			p = storedPIN{
				Attempt: c.attempt, Card: fingerprint, Under: c.underKey, Keys: c.keys.sets[0].setVersions,
				Environment: c.keys.environment, Number: numberTag(r.Card, r.PAN),
			}
			if p.Block, err = c.pins.draw(c.keys.profile.PINLength, c.paths[i]); err != nil {
				return nil, err
			}
			fresh[c.paths[i]] = p
		}
		if p.Attempt != c.attempt || p.Card != fingerprint {
			return nil, refuse("conflict", "card %s was made by another attempt, or with other data", r.Card)
		}
		if err := p.unprinted(r.Card); err != nil {
			return nil, err
		}
		made[i] = p
	}
	return made, b.stored.add(ctx, c.storage, fresh)
}

// unprinted refuses a card whose PIN is in its letter, or destroyed: its data
// are not given again.
func (p *storedPIN) unprinted(card string) error {
	switch {
	case p.Destroyed:
		return refuse("pin_destroyed", "the PIN of card %s was destroyed", card)
	case p.Letter != "":
		return refuse("pin_released", "card %s is made: its PIN is in its letter", card)
	}
	return nil
}

// generation is the versions of the master keys that the card was made under.
func (p *storedPIN) generation() setVersions {
	if p.Keys == (setVersions{}) {
		return firstSet()
	}
	return p.Keys
}

// answer is the cards' data, and which versions of the master keys each was
// derived from: who keeps the card keeps those.
func (c *batch) answer(pins []storedPIN) (*logical.Response, error) {
	made := make([]crypt.Hex, len(pins))
	if err := spread(len(pins), func(i int) (err error) {
		made[i], err = c.dgis(c.cards[i], pins[i], c.paths[i])
		return err
	}); err != nil {
		return nil, err
	}
	if !c.asText {
		cards := make([]map[string]any, len(pins))
		for i, r := range c.cards {
			cards[i] = map[string]any{"card": r.Card, "dgis": made[i].String(), "key_versions": pins[i].generation().texts()}
		}
		return &logical.Response{Data: map[string]any{"cards": cards, "transport_kcv": c.kcv}}, nil
	}
	lines := make([]string, len(pins))
	for i, r := range c.cards {
		lines[i] = r.Card + "," + base64.StdEncoding.EncodeToString(made[i]) + "," + strings.Join(pins[i].generation().texts(), ",")
	}
	return &logical.Response{Data: map[string]any{"batch": strings.Join(lines, "\n"), "transport_kcv": c.kcv}}, nil
}

func (v setVersions) texts() []string {
	return []string{strconv.Itoa(v.AC), strconv.Itoa(v.SMI), strconv.Itoa(v.SMC)}
}

func (c *batch) dgis(r cardRequest, p storedPIN, path string) (crypt.Hex, error) {
	set, err := c.keys.set(p.generation())
	if err != nil {
		return nil, err
	}
	block, err := c.pins.open(p.Block, path)
	if err != nil {
		return nil, err
	}
	defer clear(block)
	data := emv.CardData{PAN: r.PAN, PSN: r.PSN, Expiry: r.Expiry, PINBlock: block}
	for _, k := range []struct {
		into *crypt.Key
		imk  *crypt.TDES
	}{{&data.AC, set.ac}, {&data.SMI, set.smi}, {&data.SMC, set.smc}} {
		if *k.into, err = emv.CardMasterKey(k.imk, c.keys.profile.Option, r.PAN, r.PSN); err != nil {
			return nil, err
		}
		defer clear(*k.into)
	}
	dgis, err := emv.BuildDGIs(c.keys.profile, data, c.transport)
	if err != nil {
		return nil, err
	}
	return emv.EncodeDGIs(dgis)
}

// rekey makes the data of cards again for another transport key, and gives them
// to another attempt: the bytes that were given before are of no more use than
// the key that they are under.
func (b *backend) rekey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	c, err := b.open(ctx, r.Storage, data)
	if err != nil {
		return nil, err
	}
	if err := b.permitted(ctx, r.Storage, activityRekey, c.keys.environment); err != nil {
		return nil, err
	}
	if err := b.recordSet(ctx, r.Storage, c.keys); err != nil {
		return nil, err
	}
	renew, _ := data.Get("renew").(bool)
	defer b.lockAll(c.paths)()
	there, err := b.stored.get(ctx, c.storage, c.paths...)
	if err != nil {
		return nil, err
	}
	pins := make([]storedPIN, len(c.cards))
	for i, card := range c.cards {
		p, found := there[c.paths[i]]
		if !found {
			return nil, refuse("unknown_pin", "card %s was not made", card.Card)
		}
		if pins[i], err = c.rekeyed(p, card, renew); err != nil {
			return nil, err
		}
	}
	for i := range pins {
		if err := b.stored.put(ctx, c.storage, c.paths[i], &pins[i]); err != nil {
			return nil, err
		}
	}
	return c.answer(pins)
}

// rekeyed is a card's record under the call's attempt and transport key.
func (c *batch) rekeyed(p storedPIN, r cardRequest, renew bool) (storedPIN, error) {
	if err := p.unprinted(r.Card); err != nil {
		return p, err
	}
	if p.Card != r.fingerprint(c.keys.profile.Name, p.Under) {
		return p, refuse("conflict", "card %s was made with other data", r.Card)
	}
	if renew {
		p.Keys = c.keys.sets[0].setVersions
	}
	p.Attempt, p.Under, p.Card = c.attempt, c.underKey, r.fingerprint(c.keys.profile.Name, c.underKey)
	_, err := c.keys.set(p.generation())
	return p, err
}

// pinPath is where a card's PIN is.
func pinPath(card, version string) (string, error) {
	if lifecycle.CheckID(lifecycle.PrefixCard, card) != nil {
		return "", refuse("invalid", "card is not a card identifier")
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || n > maxPINVersion || strconv.Itoa(n) != version {
		return "", refuse("invalid", "pin_version is 1 to %d", maxPINVersion)
	}
	return pinPrefix + card + "/" + version, nil
}
