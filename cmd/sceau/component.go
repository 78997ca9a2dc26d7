package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"sceau/hsm"
)

// ceremonyComponentCmd reads the component from a file, never from the command
// line, where others would see it.
type ceremonyComponentCmd struct {
	vaultFlags

	Key           string       `help:"Name of the key." required:""`
	Usage         hsm.KeyUsage `help:"imk-ac, imk-smi, imk-smc, transport or kbpk." required:""`
	Algorithm     string       `help:"tdes2, tdes3, aes128 or aes256." default:"tdes2"`
	Environment   string       `help:"test or live, as the plan says." enum:"test,live" default:"test"`
	Rotate        bool         `help:"The component is of the key's next version."`
	Index         int          `help:"Number of this component, from 1." required:""`
	Total         int          `help:"How many components there are." default:"2"`
	ComponentFile string       `help:"File with the component in hexadecimal; burn it afterwards. Without it the component is typed at the terminal, and not shown." placeholder:"FILE"`
	KCV           string       `name:"kcv" help:"Check value of the component: 6 hexadecimal digits, 10 for AES." required:""`
}

// Run enters the component.
func (c ceremonyComponentCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	text, err := c.component(w)
	if err != nil {
		return err
	}
	complete, kcv, err := vault.EnterComponent(w.ctx, hsm.KeyComponent{
		Key: c.Key, Usage: c.Usage, Algorithm: c.Algorithm, Index: c.Index, Total: c.Total,
		Component: joined(string(text)), KCV: strings.ToUpper(joined(c.KCV)), Environment: c.Environment, Rotate: c.Rotate,
	})
	clear(text)
	if err != nil {
		return err
	}
	if !complete {
		_, err = fmt.Fprintf(w.out, "component %d of %d of %s taken; the other custodians follow\n", c.Index, c.Total, c.Key)
		return err
	}
	_, err = fmt.Fprintf(w.out, "key %s is whole: check value %s\n", c.Key, kcv)
	return err
}

// joined leaves out the spaces that part groups on a form.
func joined(text string) string { return strings.Join(strings.Fields(text), "") }

// component reads the component from its file, or from the terminal without
// showing it.
func (c ceremonyComponentCmd) component(w *world) ([]byte, error) {
	const longest = 256
	if c.ComponentFile != "" {
		return readLimited(c.ComponentFile, longest)
	}
	terminal := int(os.Stdin.Fd()) //nolint:gosec // a file descriptor fits
	shown, err := term.GetState(terminal)
	if err != nil {
		return nil, fmt.Errorf("%w: no terminal to type the component at: give --component-file", errUsage)
	}
	_, _ = fmt.Fprintf(w.logs, "component %d of %d of %s (not shown): ", c.Index, c.Total, c.Key)
	defer func() { _, _ = fmt.Fprintln(w.logs) }()
	type typed struct {
		text []byte
		err  error
	}
	read := make(chan typed, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		read <- typed{text, err}
	}()
	select {
	case t := <-read:
		if t.err != nil {
			return nil, fmt.Errorf("read the component: %w", t.err)
		}
		return t.text, nil
	case <-w.ctx.Done(): // the reader stays behind: nothing breaks its call off
		_ = term.Restore(terminal, shown)
		return nil, fmt.Errorf("component %d of %s is not entered: %w", c.Index, c.Key, context.Canceled)
	}
}

// ceremonyAbortCmd has a key's custodians begin again.
type ceremonyAbortCmd struct {
	vaultFlags

	Key string `help:"Name of the key." required:""`
}

// Run erases what was entered.
func (c ceremonyAbortCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	if err := vault.AbortComponents(w.ctx, c.Key); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "no component of %s is kept: begin again with the first\n", c.Key)
	return err
}
