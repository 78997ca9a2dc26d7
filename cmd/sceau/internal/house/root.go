package house

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strconv"
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
	if known[RootID] == nil {
		if known[RootID], err = h.makeRoot(ctx, c); err != nil {
			return fmt.Errorf("root CA: %w", err)
		}
	}
	if err := c.madeAuthority(ctx, RootID, "root", known[RootID]); err != nil {
		return err
	}
	for _, id := range c.issuers {
		if known[id] == nil {
			if known[id], err = h.makeIssuing(ctx, c, id); err != nil {
				return fmt.Errorf("issuing CA %s: %w", id, err)
			}
		}
		act := "issuing"
		if id != IssuingID {
			act += " " + id
		}
		if err := c.madeAuthority(ctx, id, act, known[id]); err != nil {
			return err
		}
	}
	if err := h.publishRootList(ctx, c); err != nil {
		return fmt.Errorf("list of the root: %w", err)
	}
	return nil
}

// madeAuthority records the act that made a CA, with where its key is on record.
func (c *Ceremony) madeAuthority(ctx context.Context, id, act string, certificate *x509.Certificate) error {
	all, err := c.ledger.Authorities(ctx)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.ID == id {
			return c.made(ctx, id, act, certified(a.Mount+"/"+a.Key, certificate))
		}
	}
	return fmt.Errorf("CA %s: %w", id, lifecycle.NotFound)
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

func (h *House) makeRoot(ctx context.Context, c *Ceremony) (*x509.Certificate, error) {
	keys, err := c.openRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := keys.CreateSigningKey(ctx, c.prefix+RootKey, hsm.P256); err != nil {
		return nil, err
	}
	key, err := keys.SigningKey(ctx, c.prefix+RootKey, 0)
	if err != nil {
		return nil, err
	}
	certificate, err := ca.SelfSignRoot(key.Signer(ctx), c.caName("Root CA"), h.config.Now())
	if err != nil {
		return nil, err
	}
	return certificate, c.ledger.RecordAuthority(ctx, c.By, issuance.Authority{
		ID: RootID, Certificate: certificate.Raw, Mount: keys.Where(), Key: c.prefix + RootKey, Shards: 1,
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

// rootIssuer is the root as an issuer, with its signer.
func (h *House) rootIssuer(ctx context.Context, c *Ceremony) (*ca.Issuer, crypto.Signer, error) {
	root, err := c.issuer(ctx, RootID)
	if err != nil {
		return nil, nil, err
	}
	keys, err := c.openRoot(ctx)
	if err != nil {
		return nil, nil, err
	}
	signer, err := hsm.NewKeyring(keys).Signer(ctx, c.prefix+RootKey, root.Certificate.PublicKey)
	return root, signer, err
}

// makeIssuing makes an issuing CA. Each has a name of its own: lists and answers of
// one are never taken for another's, whatever a relying party compares.
func (h *House) makeIssuing(ctx context.Context, c *Ceremony, id string) (*x509.Certificate, error) {
	root, rootSigner, err := h.rootIssuer(ctx, c)
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
		ID: id, Certificate: certificate.Raw, Mount: c.Online.Where(), Key: c.prefix + id, Shards: c.Shards, Online: true, Parent: RootID,
		PublicBase: c.PublicBase,
	})
}

// publishRootList signs the root's list of revoked CAs, when one was revoked
// since the last or the last is old. Its number is marked beside the database
// before it may be served.
func (h *House) publishRootList(ctx context.Context, c *Ceremony) error {
	marks, err := c.marks(ctx)
	if err != nil {
		return err
	}
	plan, err := c.ledger.BeginCRL(ctx, RootID, 0, true, issuance.MarkOf(marks, 0))
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
	var draft *ca.ListDraft
	entries := 0
	err = c.ledger.ReadCRL(ctx, &plan, func(e *issuance.CRLEntries) (err error) {
		draft, err = ca.DraftCRL(ca.CRL{
			Issuer: root.Certificate, Number: plan.Number, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate, OnlyCA: true,
		}, e.Full)
		entries = e.Read
		return err
	})
	if err != nil {
		return err
	}
	der, err := draft.Sign(signer)
	if err != nil {
		return err
	}
	var old io.Reader
	if plan.Previous.Number > 0 {
		old = c.ledger.OpenCRL(ctx, RootID, 0, plan.Previous, false)
	}
	err = ca.CheckSuccessor(old, der, root.Certificate, h.config.Now(), func(serials []lifecycle.Serial) ([]lifecycle.Serial, error) {
		return c.ledger.MayLeave(ctx, plan, serials)
	})
	if err != nil {
		return err
	}
	err = c.act(ctx, fmt.Sprintf("root-list %d", plan.Number), map[string]string{
		"key": c.root.Where() + "/" + c.prefix + RootKey, "sha256": fmt.Sprintf("%X", sha256.Sum256(der)),
		"until": plan.NextUpdate.Format("2006-01-02"), "revoked": strconv.Itoa(entries),
	})
	if err != nil {
		return err
	}
	if !c.Rehearsal {
		if err := c.Cards.RaiseMarks(ctx, issuance.MarksName(RootID), plan.Mark().Named(0)); err != nil {
			return err
		}
	}
	return c.ledger.FinishCRL(ctx, plan, der, nil, entries, nil)
}

// marks are the root's; a rehearsal has none.
func (c *Ceremony) marks(ctx context.Context) (map[string]int64, error) {
	if c.Rehearsal {
		return nil, nil //nolint:nilnil // no marks
	}
	return c.Cards.Marks(ctx, issuance.MarksName(RootID))
}
