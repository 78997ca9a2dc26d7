package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sceau/lifecycle"
)

// report is report.json: what was made, with file names below demo/.
type report struct {
	Counts       counts              `json:"counts"`
	Cards        []cardReport        `json:"cards"`
	Certificates []certificateReport `json:"certificates"`
	Checks       []checkReport       `json:"checks"`

	good, held, released, revoked lifecycle.CertificateID
}

type counts struct {
	Lines        int `json:"lines"`
	Kept         int `json:"kept"`
	Refused      int `json:"refused"`
	Cards        int `json:"cards"`
	ActiveCards  int `json:"active_cards"`
	CardLetters  int `json:"card_letters"`
	PINLetters   int `json:"pin_letters"`
	Batches      int `json:"batches"`
	Certificates int `json:"certificates"`
	Revoked      int `json:"revoked"`
	Notices      int `json:"notices"`
	Checks       int `json:"checks"`
	Failed       int `json:"failed"`
}

type cardReport struct {
	ID         lifecycle.CardID    `json:"id"`
	Holder     lifecycle.HolderID  `json:"holder"`
	ClientID   string              `json:"client_id"`
	UserNumber string              `json:"user_number"`
	Language   string              `json:"language"`
	State      lifecycle.CardState `json:"state"`
	CardLetter string              `json:"card_letter"`
	PINLetter  string              `json:"pin_letter"`
	CardImage  string              `json:"card_image"`
}

type certificateReport struct {
	ID     lifecycle.CertificateID    `json:"id"`
	Holder lifecycle.HolderID         `json:"holder"`
	File   string                     `json:"file"`
	Serial string                     `json:"serial"`
	State  lifecycle.CertificateState `json:"state"`
}

type checkReport struct {
	What  string `json:"what"`
	Held  bool   `json:"held"`
	Error string `json:"error,omitempty"`
}

// writeReport writes report.json.
func (d *demonstration) writeReport(ctx context.Context) error {
	if err := errors.Join(d.reportCards(ctx), d.reportCertificates(ctx)); err != nil {
		return err
	}
	r := &d.report
	for _, f := range d.screen.findings {
		c := checkReport{What: f.what, Held: f.err == nil}
		if f.err != nil {
			c.Error = f.err.Error()
			r.Counts.Failed++
		}
		r.Checks = append(r.Checks, c)
	}
	r.Counts.Checks = len(r.Checks)
	if err := writeJSON(filepath.Join(d.folder, "report.json"), r); err != nil {
		return err
	}
	d.screen.note("%d cards, %d of them active; %d certificates, %d of them revoked; all in %s",
		r.Counts.Cards, r.Counts.ActiveCards, r.Counts.Certificates, r.Counts.Revoked, d.folder)
	return nil
}

func (d *demonstration) reportCards(ctx context.Context) error {
	holders, err := d.holders(ctx)
	if err != nil {
		return err
	}
	cards, err := d.cards(ctx)
	if err != nil {
		return err
	}
	batches, err := d.house.Service.Batches(ctx)
	if err != nil {
		return err
	}
	r := &d.report
	r.Counts.Cards, r.Counts.Batches = len(cards), len(batches)
	for _, c := range cards {
		h := holders[c.Holder]
		row := cardReport{
			ID: c.ID, Holder: c.Holder, ClientID: h.ClientID, UserNumber: h.UserNumber, Language: h.Language, State: c.State,
			CardLetter: d.below(d.cardLetter(c.CardLetter)), PINLetter: d.below(d.pinLetter(c.PINLetter)),
			CardImage: d.below(d.cardImage(c.ID)),
		}
		for path, count := range map[string]*int{row.CardLetter: &r.Counts.CardLetters, row.PINLetter: &r.Counts.PINLetters} {
			if _, err := os.Stat(filepath.Join(d.folder, path)); err != nil {
				return fmt.Errorf("card %s: %w", c.ID, err)
			}
			*count++
		}
		if c.State == lifecycle.CardActive {
			r.Counts.ActiveCards++
		}
		r.Cards = append(r.Cards, row)
	}
	return nil
}

func (d *demonstration) reportCertificates(ctx context.Context) error {
	certificates, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	for _, c := range certificates {
		d.report.Certificates = append(d.report.Certificates, certificateReport{
			ID: c.ID, Holder: c.Holder, File: d.below(d.certificateFile(c.ID)), Serial: c.Serial, State: c.State,
		})
		if c.State == lifecycle.CertRevoked {
			d.report.Counts.Revoked++
		}
	}
	d.report.Counts.Certificates = len(certificates)
	return nil
}

// below names a file as the report does.
func (d *demonstration) below(path string) string {
	name, err := filepath.Rel(d.folder, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(name)
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
