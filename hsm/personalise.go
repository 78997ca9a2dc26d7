package hsm

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sceau/lifecycle"
)

// maxCardsPerCall keeps one call short, so that a killed worker repeats little.
const maxCardsPerCall = 100

// callsInFlight are the calls of one batch under way at a time: Vault works while
// another's answer is read.
const callsInFlight = 4

// PersonaliseRequest asks for the card data of a batch.
type PersonaliseRequest struct {
	Attempt      lifecycle.AttemptID // the same attempt gets the same bytes
	Profile      string              // of the cards, by name in the engine
	TransportKey string              // the bureau's key, by name in the engine
	Cards        []CardToPersonalise
}

// CardToPersonalise is one card. Its PIN is made by the engine and kept there
// under card and version.
type CardToPersonalise struct {
	Card       lifecycle.CardID
	PINVersion int // from 1, up with each new PIN
	PAN        lifecycle.PAN
	PSN        int       // PAN sequence number, 0 to 99 (EMV tag 5F34)
	Expiry     time.Time // the month counts
}

// PersonalisedCard is what the bureau needs to write one chip: data groupings
// as EMV CPS has them, keys and PIN in them enciphered under the transport key.
type PersonalisedCard struct {
	Card         lifecycle.CardID
	DGIs         []byte
	TransportKCV string // check value of the key that enciphered them
	Keys         MasterKeyVersions
}

// MasterKeyVersions are the versions of the issuer master keys that a card's
// keys were derived from.
type MasterKeyVersions struct{ AC, SMI, SMC int }

// Personalise makes keys, PINs and card data inside the engine, in calls of at
// most 100 cards. The answer has the cards in the order of the request. When a
// call fails the whole is asked again under the same attempt; a card that
// another attempt has made is [lifecycle.Conflict].
func (c *Client) Personalise(ctx context.Context, r PersonaliseRequest) ([]PersonalisedCard, error) {
	return c.cardDataInChunks(ctx, "personalise", r, false)
}

// Rekey gives the data of cards that were made again, under this request's
// transport key and attempt, before their PINs are in letters. Number, expiry and
// PIN stay; renew derives the cards' keys from the latest master keys. For live
// cards two officers open the activity rekey first.
func (c *Client) Rekey(ctx context.Context, r PersonaliseRequest, renew bool) ([]PersonalisedCard, error) {
	return c.cardDataInChunks(ctx, "rekey", r, renew)
}

func (c *Client) cardDataInChunks(ctx context.Context, command string, r PersonaliseRequest, renew bool) ([]PersonalisedCard, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixAttempt, string(r.Attempt)); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	for _, card := range r.Cards {
		if card.PSN < 0 || card.PSN > 99 {
			return nil, fmt.Errorf("%s card %s: %w: a PAN sequence number is 0 to 99", command, card.Card, lifecycle.Invalid)
		}
	}
	made := make([]PersonalisedCard, len(r.Cards))
	var calls errgroup.Group
	calls.SetLimit(callsInFlight)
	at := 0
	for chunk := range slices.Chunk(r.Cards, maxCardsPerCall) {
		place := made[at : at+len(chunk)]
		at += len(chunk)
		calls.Go(func() error {
			doing := fmt.Sprintf("%s %d cards in attempt %s", command, len(chunk), r.Attempt)
			cards, err := c.cardData(ctx, doing, "card/"+command, r, renew, chunk)
			copy(place, cards)
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	return made, nil
}

// cardData asks for the data of cards. They travel as one text, a line each:
// Vault's audit log hashes each text of a request and of its answer by itself.
func (c *Client) cardData(ctx context.Context, doing, path string, r PersonaliseRequest, renew bool, cards []CardToPersonalise) ([]PersonalisedCard, error) {
	lines := make([]string, len(cards))
	for i, card := range cards {
		lines[i] = strings.Join([]string{
			string(card.Card), strconv.Itoa(card.PINVersion), card.PAN.Reveal(), psnText(card.PSN), card.Expiry.UTC().Format("0601"),
		}, ",")
	}
	request := struct {
		Attempt      lifecycle.AttemptID `json:"attempt"`
		Profile      string              `json:"profile"`
		TransportKey string              `json:"transport_key"`
		Batch        string              `json:"batch"`
		Renew        bool                `json:"renew,omitempty"`
	}{r.Attempt, r.Profile, r.TransportKey, strings.Join(lines, "\n"), renew}
	var answer struct {
		Batch        string `json:"batch"`
		TransportKCV string `json:"transport_kcv"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/"+path, request, &answer); err != nil {
		return nil, err
	}
	answered := strings.Split(answer.Batch, "\n")
	if len(answered) != len(cards) {
		return nil, fmt.Errorf("%s: the engine answered %d cards", doing, len(answered))
	}
	made := make([]PersonalisedCard, len(cards))
	for i, card := range cards {
		var ok bool
		if made[i], ok = personalisedCard(answered[i]); !ok || made[i].Card != card.Card {
			return nil, fmt.Errorf("%s: the engine answered no data for card %s", doing, card.Card)
		}
		made[i].TransportKCV = answer.TransportKCV
	}
	return made, nil
}

// personalisedCard reads a line of the engine's answer: card, data groupings in
// base64, versions of the three master keys.
func personalisedCard(line string) (PersonalisedCard, bool) {
	columns := strings.Split(line, ",")
	if len(columns) != 5 {
		return PersonalisedCard{}, false
	}
	card := PersonalisedCard{Card: lifecycle.CardID(columns[0])}
	var err error
	if card.DGIs, err = base64.StdEncoding.DecodeString(columns[1]); err != nil || len(card.DGIs) == 0 {
		return card, false
	}
	for i, version := range []*int{&card.Keys.AC, &card.Keys.SMI, &card.Keys.SMC} {
		if *version, err = strconv.Atoi(columns[2+i]); err != nil || *version < 1 {
			return card, false
		}
	}
	return card, true
}

func psnText(psn int) string { return fmt.Sprintf("%02d", psn) }
