package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"sceau/card"
	"sceau/lifecycle"
)

// Script opens the card in the reader again, or gives it another PIN, as the
// approved order says: the card's cryptogram proves that it is there, the bank's
// script is good for this card transaction only. What became of it is reported
// with the PIN try counter that the card shows afterwards. A script that was given
// but not reported can be asked for again.
func (c *Client) Script(ctx context.Context, order lifecycle.OrderID, reader *card.Reader) (triesLeft int, err error) {
	request, err := reader.AskScript(ctx)
	if err != nil {
		return 0, err
	}
	path := "/v1/orders/" + string(order) + "/script"
	var answer struct {
		APDU string `json:"apdu"`
	}
	body := map[string]any{"atc": request.ATC, "arqc": hex.EncodeToString(request.ARQC[:])}
	if err := c.Post(ctx, path, body, &answer); err != nil {
		return 0, err
	}
	script, err := hex.DecodeString(answer.APDU)
	if err != nil {
		return 0, fmt.Errorf("the bank's script is not understood: %w", err)
	}
	refused := reader.ApplyScript(ctx, script)
	if refused != nil && !errors.Is(refused, card.ErrScript) {
		return 0, refused // nobody knows what the card did: the order stays as it is
	}
	if triesLeft, err = reader.TriesLeft(ctx); err != nil {
		return 0, errors.Join(refused, err)
	}
	taken := refused == nil && triesLeft > 0
	err = c.Post(ctx, path+"/result", map[string]any{"taken": taken, "tries_left": triesLeft}, nil)
	if refused == nil && !taken {
		refused = fmt.Errorf("%w: its try counter is still 0", card.ErrScript)
	}
	return triesLeft, errors.Join(refused, err)
}
