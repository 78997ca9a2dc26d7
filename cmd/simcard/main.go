// Command simcard plays an authentication card and its CAP reader from a card
// file that the demonstration wrote (.sceau/demo/bureau/cards/). It is for
// demonstrations and tests: the file holds what a chip holds.
//
// With --vpcd it plays the card in the virtual reader of vsmartcard's daemon, for
// any PC/SC program. The daemon may start later or come back: the card is put in
// again each second until it is interrupted.
//
// The card's file is its memory: each change is written, at once and whole,
// before the card answers.
//
// The PIN is read from standard input or from --pin-file, never from an
// argument, where other users of the machine would see it.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"sceau/card"
	"sceau/hsm/emv"
	"sceau/lifecycle"
)

type cli struct {
	Card string `help:"The card's file." required:"" type:"path" placeholder:"FILE"`
	JSON bool   `name:"json" help:"Answer in JSON."`

	Play   playCmd   `cmd:"" default:"withargs" help:"Play the card in a virtual reader until interrupted (the default)."`
	Code   codeCmd   `cmd:"" help:"Make a code: the CODE key, or with data the keys that take some."`
	Status statusCmd `cmd:"" help:"Show counter and PIN tries."`
	Blank  blankCmd  `cmd:"" help:"Make the file of a chip that waits for its personalisation."`
	Reset  resetCmd  `cmd:"" help:"Reset the PIN try counter: show the request for the bank, then take its script on standard input."`
}

// desk is what commands work on.
type desk struct {
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	errs   io.Writer
	json   bool
	sim    *card.Simulated // none for blank
	path   string
	reader *card.Reader
}

// say answers in words or JSON.
func (d *desk) say(words string, members map[string]any) error {
	if d.json {
		return json.NewEncoder(d.out).Encode(members)
	}
	_, err := fmt.Fprintln(d.out, words)
	return err
}

// playCmd is a card in a virtual reader.
type playCmd struct {
	VPCD string `name:"vpcd" help:"Address of the virtual reader's daemon; its first reader listens on 127.0.0.1:35963." required:"" placeholder:"HOST:PORT"`
}

const betweenDials = time.Second

// Run puts the card in, again and again until the context ends.
func (c playCmd) Run(d *desk) error {
	if _, _, err := net.SplitHostPort(c.VPCD); err != nil {
		return fmt.Errorf("%w: --vpcd is HOST:PORT", lifecycle.Invalid)
	}
	for waiting := false; ; {
		reader, err := (&net.Dialer{Timeout: betweenDials}).DialContext(d.ctx, "tcp", c.VPCD)
		switch {
		case err == nil:
			waiting = false
			_, _ = fmt.Fprintf(d.errs, "simcard: in the virtual reader at %s\n", c.VPCD)
			if err := d.serve(reader); err != nil {
				return err
			}
		case !waiting:
			waiting = true
			_, _ = fmt.Fprintf(d.errs, "simcard: no virtual reader at %s yet\n", c.VPCD)
		}
		select {
		case <-d.ctx.Done():
			return nil
		case <-time.After(betweenDials):
		}
	}
}

