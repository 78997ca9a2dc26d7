package jobs

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/ca"
	"sceau/certprofile"
	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store"
)

// publisher is the list worker over a database of its own, with a CA whose keys
// are in memory. It is its own queue, judge of requests and key store.
type publisher struct {
	lists
	CSRChecker

	key   *ecdsa.PrivateKey
	at    time.Time
	sign  func()                       // runs before each signature, once set
	raise func() error                 // runs before the marks rise, once set
	asked func(issuance.Job)           // is told of each job, once set
	named map[string]*ecdsa.PrivateKey // keys other than the CA's, by their names
	marks map[string]int64
	made  int
	life  time.Duration // of the certificates made next; 0: three years

	url     string
	pool    *pgxpool.Pool
	issuing *x509.Certificate
}

func (p *publisher) now() time.Time { return p.at }

// EnqueueTx drops a job, unless somebody wants to hear of it: the test publishes by
// itself.
func (p *publisher) EnqueueTx(_ context.Context, _ pgx.Tx, job issuance.Job) error {
	if p.asked != nil {
		p.asked(job)
	}
	return nil
}

// CheckAcceptance takes any signature.
func (*publisher) CheckAcceptance(_, _, _ []byte) error { return nil }

// Marks are in memory.
func (p *publisher) Marks(context.Context, string) (map[string]int64, error) {
	return maps.Clone(p.marks), nil
}

// RaiseMarks raises them.
func (p *publisher) RaiseMarks(_ context.Context, _ string, to map[string]int64) error {
	if p.raise != nil {
		if err := p.raise(); err != nil {
			return err
		}
	}
	for name, value := range to {
		if value < p.marks[name] {
			return fmt.Errorf("%w: mark %s", lifecycle.Conflict, name)
		}
	}
	maps.Copy(p.marks, to)
	return nil
}

// CheckCSR takes any bytes for a good request.
func (p *publisher) CheckCSR(csr []byte, _ issuance.Subject, _ certprofile.Profile) ([32]byte, error) {
	return sha256.Sum256(csr), nil
}

// Signer gives the issuing key, or another by its name.
func (p *publisher) Signer(_ context.Context, name string, _ crypto.PublicKey) (crypto.Signer, error) {
	if p.sign != nil {
		p.sign()
	}
	if other := p.named[name]; other != nil {
		return other, nil
	}
	return p.key, nil
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newPublisher(t testing.TB) *publisher {
	t.Helper()
	return newPublisherOf(t, 1)
}

func newPublisherOf(t testing.TB, shards int) *publisher {
	t.Helper()
	p := &publisher{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), marks: map[string]int64{}}
	p.connect(t, testenv.Database(t))
	service := p.Service
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	name := func(cn string) ca.Name {
		return ca.Name{CommonName: cn, Organization: "Montclair", RegistryNumber: "732829320", Country: "FR"}
	}
	root, err := ca.SelfSignRoot(rootKey, name("Root"), p.at)
	ok(t, err)
	issuing, err := ca.SignIssuing(&ca.Issuer{ID: "root-1", Certificate: root, PublicBase: "http://pki.montclair.example"},
		rootKey, p.key.Public(), name("Issuing"), lifecycle.SerialFrom([16]byte{1}), p.at)
	ok(t, err)
	ok(t, service.SetUpBank(t.Context(), lifecycle.System("set-up"), issuance.Bank{
		Branches: []issuance.Branch{{Code: "FR01", Name: "Rennes", Country: "FR"}},
		Staff:    []issuance.Staff{{Login: "ann", Name: "ann", Roles: []lifecycle.Role{lifecycle.RoleAccountManager}, BranchCode: "FR01", Language: "fr"}},
	}))
	ok(t, service.RecordAuthority(t.Context(), lifecycle.System("ceremony"), issuance.Authority{
		ID: "issuing-1", Certificate: issuing.Raw, Mount: "transit", Key: "issuing-1", Shards: shards, Online: true,
	}))
	p.issuing = issuing
	return p
}

// connect opens the house on a database.
func (p *publisher) connect(t testing.TB, url string) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	ok(t, err)
	t.Cleanup(pool.Close)
	p.url, p.pool = url, pool
	service, err := issuance.New(store.New(pool), testenv.Safe(), p, p, issuance.DefaultPolicy(), p.now)
	ok(t, err)
	tools := Tools{Service: service, Signers: p, Marks: p, Now: p.now, Logger: slog.New(slog.DiscardHandler)}
	p.lists = lists{tools, &authorities{service: service, publicBase: "http://pki.montclair.example"}}
}

