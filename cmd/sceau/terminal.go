package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/card"
	"sceau/card/pcsc"
	"sceau/cmd/sceau/internal/client"
	"sceau/lifecycle"
)

// terminalCmd is a branch's card terminal.
type terminalCmd struct {
	Unblock     terminalUnblockCmd     `cmd:"" help:"Reset the PIN try counter of the card in the reader, under an approved order."`
	ChangePIN   terminalChangePINCmd   `cmd:"" name:"change-pin" help:"Give the card in the reader another PIN, under an approved order; its holder gets it by letter."`
	Personalise terminalPersonaliseCmd `cmd:"" help:"Make the card of an approved order in the blank chip in the reader; its PIN follows by letter."`
	Readers     terminalReadersCmd     `cmd:"" help:"List the readers, and in which of them a card is."`
}

// doorFlags say which door of the bank a terminal asks.
type doorFlags struct {
	API        string `name:"api" help:"The API's address." env:"SCEAU_API" required:"" placeholder:"URL"`
	APIKeyFile string `name:"api-key-file" help:"File with an API key of the terminal's scope." env:"SCEAU_API_KEY_FILE" required:"" placeholder:"FILE"`
	Operator   string `help:"Login of who stands at the terminal: staff of its branch. It is kept." env:"SCEAU_OPERATOR" required:"" placeholder:"LOGIN"`
}

const maxKeyFile = 1 << 10

func (f doorFlags) open() (*client.Client, error) {
	key, err := readLimited(f.APIKeyFile, maxKeyFile)
	if err != nil {
		return nil, err
	}
	return client.New(strings.TrimSuffix(f.API, "/"), strings.TrimSpace(string(key))).At(f.Operator), nil
}

// pcscFlags say where the PC/SC daemon is.
type pcscFlags struct {
	PCSCD string `name:"pcscd" help:"Socket of the PC/SC daemon." env:"PCSCLITE_CSOCK_NAME" default:"${pcscd}" placeholder:"FILE"`
}

// readerFlags say where the card is.
type readerFlags struct {
	pcscFlags

	Reader string        `help:"Name of the reader, where cards are in several." xor:"place" placeholder:"NAME"`
	Wait   time.Duration `help:"How long to wait for a card." default:"1m"`
	Card   string        `help:"A simulated card's file in the place of a card in a reader: for demonstrations and tests." xor:"place" type:"existingfile" placeholder:"FILE"`
}

// open takes the card; the function gives it back.
func (f readerFlags) open(w *world) (card.Transport, func(), error) {
	if f.Card != "" {
		sim, err := card.Open(f.Card)
		if err != nil {
			return nil, nil, err
		}
		sim.Keep(f.Card)
		return sim, sim.Remove, nil
	}
	if err := f.await(w); err != nil {
		return nil, nil, err
	}
	c, err := pcsc.Open(w.ctx, f.PCSCD, f.Reader)
	if err != nil {
		return nil, nil, err
	}
	return c, func() { _ = c.Close() }, nil
}

// await asks for the card while none is in the reader. That the time is up is no
// error: who takes the card says what is missing.
func (f readerFlags) await(w *world) error {
	ctx, cancel := context.WithTimeout(w.ctx, f.Wait)
	defer cancel()
	asked := false
	err := pcsc.Watch(ctx, f.PCSCD, func(readers []pcsc.Reader) bool {
		in := slices.ContainsFunc(readers, func(r pcsc.Reader) bool { return r.Present && (f.Reader == "" || r.Name == f.Reader) })
		if !in && !asked {
			asked = true
			_, _ = fmt.Fprintln(w.out, "put the card into the reader")
		}
		return in
	})
	// A dial's deadline may pass before the context says so.
	over := ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
	if err != nil && w.ctx.Err() == nil && over {
		return nil
	}
	return err
}

// terminalReadersCmd lists readers.
type terminalReadersCmd struct{ pcscFlags }

// Run asks the daemon.
func (c terminalReadersCmd) Run(w *world) error {
	known, err := pcsc.Readers(w.ctx, c.PCSCD)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		_, err = fmt.Fprintln(w.out, "no reader is connected")
		return err
	}
	for _, r := range known {
		state := "empty"
		if r.Present {
			state = "card"
		}
		if _, err := fmt.Fprintf(w.out, "%-6s %s\n", state, r.Name); err != nil {
			return fmt.Errorf("list the readers: %w", err)
		}
	}
	return nil
}

// scriptFlags are a card, a bank and an order under which it gives a script.
type scriptFlags struct {
	doorFlags
	readerFlags

	Order lifecycle.OrderID `help:"The approved order." required:""`
}

// script asks the card for a cryptogram, the bank for the script, gives it to the
// card and reports what became of it.
func (f scriptFlags) script(w *world, done string) error {
	bank, err := f.doorFlags.open()
	if err != nil {
		return err
	}
	chip, giveBack, err := f.readerFlags.open(w)
	if err != nil {
		return err
	}
	defer giveBack()
	tries, err := bank.Script(w.ctx, f.Order, card.NewReader(chip))
	if errors.Is(err, card.ErrScript) {
		return fmt.Errorf("%w; nothing has changed: try once more, then order a replacement", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s: %d tries\n", done, tries)
	return err
}

// terminalUnblockCmd resets a PIN try counter.
type terminalUnblockCmd struct{ scriptFlags }

// Run resets it.
func (c terminalUnblockCmd) Run(w *world) error {
	return c.script(w, "the card takes its PIN again")
}

// terminalChangePINCmd gives a card another PIN.
type terminalChangePINCmd struct{ scriptFlags }

// Run changes it. Nobody at the terminal learns the new PIN.
func (c terminalChangePINCmd) Run(w *world) error {
	return c.script(w, "the card has another PIN, which its holder is told by letter")
}

// terminalPersonaliseCmd makes a card in a blank chip.
type terminalPersonaliseCmd struct {
	scriptFlags

	Spoiled string `help:"Give the order's chip up instead, and say why: it is kept with the chip's serial." placeholder:"REASON"`
}

// Run makes it. Interrupted, it goes on with the same chip.
func (c terminalPersonaliseCmd) Run(w *world) error {
	bank, err := c.doorFlags.open()
	if err != nil {
		return err
	}
	if c.Spoiled != "" {
		if err := bank.SpoilChip(w.ctx, c.Order, c.Spoiled); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w.out, "the chip is given up: cut it, and take a new one")
		return err
	}
	chip, giveBack, err := c.readerFlags.open(w)
	if err != nil {
		return err
	}
	defer giveBack()
	made, err := bank.Personalise(w.ctx, c.Order, card.NewReader(chip))
	if errors.Is(err, card.ErrChip) {
		return fmt.Errorf("%w; it is blank still: try once more with this chip, then give it up with --spoiled and take another", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "card %s is made: %d tries; hand it over against an identity document, its PIN goes to the holder by post\n", made.Card, made.TriesLeft)
	return err
}
