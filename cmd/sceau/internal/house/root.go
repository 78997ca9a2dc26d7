package house

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"sceau/ca"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// rootActs are the acts that need the root's key, in one short unsealing of its
// mount: the token for it is made when the first is due, and revoked right after
// the last, also when one fails.
func (h *House) rootActs(ctx context.Context, c *Ceremony) (err error) {
	defer func() { err = errors.Join(err, c.closeRoot(context.WithoutCancel(ctx))) }()
	known, err := authorities(ctx, c.ledger)
	if err != nil {
		return err
	}
	for _, id := range c.roots {
		if known[id] == nil {
			if known[id], err = h.makeRoot(ctx, c, id); err != nil {
				return fmt.Errorf("root CA %s: %w", id, err)
			}
		}
		if err := c.madeAuthority(ctx, id, actOf("root", id, RootID), known[id]); err != nil {
			return err
		}
	}
	for i := 1; i < len(c.roots); i++ {
		if err := h.crossCertify(ctx, c, c.roots[i-1], c.roots[i]); err != nil {
			return err
		}
	}
	for _, id := range c.issuers {
		if known[id] == nil {
			if known[id], err = h.makeIssuing(ctx, c, id); err != nil {
				return fmt.Errorf("issuing CA %s: %w", id, err)
			}
		}
		if err := c.madeAuthority(ctx, id, actOf("issuing", id, IssuingID), known[id]); err != nil {
			return err
		}
	}
	for _, id := range c.roots {
		if err := h.publishRootList(ctx, c, id); err != nil {
			return fmt.Errorf("list of the root %s: %w", id, err)
		}
	}
	return nil
}

// actOf is the act of a CA; the first of its kind needs no name.
func actOf(act, id, first string) string {
	if id == first {
		return act
	}
	return act + " " + id
}

// madeAuthority records the act that made a CA, with where its key is on record.
func (c *Ceremony) madeAuthority(ctx context.Context, id, act string, certificate *x509.Certificate) error {
	key, err := c.keyOf(ctx, id)
	if err != nil {
		return err
	}
	return c.made(ctx, id, act, certified(key, certificate))
}

// keyOf is where a CA's key is on record.
func (c *Ceremony) keyOf(ctx context.Context, id string) (string, error) {
	all, err := c.ledger.Authorities(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.ID == id {
			return a.Mount + "/" + a.Key, nil
		}
	}
	return "", fmt.Errorf("CA %s: %w", id, lifecycle.NotFound)
}

// RootOpener opens the store of the root's key for the minutes of its acts, and
// gives how it is closed again.
type RootOpener func(ctx context.Context) (hsm.Keystore, RootCloser, error)

// RootCloser closes the root's store, shows that it is closed, and tells whom it
// refused then; a module that is only logged out of has nobody to ask.
type RootCloser func(ctx context.Context) (refused string, err error)

// VaultRoot opens the root's mount with a token that an administrator makes for
// the act, of a quarter of an hour. It is closed by revoking the token, and by
// asking the mount with it, and with the ceremony's own token: both are refused.
func VaultRoot(admin, ceremony *hsm.Client, officer string) RootOpener {
	return func(ctx context.Context) (hsm.Keystore, RootCloser, error) {
		client, err := admin.As(ctx, hsm.RoleRootCeremony, officer)
		if err != nil {
			return nil, nil, err
		}
		return client.RootKeystore(), func(ctx context.Context) (string, error) {
			defer client.Close()
			if err := client.RevokeSelf(ctx); err != nil {
				return "", err
			}
			for who, other := range map[string]*hsm.Client{"the revoked token": client, "the ceremony's token": ceremony} {
				if _, err := other.RootKeystore().SigningKey(ctx, RootKey, 0); !errors.Is(err, lifecycle.Forbidden) {
					return "", fmt.Errorf("%w: the root's mount does not refuse %s: %w", lifecycle.Conflict, who, err)
				}
			}
			return refusedTokens, nil
		}, nil
	}
}

