package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sceau/lifecycle"
)

// holderKey is the holder's key, wherever it is.
type holderKey interface {
	crypto.Signer
	// Device says where it is; nil: in a file.
	Device() *device
	// Keep puts the certificate beside it.
	Keep(ctx context.Context, certificate *x509.Certificate) error
	Close()
}

// keyName is the key's name on a token and in a folder.
func (c common) keyName() string { return strings.ToLower(c.Certificate) }

// key opens the key that an earlier run made, or makes it.
func (c common) key(ctx context.Context) (holderKey, error) {
	switch {
	case c.Software == (c.PKCS11Module != ""):
		return nil, fmt.Errorf("%w: where is the key to be? give --pkcs11-module, or --software", lifecycle.Invalid)
	case c.Software && c.Out == "":
		return nil, fmt.Errorf("%w: where does the key file go? give --out DIR", lifecycle.Invalid)
	case c.Software && c.existing:
		return readFileKey(c.Out, c.keyName())
	case c.Software:
		return openFileKey(c.Out, c.keyName(), c.RSA)
	}
	return openTokenKey(ctx, c)
}

// enrol is the whole journey. What was done before is not done again.
func (s settings) enrol(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCertificate, s.Certificate); err != nil {
		return err
	}
	root, err := readCertificate(s.CA)
	if err != nil {
		return fmt.Errorf("--ca: %w", err)
	}
	code, err := readSecret(s.CodeFile)
	if err != nil {
		return err
	}
	door, err := openDoor(s.Door, s.DoorCA)
	if err != nil {
		return err
	}
	seen, err := door.enter(ctx, s.Certificate, code)
	if err != nil {
		return err
	}
	defer door.leave(ctx)
	key, err := s.key(ctx)
	if err != nil {
		return err
	}
	defer key.Close()
	if seen.State == lifecycle.CertAwaitingKey {
		if seen, err = s.request(ctx, door, key, seen, out); err != nil {
			return err
		}
	}
	if seen, err = door.issued(ctx, seen); err != nil {
		return err
	}
	certificate, err := s.check(seen, key, root)
	if err != nil {
		return err
	}
	if s.Refuse != "" {
		if _, err := door.refuse(ctx, s.Refuse); err != nil {
			return err
		}
		return say(out, "Refused: the certificate is revoked, and your bank will see to it.")
	}
	if err := errors.Join(seen.tell(out), s.keep(ctx, key, certificate)); err != nil {
		return err
	}
	if seen.State == lifecycle.CertActive {
		return say(out, "It is active already.")
	}
	return s.accept(ctx, door, key, seen, in, out)
}

// request sends a certificate request with an empty subject: what is certified
// stands in the bank's order.
func (s settings) request(ctx context.Context, door *door, key holderKey, seen enrolment, out io.Writer) (enrolment, error) {
	at := "in a file"
	if d := key.Device(); d != nil {
		at = fmt.Sprintf("on %s %s, serial %s", d.Manufacturer, d.Model, d.Serial)
	}
	if err := say(out, "Certificate %s for %s, %s; the key is %s.", seen.Certificate, seen.Name, seen.Organisation, at); err != nil {
		return seen, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return seen, fmt.Errorf("make the certificate request: %w", err)
	}
	return door.request(ctx, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}), key.Device())
}

// check looks whether the certificate is of this key, and leads to the bank's root.
func (s settings) check(seen enrolment, key holderKey, root *x509.Certificate) (*x509.Certificate, error) {
	certificate, err := parseCertificate([]byte(seen.PEM))
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if !bytes.Equal(public, certificate.RawSubjectPublicKeyInfo) {
		return nil, fmt.Errorf("%w: the certificate is of another key: run this where the key was made", lifecycle.Conflict)
	}
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: time.Now(),
	}
	options.Roots.AddCert(root)
	for _, text := range seen.Chain {
		options.Intermediates.AppendCertsFromPEM([]byte(text))
	}
	if _, err := certificate.Verify(options); err != nil {
		return nil, fmt.Errorf("%w: the certificate does not lead to the root of --ca: %w", lifecycle.Forbidden, err)
	}
	return certificate, nil
}

// keep puts the certificate beside its key, and a copy in the folder.
func (s settings) keep(ctx context.Context, key holderKey, certificate *x509.Certificate) error {
	if err := key.Keep(ctx, certificate); err != nil {
		return err
	}
	if s.Out == "" {
		return nil
	}
	return writeFile(filepath.Join(s.Out, s.keyName()+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

// accept asks, signs the statement by the certificate's key, and sends it.
func (s settings) accept(ctx context.Context, door *door, key holderKey, seen enrolment, in io.Reader, out io.Writer) error {
	if err := say(out, "\n%s", strings.TrimSpace(seen.Statement)); err != nil {
		return err
	}
	if !strings.Contains(seen.Statement, seen.Fingerprint) || !strings.Contains(seen.Statement, seen.Certificate) {
		return fmt.Errorf("%w: the statement is about another certificate", lifecycle.Conflict)
	}
	if !s.Accept {
		yes, err := agreed(in, out, "Is all of it right? Type yes to sign this by your key.")
		if err != nil {
			return err
		}
		if !yes {
			return say(out, "Nothing is signed. Run this again, or refuse the content with --refuse and what is wrong.")
		}
	}
	digest := sha256.Sum256([]byte(seen.Statement))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign the acceptance: %w", err)
	}
	accepted, err := door.accept(ctx, signature)
	if err != nil {
		return err
	}
	if accepted.RevocationCode != "" {
		if err := say(out, "Revocation code: %s\nNote it and keep it away from the key; it is shown once. With it, %s/revoke ends the certificate, day and night.",
			accepted.RevocationCode, door.base); err != nil {
			return err
		}
	}
	return say(out, "Accepted: the certificate is active.")
}

// tell shows the certificate's content in words.
func (e enrolment) tell(out io.Writer) error {
	var err error
	for _, row := range [][2]string{
		{"Holder", e.Name},
		{"Organisation", e.Organisation + ", " + e.Country + ", " + e.Identifier},
		{"Profile", e.Profile},
		{"Valid", e.From.Format(time.DateOnly) + " to " + e.Until.Format(time.DateOnly)},
		{"Issuer", e.Issuer},
		{"Serial", e.Serial},
		{"SHA-256", e.Fingerprint},
	} {
		err = errors.Join(err, say(out, "%-13s %s", row[0], row[1]))
	}
	return err
}

// say writes a line; what came from elsewhere moves no cursor.
func say(out io.Writer, format string, args ...any) error {
	line := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7F || r >= 0x80 && r < 0xA0 {
			return -1
		}
		return r
	}, fmt.Sprintf(format, args...))
	_, err := fmt.Fprintln(out, line)
	return err
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return parseCertificate(text)
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%w: it is no certificate in PEM", lifecycle.Invalid)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate: %w", lifecycle.Invalid, err)
	}
	return certificate, nil
}

// readSecret reads a file that nobody else may read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%w: %s can be read by others: chmod 600", lifecycle.Invalid, path)
	}
	text, err := readBounded(path)
	return strings.TrimSpace(string(text)), err
}

func readBounded(path string) ([]byte, error) {
	const longest = 64 << 10
	f, err := os.Open(path) //nolint:gosec // named on the command line
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err == nil && len(text) > longest {
		err = fmt.Errorf("%w: %s is longer than 64 KiB", lifecycle.Invalid, path)
	}
	return text, err
}
