package issuance

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// errNoCA is why a holder's request is not taken: its order waits.
var errNoCA = fmt.Errorf("%w: no CA signs certificates now: hold a key ceremony, then have the CA sign (sceau ceremony activate)", lifecycle.Unavailable)

// SigningCA is the CA that signs holders' certificates now.
func (s *Service) SigningCA(ctx context.Context) (string, error) {
	id, err := s.store.SigningIssuerID(ctx)
	if isNotFound(err) {
		return "", errNoCA
	}
	if err != nil {
		return "", fmt.Errorf("who signs certificates: %w", err)
	}
	return id, nil
}

// Agreement is where an act stands that two people agree on: the first call
// proposes it, the same call of somebody else does it.
type Agreement struct {
	Done     bool
	Proposer string
}

// agreedTx has work done once two security officers agree, each move by the second
// with who proposed it.
func (s *Service) agreedTx(ctx context.Context, by lifecycle.Actor, subject string, content []string,
	check, work func(tx store.Tx, detail map[string]string) error,
) (Agreement, error) {
	var a Agreement
	if by.Role != lifecycle.RoleSecurityOfficer {
		return a, fmt.Errorf("%s: %w: two security officers agree on it", subject, lifecycle.Forbidden)
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		detail := map[string]string{}
		err := check(tx, detail)
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(strings.Join(content, "\n")))
		if a.Done, a.Proposer, err = s.agreeTx(ctx, tx, by, subject, sum); err != nil || !a.Done {
			return err
		}
		detail["proposed_by"] = a.Proposer
		return work(tx, detail)
	})
	a.Done = a.Done && err == nil
	return a, err
}

func (s *Service) moveIssuer(ctx context.Context, tx store.Tx, i *db.Issuer, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Issuers, i.State, change{id: i.ID, on: on, by: by, detail: detail},
		func(to lifecycle.IssuerState) (int64, error) {
			return tx.SetIssuerState(ctx, db.SetIssuerStateParams{ToState: to, At: s.now(), ID: i.ID, FromState: i.State})
		}, noJob)
	i.State = to
	return err
}

// lockOnlineTx locks an online CA.
func lockOnlineTx(ctx context.Context, tx store.Tx, id string) (db.Issuer, error) {
	i, err := tx.LockIssuer(ctx, id)
	if err != nil {
		return i, fmt.Errorf("CA %s: %w", id, err)
	}
	if !i.Online {
		return i, fmt.Errorf("CA %s: %w: it is a root, whose key signs at ceremonies alone", id, lifecycle.Illegal)
	}
	return i, nil
}

// SignWith has another CA sign holders' certificates. The one that signed until
// now goes on with lists and answers. Two officers agree; the CA must have lists
// and a responder first, since each of its certificates names them, and the policies of
// all profiles that are live.
func (s *Service) SignWith(ctx context.Context, by lifecycle.Actor, issuer string) (Agreement, error) {
	return s.agreedTx(ctx, by, "activate "+issuer, nil, func(tx store.Tx, _ map[string]string) error {
		i, err := lockOnlineTx(ctx, tx, issuer)
		if err != nil {
			return err
		}
		if _, err := lifecycle.Issuers.Next(i.State, lifecycle.Activate, by.Role); err != nil {
			return fmt.Errorf("CA %s: %w", issuer, err)
		}
		if err := s.publishesTx(ctx, tx, i); err != nil {
			return err
		}
		return liveProfilesAllowed(ctx, tx.Queries, i)
	}, func(tx store.Tx, detail map[string]string) error {
		before, err := tx.SigningIssuerID(ctx)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("who signs certificates: %w", err)
		}
		if err == nil {
			detail["after"] = before
			old, err := lockOnlineTx(ctx, tx, before)
			if err != nil {
				return err
			}
			if err := s.moveIssuer(ctx, tx, &old, lifecycle.Retire, by, map[string]string{"successor": issuer, "proposed_by": detail["proposed_by"]}); err != nil {
				return err
			}
		}
		i, err := lockOnlineTx(ctx, tx, issuer)
		if err != nil {
			return err
		}
		return s.moveIssuer(ctx, tx, &i, lifecycle.Activate, by, detail)
	})
}

