package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

const (
	expireRun    = 500
	requestsKept = 24 * time.Hour // with their answers, under the caller's key
	eventsKept   = 90 * 24 * time.Hour
)

// Expired counts what ExpireDue expired, and of dossiers archived and erased.
type Expired struct{ Cards, Certificates, Authentications, ArchivedDossiers, ErasedDossiers int }

// ExpireDue expires cards past the last day of their month, or past the grace
// after their replacement, and certificates past notAfter. A card that was not
// delivered by then gets no letter any more, and its order fails. Authentications to
// which nobody came back are put to rest. Dossiers whose document has ended are
// archived, and erased when their years are over. Requests that callers named are
// forgotten after a day, events after 90.
func (s *Service) ExpireDue(ctx context.Context) (Expired, error) {
	var n Expired
	now, system := s.now(), lifecycle.System("expire")
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	cards, err := s.store.CardsToExpire(ctx, today, now, expireRun)
	if err != nil {
		return n, fmt.Errorf("cards to expire: %w", err)
	}
	for _, id := range cards {
		err := s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
			if !lifecycle.Cards.Can(card.State, lifecycle.Expire) {
				return nil // opposed since
			}
			n.Cards++
			if err := s.moveCard(ctx, tx, card, lifecycle.Expire, system, "", nil); err != nil {
				return err
			}
			if err := s.cancelLettersTx(ctx, tx, system, *card); err != nil {
				return err
			}
			return s.failOrderTx(ctx, tx, card.OrderID, system, "its card expired before it was delivered")
		})
		if err != nil {
			return n, err
		}
	}
	certs, err := s.store.CertificatesToExpire(ctx, &now, expireRun)
	if err != nil {
		return n, fmt.Errorf("certificates to expire: %w", err)
	}
	for _, id := range certs {
		err := s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
			if !lifecycle.Certificates.Can(cert.State, lifecycle.Expire) {
				return nil // revoked since
			}
			n.Certificates++
			return s.moveCertificate(ctx, tx, cert, lifecycle.Expire, system, "", nil)
		})
		if err != nil {
			return n, err
		}
	}
	if n.Authentications, err = s.expireAuthentications(ctx, system); err != nil {
		return n, err
	}
	if err := s.store.ForgetRequests(ctx, now.Add(-requestsKept)); err != nil {
		return n, fmt.Errorf("forget requests: %w", err)
	}
	if err := s.store.ForgetProofCounts(ctx, now.Add(-requestsKept)); err != nil {
		return n, fmt.Errorf("forget counts of proofs: %w", err)
	}
	if err := s.store.ForgetEvents(ctx, now.Add(-eventsKept)); err != nil {
		return n, fmt.Errorf("forget events: %w", err)
	}
	n.ArchivedDossiers, n.ErasedDossiers, err = s.keepDossiers(ctx)
	return n, err
}

// expireAuthentications puts those to rest to which nobody came back. They stay on
// record, and took no proof since their end.
func (s *Service) expireAuthentications(ctx context.Context, by lifecycle.Actor) (int, error) {
	ids, err := s.store.OverdueAuthentications(ctx, s.now(), expireRun)
	if err != nil {
		return 0, fmt.Errorf("authentications to expire: %w", err)
	}
	n := 0
	for _, id := range ids {
		err := s.store.InTx(ctx, func(tx store.Tx) error {
			row, err := tx.LockAuthentication(ctx, id)
			if err != nil || row.State != lifecycle.AuthenticationPending { // decided since
				return err
			}
			n++
			_, err = apply(ctx, s, tx, lifecycle.Authentications, row.State,
				change{id: string(id), on: lifecycle.Expire, by: by, detail: map[string]string{"function": row.Function}},
				func(to lifecycle.AuthenticationState) (int64, error) {
					return tx.SetAuthenticationState(ctx, db.SetAuthenticationStateParams{
						ToState: to, At: new(s.now()), Evidence: []byte("{}"), ID: id, FromState: row.State,
					})
				}, noJob)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("authentication %s: %w", id, err)
		}
	}
	return n, nil
}
