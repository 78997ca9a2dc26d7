package hsm

import (
	"context"
	"encoding/hex"
	"fmt"

	"sceau/lifecycle"
)

// HostChallenge is what INITIALIZE UPDATE brings to a blank chip in an attempt;
// key is the master key of blank chips, by name in the engine.
func (c *Client) HostChallenge(ctx context.Context, attempt lifecycle.AttemptID, key string) ([]byte, error) {
	doing := fmt.Sprintf("challenge a chip in attempt %s", attempt)
	request := struct {
		Attempt  lifecycle.AttemptID `json:"attempt"`
		PersoKey string              `json:"perso_key"`
	}{attempt, key}
	var answer struct {
		Challenge string `json:"challenge"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/card/challenge", request, &answer); err != nil {
		return nil, err
	}
	challenge, err := hex.DecodeString(answer.Challenge)
	if err != nil || len(challenge) != 8 {
		return nil, fmt.Errorf("%s: the engine's answer is no challenge", doing)
	}
	return challenge, nil
}

// ChannelRequest asks for a card's data in a blank chip that has answered the
// attempt's challenge.
type ChannelRequest struct {
	Attempt  lifecycle.AttemptID // the same attempt makes the same card, in one chip
	Profile  string
	PersoKey string // master key of blank chips, by name in the engine
	Card     CardToPersonalise
	Answer   []byte // the chip's, to INITIALIZE UPDATE
}

// Channel is what a chip is to be given: commands that only it opens.
type Channel struct {
	Serial   string // the chip's key diversification data, hexadecimal
	Commands [][]byte
	Keys     MasterKeyVersions
}

// OpenChannel has the engine make a card in a chip at a branch terminal. A chip
// whose keys do not come from the master key is [lifecycle.Invalid]; another chip
// than the card's first, or another attempt, [lifecycle.Conflict].
func (c *Client) OpenChannel(ctx context.Context, r ChannelRequest) (Channel, error) {
	doing := fmt.Sprintf("personalise card %s in a chip", r.Card.Card)
	request := struct {
		Attempt    lifecycle.AttemptID `json:"attempt"`
		Profile    string              `json:"profile"`
		PersoKey   string              `json:"perso_key"`
		Card       lifecycle.CardID    `json:"card"`
		PINVersion number              `json:"pin_version"`
		PAN        string              `json:"pan"`
		PSN        string              `json:"psn"`
		Expiry     string              `json:"expiry"`
		Answer     string              `json:"answer"`
	}{
		r.Attempt, r.Profile, r.PersoKey, r.Card.Card, number(r.Card.PINVersion), r.Card.PAN.Reveal(), psnText(r.Card.PSN),
		r.Card.Expiry.UTC().Format("0601"), hexText(r.Answer),
	}
	var answer struct {
		Serial      string   `json:"serial"`
		Commands    []string `json:"commands"`
		KeyVersions []number `json:"key_versions"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/card/channel", request, &answer); err != nil {
		return Channel{}, err
	}
	if len(answer.Serial) != 20 || len(answer.Commands) < 2 || len(answer.KeyVersions) != 3 {
		return Channel{}, fmt.Errorf("%s: the engine's answer is not what its contract has", doing)
	}
	channel := Channel{
		Serial: answer.Serial,
		Keys:   MasterKeyVersions{AC: int(answer.KeyVersions[0]), SMI: int(answer.KeyVersions[1]), SMC: int(answer.KeyVersions[2])},
	}
	for _, text := range answer.Commands {
		command, err := hex.DecodeString(text)
		if err != nil || len(command) < 5 {
			return Channel{}, fmt.Errorf("%s: the engine's answer has no command", doing)
		}
		channel.Commands = append(channel.Commands, command)
	}
	return channel, nil
}
