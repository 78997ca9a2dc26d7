package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"sceau/lifecycle"
)

// device is where a key is, as its module says.
type device struct {
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`
}

// enrolment is what the door shows of a certificate.
type enrolment struct {
	Certificate  string                     `json:"certificate"`
	State        lifecycle.CertificateState `json:"state"`
	Rejection    string                     `json:"rejection"`
	Name         string                     `json:"name"`
	Organisation string                     `json:"organisation"`
	Identifier   string                     `json:"organisation_identifier"`
	Country      string                     `json:"country"`
	Profile      string                     `json:"profile"`
	From         time.Time                  `json:"from"`
	Until        time.Time                  `json:"until"`
	Serial       string                     `json:"serial"`
	Issuer       string                     `json:"issuer"`
	Fingerprint  string                     `json:"fingerprint"`
	PEM          string                     `json:"pem"`
	Chain        []string                   `json:"chain"`
	Statement    string                     `json:"statement"`
	// RevocationCode is given once, when the certificate was accepted.
	RevocationCode string `json:"revocation_code"`
}

// door is the bank's door for holders.
type door struct {
	base   string
	client *http.Client
}

const (
	patience  = 30 * time.Second
	maxAnswer = 1 << 20
	waits     = 100 // of some seconds each, that the door makes
)

// openDoor refuses anything but TLS: a code would travel in clear.
func openDoor(base, vouching string) (*door, error) {
	if !strings.HasPrefix(base, "https://") {
		return nil, fmt.Errorf("%w: --door begins with https://", lifecycle.Invalid)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("open the door: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if vouching != "" {
		c, err := readCertificate(vouching)
		if err != nil {
			return nil, fmt.Errorf("--door-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AddCert(c)
	}
	transport := &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	client := &http.Client{
		Timeout: patience, Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &door{base: strings.TrimRight(base, "/"), client: client}, nil
}

func (d *door) enter(ctx context.Context, certificate, code string) (enrolment, error) {
	return d.call(ctx, http.MethodPost, "/", map[string]string{"certificate": certificate, "code": code})
}

// leave ends the session; one that is not ended ends by itself.
func (d *door) leave(ctx context.Context) {
	_, _ = d.call(context.WithoutCancel(ctx), http.MethodPost, "/leave", map[string]string{})
	d.client.CloseIdleConnections()
}

func (d *door) request(ctx context.Context, csr []byte, at *device) (enrolment, error) {
	return d.call(ctx, http.MethodPost, "/certificate/request", struct {
		CSR    string  `json:"csr"`
		Device *device `json:"device,omitempty"`
	}{string(csr), at})
}

func (d *door) accept(ctx context.Context, signature []byte) (enrolment, error) {
	return d.call(ctx, http.MethodPost, "/certificate/acceptance", map[string][]byte{"signature": signature})
}

func (d *door) refuse(ctx context.Context, why string) (enrolment, error) {
	return d.call(ctx, http.MethodPost, "/certificate/refusal", map[string]string{"reason": why})
}

// issued waits until the certificate is there.
func (d *door) issued(ctx context.Context, seen enrolment) (enrolment, error) {
	for range waits {
		switch seen.State { //nolint:exhaustive // the others have no certificate to take
		case lifecycle.CertIssued, lifecycle.CertActive:
			return seen, nil
		case lifecycle.CertIssuing:
		case lifecycle.CertAwaitingKey:
			return seen, fmt.Errorf("%w: the bank gave the request back: %s", lifecycle.Invalid, seen.Rejection)
		default:
			return seen, fmt.Errorf("%w: the certificate is %s", lifecycle.Illegal, seen.State)
		}
		var err error
		if seen, err = d.call(ctx, http.MethodGet, "/certificate?wait=1", nil); err != nil {
			return seen, err
		}
	}
	return seen, fmt.Errorf("%w: the certificate is not issued yet: run this again later", lifecycle.Unavailable)
}

func (d *door) call(ctx context.Context, method, path string, body any) (enrolment, error) {
	var seen enrolment
	err := d.ask(ctx, method, path, body, &seen)
	return seen, err
}

// ask reads what the door answers, if it is more than that it was done.
func (d *door) ask(ctx context.Context, method, path string, body, into any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return fmt.Errorf("ask the door: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%w: --door: %w", lifecycle.Invalid, err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the door: %w: %w", lifecycle.Unavailable, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("ask the door: %w: %w", lifecycle.Unavailable, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return problemOf(response.StatusCode, text)
	}
	if response.StatusCode != http.StatusOK {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("ask the door: its answer is not understood: %w", err)
	}
	return nil
}

// problemOf is what the door says of a request that it refuses (RFC 9457).
func problemOf(status int, text []byte) error {
	var p struct {
		Detail string `json:"detail"`
		Title  string `json:"title"`
	}
	if json.Unmarshal(text, &p) != nil || p.Title == "" {
		p.Title = http.StatusText(status)
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	kind := lifecycle.Unavailable
	switch {
	case status == http.StatusForbidden:
		kind = lifecycle.Forbidden
	case status == http.StatusNotFound:
		kind = lifecycle.NotFound
	case status == http.StatusConflict:
		kind = lifecycle.Conflict
	case status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
		kind = lifecycle.Invalid
	}
	return &refusal{kind, p.Detail}
}

type refusal struct {
	kind   lifecycle.Kind
	detail string
}

func (r *refusal) Error() string { return "the bank's door says: " + r.detail }
func (r *refusal) Unwrap() error { return r.kind }
