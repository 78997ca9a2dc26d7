package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"sceau/cms"
	"sceau/lifecycle"
)

// sendLetters prints and posts the cards with their letters, then the PIN
// letters when their days have passed.
func (d *demonstration) sendLetters(ctx context.Context) error {
	posted, err := d.postRound(ctx)
	if err != nil {
		return err
	}
	d.screen.check("no PIN letter is posted on the day of its card", equal(posted.early, 0))
	d.screen.check("120 card letters and 120 PIN letters were posted", errors.Join(equal(posted.cards, wantCards), equal(posted.pins, wantCards)))
	return nil
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
	letters, err := d.house.Service.PrintCardLetters(ctx, operator)
	if err != nil {
		return round, err
	}
	for _, id := range letters {
		if err := d.keepDocument(ctx, string(id), d.cardLetter(id)); err != nil {
			return round, err
		}
	}
	posted, err := d.house.Service.PostLetters(ctx)
	if err != nil {
		return round, err
	}
	round.cards = posted.CardLetters
	if err := d.settle(ctx, "PIN letters"); err != nil {
		return round, err
	}
	sealed, err := d.house.Service.PrintPINLetters(ctx, operator)
	if err != nil {
		return round, err
	}
	if err := d.openPINLetters(ctx, sealed); err != nil {
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

func (d *demonstration) pinLetter(id lifecycle.PINLetterID, ending string) string {
	return filepath.Join(d.folder, "letters", "pin-"+string(id)+ending)
}

func (d *demonstration) keepDocument(ctx context.Context, id, path string) error {
	content, err := d.house.Service.Document(ctx, id)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// openPINLetters plays the print room, which alone can open them.
func (d *demonstration) openPINLetters(ctx context.Context, ids []lifecycle.PINLetterID) error {
	bar := d.screen.bar(len(ids), "PIN letters at the print room")
	defer func() { _ = bar.Finish() }()
	for _, id := range ids {
		if err := d.keepDocument(ctx, string(id), d.pinLetter(id, ".p7m")); err != nil {
			return err
		}
		sealed, err := os.ReadFile(d.pinLetter(id, ".p7m"))
		if err != nil {
			return fmt.Errorf("read a PIN letter: %w", err)
		}
		pdf, err := cms.Open(sealed, d.printRoom.certificate, d.printRoom.key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(d.pinLetter(id, ".pdf"), pdf, 0o600); err != nil {
			return fmt.Errorf("print a PIN letter: %w", err)
		}
		_ = bar.Add(1)
	}
	return nil
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
