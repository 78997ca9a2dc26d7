package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"sceau/lifecycle"
)

// revocation is the command by which who has the key ends its certificate, without a
// code and at any hour.
type revocation struct {
	common

	What   string `help:"What happened: ${happened}." required:"" enum:"${happened}"`
	Serial string `help:"Serial number of the certificate; left out, that of its copy in the folder of --out." placeholder:"HEX"`
	Yes    bool   `help:"Revoke without asking."`
}

// receipt is what the door answers.
type receipt struct {
	Number  string    `json:"receipt"`
	Reason  string    `json:"reason"`
	Revoked time.Time `json:"revoked"`
}

// revoke signs the statement by the certificate's key, and sends it.
func (r revocation) revoke(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCertificate, r.Certificate); err != nil {
		return err
	}
	reason, err := lifecycle.ReasonFor(r.What)
	if err != nil {
		return err
	}
	serial, err := r.serial()
	if err != nil {
		return err
	}
	door, err := openDoor(r.Door, r.DoorCA)
	if err != nil {
		return err
	}
	defer door.client.CloseIdleConnections()
	r.existing = true
	key, err := r.key(ctx)
	if err != nil {
		return err
	}
	defer key.Close()
	statement := lifecycle.RevocationStatement(lifecycle.CertificateID(r.Certificate), serial, reason)
	if err := say(out, "%s", strings.TrimSpace(statement)); err != nil {
		return err
	}
	if !r.Yes {
		yes, err := agreed(in, out, "Revocation is final: nobody can undo it. Type yes to sign this by your key.")
		if err != nil {
			return err
		}
		if !yes {
			return say(out, "Nothing is signed, and nothing is revoked.")
		}
	}
	digest := sha256.Sum256([]byte(statement))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign the revocation: %w", err)
	}
	var made receipt
	err = door.ask(ctx, http.MethodPost, "/revoke/signed", map[string]any{"reference": r.Certificate, "what": r.What, "signature": signature}, &made)
	if err != nil {
		return err
	}
	return say(out, "Revoked at %s, reason %s. Receipt: %s", made.Revoked.UTC().Format(time.RFC3339), made.Reason, made.Number)
}

// serial is the one that was given, or that of the copy beside the key.
func (r revocation) serial() (string, error) {
	if r.Serial != "" {
		serial, err := lifecycle.ParseSerial(r.Serial)
		if err != nil {
			return "", err
		}
		return serial.String(), nil
	}
	if r.Out == "" {
		return "", &lifecycle.FieldError{Field: "serial", Why: "give --serial, or by --out the folder that has a copy of the certificate"}
	}
	certificate, err := readCertificate(filepath.Join(r.Out, r.keyName()+".pem"))
	if err != nil {
		return "", fmt.Errorf("the certificate's copy, for its serial number (or give --serial): %w", err)
	}
	serial, err := lifecycle.ParseSerial(fmt.Sprintf("%032x", certificate.SerialNumber))
	if err != nil {
		return "", err
	}
	return serial.String(), nil
}

// agreed asks, and tells whether the answer is yes.
func agreed(in io.Reader, out io.Writer, question string) (bool, error) {
	if err := say(out, "%s", question); err != nil {
		return false, err
	}
	line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(strings.ToLower(line)) == "yes", nil
}
