package house

import (
	"context"
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"

	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// Rotate makes a new version of a key: of a card key, or of a delegate's, the OCSP
// responder's for instance, which is certified then. A CA has one key for life:
// [lifecycle.Invalid].
func (h *House) Rotate(ctx context.Context, c Ceremony, key string, components bool) error {
	c.ledger = h.Service
	if strings.HasPrefix(key, hsm.IssuingKeyPrefix) || strings.HasPrefix(key, hsm.RootKeyPrefix) {
		return fmt.Errorf("rotate %s: %w: a CA's certificate names one key: a new key is a new CA", key, lifecycle.Invalid)
	}
	if err := c.findIssuers(ctx); err != nil {
		return err
	}
	for _, id := range c.issuers {
		for _, d := range delegations(id) {
			if d.key != key {
				continue
			}
			if components {
				return fmt.Errorf("rotate %s: %w: a signing key is made in its store, without components", key, lifecycle.Invalid)
			}
			return h.rotateDelegate(ctx, &c, d)
		}
	}
	return h.rotateCardKey(ctx, &c, key, components)
}

// rotateDelegate makes a new version of a delegate's key and certifies it. What
// was signed under the old version, and processes that use it, go on under it, by
// its number.
func (h *House) rotateDelegate(ctx context.Context, c *Ceremony, d delegation) error {
	issuer, err := c.issuer(ctx, d.issuer)
	if err != nil {
		return err
	}
	if err := issuer.Check(h.config.Now()); err != nil { // before there is a key that nobody certifies
		return err
	}
	newest, err := c.ledger.NewestDelegate(ctx, d.issuer, d.purpose)
	if err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(newest.Certificate)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", d.key, err)
	}
	key, err := c.Online.SigningKey(ctx, d.key, 0)
	if err != nil {
		return err
	}
	from, err := c.rotatingFrom(ctx, d.key, c.Online.Where(), key.Version())
	if err != nil {
		return err
	}
	if key.Version() == from { // not rotated before this was interrupted
		if err := c.Online.RotateSigningKey(ctx, d.key); err != nil {
			return err
		}
		if key, err = c.Online.SigningKey(ctx, d.key, 0); err != nil {
			return err
		}
	}
	if !key.Has(certificate.PublicKey) {
		if certificate, err = h.certify(ctx, c, d, key); err != nil {
			return err
		}
	}
	detail := certified(c.Online.Where()+"/"+d.key, certificate)
	detail["version"] = strconv.Itoa(key.Version())
	return c.act(ctx, fmt.Sprintf("rotate %s %d", d.key, key.Version()), detail)
}

// rotateCardKey makes a new version of a card key. Cards made from now on are under it;
// the old version stays live for the cards made before. With components the
// custodians enter the new version, and it is recorded once it is whole: this is
// called before them and after them.
func (h *House) rotateCardKey(ctx context.Context, c *Ceremony, key string, components bool) error {
	info, err := c.Cards.KeyInfo(ctx, key)
	if err != nil {
		return err
	}
	from, err := c.rotatingFrom(ctx, key, "hsm", info.Version)
	if err != nil {
		return err
	}
	if info.Version == from { // not rotated before this was interrupted
		if components {
			c.Say("key %s waits for the components of version %d: sceau ceremony component --rotate --key %s --usage %s --environment %s …, each custodian; then this command again",
				key, from+1, key, info.Usage, info.Environment)
			return fmt.Errorf("%w: %s version %d", ErrWaiting, key, from+1)
		}
		if info, err = c.Cards.RotateKey(ctx, key); err != nil {
			return err
		}
	}
	people, err := h.custodians(ctx)
	if err != nil {
		return err
	}
	return c.act(ctx, fmt.Sprintf("rotate %s %d", key, info.Version), described(info, people))
}

// custodians are those of all ceremonies, by the names that their plans gave.
func (h *House) custodians(ctx context.Context) ([]string, error) {
	acts, err := h.Service.AllActs(ctx)
	var people []string
	for _, a := range acts {
		people = append(people, strings.Split(a.Detail["custodians"], ", ")...)
	}
	return people, err
}

// rotatingFrom is the version that this ceremony's rotation began with: recorded
// first, so that a rotation that was interrupted is not made twice.
func (c *Ceremony) rotatingFrom(ctx context.Context, key, mount string, version int) (int, error) {
	name := "rotating " + key
	acts, err := c.ledger.Acts(ctx, c.ID)
	if err != nil {
		return 0, err
	}
	for _, a := range acts {
		if a.Name == name {
			from, err := strconv.Atoi(a.Detail["version"])
			if err != nil {
				return 0, fmt.Errorf("read what was rotated: %w", err)
			}
			return from, nil
		}
	}
	return version, c.act(ctx, name, map[string]string{"key": mount + "/" + key, "version": strconv.Itoa(version)})
}

// Retire ends an old version of a master key. It is refused while a card that
// was made under it may still be used: [lifecycle.Conflict].
func (h *House) Retire(ctx context.Context, c Ceremony, key string, version int) error {
	c.ledger = h.Service
	info, err := c.Cards.KeyInfo(ctx, key)
	if err != nil {
		return err
	}
	if master, ok := map[hsm.KeyUsage]issuance.MasterKey{
		hsm.UsageIMKAC: issuance.MasterKeyAC, hsm.UsageIMKSMI: issuance.MasterKeySMI, hsm.UsageIMKSMC: issuance.MasterKeySMC,
	}[info.Usage]; ok {
		live, until, err := h.Service.CardsUnder(ctx, master, version)
		if err != nil {
			return err
		}
		if live > 0 {
			return fmt.Errorf("retire version %d of %s: %w: %d cards made under it may still be used, the last until %s",
				version, key, lifecycle.Conflict, live, until.Format("2006-01-02"))
		}
	}
	if info, err = c.Cards.RetireKeyVersion(ctx, key, version); err != nil {
		return err
	}
	detail := map[string]string{"key": "hsm/" + key, "version": strconv.Itoa(version)}
	for _, v := range info.Versions {
		if v.Version == version {
			detail["kcv"] = v.KCV
		}
	}
	return c.act(ctx, fmt.Sprintf("retire %s %d", key, version), detail)
}
