package bench_test

import (
	"crypto/x509"
	"fmt"
	"testing"

	"golang.org/x/crypto/ocsp"

	"sceau/internal/bench"
	"sceau/internal/testenv"
)

const (
	ocspConnections = 32
	fastRequests    = 20_000 // of a run, to servers that sign nothing
	slowRequests    = 3000
)

// BenchmarkOCSP asks about one known serial over 32 loopback connections.
// Processor time is the server's alone; the client shares the cores, so rates
// understate a fast server.
func BenchmarkOCSP(b *testing.B) {
	sceau, fixed, xcrypto, openssl := startServer(b, serverSceau), startServer(b, serverFixed), startServer(b, serverXCrypto), startOpenSSL(b)
	b.Run("post", func(b *testing.B) {
		bench.Comparison{
			Ours:   ocspSide(b, "sceau", sceau, postLoad(sceau.Address, sceau.Plain), fastRequests),
			Limits: []bench.Side{ocspSide(b, "fixed_http", fixed, postLoad(fixed.Address, fixed.Plain), fastRequests)},
			Peers: []bench.Side{
				ocspSide(b, "x_crypto_ocsp", xcrypto, postLoad(xcrypto.Address, xcrypto.Plain), slowRequests),
				ocspSide(b, "openssl_multi2", openssl, postLoad(openssl.Address, openssl.Plain), slowRequests),
			},
		}.Measure(b)
	})
	b.Run("post_from_database", func(b *testing.B) {
		database := startServer(b, serverDatabase, databaseVariable+"="+testenv.Database(b))
		ours := ocspSide(b, "sceau", database, postLoad(database.Address, database.Plain), slowRequests)
		ours.CPU = bench.ChildrenTime // the server's and PostgreSQL's
		bench.Comparison{
			Ours:   ours,
			Limits: []bench.Side{ocspSide(b, "fixed_http", fixed, postLoad(fixed.Address, fixed.Plain), fastRequests)},
			Peers:  []bench.Side{ocspSide(b, "openssl_multi2", openssl, postLoad(openssl.Address, openssl.Plain), slowRequests)},
		}.Measure(b)
	})
	b.Run("get", func(b *testing.B) {
		bench.Comparison{
			Ours:   ocspSide(b, "sceau", sceau, getLoad(sceau.Address, sceau.Plain), fastRequests),
			Limits: []bench.Side{ocspSide(b, "fixed_http", fixed, getLoad(fixed.Address, fixed.Plain), fastRequests)},
		}.Measure(b)
	})
	b.Run("nonce_signed_live", func(b *testing.B) {
		bench.Comparison{
			Ours:   ocspSide(b, "sceau", sceau, postLoad(sceau.Address, sceau.Nonce), slowRequests),
			Limits: []bench.Side{ocspSide(b, "fixed_http", fixed, postLoad(fixed.Address, fixed.Nonce), fastRequests)},
			Peers: []bench.Side{
				ocspSide(b, "x_crypto_ocsp", xcrypto, postLoad(xcrypto.Address, xcrypto.Plain), slowRequests),
				ocspSide(b, "openssl_multi2", openssl, postLoad(openssl.Address, openssl.Nonce), slowRequests),
			},
		}.Measure(b)
	})
}

// BenchmarkOCSPLatency has 2 000 requests a second arrive by the clock, at the
// door, which holds few certificates or a million, and at a fixed answer.
func BenchmarkOCSPLatency(b *testing.B) {
	pace := func(b *testing.B, server ocspServer) bench.Pace {
		b.Helper()
		l := postLoad(server.Address, server.Plain)
		conns := make([]conn, ocspConnections)
		b.Cleanup(func() {
			for i := range conns {
				conns[i].close()
			}
		})
		return bench.Pace{PerSecond: 2000, N: 4000, Workers: ocspConnections, Work: func(worker, _ int) error {
			_, err := conns[worker].roundTrip(l)
			return err
		}}
	}
	fixed := startServer(b, serverFixed)
	for _, held := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			server := startServer(b, serverSceau, fmt.Sprintf("%s=%d", heldVariable, held))
			ours := pace(b, server)
			bench.Latencies(b, func() (bench.Pace, error) { return ours, nil }, "fixed_http", pace(b, fixed))
			b.ReportMetric(bench.Resident(server.pid)/float64(held), "resident_B/certificate")
		})
	}
}

// ocspSide checks that a server answers, good and signed, before it is measured.
func ocspSide(b *testing.B, name string, server ocspServer, l load, requests int) bench.Side {
	b.Helper()
	l.connections, l.requests = ocspConnections, requests
	issuer, err := x509.ParseCertificate(server.Issuer)
	if err != nil {
		b.Fatal(err)
	}
	body, err := l.one()
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	answer, err := ocsp.ParseResponse(body, issuer)
	if err != nil || answer.Status != ocsp.Good {
		b.Fatalf("%s answers %d octets that are no good answer: %v", name, len(body), err)
	}
	return bench.Side{Name: name, Ops: requests, CPU: server.cpu, Run: l.run}
}
