// Package demo plays Sceau's whole main job once on the sample bank's order
// file, with a real PostgreSQL, a real Vault and real files, and checks what
// came out with tools that others wrote: openssl, pdftotext. What others do in
// life it plays too: card bureau, print room, post, holders with their CAP
// readers, and the days that pass.
//
// It decides nothing that the rooms decide, and holds no rule of the bank: it
// calls use cases and doors as staff, holders and relying services would. It
// is never part of production. Data runs order file → house → the folder demo/
// of the environment.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"time"

	"sceau/cmd/sceau/internal/client"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm/crypt"
	"sceau/internal/devenv"
	"sceau/jobs"
)

// Options are what the demonstration takes from its command.
type Options struct {
	Dir      string // of the environment; the demonstration's files are in Dir/demo
	Root     string // the module's folder, for the sample data and bin/
	Out      io.Writer
	Terminal bool // Out is a terminal: progress bars move
	Wall     func() time.Time
	Logger   *slog.Logger
	Version  string
}

// demonstration is one run.
type demonstration struct {
	options Options
	screen  *screen
	clock   *clock
	folder  string

	env         *devenv.Env
	databaseURL string
	vaults      *vaults
	bank        *house.Bank
	house       *house.House // as the database role of doors and workers
	pinHouse    *house.House // as the PIN-letter worker's
	holderHouse *house.House // as the door for holders'
	publicHouse *house.House // as the revocation door's
	workers     []*jobs.Client
	doors       doors

	bureau            correspondent
	printRoom         printRoom
	transport         *crypt.TDES // the bureau's copy of the transport key
	plastics, spoiled int         // that the bureau has used, and spoiled
	bankKey           string      // API key of the online banking
	documentNumber    string      // of an identity document in a dossier
	chipMaster        []byte      // the chip maker's copy of the master key of blank chips
	online, terminal  *client.Client
	desk              *client.Client // a branch terminal that personalises

	report report
	ends   []func() error // undone in reverse order
}

// daysBack is how far behind the demonstration begins: the PIN letters of two
// rounds wait for their days.
const daysBack = 14

func newDemonstration(o Options) *demonstration {
	return &demonstration{
		options: o, folder: filepath.Join(o.Dir, "demo"), clock: newClock(o.Wall, daysBack*24*time.Hour),
		screen: &screen{out: o.Out, wall: o.Wall, terminal: o.Terminal, started: o.Wall()},
	}
}

// Run plays the demonstration and closes everything. Its error is nil only when
// every check held.
func Run(ctx context.Context, o Options) error {
	d := newDemonstration(o)
	err := d.play(ctx)
	return errors.Join(err, d.close())
}

// Dev plays the demonstration, then leaves all doors open until ctx ends.
func Dev(ctx context.Context, o Options) error {
	d := newDemonstration(o)
	err := d.play(ctx)
	if err == nil {
		err = d.stayOpen(ctx)
	}
	return errors.Join(err, d.close())
}

// play goes through the main job.
func (d *demonstration) play(ctx context.Context) error {
	for _, act := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"a private PostgreSQL, a private Vault, a fresh database", d.openEnvironment},
		{"key ceremony: root, issuing CA, OCSP responder, card keys, the bureau's transport key", d.holdCeremony},
		{"doors and workers", d.openHouse},
		{"the bank's order file", d.importOrders},
		{"who holders are: a dossier, a scan, an order that waits for them", d.keepDossiers},
		{"four eyes", d.approveOrders},
		{"cards: personalised in Vault, made by the bureau", d.makeCards},
		{"letters: the card first, its PIN days later", d.sendLetters},
		{"holders activate their cards with the CAP reader", d.activateCards},
		{"sign-in, a replayed code, three wrong PINs, the counter reset at the branch", d.useCard},
		{"another PIN: a script at the branch, a letter by post", d.changePIN},
		{"codes over what was typed, a card that ran ahead, guesses", d.showCodes},
		{"online banking: a sign-in, each sensitive function signed, the CODE key switched on, an emergency stop", d.signOnline},
		{"what letters say: a template with a logo, seen and approved by a second person", d.changeLetters},
		{"a lost card, replaced", d.replaceCard},
		{"a card made at the branch, in a blank chip", d.personaliseInHouse},
		{"mail that came back", d.takeReturnedMail},
		{"a bank card registered, a suspension, a fee waived, what a card number costs to see", d.orderLives},
		{"a campaign: a list of cards renewed, a pilot first", d.runCampaign},
		{"stock: a delivery, what the bureau used, a blind count, a destruction seen by two", d.keepStock},
		{"certificates, from requests that holders' devices made", d.issueCertificates},
		{"hold, release, revoke, publish", d.revokeCertificates},
		{"what holders are told by e-mail", d.checkMail},
		{"checks by openssl", d.checkPKI},
		{"a holder revokes by a code, day and night; a caller nobody recognises", d.revokeByCode},
		{"what certificates are like: a shorter life, seen and approved by a second person", d.changeProfile},
		{"the next issuing CA takes over, the first goes on with lists and answers", d.rollOver},
		{"checks of letters and of a dump of the database", d.checkSecrecy},
		{"report", d.writeReport},
	} {
		d.screen.step("%s", act.title)
		if err := act.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", act.title, err)
		}
	}
	return d.screen.table()
}

// later undoes something when the demonstration closes.
func (d *demonstration) later(end func() error) { d.ends = append(d.ends, end) }

func (d *demonstration) close() error {
	var errs []error
	for _, end := range slices.Backward(d.ends) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// stopPatience bounds each part's end.
const stopPatience = 25 * time.Second

// patient is a context for ending something after its own has ended.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
}

// doors are the listeners of the demonstration.
type doors struct {
	public, api, terminals, holder string // URLs
	listeners                      []net.Listener
}
