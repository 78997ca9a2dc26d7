package hsm

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
)

// maxCardsPerCall keeps one call short, so that a killed worker repeats little.
const maxCardsPerCall = 100

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

type cardRequest struct {
	Card       lifecycle.CardID `json:"card"`
	PINVersion number           `json:"pin_version"`
	PAN        string           `json:"pan"`
	PSN        string           `json:"psn"`
	Expiry     string           `json:"expiry"`
}

// Personalise makes keys, PINs and card data inside the engine, in calls of at
// most 100 cards. The answer has the cards in the order of the request. When a
// call fails the whole is asked again under the same attempt; a card that
// another attempt has made is [lifecycle.Conflict].
func (c *Client) Personalise(ctx context.Context, r PersonaliseRequest) ([]PersonalisedCard, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixAttempt, string(r.Attempt)); err != nil {
		return nil, fmt.Errorf("personalise: %w", err)
	}
	for _, card := range r.Cards {
		if card.PSN < 0 || card.PSN > 99 {
			return nil, fmt.Errorf("personalise card %s: %w: a PAN sequence number is 0 to 99", card.Card, lifecycle.Invalid)
		}
	}
	made := make([]PersonalisedCard, 0, len(r.Cards))
	for chunk := range slices.Chunk(r.Cards, maxCardsPerCall) {
		cards, err := c.personaliseChunk(ctx, r, chunk)
		if err != nil {
			return nil, err
		}
		made = append(made, cards...)
	}
	return made, nil
}

func (c *Client) personaliseChunk(ctx context.Context, r PersonaliseRequest, cards []CardToPersonalise) ([]PersonalisedCard, error) {
	doing := fmt.Sprintf("personalise %d cards in attempt %s", len(cards), r.Attempt)
	request := struct {
		Attempt      lifecycle.AttemptID `json:"attempt"`
		Profile      string              `json:"profile"`
		TransportKey string              `json:"transport_key"`
		Cards        []cardRequest       `json:"cards"`
	}{Attempt: r.Attempt, Profile: r.Profile, TransportKey: r.TransportKey}
	for _, card := range cards {
		request.Cards = append(request.Cards, cardRequest{
			Card: card.Card, PINVersion: number(card.PINVersion), PAN: card.PAN.Reveal(),
			PSN: psnText(card.PSN), Expiry: card.Expiry.UTC().Format("0601"),
		})
	}
	var answer struct {
		Cards []struct {
			Card lifecycle.CardID `json:"card"`
			DGIs string           `json:"dgis"`
			Keys []number         `json:"key_versions"`
		} `json:"cards"`
		TransportKCV string `json:"transport_kcv"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/card/personalise", request, &answer); err != nil {
		return nil, err
	}
	if len(answer.Cards) != len(cards) {
		return nil, fmt.Errorf("%s: the engine answered %d cards", doing, len(answer.Cards))
	}
	byCard := make(map[lifecycle.CardID]int, len(cards))
	for i, a := range answer.Cards {
		byCard[a.Card] = i
	}
	made := make([]PersonalisedCard, len(cards))
	for i, card := range cards {
		at, there := byCard[card.Card]
		if !there {
			return nil, fmt.Errorf("%s: the engine answered no data for card %s", doing, card.Card)
		}
		dgis, err := hex.DecodeString(answer.Cards[at].DGIs)
		keys := answer.Cards[at].Keys
		if err != nil || len(dgis) == 0 || len(keys) != 3 {
			return nil, fmt.Errorf("%s: the engine answered no data for card %s", doing, card.Card)
		}
		made[i] = PersonalisedCard{
			Card: card.Card, DGIs: dgis, TransportKCV: answer.TransportKCV,
			Keys: MasterKeyVersions{AC: int(keys[0]), SMI: int(keys[1]), SMC: int(keys[2])},
		}
	}
	return made, nil
}

func psnText(psn int) string { return fmt.Sprintf("%02d", psn) }
