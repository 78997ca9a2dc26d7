package jobs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/ca"
	"sceau/internal/bench"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// BenchmarkGrowth has tables of different sizes, every certificate of them on the
// list: what each act costs that a revocation waits for. Read and encode the list, as
// a scheduled one is made; make it of the last one and what changed, as others are; the
// whole publication from one change to the record, and to the folder it is
// served from; one change; the start of a door that holds all statuses and answers.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("certificates=%d", n), func(b *testing.B) { benchmarkPublication(b, n) })
	}
}

// fill writes n revoked certificates as orders would have left them. Foreign keys
// are not looked at: the certificates have no orders.
func (p *publisher) fill(b *testing.B, n int) {
	b.Helper()
	connection, err := pgx.Connect(b.Context(), p.url)
	ok(b, err)
	defer func() { _ = connection.Close(b.Context()) }()
	// The index of lists grows by chance, as in life; the others are made again at once.
	var drop, again []string
	rows, err := connection.Query(b.Context(), "SELECT 'DROP INDEX ' || indexname, indexdef FROM pg_indexes WHERE tablename = 'certificate' "+
		"AND indexname <> 'certificate_listed' AND indexdef NOT LIKE 'CREATE UNIQUE%'")
	ok(b, err)
	for rows.Next() {
		var d, m string
		ok(b, rows.Scan(&d, &m))
		drop, again = append(drop, d), append(again, m)
	}
	ok(b, rows.Err())
	for _, statement := range append(drop, "SET session_replication_role = replica") {
		_, err = connection.Exec(b.Context(), statement)
		ok(b, err)
	}
	at := p.at.Add(-time.Hour)
	row, bulk := 0, bytes.Repeat([]byte{7}, 700) // a certificate and its draft, as long as ours
	_, err = connection.CopyFrom(b.Context(), pgx.Identifier{"certificate"}, []string{
		"id", "order_id", "holder_id", "state", "profile", "issuer_id", "shard", "serial", "tbs", "not_before", "not_after", "der",
		"revoked_at", "reason", "crl_revision", "crl_entry", "created_at", "updated_at",
	}, pgx.CopyFromFunc(func() ([]any, error) {
		if row == n {
			return nil, nil
		}
		row++
		var random [16]byte
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(row)))
		copy(random[:], sum[:])
		serial := lifecycle.SerialFrom(random)
		entry, err := ca.EncodeEntry(ca.Revoked{Serial: serial, At: at, Reason: lifecycle.ReasonSuperseded})
		id := strconv.Itoa(row)
		return []any{
			"N-" + id, "O-" + id, "H-1", "revoked", "p", "issuing-1", int32(0), serial[:], bulk, at, at.AddDate(3, 0, 0), bulk,
			at, int32(4), int64(1), entry, at, at,
		}, err
	}))
	ok(b, err)
	again = append(again, "INSERT INTO ocsp_answer (serial, status_version, der, this_update, next_update) "+
		"SELECT serial, status_version, tbs, created_at, created_at + interval '12 hours' FROM certificate")
	for _, statement := range append(again, "UPDATE crl_shard SET revision = 1", "VACUUM (ANALYZE) certificate, ocsp_answer", "CHECKPOINT") {
		_, err = connection.Exec(b.Context(), statement)
		ok(b, err)
	}
}

func benchmarkPublication(b *testing.B, n int) {
	b.Helper()
	p := newPublisher(b)
	p.fill(b, n)
	ok(b, p.list(b)) // the base
	newest, err := p.Service.NewestCRL(b.Context(), "issuing-1", 0)
	ok(b, err)
	held := p.certificate(b)
	issuer, err := p.authorities.get(b.Context(), "issuing-1")
	ok(b, err)
	draft := func() (*ca.ListDraft, error) {
		plan := issuance.CRLPlan{Issuer: "issuing-1", Number: 2, ThisUpdate: p.at, NextUpdate: p.at.Add(time.Hour)}
		plan.Previous.FullSize = len(newest.Full)
		full, _, entries, err := p.draft(b.Context(), issuer, &plan)
		if err == nil && entries < n {
			err = fmt.Errorf("%d entries of %d", entries, n)
		}
		return full, err
	}
	b.Run("read_and_encode", func(b *testing.B) {
		allocation := bench.Comparison{Ours: bench.Side{Name: "ReadCRL_DraftCRL", Ops: 1, Run: func() error {
			_, err := draft()
			return err
		}}}.Measure(b)
		b.ReportMetric(allocation/float64(len(newest.Full)), "alloc_x_list")
		b.ReportMetric(float64(len(newest.Full)), "list_B")
	})
	hold := true
	change := func() error {
		if hold = !hold; hold {
			return p.Service.Release(b.Context(), clerk, held)
		}
		return p.Service.Hold(b.Context(), clerk, held)
	}
	ok(b, change())
	p.at = p.at.Add(time.Minute)
	plan, err := p.Service.BeginCRL(b.Context(), "issuing-1", 0, false, issuance.Mark{})
	ok(b, err)
	b.Run("read_and_amend", func(b *testing.B) {
		bench.Comparison{Ours: bench.Side{Name: "ReadCRL_Amend", Ops: 1, Run: func() error {
			_, _, entries, err := p.draft(b.Context(), issuer, &plan)
			if err == nil && entries < n {
				err = fmt.Errorf("%d entries of %d", entries, n)
			}
			return err
		}}}.Measure(b)
	})
	b.Run("publish", func(b *testing.B) {
		peak := 0.0
		bench.Comparison{Ours: bench.Side{Name: "publish", Ops: 1, Prepare: change, Run: func() error {
			stop := watchHeap(&peak)
			defer stop()
			return p.list(b)
		}}}.Measure(b)
		b.ReportMetric(peak/float64(len(newest.Full)), "heap_x_list")
		b.ReportMetric(resident(), "peak_rss_B")
	})
	b.Run("to_disk", func(b *testing.B) {
		folder := b.TempDir()
		bench.Comparison{Ours: bench.Side{Name: "WriteLists", Ops: 1, Run: func() error {
			head, err := p.Service.HeadCRL(b.Context(), "issuing-1", 0)
			if err != nil {
				return err
			}
			full, delta := p.Service.OpenCRL(b.Context(), "issuing-1", 0, head, false), p.Service.OpenCRL(b.Context(), "issuing-1", 0, head, true)
			return revocation.WriteLists(folder, "issuing-1", 0, full, delta)
		}}}.Measure(b)
	})
	b.Run("change", func(b *testing.B) {
		bench.Comparison{Ours: bench.Side{Name: "hold_or_release", Ops: 1, Run: change}}.Measure(b)
	})
	b.Run("start_of_a_door", func(b *testing.B) {
		bench.Comparison{Ours: bench.Side{Name: "Statuses_Learn", Ops: 1, Run: func() error {
			memory := revocation.NewMemory(nil)
			err := p.readAll(b.Context(), memory)
			if held, _, _ := memory.Held(p.at); err == nil && held < n {
				err = fmt.Errorf("%d of %d are held", held, n)
			}
			return err
		}}}.Measure(b)
	})
}

// watchHeap keeps the highest heap in use above what it was.
func watchHeap(peak *float64) (stop func()) {
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			*peak = max(*peak, float64(now.HeapInuse)-float64(before.HeapInuse))
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() { close(end); <-ended }
}

// resident is the most memory that this process ever had.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes * 1024
		}
	}
	return 0
}
