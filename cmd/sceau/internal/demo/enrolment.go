package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/holder"
)

// holderDoorFile is the certificate of the door for holders, which vouches for
// itself: the demonstration has no public name.
func (d *demonstration) holderDoorFile() string {
	return filepath.Join(d.folder, "holders", "door.pem")
}

// holderHome is the folder of the holder who enrols by themselves, codeFile their
// code.
func (d *demonstration) holderHome() string { return filepath.Join(d.folder, "holders", "home") }
func (d *demonstration) codeFile() string   { return filepath.Join(d.holderHome(), "code") }

// openHolderDoor opens the door for holders, over TLS as everywhere: its cookies
// go no other way.
func (d *demonstration) openHolderDoor(ctx context.Context) error {
	handler, err := d.holderHouse.Holders()
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("key of the door for holders: %w", err)
	}
	now := d.options.Wall()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Sample door for holders"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("certificate of the door for holders: %w", err)
	}
	if err := writePEM(d.holderDoorFile(), "CERTIFICATE", der); err != nil {
		return err
	}
	listener, err := d.listen(ctx)
	if err != nil {
		return err
	}
	d.doors.holder = "https://" + listener.Addr().String()
	d.serve(ctx, holder.Server("", handler), tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}))
	return nil
}

// enrolByProgram hands a code over, and has its holder run sceau-enroll.
func (d *demonstration) enrolByProgram(ctx context.Context, c issuance.CertificateView) error {
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	voided, err := d.house.Service.Invite(ctx, manager, c.ID, issuance.RegisteredPost)
	if err != nil {
		return err
	}
	made, err := d.house.Service.Invite(ctx, manager, c.ID, issuance.FaceToFace)
	if err != nil {
		return err
	}
	_, err = d.house.Service.OpenEnrolment(ctx, c.ID, voided.Code)
	d.screen.check("an enrolment code that another has replaced opens nothing", refused(err, lifecycle.Forbidden))

	home := d.holderHome()
	if err := os.MkdirAll(home, 0o700); err != nil {
		return fmt.Errorf("a holder's folder: %w", err)
	}
	code := d.codeFile()
	if err := os.WriteFile(code, []byte(made.Code.Reveal()), 0o600); err != nil {
		return fmt.Errorf("a holder's code: %w", err)
	}
	const limit = time.Minute
	patient, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(patient, filepath.Join(d.options.Root, "bin", "sceau-enroll"), //nolint:gosec // a program of this tree
		"--door", d.doors.holder, "--door-ca", d.holderDoorFile(), "--ca", filepath.Join(d.folder, "pki", "root.pem"),
		"--certificate", string(c.ID), "--code-file", code, "--software", "--out", home, "--accept")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("sceau-enroll: %w: %s", err, lastLine(out))
	}
	kept, err := d.house.Service.EvidenceOf(ctx, c.ID)
	if err != nil {
		return err
	}
	d.screen.check("sceau-enroll made a key, had it certified, and signed its acceptance, which is on record",
		errors.Join(has(string(out), "the certificate is active"), has(kept.Statement, string(c.ID), "SHA-256")))
	d.screen.check("openssl: the acceptance verifies with the certificate", d.verifyAcceptance(ctx, home, c.ID, kept))
	return nil
}

func (d *demonstration) verifyAcceptance(ctx context.Context, home string, id lifecycle.CertificateID, kept issuance.Evidence) error {
	statement, signature, public := filepath.Join(home, "acceptance.txt"), filepath.Join(home, "acceptance.sig"), filepath.Join(home, "public.pem")
	err := errors.Join(os.WriteFile(statement, []byte(kept.Statement), 0o600), os.WriteFile(signature, kept.Signature, 0o600))
	if err != nil {
		return fmt.Errorf("keep the acceptance: %w", err)
	}
	if _, err := d.openssl(ctx, "x509", "-in", filepath.Join(home, strings.ToLower(string(id))+".pem"), "-pubkey", "-noout", "-out", public); err != nil {
		return err
	}
	said, err := d.openssl(ctx, "dgst", "-sha256", "-verify", public, "-signature", signature, statement)
	return errors.Join(err, has(said, "Verified OK"))
}
