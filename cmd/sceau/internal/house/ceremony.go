package house

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"time"

	"sceau/ca"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// Names of the CAs and of their keys in Vault.
const (
	RootID                = "root-1"
	RootKey               = "root-1"
	IssuingID             = "issuing-1"
	IssuingKey            = "issuing-1"
	responderKey          = "ocsp-1"
	imkAC, imkSMI, imkSMC = "imk-ac", "imk-smi", "imk-smc"
	DefaultTransportKey   = "transport-bureau-1"
)

// Ceremony is a key ceremony: who holds it, with which key stores, and for
// which bank.
type Ceremony struct {
	By         lifecycle.Actor
	Root       hsm.Keystore // the root's key and nothing else
	Online     hsm.Keystore // makes and certifies the online keys
	Cards      *hsm.Client  // makes the card keys
	Bank       *Bank
	PublicBase string
	Shards     int // CRLs that holders' certificates are spread over
	Say        func(format string, args ...any)
}

// Hold makes what is missing: root, issuing CA, OCSP responder, the root's
// list, the issuer master keys of cards. What is there stays, so that a
// ceremony that was interrupted can be held again.
func (h *House) Hold(ctx context.Context, c Ceremony) error {
	known, err := h.authorities(ctx)
	if err != nil {
		return err
	}
	if known[RootID] == nil {
		if err := h.makeRoot(ctx, c); err != nil {
			return fmt.Errorf("root CA: %w", err)
		}
	}
	if known[IssuingID] == nil {
		if err := h.makeIssuing(ctx, c); err != nil {
			return fmt.Errorf("issuing CA: %w", err)
		}
	}
	if err := h.makeResponder(ctx, c); err != nil {
		return fmt.Errorf("OCSP responder: %w", err)
	}
	if err := h.publishRootList(ctx, c); err != nil {
		return fmt.Errorf("list of the root: %w", err)
	}
	return c.cardKeys(ctx)
}

// authorities are the certificates of the CAs, by name.
func (h *House) authorities(ctx context.Context) (map[string]*x509.Certificate, error) {
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[string]*x509.Certificate, len(all))
	for _, a := range all {
		if known[a.ID], err = x509.ParseCertificate(a.Certificate); err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", a.ID, err)
		}
	}
	return known, nil
}

func (h *House) makeRoot(ctx context.Context, c Ceremony) error {
	if err := c.Root.CreateSigningKey(ctx, RootKey, hsm.P256); err != nil {
		return err
	}
	key, err := c.Root.SigningKey(ctx, RootKey, 0)
	if err != nil {
		return err
	}
	certificate, err := ca.SelfSignRoot(key.Signer(ctx), c.Bank.CAName("Root CA"), h.config.Now())
	if err != nil {
		return err
	}
	c.Say("root CA %s: %s", RootID, certificate.Subject)
	return h.Service.RecordAuthority(ctx, c.By, issuance.Authority{
		ID: RootID, Certificate: certificate.Raw, Mount: c.Root.Where(), Key: RootKey, Shards: 1,
	})
}

// rootIssuer is the root as an issuer, with its signer.
func (h *House) rootIssuer(ctx context.Context, c Ceremony) (*ca.Issuer, crypto.Signer, error) {
	known, err := h.authorities(ctx)
	if err != nil {
		return nil, nil, err
	}
	signer, err := hsm.NewKeyring(c.Root).Signer(ctx, RootKey, known[RootID].PublicKey)
	return &ca.Issuer{ID: RootID, Certificate: known[RootID], PublicBase: c.PublicBase}, signer, err
}

func (h *House) makeIssuing(ctx context.Context, c Ceremony) error {
	root, rootSigner, err := h.rootIssuer(ctx, c)
	if err != nil {
		return err
	}
	if err := c.Online.CreateSigningKey(ctx, IssuingKey, hsm.P256); err != nil {
		return err
	}
	key, err := c.Online.SigningKey(ctx, IssuingKey, 0)
	if err != nil {
		return err
	}
	certificate, err := ca.SignIssuing(root, rootSigner, key.Public(), c.Bank.CAName("Issuing CA"), newSerial(), h.config.Now())
	if err != nil {
		return err
	}
	c.Say("issuing CA %s: %s", IssuingID, certificate.Subject)
	return h.Service.RecordAuthority(ctx, c.By, issuance.Authority{
		ID: IssuingID, Certificate: certificate.Raw, Mount: c.Online.Where(), Key: IssuingKey, Shards: c.Shards, Online: true, Parent: RootID,
	})
}

