package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// nextIssuing is the CA that takes over.
const nextIssuing = "issuing-2"

// rollOver makes the next issuing CA and has it sign, while the first one goes on
// with its lists and answers.
func (d *demonstration) rollOver(ctx context.Context) error {
	officers, err := d.officers(ctx)
	if err != nil {
		return err
	}
	_, err = d.house.Hold(ctx, house.Ceremony{
		ID: "demo rollover", By: officers[0], OpenRoot: house.VaultRoot(d.vaults.admin, d.vaults.online, officers[0].ID), Admin: d.vaults.admin,
		Online: d.vaults.online, Cards: d.vaults.online, Plan: house.DefaultPlan(), Bank: d.bank, PublicBase: d.doors.public, Shards: 1,
		Issuing: nextIssuing, Now: d.clock.Now, Say: func(format string, args ...any) { d.screen.note(format, args...) },
	})
	if err != nil {
		return err
	}
	_, err = d.house.Service.SignWith(ctx, officers[0], nextIssuing)
	d.screen.check("a CA whose first list is not published cannot sign", refused(err, lifecycle.Conflict))
	if err := d.house.Service.PublishLists(ctx, "", -1, nil); err != nil {
		return err
	}
	if err := d.fetchLists(ctx); err != nil {
		return err
	}
	_, err = d.house.Service.SignWith(ctx, officers[0], nextIssuing)
	_, alone := d.house.Service.SignWith(ctx, officers[0], nextIssuing)
	d.screen.check("one officer alone does not change who signs", errors.Join(err, refused(alone, lifecycle.Forbidden)))
	if _, err := d.house.Service.SignWith(ctx, officers[1], nextIssuing); err != nil {
		return err
	}
	next, err := d.certificateOfNext(ctx)
	if err != nil {
		return err
	}
	all, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	const old = 20 // of the first CA, good until now
	if err := d.house.Service.Revoke(ctx, officers[0], all[old].ID, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}); err != nil {
		return err
	}
	if err := d.fetchLists(ctx); err != nil {
		return err
	}
	return d.checkBothCAs(ctx, next, all[old].ID)
}

// officers are the bank's security officers.
func (d *demonstration) officers(ctx context.Context) ([]lifecycle.Actor, error) {
	var all []lifecycle.Actor
	for _, p := range d.bank.Staff {
		if actor, err := d.house.Service.StaffActor(ctx, p.Login, lifecycle.RoleSecurityOfficer); err == nil {
			all = append(all, actor)
		}
	}
	if len(all) < 2 { //nolint:mnd // four eyes
		return nil, fmt.Errorf("%w: the sample bank needs two security officers", lifecycle.NotFound)
	}
	return all, nil
}

// certificateOfNext orders a certificate, which the next CA signs.
func (d *demonstration) certificateOfNext(ctx context.Context) (lifecycle.CertificateID, error) {
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return "", err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return "", err
	}
	all, err := d.certificates(ctx)
	if err != nil {
		return "", err
	}
	order, err := d.house.Service.Submit(ctx, manager, issuance.OrderRequest{Kind: lifecycle.OrderNewCertificate, Holder: all[0].Holder})
	if err != nil {
		return "", err
	}
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return "", err
	}
	if err := d.house.Service.Approve(ctx, approver, order, content.Hash()); err != nil {
		return "", err
	}
	view, err := d.house.Service.Order(ctx, order)
	if err != nil {
		return "", err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("key of a holder: %w", err)
	}
	c := issuance.CertificateView{ID: view.Certificate.ID, Holder: all[0].Holder}
	if err := d.sendRequest(ctx, c, key); err != nil {
		return "", err
	}
	if err := d.settle(ctx, "certificate"); err != nil {
		return "", err
	}
	if c, err = d.house.Service.Certificate(ctx, c.ID); err != nil {
		return "", err
	}
	return c.ID, writePEM(d.certificateFile(c.ID), "CERTIFICATE", c.DER)
}

// checkBothCAs has openssl check a certificate of each CA by lists and OCSP.
func (d *demonstration) checkBothCAs(ctx context.Context, next, old lifecycle.CertificateID) error {
	for url, name := range map[string]string{
		"/crl/issuing-1/0.crl": "full.crl", "/crl/" + nextIssuing + "/0.crl": "full-2.crl", "/crl/root-1/0.crl": "root.crl", "/ca/" + nextIssuing + ".cer": nextIssuing + ".cer",
	} {
		if err := d.eventually(ctx, func() error { return d.fetch(ctx, url, name) }); err != nil {
			return err
		}
	}
	text, err := d.openssl(ctx, "x509", "-inform", "DER", "-in", nextIssuing+".cer")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.folder, "pki", nextIssuing+".pem"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("keep the next CA's certificate: %w", err)
	}
	if err := d.joinPEM(ctx); err != nil {
		return err
	}
	out, err := d.openssl(ctx, "verify", "-x509_strict", "-crl_check_all", "-extended_crl", "-CAfile", "root.pem", "-untrusted", nextIssuing+".pem",
		"-CRLfile", "lists.pem", "-purpose", "sslclient", filepath.Base(d.certificateFile(next)))
	d.screen.check("openssl verify -crl_check_all: a certificate of the next CA is accepted", errors.Join(err, has(out, ": OK")))
	if out, err = d.verifyChain(ctx, old); err == nil {
		err = errors.New("openssl accepts it")
	} else {
		err = has(out, "certificate revoked")
	}
	d.screen.check("openssl verify -crl_check_all: one of the first CA, revoked since, is refused", err)
	d.screen.check("openssl ocsp: one of the first CA, revoked since, is revoked", d.ocsp(ctx, old, ": revoked", "superseded"))
	d.screen.check("openssl ocsp: a certificate of the next CA is good, its own responder says", d.ocspBy(ctx, nextIssuing+".pem", next, ": good"))
	return nil
}

// eventually tries for some seconds: the public door looks for new CAs by the clock.
func (d *demonstration) eventually(ctx context.Context, so func() error) (err error) {
	const tries, pause = 16, 500 * time.Millisecond
	for range tries {
		if err = so(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
	return err
}