// publishesTx tells whether relying parties can check what the CA would sign.
func (s *Service) publishesTx(ctx context.Context, tx store.Tx, i db.Issuer) error {
	now := s.now()
	for shard := range int(i.Shards) {
		head, err := newestCRL(ctx, tx.Queries, i.ID, shard)
		if isNotFound(err) || err == nil && !head.NextUpdate.After(now) {
			return fmt.Errorf("CA %s: %w: list %d is not published yet: are workers running? then sceau crl publish", i.ID, lifecycle.Conflict, shard)
		}
		if err != nil {
			return err
		}
	}
	d, err := tx.NewestDelegate(ctx, i.ID, string(DelegateOCSP))
	if isNotFound(err) || err == nil && !d.NotAfter.After(now) {
		return fmt.Errorf("CA %s: %w: it has no OCSP responder in time: hold the ceremony again", i.ID, lifecycle.Conflict)
	}
	if err != nil {
		return fmt.Errorf("responder of CA %s: %w", i.ID, err)
	}
	certificate, err := x509.ParseCertificate(i.Certificate)
	if err != nil {
		return fmt.Errorf("certificate of CA %s: %w", i.ID, err)
	}
	if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return fmt.Errorf("CA %s: %w: its certificate is valid from %s to %s", i.ID, lifecycle.Conflict,
			certificate.NotBefore.Format(time.DateOnly), certificate.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// EndAuthority begins the end of a CA: the last list of each shard is signed, which
// never ends (EN 319 411-1 CSS-6.3.9-06), and nothing is published after it. Two
// officers agree. It is refused while a certificate lives; delegates that live are
// revoked with it.
func (s *Service) EndAuthority(ctx context.Context, by lifecycle.Actor, issuer string) (Agreement, error) {
	return s.agreedTx(ctx, by, "end "+issuer, nil, func(tx store.Tx, _ map[string]string) error {
		i, err := lockOnlineTx(ctx, tx, issuer)
		if err != nil {
			return err
		}
		if _, err := lifecycle.Issuers.Next(i.State, lifecycle.End, by.Role); err != nil {
			return fmt.Errorf("CA %s: %w", issuer, err)
		}
		alive, err := tx.AliveOf(ctx, &issuer, new(s.now()))
		if err != nil {
			return fmt.Errorf("certificates of CA %s: %w", issuer, err)
		}
		if alive > 0 {
			return fmt.Errorf("CA %s: %w: %d of its certificates are neither expired nor revoked", issuer, lifecycle.Conflict, alive)
		}
		return nil
	}, func(tx store.Tx, detail map[string]string) error {
		i, err := lockOnlineTx(ctx, tx, issuer)
		if err != nil {
			return err
		}
		if err := s.moveIssuer(ctx, tx, &i, lifecycle.End, by, detail); err != nil {
			return err
		}
		if err := s.revokeDelegatesTx(ctx, tx, by, issuer, lifecycle.ReasonCessationOfOperation); err != nil {
			return err
		}
		return s.publishAllTx(ctx, tx, i)
	})
}

// revokeDelegatesTx revokes what a CA has certified for the house.
func (s *Service) revokeDelegatesTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, issuer string, reason lifecycle.RevocationReason) error {
	rows, err := tx.LockHouseUnrevoked(ctx, issuer, new(s.now()))
	if err != nil {
		return fmt.Errorf("delegates of CA %s: %w", issuer, err)
	}
	for _, r := range rows {
		e := CRLEntry{Serial: lifecycle.Serial(r.Serial), At: s.now().Truncate(time.Second), Reason: reason}
		if err := s.endHouseCertificateTx(ctx, tx, by, houseRow{r.IssuerID, r.Shard, r.Kind, r.Subject}, e, nil); err != nil {
			return err
		}
	}
	return nil
}

// publishAllTx asks for the lists of every shard of a CA.
func (s *Service) publishAllTx(ctx context.Context, tx store.Tx, i db.Issuer) error {
	for shard := range i.Shards {
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), CRLPublishArgs{Issuer: i.ID, Shard: shard, Scheduled: true}); err != nil {
			return fmt.Errorf("lists of CA %s: %w", i.ID, err)
		}
	}
	return nil
}

// PublishLists asks for lists now: of one shard of one CA, of all of its shards
// (-1), or with no CA named, of every online one. Workers sign those that are due.
func (s *Service) PublishLists(ctx context.Context, issuer string, shard int, done Done) error {
	all, err := s.Authorities(ctx)
	if err != nil {
		return err
	}
	asked := 0
	return s.store.InTx(ctx, func(tx store.Tx) error {
		for _, a := range all {
			if !a.Online || a.State == lifecycle.IssuerEnded || issuer != "" && a.ID != issuer {
				continue
			}
			for n := range a.Shards {
				if shard >= 0 && n != shard {
					continue
				}
				asked++
				if err := s.queue.EnqueueTx(ctx, tx.Pgx(), CRLPublishArgs{Issuer: a.ID, Shard: int32(n), Scheduled: true}); err != nil { //nolint:gosec // below 1024
					return fmt.Errorf("lists of CA %s: %w", a.ID, err)
				}
			}
		}
		if asked == 0 && issuer != "" {
			return fmt.Errorf("lists of CA %s: %w: no online CA that publishes has this name and shard", issuer, lifecycle.NotFound)
		}
		return done.run(tx)
	})
}
