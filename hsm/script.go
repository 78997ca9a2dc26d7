package hsm

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"sceau/lifecycle"
)

// PINChangeScript makes the command that gives the card a new PIN. The engine
// draws it under card and version, for the card and for its letter; the same
// attempt gets the same, another is [lifecycle.Conflict].
func (c *Client) PINChangeScript(ctx context.Context, r ScriptRequest, attempt lifecycle.AttemptID, card lifecycle.CardID, pinVersion int) (apdu []byte, err error) {
	doing := fmt.Sprintf("make a script with PIN %d of card %s", pinVersion, card)
	request := map[string]any{
		"pan": r.PAN.Reveal(), "psn": psnText(r.PSN), "profile": r.Profile, "atc": number(r.ATC),
		"arqc": strings.ToUpper(hex.EncodeToString(r.ARQC)), "scripts": numbers(r.Scripts),
		"attempt": attempt, "card": card, "pin_version": number(pinVersion),
	}
	var answer struct {
		APDU string `json:"apdu"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/script/pin-change", request, &answer); err != nil {
		return nil, err
	}
	apdu, err = hex.DecodeString(answer.APDU)
	if err != nil || len(apdu) == 0 {
		return nil, fmt.Errorf("%s: the engine's answer is no command", doing)
	}
	return apdu, nil
}
