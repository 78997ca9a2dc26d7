package mail

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sceau/lifecycle"
)

// Tray is a folder in which each message is a file, for those who develop.
type Tray struct {
	sender Sender
	dir    string
}

// NewTray makes a tray in a folder.
func NewTray(dir string, sender Sender) (*Tray, error) {
	if err := sender.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: mail folder: %w", lifecycle.Invalid, err)
	}
	return &Tray{sender: sender, dir: dir}, nil
}

// Send writes a whole file or none; a second time it is the same file. It answers
// the Message-ID.
func (t *Tray) Send(_ context.Context, m Message) (string, error) {
	msg, err := t.sender.message(m)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if _, err := msg.WriteTo(&text); err != nil {
		return "", fmt.Errorf("write message %s: %w", m.ID, err)
	}
	f, err := os.CreateTemp(t.dir, ".new-*")
	if err != nil {
		return "", fmt.Errorf("message %s: %w", m.ID, err)
	}
	_, err = f.Write(text.Bytes())
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(t.dir, m.ID+".eml"))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("message %s: %w", m.ID, err)
	}
	return t.sender.messageID(m), nil
}
