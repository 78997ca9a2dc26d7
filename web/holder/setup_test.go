package holder_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/ca"
	"sceau/certprofile"
	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/party"
	"sceau/store"
	"sceau/web/holder"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.WithoutCardEngine(), testenv.WithMigrations(func(ctx context.Context, url string) error {
		if err := migrations.Up(ctx, url); err != nil {
			return err
		}
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			return err
		}
		defer pool.Close()
		if err := jobs.Migrate(ctx, pool); err != nil {
			return err
		}
		return migrations.Grant(ctx, url)
	}))
}

var (
	manager  = lifecycle.Actor{ID: "manager", Role: lifecycle.RoleAccountManager}
	approver = lifecycle.Actor{ID: "approver", Role: lifecycle.RoleApprover}
	operator = lifecycle.Actor{ID: "operator", Role: lifecycle.RoleOperator}
	officer  = lifecycle.Actor{ID: "officer", Role: lifecycle.RoleSecurityOfficer}
)

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// clock is moved by tests only.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// bank is the door over use cases on a database of the test's own, with the
// rights of staff's processes, the door with its own, and an issuing CA whose key is in memory.
type bank struct {
	t       *testing.T
	service *issuance.Service
	pool    *pgxpool.Pool // the superuser's
	clock   *clock
	server  *httptest.Server
	log     *syncBuffer

	key    *ecdsa.PrivateKey
	issuer *x509.Certificate
	orders int
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func open(t *testing.T, adapt ...func(*issuance.Policy)) *bank {
	t.Helper()
	base := testenv.Database(t)
	b := &bank{t: t, clock: &clock{at: time.Now()}, log: &syncBuffer{}}
	b.pool = must[*pgxpool.Pool](t)(pgxpool.New(t.Context(), base))
	t.Cleanup(b.pool.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	as := func(role string) *store.Store {
		pool := must[*pgxpool.Pool](t)(pgxpool.New(t.Context(), testenv.DatabaseAs(t, base, role)))
		t.Cleanup(pool.Close)
		return store.New(pool)
	}
	policy := issuance.DefaultPolicy()
	for _, a := range adapt {
		a(&policy)
	}
	queue := must[*jobs.Enqueuer](t)(jobs.NewEnqueuer())
	b.service = must[*issuance.Service](t)(issuance.New(as(migrations.RoleApp), testenv.Safe(), queue, jobs.CSRChecker{}, policy, b.clock.now))
	house := issuance.Bank{Branches: []issuance.Branch{
		{Code: "FR01", Name: "Rennes", Street: "8 quai des Tilleuls", Postcode: "35000", City: "Rennes", Country: "FR"},
	}}
	for _, a := range []lifecycle.Actor{manager, approver, operator, officer} {
		house.Staff = append(house.Staff, issuance.Staff{Login: a.ID, Name: a.ID, Roles: []lifecycle.Role{a.Role}, BranchCode: "FR01", Language: party.French})
	}
	if err := b.service.SetUpBank(t.Context(), lifecycle.System("test"), house); err != nil {
		t.Fatal(err)
	}
	b.ceremony()
	own := must[*issuance.Service](t)(issuance.New(as(migrations.RoleHolder), nil, queue, jobs.CSRChecker{}, policy, b.clock.now))
	door := must[http.Handler](t)(holder.New(holder.Config{
		Service: own, Ready: func(context.Context) error { return nil }, Now: b.clock.now, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Chain: func(context.Context, string) ([][]byte, error) { return [][]byte{b.issuer.Raw}, nil },
		Bundle: func(all ...[]byte) ([]byte, error) {
			return ca.CertsOnly(must[*x509.Certificate](t)(x509.ParseCertificate(all[0])), b.issuer)
		},
	}))
	b.server = httptest.NewTLSServer(door)
	t.Cleanup(b.server.Close)
	return b
}

func (b *bank) ceremony() {
	b.t.Helper()
	b.key = newKey(b.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Issuing CA"}, NotBefore: b.clock.now().Add(-time.Hour), NotAfter: b.clock.now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Policies: []x509.OID{must[x509.OID](b.t)(x509.ParseOID("2.5.29.32.0"))},
	}
	der := must[[]byte](b.t)(x509.CreateCertificate(rand.Reader, template, template, b.key.Public(), b.key))
	b.issuer = must[*x509.Certificate](b.t)(x509.ParseCertificate(der))
	if err := b.service.RecordAuthority(b.t.Context(), officer, issuance.Authority{
		ID: "issuing-1", Certificate: der, Mount: "transit", Key: "issuing-1", Shards: 1, Online: true,
	}); err != nil {
		b.t.Fatal(err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// certificate is one that awaits its key, of a holder of its own.
func (b *bank) certificate() lifecycle.CertificateID {
	b.t.Helper()
	b.orders++
	digits := fmt.Sprintf("29901%03d", b.orders)
	siren := digits + string(lifecycle.LuhnDigit(digits))
	reference := fmt.Sprintf("REF-%d", b.orders)
	line := strings.Join([]string{
		reference, "certificate", fmt.Sprintf("4001%04d", b.orders), "Ateliers Montclair", "FR", siren, "FR01", "0001", "Hélène", "Montclair", "fr",
		"helene@montclair.example", "", "1 rue de l'Église", "35000", "Rennes", "FR", "-", "manager",
	}, ";")
	header := "reference;product;client_id;company;country;registry_number;branch;user_number;given_name;surname;language;email;complement;street;postcode;city;address_country;delivery;requested_by"
	ctx, s := b.t.Context(), b.service
	report, err := s.ImportOrders(ctx, operator, strings.NewReader(header+"\n"+line+"\n"), nil)
	if err != nil || report.Kept != 1 {
		b.t.Fatalf("import: %+v, %v", report, err)
	}
	order := must[lifecycle.OrderID](b.t)(s.OrderByReference(ctx, reference))
	if err := demodata.Prove(ctx, s, operator, order, b.clock.now()); err != nil {
		b.t.Fatal(err)
	}
	shown := must[issuance.OrderContent](b.t)(s.ShowOrder(ctx, order))
	if err := s.Approve(ctx, approver, order, shown.Hash()); err != nil {
		b.t.Fatal(err)
	}
	return must[issuance.OrderView](b.t)(s.Order(ctx, order)).Certificate.ID
}

func (b *bank) invited(id lifecycle.CertificateID) string {
	b.t.Helper()
	return must[issuance.Invitation](b.t)(b.service.Invite(b.t.Context(), manager, id, issuance.FaceToFace)).Code.Reveal()
}

// issue plays the worker.
func (b *bank) issue(id lifecycle.CertificateID) {
	b.t.Helper()
	ctx, s := b.t.Context(), b.service
	plan := must[issuance.CertificatePlan](b.t)(s.BeginIssue(ctx, id))
	der := plan.CSR
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	request := must[*x509.CertificateRequest](b.t)(x509.ParseCertificateRequest(der))
	subject := pkix.Name{
		CommonName: plan.Subject.GivenName + " " + plan.Subject.Surname, Organization: []string{plan.Subject.Organization}, Country: []string{plan.Subject.Country},
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: plan.Subject.OrganizationID}},
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(plan.Serial[:]), Subject: subject, NotBefore: plan.ReservedAt.Add(-time.Minute), NotAfter: plan.ReservedAt.AddDate(3, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	signed := must[[]byte](b.t)(x509.CreateCertificate(rand.Reader, template, b.issuer, request.PublicKey, b.key))
	if err := errors.Join(s.RecordDraft(ctx, plan, issuance.LintedDraft{
		TBS: []byte("draft"), SubjectSHA256: sha256.Sum256([]byte(plan.Subject.HolderNumber)), NotBefore: template.NotBefore, NotAfter: template.NotAfter,
	}), s.FinishIssue(ctx, plan, signed, nil)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bank) state(id lifecycle.CertificateID) lifecycle.CertificateState {
	b.t.Helper()
	return must[issuance.CertificateView](b.t)(b.service.Certificate(b.t.Context(), id)).State
}

// browser keeps cookies and follows no redirect.
type browser struct {
	*bank

	client *http.Client
	header http.Header // of every request
}

func (b *bank) browser() *browser {
	b.t.Helper()
	client := *b.server.Client()
	client.Jar = must[*cookiejar.Jar](b.t)(cookiejar.New(nil))
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{bank: b, client: &client, header: http.Header{"Accept-Language": {"fr"}}}
}

// program is a browser that takes and sends JSON.
func (b *bank) program() *browser {
	p := b.browser()
	p.header.Set("Accept", "application/json")
	return p
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (v *browser) send(method, path, kind string, body io.Reader) answer {
	v.t.Helper()
	request := must[*http.Request](v.t)(http.NewRequestWithContext(v.t.Context(), method, v.server.URL+path, body))
	request.Header = v.header.Clone()
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response := must[*http.Response](v.t)(v.client.Do(request)) //nolint:bodyclose // closed in the next line: must hides it
	defer func() { _ = response.Body.Close() }()
	text := must[[]byte](v.t)(io.ReadAll(response.Body))
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body)
	return a
}

func (v *browser) get(path string) answer { v.t.Helper(); return v.send(http.MethodGet, path, "", nil) }

func (v *browser) post(path string, values url.Values) answer {
	v.t.Helper()
	return v.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

func (v *browser) json(path string, value any) answer {
	v.t.Helper()
	return v.send(http.MethodPost, path, "application/json", bytes.NewReader(must[[]byte](v.t)(json.Marshal(value))))
}

func (v *browser) upload(path, field string, content []byte, values url.Values) answer {
	v.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part := must[io.Writer](v.t)(w.CreateFormFile(field, "a file"))
	_, _ = part.Write(content)
	for name := range values {
		_ = w.WriteField(name, values.Get(name))
	}
	_ = w.Close()
	return v.send(http.MethodPost, path, w.FormDataContentType(), &body)
}

func (v *browser) enter(id lifecycle.CertificateID, code string) answer {
	v.t.Helper()
	return v.post("/", url.Values{"certificate": {string(id)}, "code": {code}})
}

func csr(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
}

func signed(t *testing.T, key crypto.Signer, statement string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(statement))
	return must[[]byte](t)(key.Sign(rand.Reader, digest[:], crypto.SHA256))
}

// want checks status, and words that the answer has.
func (a answer) want(t *testing.T, status int, words ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.text)
	}
	for _, w := range words {
		if !strings.Contains(a.text, w) {
			t.Errorf("%q is not in:\n%s", w, a.text)
		}
	}
}

// onDevices has certificates that are ordered from now on need a key on a device.
func (b *bank) onDevices() {
	b.t.Helper()
	p, _ := certprofile.BuiltIn(certprofile.NominativeAuthentication)
	p.Device = true
	version := must[int](b.t)(b.service.ProposeProfile(b.t.Context(), officer, p))
	if err := b.service.ApproveProfile(b.t.Context(), approver, p.Name, version, p.Sum()); err != nil {
		b.t.Fatal(err)
	}
}
