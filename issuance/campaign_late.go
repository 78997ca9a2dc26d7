package issuance

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// CampaignStep is a certificate of a campaign, and how far its renewal is.
type CampaignStep struct {
	Certificate lifecycle.CertificateID
	Step        RenewalStep
	Why         string // it is skipped, failed, or left to an approver
	Order       lifecycle.OrderID
	Ordered     time.Time
	By          lifecycle.CertificateID // the new one
	Profile     string
	Ends        time.Time
	UserNumber  string
	GivenName   string
	Surname     string
	ClientID    string
	Company     string
	Branch      string
	Told        int // notices of its end and of its renewal
	ToldLast    time.Time
}

// CampaignSteps pages through a campaign's certificates, after the given one.
func (s *Service) CampaignSteps(ctx context.Context, id lifecycle.CampaignID, after lifecycle.CertificateID) ([]CampaignStep, error) {
	if err := s.ofCertificates(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.store.CampaignSteps(ctx, id, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("certificates of campaign %s: %w", id, err)
	}
	steps := make([]CampaignStep, len(rows))
	for i, r := range rows {
		steps[i] = campaignStep(r)
	}
	return steps, nil
}

func campaignStep(r db.CampaignStepsRow) CampaignStep {
	c := CampaignStep{
		Certificate: r.CertificateID, Step: RenewalStep(r.Step), Why: r.Why, Order: lifecycle.OrderID(r.OrderID), Ordered: deref(r.OrderedAt),
		By: lifecycle.CertificateID(r.NewID), Profile: r.Profile, Ends: deref(r.NotAfter), UserNumber: r.UserNumber, GivenName: r.GivenName,
		Surname: r.Surname, ClientID: r.ClientID, Company: r.Company, Branch: r.Branch, Told: int(r.Told),
	}
	if c.Told > 0 {
		c.ToldLast = r.ToldAt
	}
	return c
}

func (s *Service) ofCertificates(ctx context.Context, id lifecycle.CampaignID) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCampaign, string(id)); err != nil {
		return err
	}
	c, err := s.store.Campaign(ctx, id)
	if err != nil {
		return fmt.Errorf("campaign %s: %w", id, err)
	}
	if c.Subject != lifecycle.OfCertificates {
		return fmt.Errorf("campaign %s: %w: it renews cards, not certificates", id, lifecycle.Illegal)
	}
	return nil
}

// CampaignNotices pages through what the holders of a campaign's certificates were told
// since it was proposed, of their end and of their renewal, oldest first.
func (s *Service) CampaignNotices(ctx context.Context, id lifecycle.CampaignID, after lifecycle.NoticeID) ([]NoticeView, error) {
	if err := s.ofCertificates(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.store.CampaignNotices(ctx, id, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("notices of campaign %s: %w", id, err)
	}
	views := make([]NoticeView, len(rows))
	for i, n := range rows {
		views[i] = noticeView(n)
	}
	return views, nil
}

// lateColumns is the header of the export of who is late.
var lateColumns = []string{
	"certificate", "profile", "ends", "client_id", "company", "branch", "user_number", "given_name", "surname", "step", "why", "order", "ordered",
	"new_certificate", "told", "told_last",
}

// ExportLate writes who of a campaign is late, as CSV with semicolons: those that were
// ordered so long ago and are waited for still, and those whose certificate has ended
// meanwhile.
func (s *Service) ExportLate(ctx context.Context, id lifecycle.CampaignID, since time.Duration, out io.Writer) (lines int, err error) {
	w := csv.NewWriter(out)
	w.Comma = ';'
	if err := w.Write(lateColumns); err != nil {
		return 0, fmt.Errorf("write who is late: %w", err)
	}
	ordered := s.now().Add(-since)
	for after := lifecycle.CertificateID(""); ; {
		page, err := s.CampaignSteps(ctx, id, after)
		if err != nil {
			return lines, err
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			after = c.Certificate
			if c.Step != StepLapsed && (!c.Step.open() || c.Ordered.After(ordered)) {
				continue
			}
			if err := w.Write(c.late()); err != nil {
				return lines, fmt.Errorf("write who is late: %w", err)
			}
			lines++
		}
	}
	w.Flush()
	return lines, w.Error()
}

func (c CampaignStep) late() []string {
	return []string{
		string(c.Certificate), c.Profile, day(c.Ends), c.ClientID, plain(c.Company), c.Branch, c.UserNumber, plain(c.GivenName), plain(c.Surname), string(c.Step),
		plain(c.Why), string(c.Order), day(c.Ordered), string(c.By), strconv.Itoa(c.Told), day(c.ToldLast),
	}
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// plain is a text that no spreadsheet computes.
func plain(text string) string {
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}
