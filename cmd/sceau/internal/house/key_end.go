package house

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/hsm"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

// Acts of the end of a CA's keys, beside those of issuance: each key is shown, with its
// fingerprint, before the first is destroyed.
const actKeyShown = "key-shown "

// DestroyKeys destroys the keys of a CA that is over, its own and its delegates', once
// two security officers agree: the first call proposes it, another officer's does it.
// A ceremony that was interrupted goes on under its name and destroys what is left.
func (h *House) DestroyKeys(ctx context.Context, c Ceremony, id string) (issuance.Agreement, error) {
	c.ledger = h.Service
	if err := h.inVault(ctx, c, id); err != nil {
		return issuance.Agreement{}, err
	}
	keys, err := h.Service.KeysOf(ctx, id)
	if err != nil {
		return issuance.Agreement{}, err
	}
	a, err := h.Service.EndKeys(ctx, c.By, c.ID, id, c.Plan.Witnesses)
	if err != nil || !a.Done {
		return a, err
	}
	acts, err := c.ledger.Acts(ctx, c.ID)
	if err != nil {
		return a, err
	}
	left := slices.DeleteFunc(keys, func(k issuance.EndedKey) bool { return done(acts, issuance.ActKeyDestroyed+k.Name) })
	if len(left) == 0 {
		c.Say("the keys of %s are destroyed", id)
		return a, nil
	}
	return a, h.destroy(ctx, &c, id, left, acts)
}

// done tells whether an act is on record.
func done(acts []issuance.CeremonyAct, name string) bool {
	return slices.ContainsFunc(acts, func(a issuance.CeremonyAct) bool { return a.Name == name })
}

// inVault refuses a CA whose keys are elsewhere than in the Vault that was opened, and
// a Vault where it never published: a key that is not there was not destroyed there.
func (h *House) inVault(ctx context.Context, c Ceremony, id string) error {
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(a issuance.Authority) bool { return a.ID == id })
	if at < 0 {
		return fmt.Errorf("CA %s: %w", id, lifecycle.NotFound)
	}
	if a := all[at]; a.Online && a.Mount != c.Cards.Where() {
		return fmt.Errorf("keys of CA %s: %w: they are on the token %q of a module: delete them there with the maker's tools, %s and its delegates', before two officers and two witnesses, and keep their minutes",
			id, lifecycle.Illegal, a.Mount, a.Key)
	}
	marks, err := c.Cards.Marks(ctx, issuance.MarksName(id))
	if err != nil {
		return err
	}
	if all[at].State == lifecycle.IssuerEnded && len(marks) == 0 {
		return fmt.Errorf("keys of CA %s: %w: this Vault has no marks of its lists: is it another one than the CA signed in?", id, lifecycle.Conflict)
	}
	return nil
}

// destroy shows the keys that are left, unless they were shown, and destroys them.
func (h *House) destroy(ctx context.Context, c *Ceremony, id string, left []issuance.EndedKey, acts []issuance.CeremonyAct) (err error) {
	names := make([]string, len(left))
	for i, k := range left {
		names[i] = k.Name
	}
	destroyer, err := c.Admin.KeyDestroyer(ctx, c.By.ID, id, names...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, destroyer.Close(context.WithoutCancel(ctx))) }()
	details := make([]map[string]string, len(left))
	for i, k := range left {
		if details[i], err = c.shown(ctx, destroyer, k, done(acts, actKeyShown+k.Name)); err != nil {
			return err
		}
	}
	for i, k := range left {
		if err := destroyer.Destroy(ctx, k.Name); err != nil {
			return err
		}
		if err := c.act(ctx, issuance.ActKeyDestroyed+k.Name, details[i]); err != nil {
			return err
		}
	}
	return nil
}

// shown records that a key is there, and the one that its certificate names, before
// any is destroyed. It gives what the minutes say of it.
func (c *Ceremony) shown(ctx context.Context, keys *hsm.KeyDestroyer, k issuance.EndedKey, before bool) (map[string]string, error) {
	certificate, err := x509.ParseCertificate(k.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate of key %s: %w", k.Name, err)
	}
	detail := map[string]string{
		"key": c.Cards.Where() + "/" + k.Name, "algorithm": string(hsm.AlgorithmOf(certificate.PublicKey)), "subject": certificate.Subject.String(),
		"sha256": fmt.Sprintf("%X", sha256.Sum256(certificate.RawSubjectPublicKeyInfo)),
	}
	if before {
		return detail, nil
	}
	key, err := keys.SigningKey(ctx, k.Name, 0)
	if err != nil {
		return nil, fmt.Errorf("show key %s before its end: %w: no key of the CA is destroyed until all were seen", k.Name, err)
	}
	if !key.Has(certificate.PublicKey) {
		return nil, fmt.Errorf("show key %s before its end: %w: its latest version is not the one of its newest certificate", k.Name, lifecycle.Conflict)
	}
	return detail, c.act(ctx, actKeyShown+k.Name, detail)
}

// KeyCertificate sets the certificate of destruction of a CA's keys from what is on
// record: [lifecycle.Illegal] until all are destroyed.
func (h *House) KeyCertificate(ctx context.Context, bank *Bank, ceremony, id, language string) ([]byte, error) {
	keys, err := h.Service.KeysOf(ctx, id)
	if err != nil {
		return nil, err
	}
	acts, err := h.Service.Acts(ctx, ceremony)
	if err != nil {
		return nil, err
	}
	d := letter.DestructionData{
		Bank: bank.Sender(), Language: party.Language(language), Reference: ceremony, Kind: letter.KindKeys, Item: id, Quantity: int64(len(keys)),
	}
	for _, a := range acts {
		switch name, ok := strings.CutPrefix(a.Name, issuance.ActKeyDestroyed); {
		case a.Name == issuance.ActKeyEnd+id:
			d.Proposed, d.Seen = bank.staffName(a.Detail["proposed_by"]), bank.staffName(a.By)
		case ok && slices.ContainsFunc(keys, func(k issuance.EndedKey) bool { return k.Name == name }):
			d.Date, d.Place = a.At, a.Detail["key"][:strings.LastIndexByte(a.Detail["key"], '/')+1]
			d.Serials = append(d.Serials, name+" "+a.Detail["sha256"])
		}
	}
	if d.Place = strings.TrimSuffix(d.Place, "/"); len(d.Serials) < len(keys) {
		return nil, fmt.Errorf("keys of CA %s: %w: %d of %d are destroyed: a certificate follows when all are", id, lifecycle.Illegal, len(d.Serials), len(keys))
	}
	return letter.DestructionCertificate(d)
}

// KeysDestroyed tells when the last key of a CA was destroyed; zero: not all are.
func (h *House) KeysDestroyed(ctx context.Context, id string) (at time.Time, err error) {
	keys, err := h.Service.KeysOf(ctx, id)
	if err != nil {
		return at, err
	}
	acts, err := h.Service.AllActs(ctx)
	if err != nil {
		return at, err
	}
	for _, a := range acts {
		name, ok := strings.CutPrefix(a.Name, issuance.ActKeyDestroyed)
		n := len(keys)
		if keys = slices.DeleteFunc(keys, func(k issuance.EndedKey) bool { return ok && k.Name == name }); len(keys) < n {
			at = a.At
		}
	}
	if len(keys) > 0 {
		return time.Time{}, nil
	}
	return at, nil
}
