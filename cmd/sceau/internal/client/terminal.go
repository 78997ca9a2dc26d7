package client

import (
	"context"
	"encoding/hex"
	"fmt"

	"sceau/card"
	"sceau/lifecycle"
)

// ResetPIN resets the PIN try counter of the card in the reader, under an
// approved order: the card's cryptogram proves that it is there, the bank's
// script is good for this card transaction only. A reset that was given but not
// reported can be asked for again.
func (c *Client) ResetPIN(ctx context.Context, order lifecycle.OrderID, reader *card.Reader) error {
	request, err := reader.AskReset(ctx)
	if err != nil {
		return err
	}
	path := "/v1/orders/" + string(order) + "/pin-reset"
	var answer struct {
		APDU string `json:"apdu"`
	}
	body := map[string]any{"atc": request.ATC, "arqc": hex.EncodeToString(request.ARQC[:])}
	if err := c.Post(ctx, path, body, &answer); err != nil {
		return err
	}
	script, err := hex.DecodeString(answer.APDU)
	if err != nil {
		return fmt.Errorf("the bank's script is not understood: %w", err)
	}
	if err := reader.ApplyReset(ctx, script); err != nil {
		return err
	}
	return c.Post(ctx, path+"/done", nil, nil)
}
