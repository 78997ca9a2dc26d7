// Package mail hands messages to a mail server, or lays them in a folder where
// one can read them. A message is plain text for one address; its Message-ID
// comes from the caller's, so that one sent twice can be seen to be the same.
//
// It never decides what is said or to whom, and no error of it names the
// address. Data runs message → mail server, message → folder.
package mail

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"sceau/lifecycle"
	"sceau/party"
)

// Message is what is sent.
type Message struct {
	ID       string // of the thing it tells of, "NT-…"
	To       string // an address alone
	Subject  string
	Body     string
	Language party.Language
	Date     time.Time
}

// Sender is who messages come from.
type Sender struct {
	Name    string // the bank
	Address string
}

func (s Sender) check() error {
	if err := party.CheckEmail(s.Address); err != nil {
		return fmt.Errorf("the sender's address %q: %w", s.Address, err)
	}
	if s.Name == "" || !printable(s.Name) {
		return fmt.Errorf("%w: the sender's name %q: one line of text is needed", lifecycle.Invalid, s.Name)
	}
	return nil
}

// messageID is the same for the same message, whenever it is sent.
func (s Sender) messageID(m Message) string {
	_, domain, _ := strings.Cut(s.Address, "@")
	return m.ID + "@" + domain
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// message is m as it goes over the wire. Headers are of one line each: nothing
// that comes from outside begins another.
func (s Sender) message(m Message) (*gomail.Msg, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixNotice, m.ID); err != nil {
		return nil, err
	}
	if err := party.CheckEmail(m.To); err != nil {
		return nil, err
	}
	if !printable(m.Subject) || m.Subject == "" {
		return nil, &lifecycle.FieldError{Field: "subject", Why: "is one line of text"}
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(s.Name, s.Address); err != nil {
		return nil, fmt.Errorf("sender: %w: not an address", lifecycle.Invalid)
	}
	if err := msg.To(m.To); err != nil {
		return nil, &lifecycle.FieldError{Field: "email", Why: "is no address that mail can be sent to"}
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(s.messageID(m))
	msg.SetGenHeader("Content-Language", string(m.Language))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody's absence is answered
	msg.SetBodyString(gomail.TypeTextPlain, m.Body)
	return msg, nil
}
