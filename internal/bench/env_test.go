package bench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/hsm"
	"sceau/internal/bench"
	"sceau/internal/testenv"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/store"
	"sceau/store/db"
)

// connections are how many requests are under way at a time, each with a
// database connection of its own.
const connections = 16

// TestMain lets this binary also be one of the OCSP servers that it measures.
func TestMain(m *testing.M) {
	if kind := os.Getenv(serverVariable); kind != "" {
		if err := serveOCSP(kind); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m, testenv.Durable(), testenv.WithMigrations(migrate))
}

func migrate(ctx context.Context, url string) error {
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	return jobs.Migrate(ctx, pool)
}

func newStore(b *testing.B) *store.Store {
	b.Helper()
	config, err := pgxpool.ParseConfig(testenv.Database(b))
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return store.New(pool)
}

// openVault is Sceau's client of a Vault, and net/http alone to the same.
func openVault(b *testing.B) (*hsm.Client, *bench.Vault, testenv.VaultServer) {
	b.Helper()
	server := testenv.Vault(b)
	client, err := hsm.Open(b.Context(), hsm.Config{Address: server.Addr, Token: server.RootToken})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return client, bench.NewVault(server.Addr, server.RootToken, connections), server
}

var benchNow = time.Date(2026, 3, 2, 9, 30, 15, 0, time.UTC)

func clock() time.Time { return benchNow }

// population is a database with a holder and what the holder has, all active.
type population struct {
	cards        []db.Card
	numbers      []lifecycle.PAN // of the cards
	certificates []lifecycle.CertificateID
}

const shards = 16 // of the issuer: as many revocations can be under way

// populate writes rows as the use cases would have left them.
func populate(b *testing.B, st *store.Store, cards, certificates int) population {
	b.Helper()
	var p population
	err := st.InTx(b.Context(), func(tx store.Tx) error {
		holder, err := insertHolder(b.Context(), tx)
		if err != nil {
			return err
		}
		for i := range cards {
			card, number, err := insertCard(b.Context(), tx, holder, i)
			if err != nil {
				return err
			}
			p.cards, p.numbers = append(p.cards, card), append(p.numbers, number)
		}
		for i := range certificates {
			id, err := insertCertificate(b.Context(), tx, holder, i)
			if err != nil {
				return err
			}
			p.certificates = append(p.certificates, id)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func id(prefix string, n int) string { return fmt.Sprintf("%s-%016d", prefix, n) }

func insertHolder(ctx context.Context, tx store.Tx) (lifecycle.HolderID, error) {
	branch := lifecycle.BranchID(id(lifecycle.PrefixBranch, 1))
	company := lifecycle.CompanyID(id(lifecycle.PrefixCompany, 1))
	holder := lifecycle.HolderID(id(lifecycle.PrefixHolder, 1))
	steps := []error{
		tx.InsertBranch(ctx, db.InsertBranchParams{ID: branch, Code: "0001", Name: "Rennes", Country: "FR", CreatedAt: benchNow}),
		tx.InsertCompany(ctx, db.InsertCompanyParams{
			ID: company, ClientID: "40031872", Name: "Ateliers Montclair", Country: "FR", RegistryNumber: "732829320", BranchID: branch,
			CreatedAt: benchNow,
		}),
		tx.InsertHolder(ctx, db.InsertHolderParams{
			ID: holder, CompanyID: company, UserNumber: "0001", GivenName: "Hélène", Surname: "Montclair", Language: "fr", Country: "FR",
			CreatedAt: benchNow,
		}),
		tx.InsertIssuer(ctx, db.InsertIssuerParams{ID: "issuing-1", Certificate: []byte{0}, Shards: shards, Online: true, CreatedAt: benchNow}),
	}
	for shard := range int32(shards) {
		steps = append(steps, tx.InsertCRLShard(ctx, "issuing-1", shard))
	}
	for _, err := range steps {
		if err != nil {
			return "", err
		}
	}
	return holder, nil
}

func insertOrder(ctx context.Context, tx store.Tx, holder lifecycle.HolderID, kind lifecycle.OrderKind, n int) (lifecycle.OrderID, error) {
	order := lifecycle.OrderID(id(lifecycle.PrefixOrder, n))
	return order, tx.InsertOrder(ctx, db.InsertOrderParams{
		ID: order, Kind: kind, Urgency: lifecycle.Standard, State: lifecycle.OrderCompleted, HolderID: holder, Currency: "EUR", RequestedBy: "m.leroy", CreatedAt: benchNow,
	})
}

func insertCard(ctx context.Context, tx store.Tx, holder lifecycle.HolderID, i int) (db.Card, lifecycle.PAN, error) {
	card := db.Card{ID: lifecycle.CardID(id(lifecycle.PrefixCard, i)), State: lifecycle.CardActive, PSN: 1}
	order, err := insertOrder(ctx, tx, holder, lifecycle.OrderNewCard, i)
	if err != nil {
		return card, lifecycle.PAN{}, err
	}
	digits := fmt.Sprintf("925000%09d", i)
	number, err := lifecycle.NewPAN(digits + string(lifecycle.LuhnDigit(digits)))
	if err != nil {
		return card, number, err
	}
	if card.PANSealed, card.PANMark, err = testenv.Safe().SealPAN(card.ID, number); err != nil {
		return card, number, err
	}
	return card, number, tx.InsertCard(ctx, db.InsertCardParams{
		ID: card.ID, OrderID: order, HolderID: holder, State: card.State, Product: "securaccess", Profile: "securaccess",
		PANSealed: card.PANSealed, PANMark: card.PANMark, Last4: number.Last4(), Place: card.ID,
		PSN: card.PSN, Expiry: benchNow.AddDate(3, 0, 0), Delivery: lifecycle.DeliverHome, CreatedAt: benchNow,
	})
}

func insertCertificate(ctx context.Context, tx store.Tx, holder lifecycle.HolderID, i int) (lifecycle.CertificateID, error) {
	order, err := insertOrder(ctx, tx, holder, lifecycle.OrderNewCertificate, 1_000_000+i)
	if err != nil {
		return "", err
	}
	certificate := lifecycle.CertificateID(id(lifecycle.PrefixCertificate, i))
	err = tx.InsertCertificate(ctx, db.InsertCertificateParams{
		ID: certificate, OrderID: order, HolderID: holder, State: lifecycle.CertActive, Profile: "nominative-authentication", CreatedAt: benchNow,
	})
	if err != nil {
		return "", err
	}
	issuer, shard, at, serial := "issuing-1", int32(i%shards), benchNow, serialOf(i)
	return certificate, tx.ReserveSerial(ctx, db.ReserveSerialParams{
		IssuerID: &issuer, Shard: &shard, Serial: serial[:], ReservedAt: &at, ID: certificate,
	})
}

func serialOf(i int) lifecycle.Serial {
	serial := lifecycle.Serial{0x40}
	binary.BigEndian.PutUint64(serial[8:], uint64(i))
	return serial
}
