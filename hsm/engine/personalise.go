package engine

import (
	"context"
	"strconv"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
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

func (b *backend) pathPersonalise() *framework.Path {
	return &framework.Path{
		Pattern: "card/personalise",
		Fields: map[string]*framework.FieldSchema{
			"attempt":       {Type: framework.TypeString, Required: true, Description: "Attempt ID: the same gets the same answer."},
			"profile":       {Type: framework.TypeString, Required: true, Description: "Card profile."},
			"transport_key": {Type: framework.TypeString, Required: true, Description: "Key that enciphers keys and PINs for the bureau."},
			"cards":         {Type: framework.TypeSlice, Required: true, Description: "1 to 100 cards: card, pin_version, pan, psn, expiry (YYMM)."},
		},
		Operations:   write("Make keys, PIN and data groupings of cards.", b.personalise),
		HelpSynopsis: "Personalise a batch of cards (EMV CPS data groupings).",
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
}

func (b *backend) personalise(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	var cards []cardRequest
	if err := decode(data.Get("cards"), &cards, "cards"); err != nil {
		return nil, err
	}
	if len(cards) == 0 || len(cards) > maxCards {
		return nil, refuse("invalid", "a call has 1 to %d cards", maxCards)
	}
	attempt := text(data, "attempt")
	if lifecycle.CheckID(lifecycle.PrefixAttempt, attempt) != nil {
		return nil, refuse("invalid", "attempt is not an attempt identifier")
	}
	transport, err := usableKey(ctx, r.Storage, text(data, "transport_key"), usageTransport)
	if err != nil {
		return nil, err
	}
	c := batch{attempt: attempt, underKey: text(data, "transport_key") + "/" + transport.KCV, storage: r.Storage}
	if c.transport, err = crypt.NewTDES(transport.Value); err != nil {
		return nil, err
	}
	if c.keys, err = b.profileKeys(ctx, r.Storage, text(data, "profile")); err != nil {
		return nil, err
	}
	if c.keys.environment != transport.Environment {
		return nil, refuse("key_usage", "the cards' keys are for %s, the transport key is for %s", c.keys.environment, transport.Environment)
	}
	if c.pins, err = b.pinCipher(ctx, r.Storage); err != nil {
		return nil, err
	}
	made, err := b.makeAll(ctx, c, cards)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"cards": made, "transport_kcv": transport.KCV}}, nil
}

// makeAll makes the cards of a call, several at a time: what takes long is
// Vault's storage.
func (b *backend) makeAll(ctx context.Context, c batch, cards []cardRequest) ([]map[string]any, error) {
	made := make([]map[string]any, len(cards))
	errs := make([]error, len(cards))
	next := make(chan int)
	var group sync.WaitGroup
	for range min(writers, len(cards)) {
		group.Go(func() {
			for i := range next {
				var dgis crypt.Hex
				if dgis, errs[i] = b.makeCard(ctx, c, cards[i]); errs[i] == nil {
					made[i] = map[string]any{"card": cards[i].Card, "dgis": dgis.String()}
				}
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
	return made, nil
}

// makeCard makes one card, or makes it again: keys follow from the card number,
// the PIN is the stored one, so the bytes are the same. Again is for a worker
// that was killed, hence under the same transport key, and over once the PIN is
// in its letter.
func (b *backend) makeCard(ctx context.Context, c batch, r cardRequest) (crypt.Hex, error) {
	path, err := pinPath(r.Card, r.PINVersion)
	if err != nil {
		return nil, err
	}
	if err := emv.CheckCard(r.PAN, r.PSN); err != nil {
		return nil, err
	}
	lock := locksutil.LockForKey(b.locks, path)
	lock.Lock()
	defer lock.Unlock()
	var p storedPIN
	found, err := get(ctx, c.storage, path, &p)
	if err != nil {
		return nil, err
	}
	fingerprint := r.fingerprint(c.keys.profile.Name, c.underKey)
	switch {
	case !found:
		pin, err := randomPIN(c.keys.profile.PINLength)
		if err != nil {
			return nil, err
		}
		p = storedPIN{Attempt: c.attempt, Card: fingerprint}
		if p.Block, err = c.pins.seal(pin, path); err != nil {
			return nil, err
		}
		if err := put(ctx, c.storage, path, p); err != nil {
			return nil, err
		}
	case p.Attempt != c.attempt || p.Card != fingerprint:
		return nil, refuse("conflict", "card %s was made by another attempt, or with other data", r.Card)
	case p.Destroyed:
		return nil, refuse("pin_destroyed", "the PIN of card %s was destroyed", r.Card)
	case p.Letter != "":
		return nil, refuse("pin_released", "card %s is made: its PIN is in its letter", r.Card)
	}
	return c.dgis(r, p, path)
}

func (c batch) dgis(r cardRequest, p storedPIN, path string) (crypt.Hex, error) {
	pin, err := c.pins.open(p.Block, path)
	if err != nil {
		return nil, err
	}
	block, err := pinblock.EncodeISO2(pin)
	if err != nil {
		return nil, err
	}
	data := emv.CardData{PAN: r.PAN, PSN: r.PSN, Expiry: r.Expiry, PINBlock: block[:]}
	for _, k := range []struct {
		into *crypt.Key
		imk  *crypt.TDES
	}{{&data.AC, c.keys.ac}, {&data.SMI, c.keys.smi}, {&data.SMC, c.keys.smc}} {
		if *k.into, err = emv.CardMasterKey(k.imk, c.keys.profile.Option, r.PAN, r.PSN); err != nil {
			return nil, err
		}
	}
	dgis, err := emv.BuildDGIs(c.keys.profile, data, c.transport)
	if err != nil {
		return nil, err
	}
	return emv.EncodeDGIs(dgis)
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
