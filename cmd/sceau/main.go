// Command sceau is the back office with which a bank issues, ships, activates
// and revokes the strong-authentication means of its business customers.
//
// Its processes share a PostgreSQL database and a Vault server: `serve` opens
// the doors, `work` works the queues, `ocsp` answers revocation alone. Settings
// are flags over SCEAU_* variables over one YAML file (--config) whose keys are
// the flags' names; secrets come by file. This package reads flags, the
// environment and the wall clock, and holds no rule.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"sceau/authn"
	"sceau/card/pcsc"
	"sceau/lifecycle"
)

// version is set by the build.
var version = "unknown"

type cli struct {
	Config    string `help:"YAML file of settings, by the flags' names." type:"existingfile" placeholder:"FILE"`
	LogFormat string `help:"Log lines as text or json." enum:"text,json" default:"text" env:"SCEAU_LOG_FORMAT"`
	LogLevel  string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info" env:"SCEAU_LOG_LEVEL"`

	Serve    serveCmd       `cmd:"" help:"Open the doors: API for relying services, public revocation door."`
	Work     workCmd        `cmd:"" help:"Work the queues; PIN letters and mail can have processes of their own (--queues pin)."`
	OCSP     ocspCmd        `cmd:"" name:"ocsp" help:"Answer OCSP and serve lists, and nothing else."`
	Migrate  migrateCmd     `cmd:"" help:"Bring the database to this version, and record the bank's file."`
	Vault    vaultCmd       `cmd:"" help:"Prepare Vault: mounts, card engine, policies, roles, tokens."`
	Ceremony ceremonyCmd    `cmd:"" help:"Hold a key ceremony: CAs, OCSP responder, card keys, key components."`
	CRL      crlCmd         `cmd:"" name:"crl" help:"Certificates of CAs and delegates: show, revoke."`
	Import   importCmd      `cmd:"" help:"Take an order file."`
	Card     cardCmd        `cmd:"" help:"Look at a card, lock and unlock it, on record."`
	Fees     feesCmd        `cmd:"" help:"Fees for accounting."`
	Order    orderCmd       `cmd:"" help:"Orders: submit, show, approve, refuse, edit, cancel, list, retry."`
	Company  companyCmd     `cmd:"" help:"Companies: correct what is on record, by two people."`
	Holder   holderCmd      `cmd:"" help:"Holders: correct what is on record of them."`
	Dossier  dossierCmd     `cmd:"" aliases:"dossiers" help:"Evidence of who holders are: open, add, scans, show, hold, what is to be erased."`
	Items    workItemsCmd   `cmd:"" name:"work-items" help:"What waits for a person: list, claim, retry, resolve."`
	Stock    stockCmd       `cmd:"" help:"Plastics, PIN-letter paper and CAP readers: receive, move, count, reject, destroy, list."`
	Safe     safeCmd        `cmd:"" help:"Data keys that seal card numbers: list, make, seal again, retire."`
	Return   returnCmd      `cmd:"" help:"Take a card bureau's return file."`
	Cert     certificateCmd `cmd:"" name:"certificate" help:"Nominative certificates: hand codes over, show, list, revoke, hold, release, renew, block a key."`
	Profiles profilesCmd    `cmd:"" name:"certificate-profiles" help:"What certificates are like: list, show, propose, approve, refuse."`
	Trust    trustCmd       `cmd:"" help:"Other CAs that the bank accepts: list, show, propose, approve, refuse, withdraw; check a certificate."`
	Foreign  foreignCmd     `cmd:"" name:"foreign-certificate" help:"Holders' certificates of other CAs: challenge, bind, list, show, approve, refuse."`
	Letters  lettersCmd     `cmd:"" help:"Print runs, spoiled sheets, returned mail; what letters say, and in which print."`
	Notices  noticesCmd     `cmd:"" help:"What holders are told by e-mail: list, show, retry."`
	Fraud    fraudCmd       `cmd:"" help:"Reports of suspicious messages, calls, sites and operations: list, show, review, confirm, dismiss."`
	Stop     stopCmd        `cmd:"" help:"Emergency stops: make, list, show, lift, keep."`
	Entitled entitledCmd    `cmd:"" name:"entitlements" help:"What users may sign: show, propose, approve, refuse, list."`
	Security settingsCmd    `cmd:"" name:"settings" help:"Security settings of holders: show, change, approve, refuse, stop."`
	Batch    batchCmd       `cmd:"" help:"Personalisation batches."`
	Campaign campaignCmd    `cmd:"" help:"Renew many cards or certificates under one decision of two people."`
	APIKey   apiKeyCmd      `cmd:"" name:"api-key" help:"Keys of relying services: make, rotate, end, list."`
	Service  serviceCmd     `cmd:"" help:"Relying services: list, end, bind a client certificate in place of a key."`
	Terminal terminalCmd    `cmd:"" help:"Branch card terminal, over PC/SC: unblock a PIN, change it, list readers."`
	Lint     lintCmd        `cmd:"" help:"Hold certificates and lists against RFC 5280, ETSI EN 319 412 and the RGS."`
	Doctor   doctorCmds     `cmd:"" help:"Check what a process needs; find and repair a database that was restored."`
	Demo     demoCmd        `cmd:"" help:"The whole main job on the sample bank's orders, in a private environment."`
	Dev      devCmd         `cmd:"" help:"The demonstration, then all doors open until Ctrl-C."`
	Version  versionCmd     `cmd:"" help:"Show the version."`
}

// world is what commands take from outside.
type world struct {
	ctx    context.Context
	out    io.Writer
	logs   io.Writer
	logger *slog.Logger
	now    func() time.Time
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(w *world) error {
	_, err := fmt.Fprintln(w.out, "sceau", version)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sceau:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode tells scripts what kind of failure it was.
func exitCode(err error) int {
	switch {
	case errors.Is(err, errUsage), errors.Is(err, lifecycle.Invalid):
		return 2
	case errors.Is(err, lifecycle.Unavailable):
		return 3
	case errors.Is(err, context.Canceled):
		return interrupted
	}
	return 1
}

// interrupted is what a shell says of a command that Ctrl-C ended.
const interrupted = 130

var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string, out, logs io.Writer) error {
	var c cli
	settings := &settingsFile{}
	exited := false
	parser, err := kong.New(&c, kong.Name("sceau"), kong.UsageOnError(), kong.Writers(out, logs), kong.Resolvers(settings),
		kong.Vars{"pcscd": pcsc.DefaultSocket, "scopes": scopeList(authn.Scopes())},
		kong.Description("Issues, ships, activates and revokes cards and certificates for business customers."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Exit(func(int) { exited = true }))
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	if err := settings.load(args); err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if exited { // --help was shown
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w (see sceau --help)", errUsage, err)
	}
	logger, err := newLogger(c.LogFormat, c.LogLevel, logs)
	if err != nil {
		return err
	}
	return command.Run(&world{ctx: ctx, out: out, logs: logs, logger: logger, now: time.Now})
}

func newLogger(format, level string, to io.Writer) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("%w: log level: %w", errUsage, err)
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return slog.New(slog.NewTextHandler(to, options)), nil
}
