package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/lifecycle"
)

// openssl runs openssl in the folder pki/ and gives all that it says.
func (d *demonstration) openssl(ctx context.Context, args ...string) (string, error) {
	const limit = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", args...) //nolint:gosec // arguments of the demonstration
	cmd.Dir = filepath.Join(d.folder, "pki")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("openssl %s: %w: %s", args[0], err, lastLine(out))
	}
	return string(out), nil
}

func lastLine(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(lines[len(lines)-1])
}

// has is an error unless the text has every word.
func has(text string, words ...string) error {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return fmt.Errorf("%q is not in: %s", w, strings.Join(strings.Fields(text), " "))
		}
	}
	return nil
}

// checkPKI checks certificates, lists and answers with openssl and its own
// clock.
func (d *demonstration) checkPKI(ctx context.Context) error {
	for url, name := range map[string]string{
		"/crl/issuing-1/0.crl": "full.crl", "/crl/issuing-1/0-delta.crl": "delta.crl", "/crl/root-1/0.crl": "root.crl",
		"/ca/issuing-1.cer": "issuing.cer",
	} {
		if err := d.fetch(ctx, url, name); err != nil {
			return err
		}
	}
	if err := d.joinPEM(ctx); err != nil {
		return err
	}
	d.checkChain(ctx)
	d.checkLists(ctx)
	d.checkOCSP(ctx)
	d.checkOutside(ctx)
	return nil
}

// checkOutside has the house's own watch look at what openssl looked at.
func (d *demonstration) checkOutside(ctx context.Context) {
	sights, err := d.house.LookAtRevocation(ctx, house.Watch{})
	for _, s := range sights {
		if s.Err != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", s.What, s.Err))
		}
	}
	if len(sights) == 0 {
		err = errors.Join(err, errors.New("it saw nothing"))
	}
	d.screen.check("sceau doctor revocation: lists, answers and CA certificates at the addresses inside certificates agree with the database", err)
}