// refusedTokens are whom the root's mount refuses once it is closed.
const refusedTokens = "revoked token, ceremony token"

// openRoot gives the root's store, and opens it when it is closed.
func (c *Ceremony) openRoot(ctx context.Context) (hsm.Keystore, error) {
	if c.root != nil {
		return c.root, nil
	}
	root, closeIt, err := c.OpenRoot(ctx)
	if err != nil {
		return nil, err
	}
	c.root, c.close = root, closeIt
	return root, c.act(ctx, c.timed(actOpened), map[string]string{"mount": root.Where()})
}

// closeRoot closes the root's store if it is open.
func (c *Ceremony) closeRoot(ctx context.Context) error {
	if c.root == nil {
		return nil
	}
	where := c.root.Where()
	c.root = nil
	refused, err := c.close(ctx)
	if err != nil {
		return err
	}
	return c.act(ctx, c.timed(actClosed), map[string]string{"mount": where, "refused": refused})
}

// timed is the name of an act that may come again another day.
func (c *Ceremony) timed(act string) string { return act + " " + c.Now().UTC().Format(time.RFC3339) }

func (h *House) makeRoot(ctx context.Context, c *Ceremony, id string) (*x509.Certificate, error) {
	keys, err := c.openRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := keys.CreateSigningKey(ctx, c.prefix+id, hsm.P256); err != nil {
		return nil, err
	}
	key, err := keys.SigningKey(ctx, c.prefix+id, 0)
	if err != nil {
		return nil, err
	}
	certificate, err := ca.SelfSignRoot(key.Signer(ctx), c.caName(numbered("Root CA", generation(id))), h.config.Now())
	if err != nil {
		return nil, err
	}
	return certificate, c.ledger.RecordAuthority(ctx, c.By, issuance.Authority{
		ID: id, Certificate: certificate.Raw, Mount: keys.Where(), Key: c.prefix + id, Shards: 1,
		PublicBase: c.PublicBase,
	})
}

// caName is the bank as a CA; nobody takes a rehearsal's certificate for a real one.
func (c *Ceremony) caName(what string) ca.Name {
	if c.Rehearsal {
		what += " (REHEARSAL)"
	}
	return c.Bank.CAName(what)
}

// rootIssuer is a root as an issuer, with its signer.
func (h *House) rootIssuer(ctx context.Context, c *Ceremony, id string) (*ca.Issuer, crypto.Signer, error) {
	root, err := c.issuer(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	keys, err := c.openRoot(ctx)
	if err != nil {
		return nil, nil, err
	}
	signer, err := hsm.NewKeyring(keys).Signer(ctx, c.prefix+id, root.Certificate.PublicKey)
	return root, signer, err
}

// makeIssuing makes an issuing CA below the ceremony's root. Each has a name of its
// own: lists and answers of one are never taken for another's, whatever a relying
// party compares.
func (h *House) makeIssuing(ctx context.Context, c *Ceremony, id string) (*x509.Certificate, error) {
	root, rootSigner, err := h.rootIssuer(ctx, c, c.Root)
	if err != nil {
		return nil, err
	}
	key, err := c.onlineKey(ctx, id)
	if err != nil {
		return nil, err
	}
	name := c.caName(numbered("Issuing CA", generation(id)))
	certificate, err := ca.SignIssuing(root, rootSigner, key.Public(), name, newSerial(), h.config.Now(), c.Plan.Policies...)
	if err != nil {
		return nil, err
	}
	return certificate, c.ledger.RecordAuthority(ctx, c.By, issuance.Authority{
		ID: id, Certificate: certificate.Raw, Mount: c.Online.Where(), Key: c.prefix + id, Shards: c.Shards, Online: true, Parent: c.Root,
		PublicBase: c.PublicBase,
	})
}
