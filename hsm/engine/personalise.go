package engine

import (
	"context"
	"strconv"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/lifecycle"
)

const (
	maxCards      = 100 // in one call
	writers       = 8   // storage writes at the same time
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
		"cards":         {Type: framework.TypeSlice, Required: true, Description: "1 to 100 cards: card, pin_version, pan, psn, expiry (YYMM)."},
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
	transport *crypt.TDES
	pins      *pinCipher
	storage   logical.Storage
	renew     bool
	make      func(ctx context.Context, c *batch, r cardRequest) (map[string]any, error)
}

func (b *backend) personalise(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	c := batch{storage: r.Storage, make: b.makeCard}
	cards, kcv, err := b.open(ctx, &c, data)
	if err != nil {
		return nil, err
	}
	if err := b.recordSet(ctx, r.Storage, c.keys); err != nil {
		return nil, err
	}
	return c.all(ctx, cards, kcv)
}

// open checks what the cards of a call share.
func (b *backend) open(ctx context.Context, c *batch, data *framework.FieldData) ([]cardRequest, string, error) {
	cards, err := cardsOf(data.Get("cards"))
	if err != nil {
		return nil, "", err
	}
	if c.attempt = text(data, "attempt"); lifecycle.CheckID(lifecycle.PrefixAttempt, c.attempt) != nil {
		return nil, "", refuse("invalid", "attempt is not an attempt identifier")
	}
	name := text(data, "transport_key")
	transport, err := usableKey(ctx, c.storage, name, usageTransport, toEncipher)
	if err != nil {
		return nil, "", err
	}
	defer transport.wipe()
	if c.transport, err = transport.schedule(name); err != nil {
		return nil, "", err
	}
	kcv := transport.Versions[transport.latest()-1].KCV
	c.underKey = name + "/" + kcv
	if c.keys, err = b.profileKeys(ctx, c.storage, text(data, "profile")); err != nil {
		return nil, "", err
	}
	if c.keys.environment != transport.Environment {
		return nil, "", refuse("mixed_environment", "the cards' keys are for %s, the transport key is for %s", c.keys.environment, transport.Environment)
	}
	c.pins, err = b.pinCipher(ctx, c.storage)
	return cards, kcv, err
}

// cardsOf reads the cards of a call and checks each before the first is made.
func cardsOf(value any) ([]cardRequest, error) {
	var cards []cardRequest
	if err := decode(value, &cards, "cards"); err != nil {
		return nil, err
	}
	if len(cards) == 0 {
		return nil, refuse("invalid", "a call has 1 to %d cards", maxCards)
	}
	if len(cards) > maxCards {
		return nil, refuse("batch_too_large", "a call has 1 to %d cards", maxCards)
	}
	seen := map[string]bool{}
	for _, card := range cards {
		path, err := pinPath(card.Card, card.PINVersion)
		if err != nil {
			return nil, err
		}
		if seen[path] {
			return nil, refuse("invalid", "card %s is there twice", card.Card)
		}
		seen[path] = true
		if err := emv.CheckCard(card.PAN, card.PSN); err != nil {
			return nil, err
		}
		month, err := strconv.Atoi(card.Expiry)
		if err != nil || len(card.Expiry) != 4 || month < 0 || month%100 < 1 || month%100 > 12 {
			return nil, refuse("invalid", "expiry is YYMM")
		}
	}
	return cards, nil
}

// all makes the cards of a call, several at a time: what takes long is Vault's
// storage.
func (c *batch) all(ctx context.Context, cards []cardRequest, kcv string) (*logical.Response, error) {
	made := make([]map[string]any, len(cards))
	errs := make([]error, len(cards))
	next := make(chan int)
	var group sync.WaitGroup
	for range min(writers, len(cards)) {
		group.Go(func() {
			for i := range next {
				made[i], errs[i] = c.make(ctx, c, cards[i])
			}
		})
	}
	for i := range cards {
		next <- i
	}
	close(next)
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return &logical.Response{Data: map[string]any{"cards": made, "transport_kcv": kcv}}, nil
}