// renewBefore is how long before its end a responder's certificate is renewed.
// Its key stays: the certificate says that nobody checks it (ocsp-nocheck), so
// it is short-lived.
const renewBefore = 30 * 24 * time.Hour

// makeResponder certifies the OCSP responder, and certifies it again before it
// ends. A running responder takes the new certificate when it starts again.
func (h *House) makeResponder(ctx context.Context, c Ceremony) error {
	newest, err := h.Service.NewestDelegate(ctx, IssuingID)
	if err == nil && newest.NotAfter.Sub(h.config.Now()) > renewBefore {
		return nil
	}
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return err
	}
	known, err := h.authorities(ctx)
	if err != nil {
		return err
	}
	if err := c.Online.CreateSigningKey(ctx, responderKey, hsm.P256); err != nil {
		return err
	}
	key, err := c.Online.SigningKey(ctx, responderKey, 0)
	if err != nil {
		return err
	}
	signer, err := hsm.NewKeyring(c.Online).Signer(ctx, IssuingKey, known[IssuingID].PublicKey)
	if err != nil {
		return err
	}
	issuer := &ca.Issuer{ID: IssuingID, Certificate: known[IssuingID], PublicBase: c.PublicBase}
	certificate, err := ca.SignOCSPResponder(issuer, signer, key.Public(), c.Bank.CAName("OCSP responder"), newSerial(), h.config.Now())
	if err != nil {
		return err
	}
	c.Say("OCSP responder: %s", certificate.Subject)
	return h.Service.RecordDelegate(ctx, c.By, issuance.Delegate{
		Issuer: IssuingID, Certificate: certificate.Raw, Key: responderKey, NotAfter: certificate.NotAfter,
	})
}

// publishRootList signs the root's list of revoked CAs, which is empty until
// somebody revokes one.
func (h *House) publishRootList(ctx context.Context, c Ceremony) error {
	plan, err := h.Service.BeginCRL(ctx, RootID, 0, true)
	if err != nil || plan.Nothing {
		return err
	}
	if plan.UnderWay {
		return fmt.Errorf("%w: somebody signs it now: hold the ceremony again in a minute", lifecycle.Conflict)
	}
	root, signer, err := h.rootIssuer(ctx, c)
	if err != nil {
		return err
	}
	var none iter.Seq2[ca.Revoked, error] = func(func(ca.Revoked, error) bool) {}
	der, err := ca.EncodeCRL(ca.CRL{
		Issuer: root.Certificate, Number: plan.Number, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.ThisUpdate.AddDate(1, 0, 0),
		OnlyCA: true,
	}, none, signer)
	if err != nil {
		return err
	}
	if err := ca.CheckSuccessor(plan.Previous, der, root.Certificate, h.config.Now(), nil); err != nil {
		return err
	}
	c.Say("list of the root: number %d, until %s", plan.Number, plan.ThisUpdate.AddDate(1, 0, 0).Format("2006-01-02"))
	return h.Service.FinishCRL(ctx, plan, der, nil, 0, nil)
}

// cardKeys makes the issuer master keys inside the engine. The transport key is
// the bureau's: custodians enter or export it.
func (c Ceremony) cardKeys(ctx context.Context) error {
	for _, k := range []struct {
		name  string
		usage hsm.KeyUsage
	}{{imkAC, hsm.UsageIMKAC}, {imkSMI, hsm.UsageIMKSMI}, {imkSMC, hsm.UsageIMKSMC}, {DefaultTransportKey, hsm.UsageTransport}} {
		info, err := c.Cards.CreateKey(ctx, k.name, k.usage, "")
		if err != nil {
			return fmt.Errorf("card key %s: %w", k.name, err)
		}
		c.Say("card key %s: check value %s", k.name, info.KCV)
	}
	return nil
}

func newSerial() lifecycle.Serial {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return lifecycle.SerialFrom(random)
}
