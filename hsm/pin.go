package hsm

import (
	"context"
	"fmt"
	"strings"

	"sceau/lifecycle"
)

// PINRelease names one PIN and the one letter that may carry it.
type PINRelease struct {
	Card       lifecycle.CardID
	PINVersion int
	Letter     lifecycle.PINLetterID
}

type pinRequest struct {
	Card       lifecycle.CardID      `json:"card"`
	PINVersion number                `json:"pin_version"`
	Letter     lifecycle.PINLetterID `json:"letter,omitempty"`
}

func (r PINRelease) request() pinRequest {
	return pinRequest{Card: r.Card, PINVersion: number(r.PINVersion), Letter: r.Letter}
}

// ReleasePIN gives the PIN in clear, for the PIN-letter worker alone: its Vault
// policy is the only one with this path. The first call binds the PIN to the
// letter; until ClosePIN the same letter gets it again, a few times, so that a
// worker killed before its commit can go on. Another letter never does:
// [lifecycle.Conflict].
func (c *Client) ReleasePIN(ctx context.Context, r PINRelease) (lifecycle.PIN, error) {
	doing := fmt.Sprintf("release the PIN of card %s for letter %s", r.Card, r.Letter)
	var answer struct {
		PIN string `json:"pin"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/pin/letter", r.request(), &answer); err != nil {
		return lifecycle.PIN{}, err
	}
	digits, _, _ := strings.Cut(answer.PIN, ".") // behind it: noise, for Vault's audit log
	pin, err := lifecycle.NewPIN(digits)
	if err != nil {
		return lifecycle.PIN{}, fmt.Errorf("%s: the engine's answer is no PIN", doing)
	}
	return pin, nil
}

// ClosePIN ends the release once the encrypted letter is stored: from then on
// nobody is given this PIN.
func (c *Client) ClosePIN(ctx context.Context, r PINRelease) error {
	doing := fmt.Sprintf("close the PIN of card %s after letter %s", r.Card, r.Letter)
	return c.post(ctx, doing, c.config.CardMount+"/pin/close", r.request(), nil)
}

// DestroyPIN erases a PIN that must not be used: its card or letter was
// spoiled, or a newer version replaces it.
func (c *Client) DestroyPIN(ctx context.Context, card lifecycle.CardID, pinVersion int) error {
	doing := fmt.Sprintf("destroy PIN %d of card %s", pinVersion, card)
	return c.post(ctx, doing, c.config.CardMount+"/pin/destroy",
		pinRequest{Card: card, PINVersion: number(pinVersion)}, nil)
}
