package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// sendLetters prints and posts the cards with their letters, then the PIN
// letters when their days have passed.
func (d *demonstration) sendLetters(ctx context.Context) error {
	d.printRoom.clumsy = true
	posted, err := d.postRound(ctx)
	if err != nil {
		return err
	}
	d.screen.check("no PIN letter is posted on the day of its card", equal(posted.early, 0))
	d.screen.check("120 card letters and 120 PIN letters were posted", errors.Join(equal(posted.cards, wantCards), equal(posted.pins, wantCards)))
	return nil
}

// takeReturnedMail has the post bring back a PIN letter that nobody fetched: its
// Data Matrix is read from the page, its card is stopped.
func (d *demonstration) takeReturnedMail(ctx context.Context) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	cards, err := d.cards(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(cards, func(c issuance.CardView) bool { return c.State == lifecycle.CardPosted })
	if i < 0 {
		return fmt.Errorf("%w: no card that its holder has not activated yet", lifecycle.NotFound)
	}
	view := cards[i]
	scanned, err := d.scan(ctx, d.pinLetter(view.PINLetter))
	if err != nil {
		return err
	}
	mail, err := d.house.Service.TakeReturnedMail(ctx, operator, scanned, lifecycle.MailUnclaimed)
	if err != nil {
		return err
	}
	stopped, err := d.house.Service.Card(ctx, view.ID)
	if err != nil {
		return err
	}
	items, err := d.house.Service.WorkItems(ctx, issuance.WorkFilter{Kind: lifecycle.WorkReturnedMail})
	if err != nil {
		return err
	}
	d.screen.check("dmtxread reads a PIN letter that came back; its card is stopped and staff look at it", errors.Join(
		equal(mail.Card, view.ID), equal(stopped.State, lifecycle.CardOpposed), equal(len(items), 1)))
	return d.house.Service.DestroyLetter(ctx, operator, mail.Letter)
}

// scan reads the Data Matrix of a page.
func (d *demonstration) scan(ctx context.Context, letter string) (string, error) {
	picture := filepath.Join(d.folder, "print-room", "scanned")
	defer func() { _ = os.Remove(picture + ".png") }()
	if err := exec.CommandContext(ctx, "pdftoppm", "-r", "200", "-png", "-singlefile", letter, picture).Run(); err != nil { //nolint:gosec // a letter of the demonstration
		return "", fmt.Errorf("pdftoppm: %w", err)
	}
	scanned, err := exec.CommandContext(ctx, "dmtxread", "-N1", "-m20000", picture+".png").Output() //nolint:gosec // as above
	if err != nil {
		return "", fmt.Errorf("dmtxread: %w", err)
	}
	return string(scanned), nil
}

// postedRound counts letters: those of cards, PIN letters on the day of their
// card, and PIN letters after their delay.
type postedRound struct{ cards, early, pins int }

// postRound posts what is made, lets the days pass, and posts the PIN letters.
func (d *demonstration) postRound(ctx context.Context) (postedRound, error) {
	var round postedRound
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return round, err
	}
	if err := d.printAll(ctx, operator, lifecycle.PrintCard); err != nil {
		return round, err
	}
	posted, err := d.house.Service.PostLetters(ctx)
	if err != nil {
		return round, err
	}
	round.cards = posted.CardLetters
	if err := d.printAll(ctx, operator, lifecycle.PrintPIN); err != nil {
		return round, err
	}
	if posted, err = d.house.Service.PostLetters(ctx); err != nil {
		return round, err
	}
	round.early = posted.PINLetters
	d.clock.pass(businessDays(d.clock.Now(), d.bank.Products[0].PINDelay))
	posted, err = d.house.Service.PostLetters(ctx)
	round.pins = posted.PINLetters
	return round, err
}

// businessDays is how long it takes until so many business days have passed,
// and an hour.
func businessDays(from time.Time, days int) time.Duration {
	to := from
	for days > 0 {
		to = to.AddDate(0, 0, 1)
		if day := to.Weekday(); day != time.Saturday && day != time.Sunday {
			days--
		}
	}
	return to.Sub(from) + time.Hour
}

func (d *demonstration) cardLetter(id lifecycle.CardLetterID) string {
	return filepath.Join(d.folder, "letters", "card-"+string(id)+".pdf")
}

func (d *demonstration) pinLetter(id lifecycle.PINLetterID) string {
	return filepath.Join(d.folder, "letters", "pin-"+string(id)+".pdf")
}

// pinLine is the one line of a PIN letter that has digits and nothing else.
var pinLine = regexp.MustCompile(`(?m)^\s*([0-9]{4,12})\s*$`)

// readPIN reads a PIN as its holder does: out of the letter.
func readPIN(ctx context.Context, path string) (lifecycle.PIN, error) {
	text, err := pdfText(ctx, path)
	if err != nil {
		return lifecycle.PIN{}, err
	}
	pin, err := pinOf(text)
	if err != nil {
		return pin, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return pin, nil
}

// pinOf finds the PIN in a letter's text.
func pinOf(text string) (lifecycle.PIN, error) {
	found := pinLine.FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		return lifecycle.PIN{}, fmt.Errorf("%d lines could be the PIN", len(found))
	}
	return lifecycle.NewPIN(found[0][1])
}

// pdfText is what a letter says, by poppler's pdftotext.
func pdfText(ctx context.Context, path string) (string, error) {
	text, err := exec.CommandContext(ctx, "pdftotext", "-layout", path, "-").Output() //nolint:gosec // a letter of the demonstration
	if err != nil {
		return "", fmt.Errorf("pdftotext %s: %w", filepath.Base(path), err)
	}
	return string(text), nil
}