// fetch keeps what the public door serves.
func (d *demonstration) fetch(ctx context.Context, url, name string) error {
	body, status, err := d.get(ctx, url)
	if err := errors.Join(err, equal(status, http.StatusOK)); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if err := os.WriteFile(filepath.Join(d.folder, "pki", name), body, 0o600); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

func (d *demonstration) get(ctx context.Context, path string) ([]byte, int, error) {
	return d.request(ctx, http.MethodGet, path, "", nil)
}

func (d *demonstration) request(ctx context.Context, method, path, contentType string, body []byte) ([]byte, int, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.doors.public+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, fmt.Errorf("ask the public door: %w", err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, fmt.Errorf("ask the public door: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	const most = 64 << 20
	answer, err := io.ReadAll(io.LimitReader(response.Body, most))
	return answer, response.StatusCode, err
}

// joinPEM makes the files that openssl verify wants: CAs, and their lists.
func (d *demonstration) joinPEM(ctx context.Context) error {
	var lists []byte
	for _, name := range []string{"full.crl", "root.crl", "full-2.crl"} {
		if _, err := os.Stat(filepath.Join(d.folder, "pki", name)); errors.Is(err, fs.ErrNotExist) {
			continue // there is no other CA yet
		}
		text, err := d.openssl(ctx, "crl", "-inform", "DER", "-in", name)
		if err != nil {
			return err
		}
		lists = append(lists, text...)
	}
	var chain []byte
	for _, name := range []string{"issuing.pem", "root.pem"} {
		text, err := os.ReadFile(filepath.Join(d.folder, "pki", name)) //nolint:gosec // two fixed names
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		chain = append(chain, text...)
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(d.folder, "pki", "lists.pem"), lists, 0o600),
		os.WriteFile(filepath.Join(d.folder, "pki", "chain.pem"), chain, 0o600),
	)
	if err != nil {
		return fmt.Errorf("keep chain and lists: %w", err)
	}
	return nil
}

func (d *demonstration) verifyChain(ctx context.Context, id lifecycle.CertificateID) (string, error) {
	return d.openssl(ctx, "verify", "-x509_strict", "-crl_check_all", "-extended_crl", "-CAfile", "root.pem", "-untrusted", "issuing.pem",
		"-CRLfile", "lists.pem", "-purpose", "sslclient", filepath.Base(d.certificateFile(id)))
}

func (d *demonstration) checkChain(ctx context.Context) {
	out, err := d.verifyChain(ctx, d.report.good)
	d.screen.check("openssl verify -crl_check_all: a good certificate is accepted", errors.Join(err, has(out, ": OK")))
	out, err = d.verifyChain(ctx, d.report.released)
	d.screen.check("openssl verify -crl_check_all: a released certificate is accepted", errors.Join(err, has(out, ": OK")))
	for name, id := range map[string]lifecycle.CertificateID{"revoked": d.report.revoked, "held": d.report.held} {
		out, err = d.verifyChain(ctx, id)
		if err == nil {
			err = errors.New("openssl accepts it")
		} else {
			err = has(out, "certificate revoked")
		}
		d.screen.check("openssl verify -crl_check_all: a "+name+" certificate is refused", err)
	}
	out, err = d.openssl(ctx, "x509", "-inform", "DER", "-in", "issuing.cer", "-noout", "-subject")
	d.screen.check("openssl x509: the issuing CA's certificate is served", errors.Join(err, has(out, "Issuing CA")))
}

func (d *demonstration) checkLists(ctx context.Context) {
	out, err := d.openssl(ctx, "crl", "-inform", "DER", "-in", "full.crl", "-CAfile", "chain.pem", "-noout", "-text", "-verify")
	d.screen.check("openssl crl: the full list verifies; v2, number, issuing distribution point, authority key, reasons", errors.Join(err,
		has(out, "verify OK", "Version 2", "X509v3 CRL Number", "X509v3 Issuing Distribution Point: critical", "X509v3 Authority Key Identifier",
			"Key Compromise", "Certificate Hold", "Invalidity Date")))
	out, err = d.openssl(ctx, "crl", "-inform", "DER", "-in", "delta.crl", "-CAfile", "chain.pem", "-noout", "-text", "-verify")
	d.screen.check("openssl crl: the delta list verifies and names its base", errors.Join(err,
		has(out, "verify OK", "X509v3 Delta CRL Indicator: critical", "Key Compromise")))
	out, err = d.openssl(ctx, "crl", "-inform", "DER", "-in", "root.crl", "-CAfile", "root.pem", "-noout", "-text", "-verify")
	d.screen.check("openssl crl: the root's list of CAs verifies", errors.Join(err, has(out, "verify OK", "No Revoked Certificates")))
}

// ocsp asks with openssl about a certificate, with a nonce.
func (d *demonstration) ocsp(ctx context.Context, id lifecycle.CertificateID, want ...string) error {
	return d.ocspBy(ctx, "issuing.pem", id, want...)
}

// ocspBy asks about a certificate of some CA.
func (d *demonstration) ocspBy(ctx context.Context, issuer string, id lifecycle.CertificateID, want ...string) error {
	out, err := d.openssl(ctx, "ocsp", "-issuer", issuer, "-cert", filepath.Base(d.certificateFile(id)), "-url", d.doors.public+"/ocsp",
		"-CAfile", "root.pem", "-verify_other", issuer, "-nonce")
	return errors.Join(err, has(out, append([]string{"Response verify OK"}, want...)...))
}

func (d *demonstration) checkOCSP(ctx context.Context) {
	d.screen.check("openssl ocsp: a good certificate is good", d.ocsp(ctx, d.report.good, ": good"))
	d.screen.check("openssl ocsp: a released certificate is good again", d.ocsp(ctx, d.report.released, ": good"))
	d.screen.check("openssl ocsp: a revoked certificate is revoked, keyCompromise", d.ocsp(ctx, d.report.revoked, ": revoked", "keyCompromise"))
	out, err := d.openssl(ctx, "ocsp", "-issuer", "issuing.pem", "-serial", "0x41424344454647484142434445464748", "-url", d.doors.public+"/ocsp",
		"-CAfile", "root.pem", "-verify_other", "issuing.pem", "-no_nonce")
	if err == nil && strings.Contains(out, ": good") {
		err = errors.New("it is good")
	}
	d.screen.check("openssl ocsp: a serial that was never issued is not good", errors.Join(err, has(out, ": revoked"), has(out, "certificateHold"), has(out, "1970")))
	d.screen.check("an OCSP answer comes by GET too", d.ocspGet(ctx))
	body, status, err := d.request(ctx, http.MethodPost, "/ocsp", "application/ocsp-request", []byte("not a request"))
	malformed := []byte{0x30, 0x03, 0x0A, 0x01, 0x01} // OCSPResponseStatus 1 (RFC 6960 §4.2.1)
	d.screen.check("a malformed OCSP request is answered as such", errors.Join(err, equal(status, http.StatusOK), equal(string(body), string(malformed))))
}

// ocspGet asks as a cache does (RFC 9919 §4): base64 of the request in the path.
func (d *demonstration) ocspGet(ctx context.Context) error {
	_, err := d.openssl(ctx, "ocsp", "-issuer", "issuing.pem", "-cert", filepath.Base(d.certificateFile(d.report.good)), "-no_nonce", "-reqout", "good.ocsp-request")
	if err != nil {
		return err
	}
	request, err := os.ReadFile(filepath.Join(d.folder, "pki", "good.ocsp-request"))
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	path := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(base64.StdEncoding.EncodeToString(request))
	if err := d.fetch(ctx, "/ocsp/"+path, "good.ocsp-response"); err != nil {
		return err
	}
	out, err := d.openssl(ctx, "ocsp", "-issuer", "issuing.pem", "-cert", filepath.Base(d.certificateFile(d.report.good)), "-respin", "good.ocsp-response",
		"-CAfile", "root.pem", "-verify_other", "issuing.pem", "-no_nonce")
	return errors.Join(err, has(out, "Response verify OK", ": good"))
}
