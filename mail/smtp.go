package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"sceau/lifecycle"
)

// Security is how the way to the mail server is kept.
type Security string

// The ways. Without TLS only a server of this machine is spoken to.
const (
	StartTLS Security = "starttls" // the way begins open and nothing is said before it is closed
	TLS      Security = "tls"      // from the first octet
	Open     Security = "none"
)

// Settings are a mail server's.
type Settings struct {
	Host         string
	Port         int // 0: 587, with TLS 465, without 25
	Security     Security
	User         string         // "": no login
	PasswordFile string         // read for each message: it may be changed meanwhile
	Roots        *x509.CertPool // nil: the system's
}

// sendPatience bounds a talk with the mail server.
const sendPatience = 30 * time.Second

// SMTP sends by a mail server.
type SMTP struct {
	sender   Sender
	settings Settings
}

// NewSMTP checks the settings; the server is asked at the first message.
func NewSMTP(s Settings, sender Sender) (*SMTP, error) {
	if err := sender.check(); err != nil {
		return nil, err
	}
	if s.Host == "" || strings.ContainsAny(s.Host, ":/ ") && net.ParseIP(s.Host) == nil {
		return nil, fmt.Errorf("%w: mail server %q: give a host's name, and the port apart", lifecycle.Invalid, s.Host)
	}
	port := 0
	switch s.Security {
	case StartTLS:
		port = 587
	case TLS:
		port = 465
	case Open:
		port = 25
		if !loopback(s.Host) {
			return nil, fmt.Errorf("%w: mail server %s: without TLS only a server of this machine is spoken to", lifecycle.Invalid, s.Host)
		}
		if s.User != "" {
			return nil, fmt.Errorf("%w: mail server %s: no password is given without TLS", lifecycle.Invalid, s.Host)
		}
	default:
		return nil, fmt.Errorf("%w: mail server %s: there is no security %q: use starttls, tls or none", lifecycle.Invalid, s.Host, s.Security)
	}
	if s.Port == 0 {
		s.Port = port
	}
	if (s.User == "") != (s.PasswordFile == "") {
		return nil, fmt.Errorf("%w: mail server %s: a user needs a password file, and a password file a user", lifecycle.Invalid, s.Host)
	}
	return &SMTP{sender: sender, settings: s}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send hands a message over and answers its Message-ID. An error is of kind
// invalid when the server refuses this message for good; with any other it can
// be sent again.
func (s *SMTP) Send(ctx context.Context, m Message) (string, error) {
	msg, err := s.sender.message(m)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	client, err := s.client(ctx)
	if err != nil {
		return "", err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() { // whatever went wrong while they parted
		return s.sender.messageID(m), nil
	}
	if err == nil {
		err = errors.New("it was not sent")
	}
	return "", s.told(err)
}

func (s *SMTP) client(ctx context.Context) (*gomail.Client, error) {
	secure := &tls.Config{ServerName: s.settings.Host, RootCAs: s.settings.Roots, MinVersion: tls.VersionTLS12}
	// With TLS from the first octet, which dial sees to, the library only looks.
	policy := map[Security]gomail.TLSPolicy{StartTLS: gomail.TLSMandatory, TLS: gomail.TLSOpportunistic, Open: gomail.NoTLS}
	options := []gomail.Option{
		gomail.WithTLSPolicy(policy[s.settings.Security]), gomail.WithPort(s.settings.Port), gomail.WithTimeout(sendPatience),
		gomail.WithTLSConfig(secure), gomail.WithDialContextFunc(s.dial(ctx, secure)),
	}
	if s.settings.User != "" {
		password, err := os.ReadFile(s.settings.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password of the mail server: %w", err)
		}
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.settings.User),
			gomail.WithPassword(strings.TrimRight(string(password), "\r\n")))
	}
	client, err := gomail.NewClient(s.settings.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: mail server %s: %w", lifecycle.Invalid, s.settings.Host, err)
	}
	return client, nil
}

// dial connects for as long as the talk may last: the library looks at its context
// while it connects only, and gives each later step its whole time anew.
func (s *SMTP) dial(talk context.Context, secure *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer interface {
			DialContext(ctx context.Context, network, address string) (net.Conn, error)
		} = &net.Dialer{}
		if s.settings.Security == TLS {
			dialer = &tls.Dialer{Config: secure}
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(talk, func() { _ = conn.Close() })
		}
		return conn, err
	}
}

// told is what is said of an error: the server's code, never its text, which
// often has the address in it.
func (s *SMTP) told(err error) error {
	refusal, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return fmt.Errorf("mail server %s: %w", s.settings.Host, err)
	}
	code := strings.TrimSpace(fmt.Sprint(refusal.ErrorCode(), " ", refusal.EnhancedStatusCode()))
	if refusal.ErrorCode() == 0 {
		code = "the connection broke"
	}
	step, forGood := map[gomail.SendErrReason]string{
		gomail.ErrSMTPRcptTo: "the address", gomail.ErrSMTPData: "the message", gomail.ErrSMTPDataClose: "the message",
	}[refusal.Reason]
	// A login that is missing is the house's fault, not the address's.
	const loginNeeded = 530
	if forGood && !refusal.IsTemp() && refusal.ErrorCode() >= 500 && refusal.ErrorCode() != loginNeeded {
		return fmt.Errorf("%w: the mail server refuses %s: %s", lifecycle.Invalid, step, code)
	}
	return fmt.Errorf("mail server %s: %s: %s", s.settings.Host, refusal.Reason, code)
}
