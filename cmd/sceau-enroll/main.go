// Command sceau-enroll is the holder's side of an enrolment: it makes a key on
// the holder's token, or in a file, sends the certificate request to the bank's
// door for holders, shows what the certificate says, and signs by its key that
// the holder accepts it. Its word revoke ends a certificate, by a request that the
// certificate's own key signs.
//
// Interrupted anywhere and run again, it goes on with the same key. The key never
// leaves the token; code and PIN come by file and are shown nowhere. Data runs
// door → words on the screen → door, and the certificate to the token or folder.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"sceau/lifecycle"
)

// program is what it does; without a word, it enrols.
type program struct {
	Enrol  settings   `cmd:"" default:"withargs" help:"Make a key, have it certified, and accept the certificate. Run again after an interruption, it goes on."`
	Revoke revocation `cmd:"" help:"End a certificate for ever: the request is signed by its own key, and needs no code."`
}

// common says whose door, which certificate, and where its key is.
type common struct {
	Door        string `help:"Address of the bank's door for holders, https://host." required:"" placeholder:"URL"`
	DoorCA      string `name:"door-ca" help:"Certificate that vouches for the door's, where the machine's do not, PEM." placeholder:"FILE"`
	Certificate string `help:"Reference of the certificate, N-…" required:""`

	PKCS11Module string `name:"pkcs11-module" help:"The key is on a token: the module's shared library." placeholder:"FILE"`
	TokenLabel   string `help:"Label of the token." placeholder:"LABEL"`
	PINFile      string `name:"pin-file" help:"File with the token's user PIN, mode 0600." placeholder:"FILE"`
	Software     bool   `help:"The key is in a file, where the certificate's level allows it."`
	Out          string `help:"Folder of the key file of --software, and of a copy of the certificate." placeholder:"DIR"`
	RSA          bool   `name:"rsa" help:"RSA of 3072 bits in the place of P-256."`

	existing bool // no key is made
}

// settings are the flags of an enrolment.
type settings struct {
	common

	CA       string `name:"ca" help:"The bank's root certificate, PEM: the certificate's chain must lead to it." required:"" placeholder:"FILE"`
	CodeFile string `help:"File with the enrolment code, mode 0600." required:"" placeholder:"FILE"`
	Accept   bool   `help:"Accept the content without asking."`
	Refuse   string `help:"Refuse the content, and say what is wrong: the certificate is revoked." placeholder:"WHY"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sceau-enroll:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode tells scripts what kind of failure it was, as sceau's does.
func exitCode(err error) int {
	const wrong, unavailable, interrupted = 2, 3, 130
	switch {
	case errors.Is(err, lifecycle.Invalid):
		return wrong
	case errors.Is(err, lifecycle.Unavailable):
		return unavailable
	case errors.Is(err, context.Canceled):
		return interrupted
	}
	return 1
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var p program
	exited := false
	parser, err := kong.New(&p, kong.Name("sceau-enroll"), kong.Writers(out, out), kong.Exit(func(int) { exited = true }),
		kong.Vars{"happened": strings.Join(lifecycle.Happened(), ",")},
		kong.Description("The holder's side of a certificate: makes a key, has it certified by the bank, accepts the certificate, and ends it."))
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	asked, err := parser.Parse(args)
	if exited { // --help was shown
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w (see sceau-enroll --help)", lifecycle.Invalid, err)
	}
	if asked.Command() == "revoke" {
		return p.Revoke.revoke(ctx, in, out)
	}
	return p.Enrol.enrol(ctx, in, out)
}
