package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"sceau/issuance"
	"sceau/lifecycle"
)

// checkSecrecy looks for secrets where none may be: card letters, PIN letters, a
// dump of the database, Vault's audit log.
func (d *demonstration) checkSecrecy(ctx context.Context) error {
	cards, err := d.cards(ctx)
	if err != nil {
		return err
	}
	inCard, inPIN := make([]error, len(cards)), make([]error, len(cards))
	bar := d.screen.bar(len(cards), "letters")
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i, c := range cards {
		group.Go(func() error {
			inCard[i], inPIN[i] = d.checkLetters(ctx, c)
			_ = bar.Add(1)
			return nil
		})
	}
	_ = group.Wait() // what is wrong stands in the slices
	_ = bar.Finish()
	d.screen.check("pdftotext: no card letter has a PIN", errors.Join(inCard...))
	d.screen.check("pdftotext: no PIN letter has a card number, nor the end of one", errors.Join(inPIN...))
	secrets, err := d.chipSecrets()
	if err != nil {
		return err
	}
	code, err := os.ReadFile(d.codeFile())
	if err != nil {
		return fmt.Errorf("a holder's code: %w", err)
	}
	secrets = append(secrets, string(code), strings.ReplaceAll(string(code), "-", ""), d.documentNumber)
	dump, err := d.dump(ctx)
	if err != nil {
		return err
	}
	d.screen.check("a dump of the database has no card key, PIN block, card number, document number or enrolment code", absent(dump, append(secrets, d.panOf(cards)...)))
	audit, err := os.ReadFile(d.env.AuditFile)
	if err != nil {
		return fmt.Errorf("read Vault's audit log: %w", err)
	}
	d.screen.check("Vault's audit log has no card key, PIN block or card number", absent(audit, append(secrets, d.panOf(cards)...)))
	return nil
}

var digitRun = regexp.MustCompile(`[0-9]+`)

// checkLetters reads both letters of a card.
func (d *demonstration) checkLetters(ctx context.Context, c issuance.CardView) (inCard, inPIN error) {
	text, err := pdfText(ctx, d.pinLetter(c.PINLetter))
	if err != nil {
		return err, err
	}
	pin, err := pinOf(text)
	if err != nil {
		return err, err
	}
	return d.checkCardLetter(ctx, c, pin), checkPINLetter(c, text)
}

// checkCardLetter looks for the PIN as a word of its own, but for the places
// where such digits stand for something else: postcode, user number, the end of
// the card number, the year.
func (d *demonstration) checkCardLetter(ctx context.Context, c issuance.CardView, pin lifecycle.PIN) error {
	text, err := pdfText(ctx, d.cardLetter(c.CardLetter))
	if err != nil {
		return err
	}
	holder, err := d.house.Service.ShowOrder(ctx, c.Order)
	if err != nil {
		return err
	}
	innocent := append(digitRun.FindAllString(strings.Join(holder.Address[:], " "), -1), holder.UserNumber, c.Last4)
	for _, y := range []int{d.clock.Now().Year(), c.Expiry.Year()} {
		innocent = append(innocent, fmt.Sprint(y))
	}
	for _, phone := range d.bank.Bank.Phones {
		innocent = append(innocent, digitRun.FindAllString(phone, -1)...)
	}
	for _, b := range d.bank.Branches {
		innocent = append(innocent, digitRun.FindAllString(b.Postcode, -1)...)
	}
	for _, word := range digitRun.FindAllString(text, -1) {
		if word == pin.Reveal() && !slices.Contains(innocent, word) {
			return fmt.Errorf("card letter %s has the PIN of its card", c.CardLetter)
		}
	}
	return nil
}

var panLike = regexp.MustCompile(`[0-9](?:[ .-]?[0-9]){11,18}`)

// checkPINLetter looks for a card number, and for the end of one as letters
// show it.
func checkPINLetter(c issuance.CardView, text string) error {
	for _, run := range panLike.FindAllString(text, -1) {
		if !strings.Contains(run, " 00 00") { // the bank's telephone number
			return fmt.Errorf("PIN letter %s has something like a card number", c.PINLetter)
		}
	}
	if strings.Contains(text, "•") {
		return fmt.Errorf("PIN letter %s shows the end of a card number", c.PINLetter)
	}
	return nil
}

// chipSecrets are the keys and PIN blocks of the simulated cards.
func (d *demonstration) chipSecrets() ([]string, error) {
	images, err := filepath.Glob(filepath.Join(d.folder, "bureau", "cards", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list the cards: %w", err)
	}
	var secrets []string
	for _, path := range images {
		text, err := os.ReadFile(path) //nolint:gosec // a card of the demonstration
		if err != nil {
			return nil, fmt.Errorf("read a card: %w", err)
		}
		var image struct {
			AC       string `json:"ac"`
			SMI      string `json:"smi"`
			SMC      string `json:"smc"`
			PINBlock string `json:"pin_block"`
		}
		if err := json.Unmarshal(text, &image); err != nil {
			return nil, fmt.Errorf("read a card: %w", err)
		}
		secrets = append(secrets, image.AC, image.SMI, image.SMC, image.PINBlock)
	}
	return secrets, nil
}

func (d *demonstration) panOf(cards []issuance.CardView) []string {
	images := []string{d.bankCardImage()}
	for _, c := range cards {
		images = append(images, d.cardImage(c.ID))
	}
	var pans []string
	for _, image := range images {
		text, err := os.ReadFile(image) //nolint:gosec // a card of the demonstration
		if err != nil {
			continue // cancelled before it was made
		}
		var image struct {
			PAN string `json:"pan"`
		}
		if json.Unmarshal(text, &image) == nil && image.PAN != "" {
			pans = append(pans, image.PAN)
		}
	}
	return pans
}

// dump is the whole database as text, by pg_dump.
func (d *demonstration) dump(ctx context.Context) ([]byte, error) {
	text, err := d.env.Dump(ctx, databaseName)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(text, []byte("COPY public.card ")) {
		return nil, errors.New("the dump of the database has no cards")
	}
	return text, nil
}

// absent is an error when a secret, in hexadecimal, stands in text in either
// case.
func absent(text []byte, secrets []string) error {
	upper := bytes.ToUpper(text)
	if len(secrets) == 0 {
		return errors.New("there is nothing to look for")
	}
	for i, s := range secrets {
		if s == "" || bytes.Contains(upper, []byte(strings.ToUpper(s))) {
			return fmt.Errorf("secret %d is there", i)
		}
	}
	return nil
}
