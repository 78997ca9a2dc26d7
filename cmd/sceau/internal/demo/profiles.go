package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"sceau/certprofile"
	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// shortSignature is a profile as a security officer writes it: the built-in one for
// signatures, with a shorter life. The level fills in the rest.
const shortSignature = `name: nominative-signature
kind: person_signature
level: "*"
hold: true
years: 1
policies: [1.3.6.1.4.1.32473.1.3]
`

// changeProfile gives certificates for signatures a shorter life, and issues one by
// it, and one for a company's system.
func (d *demonstration) changeProfile(ctx context.Context) error {
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	var errs []error
	for old, instead := range map[string]string{
		"years: 1":                  "years: 4",                                        // longer than the RGS allows
		`"*"`:                       `"***"` + "\ndevice: false",                       // no device at the highest level
		"hold: true":                "key_usage: [digital_signature, non_repudiation]", // a signature that signs in
		"[1.3.6.1.4.1.32473.1.3]":   "[]",
		"kind: person_signature\n":  "kind: person_authentication\n", // of another kind than its name's
		"name: nominative-signatur": "colour: red\nname: nominative-signatur",
	} {
		_, _, err := d.house.ProposeProfile(ctx, officer, []byte(strings.Replace(shortSignature, old, instead, 1)))
		errs = append(errs, refused(err, lifecycle.Invalid))
	}
	d.screen.check("no profile lives longer, asks for less or signs more than its level and its kind allow", errors.Join(errs...))

	p, version, err := d.house.ProposeProfile(ctx, officer, []byte(shortSignature))
	if err != nil {
		return err
	}
	service := d.house.Service
	author := lifecycle.Actor{ID: officer.ID, Role: lifecycle.RoleApprover}
	d.screen.check("a profile is approved by a second person, by the hash of what was shown", errors.Join(
		refused(service.ApproveProfile(ctx, author, p.Name, version, p.Sum()), lifecycle.Forbidden),
		refused(service.ApproveProfile(ctx, approver, p.Name, version, [32]byte{}), lifecycle.Conflict),
		service.ApproveProfile(ctx, approver, p.Name, version, p.Sum())))

	all, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	signs, err := d.issueBy(ctx, issuance.OrderRequest{Holder: all[0].Holder, Profile: p.Name})
	if err != nil {
		return err
	}
	d.screen.check("a certificate for signatures is issued by that version: a year, nonRepudiation alone",
		d.says(ctx, signs, "X509v3 Key Usage: critical\n    Non Repudiation\n", "1.3.6.1.5.5.7.3.36"))
	system, err := d.issueBy(ctx, issuance.OrderRequest{Holder: all[0].Holder, Profile: certprofile.RelyingServiceClient, Service: "paie.montclair.example"})
	if err != nil {
		return err
	}
	d.screen.check("a company's system has a certificate of its own, in which no person is named",
		d.says(ctx, system, "CN = TEST paie.montclair.example", "TLS Web Client Authentication"))
	return nil
}

// issueBy orders a certificate, has it approved and issued, and accepts it.
func (d *demonstration) issueBy(ctx context.Context, r issuance.OrderRequest) (lifecycle.CertificateID, error) {
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return "", err
	}
	r.Kind = lifecycle.OrderNewCertificate
	order, err := d.house.Service.Submit(ctx, manager, r)
	if err != nil {
		return "", err
	}
	if err := demodata.Prove(ctx, d.house.Service, manager, order, d.clock.Now()); err != nil {
		return "", err
	}
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return "", err
	}
	if err := d.approve(ctx, []issuance.OrderContent{content}); err != nil {
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
	if err := d.sendRequest(ctx, *view.Certificate, key); err != nil {
		return "", err
	}
	if err := d.settle(ctx, "a certificate"); err != nil {
		return "", err
	}
	c, err := d.house.Service.Certificate(ctx, view.Certificate.ID)
	if err != nil {
		return "", err
	}
	if err := d.acceptWith(ctx, c, key); err != nil {
		return "", err
	}
	return c.ID, writePEM(d.certificateFile(c.ID), "CERTIFICATE", c.DER)
}

// says looks for what openssl reads in a certificate.
func (d *demonstration) says(ctx context.Context, id lifecycle.CertificateID, phrases ...string) error {
	text, err := d.openssl(ctx, "x509", "-in", "holder-"+string(id)+".pem", "-noout", "-subject", "-ext", "keyUsage,extendedKeyUsage")
	if err != nil {
		return err
	}
	for _, phrase := range phrases {
		if !strings.Contains(text, phrase) {
			return fmt.Errorf("openssl reads no %q in %s", phrase, text)
		}
	}
	_, err = d.openssl(ctx, "verify", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "holder-"+string(id)+".pem")
	return err
}
