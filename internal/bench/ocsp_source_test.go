package bench_test

import (
	"context"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/ca"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
	"sceau/web/revocation"
)

// fromDatabase reads status and answer for each request.
type fromDatabase struct{ service *issuance.Service }

func (s fromDatabase) Status(ctx context.Context, issuer string, serial []byte) (revocation.Known, error) {
	st, err := s.service.Status(ctx, issuer, lifecycle.Serial(serial))
	if err != nil {
		return revocation.Known{}, err
	}
	status := jobs.StatusOf(st)
	ahead := revocation.NewPresigned(status.State, ca.Answer{DER: st.Answer, ThisUpdate: st.ThisUpdate, NextUpdate: st.NextUpdate})
	return revocation.Known{Status: status, Version: st.Version, AsOf: time.Now(), Ahead: [2]*revocation.Presigned{ahead}}, nil
}

// nothingBehind is what a memory asks that holds everything.
type nothingBehind struct{}

func (nothingBehind) Status(context.Context, string, []byte) (revocation.Known, error) {
	return revocation.Known{}, lifecycle.Unavailable
}

// inMemory holds the certificate with its answer among so many others.
func inMemory(others int, serial lifecycle.Serial, ahead ca.Answer) *revocation.Memory {
	m := revocation.NewMemory(nothingBehind{})
	learn := func(serial lifecycle.Serial) {
		m.Learn([]revocation.Learned{{IssuerID: "issuing-1", Serial: serial, Known: revocation.Known{
			Status: ca.Status{State: ca.StateGood}, Ahead: [2]*revocation.Presigned{revocation.NewPresigned(ca.StateGood, ahead)},
		}}})
	}
	for n := range others {
		learn(lifecycle.SerialFrom([16]byte{1, 2, byte(n >> 16), byte(n >> 8), byte(n)}))
	}
	learn(serial)
	m.CaughtUp(time.Now().Add(time.Hour)) // for the length of the benchmark
	runtime.GC()                          // what the load leaves is not what a request costs
	return m
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
		return tx.PutOCSPAnswers(ctx, db.PutOCSPAnswersParams{
			Serials: [][]byte{serial[:]}, StatusVersions: []int32{0}, DERs: [][]byte{answer.DER},
			ThisUpdates: []time.Time{answer.ThisUpdate}, NextUpdates: []time.Time{answer.NextUpdate},
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
