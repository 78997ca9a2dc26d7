package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/mail"
)

// mailFlags say how notices leave the house.
type mailFlags struct {
	MailFrom         string        `help:"Address that notices come from; replies go there." env:"SCEAU_MAIL_FROM" placeholder:"ADDRESS"`
	SMTPHost         string        `help:"Mail server that takes notices." name:"smtp-host" env:"SCEAU_SMTP_HOST" placeholder:"HOST"`
	SMTPPort         int           `help:"Its port; 587, with --smtp-security tls 465." name:"smtp-port" env:"SCEAU_SMTP_PORT" placeholder:"PORT"`
	SMTPSecurity     mail.Security `help:"starttls, tls from the first octet, or none to a server of this machine." name:"smtp-security" default:"starttls" env:"SCEAU_SMTP_SECURITY"`
	SMTPUser         string        `help:"User at the mail server." name:"smtp-user" env:"SCEAU_SMTP_USER" placeholder:"NAME"`
	SMTPPasswordFile string        `help:"File with the password, read for each mail." name:"smtp-password-file" env:"SCEAU_SMTP_PASSWORD_FILE" placeholder:"FILE"`
	MailFolder       string        `help:"Lay notices in this folder instead of sending them: to try Sceau." env:"SCEAU_MAIL_FOLDER" placeholder:"DIR"`
}

func (f mailFlags) open(bank *house.Bank) (jobs.Mailer, error) {
	from := mail.Sender{Name: bank.Bank.Name, Address: f.MailFrom}
	switch {
	case (f.SMTPHost == "") == (f.MailFolder == ""):
		return nil, fmt.Errorf("%w: queue mail: give --smtp-host, or --mail-folder to try it", errUsage)
	case f.MailFolder != "":
		return mail.NewTray(f.MailFolder, from)
	}
	return mail.NewSMTP(mail.Settings{
		Host: f.SMTPHost, Port: f.SMTPPort, Security: f.SMTPSecurity, User: f.SMTPUser, PasswordFile: f.SMTPPasswordFile,
	}, from)
}

// noticesCmd is about what holders are told by e-mail.
type noticesCmd struct {
	List  noticesListCmd `cmd:"" help:"List notices, oldest first."`
	Show  noticeShowCmd  `cmd:"" help:"Show one: to whom, when, how often it was tried, what happened to it."`
	Retry noticeRetryCmd `cmd:"" help:"Send one that failed again, to the address that its holder has now."`
}

type noticesListCmd struct {
	databaseFlags

	State       lifecycle.NoticeState   `help:"requested, sent, failed or cancelled." placeholder:"STATE"`
	Certificate lifecycle.CertificateID `help:"Of one certificate." placeholder:"N-…"`
}

// Run lists.
func (c noticesListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for filter := (issuance.NoticeFilter{State: c.State, Certificate: c.Certificate}); ; {
		page, err := h.Service.Notices(w.ctx, filter)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, n := range page {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", n.ID, n.State, n.Due.UTC().Format(time.RFC3339), n.Certificate, whatIsTold(n), n.Failure)
		}
		filter.After = page[len(page)-1].ID
	}
}

func whatIsTold(n issuance.NoticeView) string {
	if n.Kind == lifecycle.NoticeExpiring {
		return fmt.Sprintf("%s (%d days)", n.Kind, n.Days)
	}
	return string(n.Kind)
}

// oneNotice is what the commands about one of them take.
type oneNotice struct {
	asStaff

	Notice lifecycle.NoticeID `arg:"" help:"Its identifier, as the list shows it."`
}

type noticeShowCmd struct{ oneNotice }

// Run shows it. Its address is personal: who looks has a role.
func (c noticeShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		n, err := h.Service.Notice(w.ctx, c.Notice)
		if err != nil {
			return err
		}
		when := "-"
		if !n.Sent.IsZero() {
			when = n.Sent.UTC().Format(time.RFC3339)
		}
		return say(w, "%s  %s  %s\ncertificate  %s\nholder       %s\nlanguage     %s\nmade         %s\naddress      %s\nattempts     %d\nsent         %s\nmessage ID   %s\nfailure      %s",
			n.ID, whatIsTold(n), n.State, n.Certificate, n.Holder, n.Language, n.Due.UTC().Format(time.RFC3339), n.Address, n.Attempts, when,
			n.MessageID, n.Failure)
	})
}

type noticeRetryCmd struct{ oneNotice }

// Run has it sent again.
func (c noticeRetryCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.RetryNotice(w.ctx, by, c.Notice); err != nil {
			return err
		}
		return say(w, "%s is on its way again", c.Notice)
	})
}
