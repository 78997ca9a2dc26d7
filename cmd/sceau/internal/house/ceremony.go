package house

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// Names of the CAs and of their keys in Vault.
const (
	RootID              = "root-1"
	RootKey             = "root-1"
	IssuingID           = "issuing-1" // the first; keys have the names of their CAs
	DefaultBureau       = "bureau-1"
	DefaultTransportKey = "transport-bureau-1"
)

// Ceremony is a key ceremony: who holds it, with which keys to Vault, and for
// which bank.
type Ceremony struct {
	ID         string // names the ceremony: held again under it, it goes on
	By         lifecycle.Actor
	Online     hsm.Keystore // makes and certifies the online keys
	Cards      *hsm.Client  // makes the card keys
	OpenRoot   RootOpener
	Admin      *hsm.Client // cleans up after a rehearsal
	Plan       Plan
	Bank       *Bank
	PublicBase string
	Shards     int // CRLs that holders' certificates are spread over

	// Issuing is an issuing CA that is made unless it is there: the one that will
	// take over. None named: the first.
	Issuing string
	// Root is the root that signs it, and is made unless it is there. None named: the
	// newest, or the first.
	Root string

	Say func(format string, args ...any)
	Now func() time.Time

	// Rehearsal does all with keys of names of their own that are deleted at the
	// end, and leaves the database as it is.
	Rehearsal bool

	prefix  string       // of keys, for a rehearsal
	root    hsm.Keystore // while it is open
	close   RootCloser
	ledger  ledger
	roots   []string // by their numbers
	issuers []string // the online CAs that publish, and the one that is to be made
	there   []string // what was there before: no act of this ceremony
}

// ErrWaiting ends a ceremony that custodians must go on with: some key waits for
// components.
var ErrWaiting = errors.New("the ceremony waits for custodians")

// Hold does the acts that are missing: roots with their cross-certificates, issuing
// CAs, the roots' lists, OCSP responders, signers of bureau files, the master keys of
// cards, and gives the acts done so far, under this ID. What is done is on record and
// not done again, so that a ceremony that was interrupted is held again. [ErrWaiting]
// tells that it is not over.
func (h *House) Hold(ctx context.Context, c Ceremony) ([]issuance.CeremonyAct, error) {
	c.ledger = h.Service
	if c.Rehearsal && c.Admin == nil {
		return nil, fmt.Errorf("%w: a rehearsal is held in Vault, where an administrator deletes its keys", lifecycle.Invalid)
	}
	if c.Rehearsal {
		c.ledger, c.Plan.Environment = &rehearsal{now: h.config.Now}, "test"
		c.prefix = "rehearsal-" + h.config.Now().UTC().Format("20060102-150405") + "-"
	}
	err := h.hold(ctx, &c)
	if c.Rehearsal {
		err = errors.Join(err, c.cleanUp(context.WithoutCancel(ctx)))
	}
	acts, errActs := c.ledger.Acts(context.WithoutCancel(ctx), c.ID)
	return acts, errors.Join(err, errActs)
}