// certificate is an active certificate.
func (p *publisher) certificate(t testing.TB) lifecycle.CertificateID {
	t.Helper()
	p.made++
	siren := fmt.Sprintf("29901%03d", p.made)
	reference := fmt.Sprintf("R-%d", p.made)
	file := "reference;product;client_id;company;country;registry_number;branch;user_number;given_name;surname;language;email;" +
		"complement;street;postcode;city;address_country;delivery;requested_by\n" + strings.Join([]string{
		reference, "certificate", fmt.Sprintf("%08d", 40_010_000+p.made), "Montclair", "FR", siren + string(lifecycle.LuhnDigit(siren)), "FR01",
		"0001", "Camille", "Martin", "fr", "camille@montclair.example", "", "1 rue de la Paix", "35000", "Rennes", "FR", "-", "ann",
	}, ";") + "\n"
	ctx, s := t.Context(), p.Service
	_, err := s.ImportOrders(ctx, lifecycle.Actor{ID: "olga", Role: lifecycle.RoleOperator}, strings.NewReader(file), nil)
	ok(t, err)
	order, err := s.OrderByReference(ctx, reference)
	ok(t, err)
	ok(t, demodata.Prove(ctx, s, lifecycle.Actor{ID: "ann", Role: lifecycle.RoleAccountManager}, order, p.at))
	shown, err := s.ShowOrder(ctx, order)
	ok(t, err)
	ok(t, s.Approve(ctx, lifecycle.Actor{ID: "paul", Role: lifecycle.RoleApprover}, order, shown.Hash()))
	view, err := s.Order(ctx, order)
	ok(t, err)
	id := view.Certificate.ID
	ok(t, s.TakeKey(ctx, lifecycle.Actor{ID: "olga", Role: lifecycle.RoleOperator}, id, []byte(reference), nil))
	plan, err := s.BeginIssue(ctx, id)
	ok(t, err)
	ok(t, s.RecordDraft(ctx, plan, issuance.LintedDraft{
		TBS: []byte(reference), SubjectSHA256: sha256.Sum256([]byte(plan.Subject.HolderNumber)), NotBefore: p.at, NotAfter: p.at.Add(cmp.Or(p.life, 3*365*24*time.Hour)),
	}))
	ok(t, s.FinishIssue(ctx, plan, []byte(reference), nil))
	ok(t, s.Accept(ctx, lifecycle.Actor{ID: string(view.Certificate.Holder), Role: lifecycle.RoleHolder}, id, []byte("signed")))
	return id
}

func (p *publisher) list(t testing.TB) error {
	t.Helper()
	p.at = p.at.Add(2 * time.Minute)
	return p.publish(t.Context(), issuance.CRLPublishArgs{Issuer: "issuing-1"}, nil)
}

// delta are the serials on the newest delta list.
func (p *publisher) delta(t *testing.T) map[string]bool {
	t.Helper()
	newest, err := p.Service.NewestCRL(t.Context(), "issuing-1", 0)
	ok(t, err)
	list, err := x509.ParseRevocationList(newest.Delta)
	ok(t, err)
	serials := map[string]bool{}
	for _, e := range list.RevokedCertificateEntries {
		serials[fmt.Sprintf("%032x", e.SerialNumber)] = true
	}
	return serials
}

// Before, a delta was published as it came: a held certificate revoked for good
// between the two readings was on the full list and missing from its delta, good
// for whoever follows base and deltas. Now both are read in one moment; what
// changes between it and the end of the publication is in the next.
func TestADeltaListLosesNoEntryEither(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	officer := lifecycle.Actor{ID: "olga", Role: lifecycle.RoleOperator}
	held, other := p.certificate(t), p.certificate(t)
	ok(t, p.list(t)) // the base
	ok(t, p.Service.Hold(t.Context(), officer, held))
	ok(t, p.list(t))
	view, err := p.Service.Certificate(t.Context(), held)
	ok(t, err)
	if !p.delta(t)[view.Serial] {
		t.Fatal("the delta does not list the held certificate")
	}
	ok(t, p.Service.Hold(t.Context(), officer, other))
	p.sign = func() { // after the lists are read
		p.sign = nil
		ok(t, p.Service.Revoke(t.Context(), officer, held, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	}
	ok(t, p.list(t))
	if !p.delta(t)[view.Serial] {
		t.Error("the newest delta has lost the revoked certificate")
	}
	ok(t, p.list(t))
	if !p.delta(t)[view.Serial] {
		t.Error("the next delta has lost the revoked certificate")
	}
}
