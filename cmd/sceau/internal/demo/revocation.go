package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// lostCertificate is which of the certificates its holder reports as lost.
const lostCertificate = 30

// revokeByCode has a holder revoke at the door for holders, without signing in, and
// openssl refuse the certificate. A caller whom staff do not recognise gets
// nothing done.
func (d *demonstration) revokeByCode(ctx context.Context) error {
	all, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	manager, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	lost, asked := all[lostCertificate], all[lostCertificate+1]
	call := issuance.RevocationCall{Act: lifecycle.Revoke, Caller: lifecycle.CallerHolder, Revocation: issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}}
	call.Answers = []issuance.Answer{{Question: lifecycle.AskBirth}, {Question: lifecycle.AskPostalAddress, Right: true}}
	unknown, err := d.house.Service.CallRevocation(ctx, manager, asked.ID, call)
	if err != nil {
		return err
	}
	d.screen.check("a caller who answers too little gets nothing revoked, and is work for a day",
		errors.Join(equal(unknown.State, lifecycle.RevocationUnconfirmed), d.ocsp(ctx, asked.ID, ": good")))

	code, err := d.house.Service.GiveRevocationCode(ctx, manager, lost.ID, []issuance.Answer{
		{Question: lifecycle.AskBirth, Right: true}, {Question: lifecycle.AskCardDigits, Right: true},
	})
	if err != nil {
		return err
	}
	holder, err := d.holderBrowser()
	if err != nil {
		return err
	}
	status, _, err := holder.post(ctx, "/revoke", map[string]string{"reference": all[0].Serial, "code": code.Reveal()})
	d.screen.check("a revocation code opens no other certificate", errors.Join(err, equal(status, http.StatusForbidden)))
	status, _, err = holder.post(ctx, "/revoke", map[string]string{"reference": lost.Serial, "code": code.Reveal()})
	if err := errors.Join(err, equal(status, http.StatusOK)); err != nil {
		return fmt.Errorf("a right revocation code: %w", err)
	}
	status, receipt, err := holder.post(ctx, "/revoke/receipt", map[string]string{"what": "lost"})
	d.screen.check("its holder revokes a certificate by its code, without signing in, and has a receipt",
		errors.Join(err, equal(status, http.StatusOK), has(receipt, `"receipt":"RV-`, "keyCompromise")))
	return d.toldToAll(ctx, lost.ID)
}

// toldToAll has openssl refuse a certificate that was just revoked, and shows how
// long that took.
func (d *demonstration) toldToAll(ctx context.Context, id lifecycle.CertificateID) error {
	if err := d.fetchLists(ctx); err != nil {
		return err
	}
	d.screen.check("openssl ocsp: the certificate that its holder revoked is revoked", d.eventually(ctx, func() error { return d.ocsp(ctx, id, ": revoked", "keyCompromise") }))
	if err := d.eventually(ctx, func() error { return d.fetch(ctx, "/crl/issuing-1/0.crl", "full.crl") }); err != nil {
		return err
	}
	if err := d.joinPEM(ctx); err != nil {
		return err
	}
	out, err := d.verifyChain(ctx, id)
	if err == nil {
		err = errors.New("openssl accepts it")
	} else {
		err = has(out, "certificate revoked")
	}
	d.screen.check("openssl verify -crl_check_all: the certificate that its holder revoked is refused", err)
	changes, err := d.house.Service.StatusChangesOf(ctx, id)
	if err != nil || len(changes) != 1 || changes[0].Pending() {
		return errors.Join(err, fmt.Errorf("changes of certificate %s: %+v", id, changes))
	}
	c := changes[0]
	since := func(t time.Time) time.Duration { return t.Sub(c.Requested).Round(time.Millisecond) }
	d.screen.note("from the request to the record %s, to the OCSP answer %s, to list number %d %s", since(c.Recorded), since(c.Answered), c.ListNumber, since(c.Listed))
	return nil
}

// holderBrowser is a program of a holder at their door.
type holderBrowser struct {
	base   string
	client *http.Client
}

func (d *demonstration) holderBrowser() (holderBrowser, error) {
	text, err := os.ReadFile(d.holderDoorFile())
	if err != nil {
		return holderBrowser{}, fmt.Errorf("certificate of the door for holders: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	jar, err := cookiejar.New(nil)
	if err != nil {
		return holderBrowser{}, fmt.Errorf("cookies: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
	return holderBrowser{d.doors.holder, &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}, nil
}

func (b holderBrowser) post(ctx context.Context, path string, value any) (int, string, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return 0, "", fmt.Errorf("ask the door for holders: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("ask the door for holders: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := b.client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("ask the door for holders: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	return response.StatusCode, string(text), err
}