func (h *House) hold(ctx context.Context, c *Ceremony) (err error) {
	if err := c.findIssuers(ctx); err != nil {
		return err
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := h.rootActs(ctx, c); err != nil {
		return err
	}
	for _, id := range c.issuers {
		for _, d := range delegations(id) {
			if err := h.makeDelegate(ctx, c, d); err != nil {
				return fmt.Errorf("%s of %s: %w", d.name, id, err)
			}
		}
	}
	return c.cardKeys(ctx)
}

// issuingName is how issuing CAs are called: the number tells one from the next.
var issuingName = regexp.MustCompile("^" + hsm.IssuingKeyPrefix + "[1-9][0-9]{0,2}$")

// generation is the number in a CA's name; its delegates' keys have the same.
func generation(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

// findIssuers finds the roots, and the online CAs that publish or are about to.
func (c *Ceremony) findIssuers(ctx context.Context) error {
	if c.Issuing != "" && !issuingName.MatchString(c.Issuing) {
		return fmt.Errorf("%w: an issuing CA is called %s and a number, for instance %s2", lifecycle.Invalid, hsm.IssuingKeyPrefix, hsm.IssuingKeyPrefix)
	}
	all, err := c.ledger.Authorities(ctx)
	if err != nil {
		return err
	}
	if err := c.findRoots(all); err != nil {
		return err
	}
	c.issuers = nil
	next := c.Issuing
	for _, a := range all {
		if !a.Online {
			continue
		}
		if a.ID == c.Issuing || c.Issuing == "" {
			next = a.ID
		}
		switch a.State {
		case lifecycle.IssuerRevoked, lifecycle.IssuerEnding, lifecycle.IssuerEnded:
			if a.ID == c.Issuing {
				return fmt.Errorf("CA %s: %w: it is %s: make the next one", a.ID, lifecycle.Illegal, a.State)
			}
		case lifecycle.IssuerReady, lifecycle.IssuerSigning, lifecycle.IssuerRetired, "": // "": a rehearsal's
			c.issuers = append(c.issuers, a.ID)
		}
	}
	if next == "" {
		next = IssuingID
	}
	if known := slices.ContainsFunc(all, func(a issuance.Authority) bool { return a.ID == next }); !known {
		c.issuers = append(c.issuers, next)
	}
	return nil
}

// begin records the beginning, with what is there already; a ceremony that goes
// on reads it again. What is made between an act and its record is told by it.
func (c *Ceremony) begin(ctx context.Context) error {
	if c.ID == "" {
		return fmt.Errorf("%w: a ceremony has a name, under which it goes on when it is interrupted", lifecycle.Invalid)
	}
	acts, err := c.ledger.Acts(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, a := range acts {
		if a.Name == actBegun {
			c.there = strings.Fields(a.Detail["there"])
			c.Say("ceremony %s goes on: %d acts are done", c.ID, len(acts))
			return nil
		}
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	return c.act(ctx, actBegun, map[string]string{
		"there": strings.Join(c.there, " "), "witnesses": strings.Join(c.Plan.Witnesses, ", "), "environment": c.Plan.Environment,
	})
}

// look finds what is there before the ceremony.
func (c *Ceremony) look(ctx context.Context) error {
	known, err := authorities(ctx, c.ledger)
	if err != nil {
		return err
	}
	c.there = slices.Sorted(maps.Keys(known))
	crosses, err := c.ledger.CrossCertificates(ctx)
	if err != nil {
		return err
	}
	for _, x := range crosses {
		c.there = append(c.there, crossed(x.Issuer, x.Subject))
	}
	for _, id := range c.issuers {
		for _, d := range delegations(id) {
			switch newest, err := c.ledger.NewestDelegate(ctx, id, d.purpose); {
			case err == nil:
				c.there = append(c.there, d.thing(newest.Certificate))
			case !errors.Is(err, lifecycle.NotFound):
				return err
			}
		}
	}
	for _, k := range c.Plan.Keys {
		switch _, err := c.Cards.KeyInfo(ctx, c.prefix+k.Name); {
		case err == nil:
			c.there = append(c.there, "hsm/"+k.Name)
		case !errors.Is(err, lifecycle.NotFound):
			return err
		}
	}
	return nil
}

// Names of acts that are not of one key.
const (
	actBegun  = "begun"
	actOpened = "root-opened"
	actClosed = "root-closed"
)

// act records an act with what it made, and tells it. What was there before the
// ceremony is no act of it; what is on record is not recorded again.
func (c *Ceremony) act(ctx context.Context, name string, detail map[string]string) error {
	err := c.ledger.RecordAct(ctx, c.By, c.ID, name, detail)
	if errors.Is(err, lifecycle.Conflict) { // recorded before the ceremony was interrupted
		return nil
	}
	if err != nil {
		return err
	}
	var told []string
	for _, k := range slices.Sorted(maps.Keys(detail)) {
		if detail[k] != "" {
			told = append(told, k+" "+detail[k])
		}
	}
	c.Say("%s: %s", name, strings.Join(told, " · "))
	return nil
}

// made records the act that made a thing, unless it was there before.
func (c *Ceremony) made(ctx context.Context, thing, act string, detail map[string]string) error {
	if slices.Contains(c.there, thing) {
		return nil
	}
	return c.act(ctx, act, detail)
}

// certified is what the minutes say of a certificate.
func certified(key string, certificate *x509.Certificate) map[string]string {
	sum := sha256.Sum256(certificate.Raw)
	return map[string]string{
		"key": key, "algorithm": string(hsm.AlgorithmOf(certificate.PublicKey)), "subject": certificate.Subject.String(), "sha256": fmt.Sprintf("%X", sum),
		"until": certificate.NotAfter.UTC().Format("2006-01-02"),
	}
}

// authorities are the certificates of the CAs, by name.
func authorities(ctx context.Context, l ledger) (map[string]*x509.Certificate, error) {
	all, err := l.Authorities(ctx)
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

// onlineKey makes an online signing key, or finds it.
func (c *Ceremony) onlineKey(ctx context.Context, name string) (*hsm.SigningKey, error) {
	if err := c.Online.CreateSigningKey(ctx, c.prefix+name, hsm.P256); err != nil {
		return nil, err
	}
	return c.Online.SigningKey(ctx, c.prefix+name, 0)
}

func newSerial() lifecycle.Serial {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return lifecycle.SerialFrom(random)
}
