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

// Chip is what became of a blank chip in the reader.
type Chip struct {
	Card      lifecycle.CardID
	TriesLeft int // the PIN try counter, read back
}

// Personalise makes an order's card in the chip in the reader: the bank challenges
// the chip, gives it commands that only it opens, and believes that it is made
// when it sees its first cryptogram. Whoever is interrupted calls again with the
// same chip.
func (c *Client) Personalise(ctx context.Context, order lifecycle.OrderID, reader *card.Reader) (Chip, error) {
	path := "/v1/orders/" + string(order) + "/chip"
	var begun struct {
		Card              lifecycle.CardID
		Challenge, Serial string
	}
	if err := c.Post(ctx, path, nil, &begun); err != nil {
		return Chip{}, err
	}
	challenge, err := hex.DecodeString(begun.Challenge)
	if err != nil {
		return Chip{}, fmt.Errorf("the bank's challenge is not understood: %w", err)
	}
	answer, err := reader.OpenBlank(ctx, challenge)
	switch {
	case errors.Is(err, card.ErrMade) && begun.Serial != "": // perhaps this one, before an interruption: its cryptogram tells
	case err != nil:
		return Chip{}, err
	default:
		if err := c.write(ctx, path, answer, reader); err != nil {
			return Chip{}, err
		}
	}
	proof, err := reader.Prove(ctx)
	if err != nil {
		return Chip{}, err
	}
	tries, err := reader.TriesLeft(ctx)
	if err != nil {
		return Chip{}, err
	}
	err = c.Post(ctx, path+"/made", map[string]any{
		"atc": proof.ATC, "arqc": hex.EncodeToString(proof.ARQC[:]), "data": hex.EncodeToString(proof.Data), "iad": hex.EncodeToString(proof.IAD),
	}, nil)
	return Chip{Card: begun.Card, TriesLeft: tries}, err
}

// write gives the opened chip the bank's commands.
func (c *Client) write(ctx context.Context, path string, answer []byte, reader *card.Reader) error {
	var given struct{ Commands []string }
	if err := c.Post(ctx, path+"/commands", map[string]string{"answer": hex.EncodeToString(answer)}, &given); err != nil {
		return err
	}
	commands := make([][]byte, len(given.Commands))
	for i, text := range given.Commands {
		var err error
		if commands[i], err = hex.DecodeString(text); err != nil {
			return fmt.Errorf("the bank's commands are not understood: %w", err)
		}
	}
	return reader.Personalise(ctx, commands)
}

// SpoilChip gives the order's chip up.
func (c *Client) SpoilChip(ctx context.Context, order lifecycle.OrderID, reason string) error {
	return c.Post(ctx, "/v1/orders/"+string(order)+"/chip/spoiled", map[string]string{"reason": reason}, nil)
}
