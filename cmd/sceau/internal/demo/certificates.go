package demo

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

func (d *demonstration) certificates(ctx context.Context) ([]issuance.CertificateView, error) {
	var all []issuance.CertificateView
	var after lifecycle.CertificateID
	for {
		page, err := d.house.Service.Certificates(ctx, after)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
}

// issueCertificates plays the holders' devices: each makes a key and a request,
// and accepts the certificate.
func (d *demonstration) issueCertificates(ctx context.Context) error {
	d.clock.catchUp() // others check what is signed from here on, by their own clocks
	waiting, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	if err := d.tryBadRequests(ctx, waiting[0]); err != nil {
		return err
	}
	if err := d.enrolByProgram(ctx, waiting[0]); err != nil {
		return err
	}
	bar := d.screen.bar(len(waiting)-1, "requests")
	for _, c := range waiting[1:] {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("key of a holder: %w", err)
		}
		if err := d.sendRequest(ctx, c, key); err != nil {
			return fmt.Errorf("certificate %s: %w", c.ID, err)
		}
		_ = bar.Add(1)
	}
	_ = bar.Finish()
	if err := d.settle(ctx, "certificates"); err != nil {
		return err
	}
	issued, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	for _, c := range issued {
		switch c.State { //nolint:exhaustive // no other is right
		case lifecycle.CertActive: // enrolled by itself
		case lifecycle.CertIssued:
			if err := d.acceptByKey(ctx, c); err != nil {
				return err
			}
		default:
			return fmt.Errorf("certificate %s is %s: %s", c.ID, c.State, c.Rejection)
		}
		if err := writePEM(d.certificateFile(c.ID), "CERTIFICATE", c.DER); err != nil {
			return err
		}
	}
	d.screen.check("90 certificates were issued from their holders' requests and accepted", equal(len(issued), wantCertificates))
	return nil
}

// acceptByKey has the holder's device sign that its content is right.
func (d *demonstration) acceptByKey(ctx context.Context, c issuance.CertificateView) error {
	text, err := os.ReadFile(d.holderKey(c.ID))
	if err != nil {
		return fmt.Errorf("key of a holder: %w", err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("key of a holder: %w", err)
	}
	return d.acceptWith(ctx, c, key.(crypto.Signer))
}

func (d *demonstration) acceptWith(ctx context.Context, c issuance.CertificateView, key crypto.Signer) error {
	digest := sha256.Sum256([]byte(c.Statement(party.French)))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign the acceptance: %w", err)
	}
	return d.house.Service.Accept(ctx, lifecycle.Actor{ID: string(c.Holder), Role: lifecycle.RoleHolder}, c.ID, signature)
}

func (d *demonstration) holderKey(id lifecycle.CertificateID) string {
	return filepath.Join(d.folder, "holders", string(id)+".key")
}

func (d *demonstration) certificateFile(id lifecycle.CertificateID) string {
	return filepath.Join(d.folder, "pki", "holder-"+string(id)+".pem")
}

// sendRequest makes a request with the key and hands it in; the key stays with
// its holder, here a folder.
func (d *demonstration) sendRequest(ctx context.Context, c issuance.CertificateView, key *ecdsa.PrivateKey) error {
	csr, err := request(pkix.Name{}, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("keep a holder's key: %w", err)
	}
	if err := writePEM(d.holderKey(c.ID), "PRIVATE KEY", private); err != nil {
		return err
	}
	return d.handIn(ctx, c, csr)
}

func (d *demonstration) handIn(ctx context.Context, c issuance.CertificateView, csr []byte) error {
	return d.house.Service.TakeKey(ctx, lifecycle.Actor{ID: string(c.Holder), Role: lifecycle.RoleHolder}, c.ID, csr, nil)
}

func request(subject pkix.Name, key crypto.Signer) ([]byte, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return csr, nil
}

// tryBadRequests hands in what must be refused.
func (d *demonstration) tryBadRequests(ctx context.Context, c issuance.CertificateView) error {
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("key of a holder: %w", err)
	}
	const weakBits = 1024
	weak, err := rsa.GenerateKey(rand.Reader, weakBits) // weak on purpose
	if err != nil {
		return fmt.Errorf("weak key: %w", err)
	}
	forged, err := request(pkix.Name{}, good)
	if err != nil {
		return err
	}
	forged[len(forged)-1] ^= 1
	small, err := request(pkix.Name{}, weak)
	if err != nil {
		return err
	}
	foreign, err := request(pkix.Name{CommonName: "Somebody Else"}, good)
	if err != nil {
		return err
	}
	d.screen.check("a request whose signature is wrong is refused", refused(d.handIn(ctx, c, forged), lifecycle.Invalid))
	d.screen.check("a request with a weak key is refused", refused(d.handIn(ctx, c, small), lifecycle.Invalid))
	d.screen.check("a request in somebody else's name is refused", refused(d.handIn(ctx, c, foreign), lifecycle.Invalid))
	return nil
}

// revokeCertificates holds, releases and revokes, each through its door, and
// publishes.
func (d *demonstration) revokeCertificates(ctx context.Context) error {
	if err := d.publishNow(ctx); err != nil { // the base of the deltas to come
		return err
	}
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	all, err := d.certificates(ctx)
	if err != nil {
		return err
	}
	held, released := all[1], all[2]
	for _, c := range []issuance.CertificateView{held, released} {
		if err := d.house.Service.Hold(ctx, officer, c.ID); err != nil {
			return err
		}
	}
	if err := d.fetchLists(ctx); err != nil {
		return err
	}
	d.screen.check("openssl ocsp: a held certificate is revoked, certificateHold", d.ocsp(ctx, released.ID, "revoked", "certificateHold"))
	if err := d.house.Service.Release(ctx, officer, released.ID); err != nil {
		return err
	}
	if err := d.revokeSome(ctx, officer, all[3:]); err != nil {
		return err
	}
	if err := d.fetchLists(ctx); err != nil {
		return err
	}
	d.report.good, d.report.held, d.report.released, d.report.revoked = all[0].ID, held.ID, released.ID, all[3].ID
	return nil
}

// revokeSome revokes one certificate for each reason, the first through the API
// with an invalidity date.
func (d *demonstration) revokeSome(ctx context.Context, officer lifecycle.Actor, certificates []issuance.CertificateView) error {
	since := d.clock.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	err := d.online.Post(ctx, "/v1/certificates/"+certificates[0].Serial+"/revoke", map[string]any{
		"reason": lifecycle.ReasonKeyCompromise.String(), "invalidity_date": since,
	}, nil)
	if err != nil {
		return err
	}
	for i, reason := range []lifecycle.RevocationReason{
		lifecycle.ReasonAffiliationChanged, lifecycle.ReasonSuperseded, lifecycle.ReasonCessationOfOperation,
		lifecycle.ReasonPrivilegeWithdrawn, lifecycle.ReasonUnspecified,
	} {
		if err := d.house.Service.Revoke(ctx, officer, certificates[i+1].ID, issuance.Revocation{Reason: reason}); err != nil {
			return err
		}
	}
	err = d.house.Service.Release(ctx, officer, certificates[0].ID)
	d.screen.check("a revocation is never undone", refused(err, lifecycle.Illegal))
	unknown := fmt.Sprintf("%032x", 0x42)
	err = d.online.Post(ctx, "/v1/certificates/"+unknown+"/revoke", map[string]any{"reason": "superseded"}, nil)
	d.screen.check("an unknown serial cannot be revoked", errors.Join(refused(err, lifecycle.NotFound)))
	return nil
}
