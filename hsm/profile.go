package hsm

import (
	"context"
	"strings"
)

// Profile is what the engine does with the cards of a profile, as far as the
// bank's products say the same.
type Profile struct {
	IPB       string // issuer proprietary bitmap, upper-case hexadecimal
	PINLength int
	PINTries  int
}

// Profile reads a card profile; [lifecycle.NotFound] when there is none.
func (c *Client) Profile(ctx context.Context, name string) (Profile, error) {
	if err := checkName(name); err != nil {
		return Profile{}, err
	}
	var answer struct {
		IPB       string `json:"ipb"`
		PTL       number `json:"ptl"`
		PINLength number `json:"pin_length"`
	}
	if err := c.get(ctx, "look at card profile "+name, c.config.CardMount+"/profiles/"+name, &answer); err != nil {
		return Profile{}, err
	}
	return Profile{IPB: strings.ToUpper(answer.IPB), PINLength: int(answer.PINLength), PINTries: int(answer.PTL)}, nil
}
