package authn

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
	"sceau/trust"
)

// Certificates judges certificates that somebody brings: the ca room, and other CAs'
// responders.
type Certificates interface {
	// Judge judges a certificate by itself, under the CAs of an entry.
	Judge(e *trust.Entry, certificate []byte, at time.Time, purpose trust.Purpose) trust.Judged
	// CheckSignature tells whether the key of a certificate signed a text.
	CheckSignature(certificate, text, signature []byte) error
	// Ask asks the entry's responder about a certificate. It gives the answer too, which
	// is kept.
	Ask(ctx context.Context, e *trust.Entry, c, issuer *x509.Certificate, at time.Time) (trust.Status, []byte, error)
}

// errNoCertificates keeps a process that judges none from saying anything of one.
var errNoCertificates = fmt.Errorf("%w: this process judges no certificates", lifecycle.Unavailable)

// maxForeign bounds the certificates of one holder that a signature is tried with.
const maxForeign = 8

// judgeForeign finds which of the holder's certificates of other CAs signed the
// authentication's text, and accepts it while that certificate is valid and not revoked.
// Whether it is cannot be known now: then nobody judged.
func (s *Service) judgeForeign(ctx context.Context, row db.Authentication, asked Authentication, given Given) (proven, error) {
	if s.certificates == nil {
		return proven{}, errNoCertificates
	}
	holder := lifecycle.HolderID("")
	if row.HolderID != nil {
		holder = *row.HolderID
	}
	bound, err := s.store.ForeignOfHolder(ctx, holder, maxForeign)
	if err != nil {
		return proven{}, fmt.Errorf("certificates of %s: %w", holder, err)
	}
	for _, b := range bound {
		if s.certificates.CheckSignature(b.DER, asked.Text, given.Signature) != nil {
			continue
		}
		v, err := s.weigh(ctx, b.DER, s.now(), purposeOf(asked))
		switch {
		case err != nil:
			return proven{}, err
		case v.Result() == Unknown:
			return proven{}, fmt.Errorf("%w: whether the certificate was revoked is not known: %s", lifecycle.Unavailable, v.Why)
		case v.Result() != Valid:
			return proven{}, ErrRefused
		}
		if err := s.store.TouchForeign(ctx, s.now(), b.ID); err != nil {
			return proven{}, fmt.Errorf("means %s: %w", b.ID, err)
		}
		return proven{holder: holder, evidence: map[string]string{
			"means": string(b.ID), "issuer": trust.Short(v.Certificate.Issuer.String()), "serial": v.Certificate.SerialNumber.Text(16), "trusted": v.Source,
			"status_source": v.Status.Source, "status_time": v.Status.Time.Format(time.RFC3339),
		}, means: b.ID}, nil
	}
	return proven{}, ErrRefused
}

func purposeOf(a Authentication) trust.Purpose {
	if a.Operation.Function.Sensitive() {
		return trust.Signature
	}
	return trust.Authentication
}

// trusted remembers the entries that were read last.
type trusted struct {
	mu      sync.Mutex
	entries map[string]trustedEntry // by name; guarded by mu
	house   *trust.Entry            // guarded by mu
	issuers []string                // of house; guarded by mu
}

type trustedEntry struct {
	version int32
	*trust.Entry
}

