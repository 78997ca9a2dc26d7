package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sceau/issuance"
	"sceau/lifecycle"
)

const mailFrom = "certificats@aubepine.example"

// mailTray is where notices lie that in life a mail server would take.
func (d *demonstration) mailTray() string { return filepath.Join(d.folder, "mail") }

// checkMail reads the tray and holds it against the notices on record.
func (d *demonstration) checkMail(ctx context.Context) error {
	if err := d.settle(ctx, "mail"); err != nil {
		return err
	}
	told := map[lifecycle.NoticeKind]int{}
	languages := map[string]int{}
	var wrong []error
	for filter := (issuance.NoticeFilter{}); ; {
		page, err := d.house.Service.Notices(ctx, filter)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, n := range page {
			told[n.Kind]++
			languages[string(n.Language)]++
			wrong = append(wrong, d.readMail(n))
		}
		filter.After = page[len(page)-1].ID
	}
	files, err := filepath.Glob(filepath.Join(d.mailTray(), "*.eml"))
	if err != nil {
		return fmt.Errorf("look into the tray: %w", err)
	}
	d.report.Counts.Notices = len(files)
	d.screen.check("each holder was told once of a certificate that was issued, held, released or revoked", errors.Join(
		equal(told[lifecycle.NoticeIssued], wantCertificates), equal(told[lifecycle.NoticeHeld], 2), equal(told[lifecycle.NoticeReleased], 1),
		equal(told[lifecycle.NoticeRevoked], 6), equal(len(files), wantCertificates+9)))
	d.screen.check("in four languages, each mail in its own", equal(len(languages), 4))
	d.screen.check("each mail is to its holder alone, can be read, asks for nothing and leads nowhere", errors.Join(wrong...))
	return nil
}

// readMail reads a mail as a mail program does.
func (d *demonstration) readMail(n issuance.NoticeView) error {
	f, err := os.Open(filepath.Join(d.mailTray(), string(n.ID)+".eml"))
	if err != nil {
		return fmt.Errorf("notice %s: %w", n.ID, err)
	}
	defer func() { _ = f.Close() }()
	m, err := mail.ReadMessage(f)
	if err != nil {
		return fmt.Errorf("notice %s: %w", n.ID, err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("notice %s: %w", n.ID, err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return fmt.Errorf("notice %s: %w", n.ID, err)
	}
	to, err := m.Header.AddressList("To")
	if err != nil {
		return fmt.Errorf("notice %s: %w", n.ID, err)
	}
	switch {
	case n.State != lifecycle.NoticeSent || m.Header.Get("Message-ID") != "<"+n.MessageID+">":
		return fmt.Errorf("notice %s is %s, %s", n.ID, n.State, m.Header.Get("Message-ID"))
	case len(to) != 1 || to[0].Address != n.Address || m.Header.Get("Content-Language") != string(n.Language):
		return fmt.Errorf("notice %s is to %v, in %s", n.ID, to, m.Header.Get("Content-Language"))
	case !strings.HasPrefix(subject, d.bank.Bank.Name) || !strings.Contains(string(body), d.bank.Bank.Name):
		return fmt.Errorf("notice %s does not say who it is from: %s", n.ID, subject)
	case slices.ContainsFunc([]string{"http", "www.", "{", "<"}, func(s string) bool { return strings.Contains(string(body), s) }):
		return fmt.Errorf("notice %s leads somewhere", n.ID)
	}
	return nil
}