// serve answers one connection; that the daemon ended it, at whatever line, is no
// error.
func (d *desk) serve(reader net.Conn) error {
	defer func() { _ = reader.Close() }()
	stop := context.AfterFunc(d.ctx, func() { _ = reader.Close() })
	defer stop()
	err := card.ServeVPCD(d.ctx, reader, d.sim)
	var network net.Error
	if d.ctx.Err() != nil || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

type codeCmd struct {
	PINFile   string   `name:"pin-file" help:"File with the PIN; else it is read from standard input." placeholder:"FILE"`
	Mode      string   `help:"1, 2, 2+tds or 3; 2 is the CODE key." default:"2"`
	Challenge string   `help:"Up to 8 digits, modes 1 and 3."`
	Amount    string   `help:"In cents, mode 1."`
	Currency  string   `help:"ISO 4217 number, mode 1."`
	TDS       []string `name:"tds" help:"Data to sign, mode 2+tds."`
}

// Run makes a code.
func (c codeCmd) Run(d *desk) error {
	mode, err := emv.ParseMode(c.Mode)
	if err != nil {
		return err
	}
	pin, err := c.pin(d.in)
	if err != nil {
		return err
	}
	code, err := d.reader.Code(d.ctx, pin, emv.Transaction{
		Mode: mode, Challenge: c.Challenge, Amount: c.Amount, Currency: c.Currency, TDS: c.TDS,
	})
	if err != nil {
		return err
	}
	return d.say(code, map[string]any{"code": code, "atc": d.sim.Status().ATC})
}

func (c codeCmd) pin(in io.Reader) (lifecycle.PIN, error) {
	const longest = 64
	if c.PINFile != "" {
		f, err := os.Open(c.PINFile)
		if err != nil {
			return lifecycle.PIN{}, fmt.Errorf("read the PIN: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, longest)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return lifecycle.PIN{}, fmt.Errorf("read the PIN: %w", err)
	}
	return lifecycle.NewPIN(strings.TrimSpace(line))
}

type statusCmd struct{}

// Run shows the card's counters.
func (statusCmd) Run(d *desk) error {
	s := d.sim.Status()
	words := fmt.Sprintf("card ending in %s: counter %d, %d PIN tries left, %d scripts taken", s.Last4, s.ATC, s.TriesLeft, s.Scripts)
	return d.say(words, map[string]any{"last4": s.Last4, "atc": s.ATC, "tries_left": s.TriesLeft, "scripts": s.Scripts})
}

// blankCmd plays the maker of chips.
type blankCmd struct {
	MasterKeyFile string `name:"master-key-file" help:"File with the AES master key that the chip's keys are derived from, hexadecimal." required:"" type:"existingfile" placeholder:"FILE"`
	Serial        string `help:"The chip's key diversification data, 20 hexadecimal digits; drawn when left out."`
}

// Run writes the chip's file, over no other.
func (c blankCmd) Run(d *desk) error {
	if _, err := os.Stat(d.path); err == nil {
		return fmt.Errorf("%w: there is a card in this file already", lifecycle.Conflict)
	}
	text, err := os.ReadFile(c.MasterKeyFile)
	if err != nil {
		return fmt.Errorf("read the master key: %w", err)
	}
	master, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return &lifecycle.FieldError{Field: "master-key-file", Why: "holds one key in hexadecimal"}
	}
	defer clear(master)
	var serial [10]byte
	_, _ = rand.Read(serial[:]) // never fails since Go 1.24
	if c.Serial != "" {
		given, err := hex.DecodeString(c.Serial)
		if err != nil || len(given) != len(serial) {
			return &lifecycle.FieldError{Field: "serial", Why: "has 20 hexadecimal digits"}
		}
		serial = [10]byte(given)
	}
	chip, err := card.NewBlank(master, serial)
	if err != nil {
		return err
	}
	if err := chip.Save(d.path); err != nil {
		return err
	}
	shown := strings.ToUpper(hex.EncodeToString(serial[:]))
	return d.say("a blank chip, serial "+shown, map[string]any{"serial": shown})
}

// resetCmd plays the branch terminal: the card stays in it while the bank is
// asked, so request and script are one session over standard input and output.
type resetCmd struct{}

// Run shows the request and waits for the script, in hexadecimal, on standard
// input.
func (resetCmd) Run(d *desk) error {
	ask, err := d.reader.AskScript(d.ctx)
	if err != nil {
		return err
	}
	request := map[string]any{"last4": ask.Last4, "atc": ask.ATC, "arqc": strings.ToUpper(hex.EncodeToString(ask.ARQC[:]))}
	if err := json.NewEncoder(d.out).Encode(request); err != nil {
		return fmt.Errorf("show the request: %w", err)
	}
	const longest = 600
	line, err := bufio.NewReader(io.LimitReader(d.in, longest)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the script: %w", err)
	}
	script, err := hex.DecodeString(strings.TrimSpace(line))
	if err != nil || len(script) == 0 {
		return fmt.Errorf("%w: give the bank's script in hexadecimal on standard input", lifecycle.Invalid)
	}
	if err := d.reader.ApplyScript(d.ctx, script); err != nil {
		return err
	}
	return d.say("the PIN try counter is reset", map[string]any{"reset": true})
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "simcard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) (err error) {
	var c cli
	exited := false
	parser, err := kong.New(&c, kong.Name("simcard"), kong.Writers(out, errs), kong.Exit(func(int) { exited = true }),
		kong.Description("Plays an authentication card and its reader. For demonstrations and tests."))
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	command, err := parser.Parse(args)
	if exited || err != nil {
		return err
	}
	unlock, err := lock(c.Card)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if command.Command() == "blank" {
		return command.Run(&desk{ctx: ctx, out: out, json: c.JSON, path: c.Card})
	}
	sim, err := card.Open(c.Card)
	if err != nil {
		return err
	}
	sim.Keep(c.Card)
	return command.Run(&desk{ctx: ctx, in: in, out: out, errs: errs, json: c.JSON, sim: sim, reader: card.NewReader(sim)})
}

// lock keeps a second reader away from the card.
func lock(path string) (func() error, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // beside the named file
	if err != nil {
		return nil, fmt.Errorf("lock the card: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: the card is in another reader", lifecycle.Conflict), f.Close())
	}
	return func() error { return errors.Join(os.Remove(path+".lock"), f.Close()) }, nil
}