// trustList is the live entries. Which are live is read each time, so that one that is
// withdrawn counts no more at once; what they say is remembered.
func (s *Service) trustList(ctx context.Context) ([]*trust.Entry, error) {
	thing := lifecycle.TrustList.Thing
	live, err := s.store.LiveEditionsOf(ctx, thing)
	if err != nil {
		return nil, fmt.Errorf("trust list: %w", err)
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	entries := make([]*trust.Entry, len(live))
	kept := make(map[string]trustedEntry, len(live))
	for i, l := range live {
		known, ok := s.trusted.entries[l.Name]
		if !ok || known.version != l.Version {
			row, err := s.store.Edition(ctx, thing, l.Name, l.Version)
			if err != nil {
				return nil, fmt.Errorf("trust list %s: %w", l.Name, err)
			}
			e, err := trust.Read(row.Content)
			if err != nil {
				return nil, fmt.Errorf("trust list %s: %w", l.Name, err)
			}
			known = trustedEntry{l.Version, e}
		}
		entries[i], kept[l.Name] = known.Entry, known
	}
	s.trusted.entries = kept
	return entries, nil
}

// status is what is known of a foreign certificate's revocation, by what its entry says
// is asked.
func (s *Service) status(ctx context.Context, e *trust.Entry, j trust.Judged) (trust.Status, error) {
	status, err := s.listed(ctx, e, j)
	if err != nil || e.Ask == trust.AskLists || status.Code == trust.CARevoked {
		return status, err
	}
	answer, err := s.answered(ctx, e, j)
	if err != nil {
		return answer, err
	}
	// What somebody revoked stays so, whoever says it.
	if !answer.Known() && e.Ask == trust.AskEither || status.Code == trust.Revoked {
		return status, nil
	}
	return answer, nil
}

// listed is what the lists on record say of the path. Of a CA below a root they need
// say nothing: the bank accepts it by itself, and withdraws it.
func (s *Service) listed(ctx context.Context, e *trust.Entry, j trust.Judged) (trust.Status, error) {
	p := db.ForeignStatusesParams{Trusted: e.Name, Addresses: e.Lists}
	for i, c := range j.Chain[:len(j.Chain)-1] {
		key := trust.KeyOf(j.Chain[i+1])
		p.IssuerKeys, p.Serials = append(p.IssuerKeys, key[:]), append(p.Serials, trust.Serial(c))
	}
	rows, err := s.store.ForeignStatuses(ctx, p)
	if err != nil {
		return trust.Status{}, fmt.Errorf("lists of %s: %w", e.Name, err)
	}
	of := trust.Status{Code: trust.NoStatus}
	for i, c := range j.Chain[:len(j.Chain)-1] {
		var lists []trust.List
		for _, r := range rows {
			if string(r.IssuerKey) != string(p.IssuerKeys[i]) || string(r.Serial) != string(p.Serials[i]) {
				continue
			}
			l := trust.List{Address: r.Address, ThisUpdate: r.ThisUpdate.UTC(), NextUpdate: r.NextUpdate.UTC(), Points: r.Points}
			if r.RevokedAt != nil {
				l.Revoked, l.Reason = r.RevokedAt.UTC(), int(*r.Reason)
			}
			lists = append(lists, l)
		}
		found := trust.ByLists(lists, trust.PointsOf(c), s.now(), e.Grace())
		switch {
		case i == 0:
			of = found
		case found.Code == trust.Revoked || found.Code == trust.OnHold:
			found.Code = trust.CARevoked
			return found, nil
		case found.Code == trust.ListEnded && of.Code == "":
			of = found
		}
	}
	return of, nil
}

// answered is what the responder says, live; while it is away, what it said last, as
// long as that holds. An answer older than one on record is somebody's replay.
func (s *Service) answered(ctx context.Context, e *trust.Entry, j trust.Judged) (trust.Status, error) {
	sum := sha256.Sum256(j.Certificate.Raw)
	kept, err := s.store.ForeignAnswer(ctx, sum[:])
	known := err == nil
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return trust.Status{}, fmt.Errorf("answers of %s: %w", e.Name, err)
	}
	now := s.now()
	live, der, err := s.certificates.Ask(ctx, e, j.Certificate, j.Chain[1], now)
	switch {
	case ctx.Err() != nil:
		return trust.Status{}, fmt.Errorf("ask %s: %w", e.Responder, ctx.Err())
	case err == nil && (!known || !live.Time.Before(kept.At)):
		p := db.PutForeignAnswerParams{SHA256: sum[:], Code: string(live.Code), Source: live.Source, At: live.Time, Until: live.Until, Reason: int32(live.Reason), DER: der} //nolint:gosec // a byte
		if !live.Revoked.IsZero() {
			p.RevokedAt = &live.Revoked
		}
		if err := s.store.PutForeignAnswer(ctx, p); err != nil {
			return trust.Status{}, fmt.Errorf("keep an answer of %s: %w", e.Responder, err)
		}
		return live, nil
	case known && (now.Before(kept.Until) || kept.Code == string(trust.Revoked)):
		s := trust.Status{Code: trust.Code(kept.Code), Source: kept.Source, Time: kept.At.UTC(), Until: kept.Until.UTC(), Reason: int(kept.Reason)}
		if kept.RevokedAt != nil {
			s.Revoked = kept.RevokedAt.UTC()
		}
		return s, nil
	}
	return trust.Status{Code: trust.NoStatus, Source: e.Responder}, nil
}