// makeCard makes one card, or makes it again: keys follow from the card number,
// the PIN is the stored one, so the bytes are the same. Again is for a worker
// that was killed, hence under the same transport key, and over once the PIN is
// in its letter.
func (b *backend) makeCard(ctx context.Context, c *batch, r cardRequest) (map[string]any, error) {
	path, err := pinPath(r.Card, r.PINVersion)
	if err != nil {
		return nil, err
	}
	defer b.lock(path)()
	var p storedPIN
	found, err := get(ctx, c.storage, path, &p)
	if err != nil {
		return nil, err
	}
	fingerprint := r.fingerprint(c.keys.profile.Name, c.underKey)
	if !found {
		p = storedPIN{
			Attempt: c.attempt, Card: fingerprint, Under: c.underKey, Keys: c.keys.sets[0].setVersions,
			Environment: c.keys.environment, Number: numberTag(r.Card, r.PAN),
		}
		if p.Block, err = c.pins.draw(c.keys.profile.PINLength, path); err != nil {
			return nil, err
		}
		if err := put(ctx, c.storage, path, p); err != nil {
			return nil, err
		}
		return c.answer(r, p, path)
	}
	if p.Attempt != c.attempt || p.Card != fingerprint {
		return nil, refuse("conflict", "card %s was made by another attempt, or with other data", r.Card)
	}
	if err := p.unprinted(r.Card); err != nil {
		return nil, err
	}
	return c.answer(r, p, path)
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

// answer is a card's data, and which versions of the master keys they were
// derived from: who keeps the card keeps those.
func (c *batch) answer(r cardRequest, p storedPIN, path string) (map[string]any, error) {
	dgis, err := c.dgis(r, p, path)
	if err != nil {
		return nil, err
	}
	under := p.generation()
	return map[string]any{
		"card": r.Card, "dgis": dgis.String(),
		"key_versions": []string{strconv.Itoa(under.AC), strconv.Itoa(under.SMI), strconv.Itoa(under.SMC)},
	}, nil
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

// rekey makes the data of cards again for another transport key.
func (b *backend) rekey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	c := batch{storage: r.Storage, make: b.rekeyCard}
	c.renew, _ = data.Get("renew").(bool)
	cards, kcv, err := b.open(ctx, &c, data)
	if err != nil {
		return nil, err
	}
	if err := b.permitted(ctx, r.Storage, activityRekey, c.keys.environment); err != nil {
		return nil, err
	}
	if err := b.recordSet(ctx, r.Storage, c.keys); err != nil {
		return nil, err
	}
	return c.all(ctx, cards, kcv)
}

// rekeyCard gives a card to another attempt: the bytes that it was given before
// are of no more use than the key that they are under.
func (b *backend) rekeyCard(ctx context.Context, c *batch, r cardRequest) (map[string]any, error) {
	path, err := pinPath(r.Card, r.PINVersion)
	if err != nil {
		return nil, err
	}
	defer b.lock(path)()
	var p storedPIN
	found, err := get(ctx, c.storage, path, &p)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, refuse("unknown_pin", "card %s was not made", r.Card)
	}
	if err := p.unprinted(r.Card); err != nil {
		return nil, err
	}
	if p.Card != r.fingerprint(c.keys.profile.Name, p.Under) {
		return nil, refuse("conflict", "card %s was made with other data", r.Card)
	}
	if c.renew {
		p.Keys = c.keys.sets[0].setVersions
	}
	p.Attempt, p.Under, p.Card = c.attempt, c.underKey, r.fingerprint(c.keys.profile.Name, c.underKey)
	if _, err := c.keys.set(p.generation()); err != nil {
		return nil, err
	}
	if err := put(ctx, c.storage, path, p); err != nil {
		return nil, err
	}
	return c.answer(r, p, path)
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
