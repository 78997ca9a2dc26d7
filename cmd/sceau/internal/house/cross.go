package house

import (
	"context"
	"crypto/x509"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"sceau/ca"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// rootName is how roots are called: the number tells one from the next.
var rootName = regexp.MustCompile("^" + hsm.RootKeyPrefix + "[1-9][0-9]{0,2}$")

// findRoots finds the roots whose certificates have not ended, and the one that is to
// be made, in the order of their numbers. None named, the newest one signs.
func (c *Ceremony) findRoots(all []issuance.Authority) error {
	if c.Root != "" && !rootName.MatchString(c.Root) {
		return fmt.Errorf("%w: a root is called %s and a number, for instance %s2", lifecycle.Invalid, hsm.RootKeyPrefix, hsm.RootKeyPrefix)
	}
	c.roots = nil
	for _, a := range all {
		if a.Online {
			continue
		}
		certificate, err := x509.ParseCertificate(a.Certificate)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", a.ID, err)
		}
		switch over := c.Now().After(certificate.NotAfter); {
		case !over:
			c.roots = append(c.roots, a.ID)
		case a.ID == c.Root:
			return fmt.Errorf("root %s: %w: its certificate has ended: make the next one", a.ID, lifecycle.Illegal)
		}
	}
	first := !slices.ContainsFunc(all, func(a issuance.Authority) bool { return !a.Online })
	if first && c.Root != "" && c.Root != RootID && !c.Rehearsal {
		return fmt.Errorf("%w: the first root is called %s", lifecycle.Invalid, RootID)
	}
	if first {
		c.roots = append(c.roots, RootID)
	}
	if c.Root != "" && !slices.Contains(c.roots, c.Root) {
		c.roots = append(c.roots, c.Root)
	}
	if len(c.roots) == 0 {
		return fmt.Errorf("%w: every root has ended: name the next one", lifecycle.Illegal)
	}
	slices.SortFunc(c.roots, func(a, b string) int { return number(a) - number(b) })
	if c.Root == "" {
		c.Root = c.roots[len(c.roots)-1]
	}
	return nil
}

func number(id string) int {
	n, _ := strconv.Atoi(generation(id)) // 0: of no name that a ceremony gives
	return n
}

// crossCertify has each of two roots sign the other's key, unless it has: whoever
// trusts the old one alone follows the new one's certificates (NewWithOld, RFC 4210
// §4.4), and whoever trusts the new one alone the old one's (OldWithNew).
func (h *House) crossCertify(ctx context.Context, c *Ceremony, before, after string) error {
	for _, of := range [][2]string{{before, after}, {after, before}} {
		by, of := of[0], of[1]
		root, err := c.issuer(ctx, by)
		if err != nil {
			return err
		}
		if !ca.MayCross(root.Certificate) {
			c.Say("%s does not certify %s: its path length has room for issuing CAs alone, so whoever trusts %s needs %s too", by, of, by, of)
			continue
		}
		certificate, err := h.cross(ctx, c, by, of)
		if err != nil {
			return fmt.Errorf("cross-certificate of %s by %s: %w", of, by, err)
		}
		key, err := c.keyOf(ctx, by) // that signed
		if err != nil {
			return err
		}
		if err := c.made(ctx, crossed(by, of), "cross "+of+" by "+by, certified(key, certificate)); err != nil {
			return err
		}
	}
	return nil
}

// crossed names a cross-certificate among what was there before a ceremony.
func crossed(by, of string) string { return of + "/" + by }

// cross gives what one root signed of the other's key, and has it sign when it has
// not.
func (h *House) cross(ctx context.Context, c *Ceremony, by, of string) (*x509.Certificate, error) {
	all, err := c.ledger.CrossCertificates(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if x.Issuer == by && x.Subject == of {
			return x509.ParseCertificate(x.Certificate)
		}
	}
	root, signer, err := h.rootIssuer(ctx, c, by)
	if err != nil {
		return nil, err
	}
	other, err := c.issuer(ctx, of)
	if err != nil {
		return nil, err
	}
	certificate, err := ca.SignCross(root, signer, other.Certificate, newSerial(), h.config.Now())
	if err != nil {
		return nil, err
	}
	return certificate, c.ledger.RecordCross(ctx, c.By, issuance.CrossCertificate{Issuer: by, Subject: of, Certificate: certificate.Raw})
}
