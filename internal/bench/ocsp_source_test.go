package bench_test

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/ca"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
	"sceau/web/revocation"
)

// inMemory has each good certificate's answer by its serial.
type inMemory map[string]*revocation.Presigned

func (m inMemory) Status(_ context.Context, _ string, serial []byte) (ca.Status, *revocation.Presigned, error) {
	ahead := m[string(serial)]
	if ahead == nil {
		return ca.Status{}, nil, nil
	}
	return ca.Status{State: ahead.State}, ahead, nil
}

// fromDatabase reads status and answer for each request, as cmd/sceau has the
// public door do.
type fromDatabase struct{ service *issuance.Service }

func (s fromDatabase) Status(ctx context.Context, issuer string, serial []byte) (ca.Status, *revocation.Presigned, error) {
	st, err := s.service.Status(ctx, issuer, lifecycle.Serial(serial))
	if err != nil {
		return ca.Status{}, nil, err
	}
	status := jobs.StatusOf(st)
	answer := ca.Answer{DER: st.Answer, ThisUpdate: st.ThisUpdate, NextUpdate: st.NextUpdate}
	return status, &revocation.Presigned{State: status.State, Answer: answer}, nil
}

// openSource stores one active certificate with its answer in the database.
func openSource(ctx context.Context, url string, answer ca.Answer) (revocation.StatusSource, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	st := store.New(pool)
	err = st.InTx(ctx, func(tx store.Tx) error {
		holder, err := insertHolder(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := insertCertificate(ctx, tx, holder, 0); err != nil {
			return err
		}
		serial := serialOf(0)
		return tx.PutOCSPAnswer(ctx, db.PutOCSPAnswerParams{
			Serial: serial[:], DER: answer.DER, ThisUpdate: answer.ThisUpdate, NextUpdate: answer.NextUpdate,
		})
	})
	if err != nil {
		return nil, err
	}
	queue, err := jobs.NewEnqueuer()
	if err != nil {
		return nil, err
	}
	service, err := issuance.New(st, nil, queue, jobs.CSRChecker{}, issuance.DefaultPolicy(), clock)
	return fromDatabase{service}, err
}
