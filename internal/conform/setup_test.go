package conform

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// house is a small certification authority whose revocation door is open at the
// address that its certificates name, as a relying party meets it.
type house struct {
	folder string // certificates and lists as files
	lists  string // that the door serves
	base   string // http://host:port of the door
	now    time.Time

	rootKey      crypto.Signer
	root         *ca.Issuer
	live, ended  *authority // the second one's OCSP responder has ended
	certificates map[string]*x509.Certificate
	keys         map[string]*ecdsa.PrivateKey

	postOnly atomic.Bool // the door takes no OCSP by GET
	mu       sync.Mutex
	statuses map[lifecycle.Serial]ca.Status // guarded by mu
	asked    []question                     // guarded by mu
}

// question is an OCSP request that came in.
type question struct {
	method string
	nonce  bool
}

// authority is an issuing CA with its responder.
type authority struct {
	*ca.Issuer

	key, ocspKey crypto.Signer
	responder    *ca.Responder
}

// The certificates, by the names that the cases use. What their statuses are
// stands in [newHouse].
const (
	good     = "good"
	revoked  = "revoked"
	held     = "held"
	late     = "late"     // revoked after the base of the delta
	released = "released" // on hold in the base of the delta, and no more
	apart    = "apart"    // good, of the other shard
	misled   = "misled"   // good, of a third shard, in whose list's place somebody put the second's
	lost     = "lost"     // revoked, of the other shard
	never    = "never"    // signed with the CA's key, and nobody knows of it
	silent   = "silent"   // good, of the CA whose responder has ended
)

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func newSerial(t testing.TB) lifecycle.Serial {
	t.Helper()
	var b [16]byte
	must[int](t)(rand.Read(b[:]))
	return lifecycle.SerialFrom(b)
}

func named(cn string) ca.Name {
	return ca.Name{CommonName: cn, Organization: "Banque Exemple SA", RegistryNumber: "552100554", Country: "FR"}
}

// newHouse opens the door first, so that certificates name it.
func newHouse(t testing.TB) *house {
	t.Helper()
	var listen net.ListenConfig
	listener := must[net.Listener](t)(listen.Listen(t.Context(), "tcp", "127.0.0.1:0"))
	h := &house{
		folder: t.TempDir(), lists: t.TempDir(), base: "http://" + listener.Addr().String(), now: time.Now().UTC().Truncate(time.Second),
		rootKey: newKey(t), statuses: map[lifecycle.Serial]ca.Status{}, certificates: map[string]*x509.Certificate{}, keys: map[string]*ecdsa.PrivateKey{},
	}
	long := h.now.AddDate(0, 0, -100)
	h.root = &ca.Issuer{ID: "root", PublicBase: h.base, Certificate: must[*x509.Certificate](t)(ca.SelfSignRoot(h.rootKey, named("Root"), long))}
	h.live = h.authority(t, "issuing-1", long, h.now)
	h.ended = h.authority(t, "issuing-2", long, long)
	at, hour := h.now, time.Hour
	gone := func(reason lifecycle.RevocationReason, ago time.Duration) ca.Status {
		return ca.Status{State: ca.StateRevoked, RevokedAt: at.Add(-ago), Reason: reason}
	}
	h.issue(t, good, h.live, 0, ca.Status{State: ca.StateGood})
	h.issue(t, revoked, h.live, 0, gone(lifecycle.ReasonKeyCompromise, 3*hour))
	h.issue(t, held, h.live, 0, gone(lifecycle.ReasonCertificateHold, 3*hour))
	h.issue(t, late, h.live, 0, gone(lifecycle.ReasonSuperseded, hour))
	h.issue(t, released, h.live, 0, ca.Status{State: ca.StateGood})
	h.issue(t, apart, h.live, 1, ca.Status{State: ca.StateGood})
	h.issue(t, misled, h.live, 2, ca.Status{State: ca.StateGood})
	h.issue(t, lost, h.live, 1, gone(lifecycle.ReasonAffiliationChanged, 3*hour))
	h.issue(t, never, h.live, 0, ca.Status{State: ca.StateNeverIssued})
	h.issue(t, silent, h.ended, 0, ca.Status{State: ca.StateGood})
	h.writeFiles(t)
	h.publish(t)
	h.open(t, listener)
	return h
}

// authority makes an issuing CA of a moment, and its responder of another.
func (h *house) authority(t testing.TB, id string, born, responder time.Time) *authority {
	t.Helper()
	cert := must[*x509.Certificate](t)
	a := &authority{key: newKey(t), ocspKey: newKey(t)}
	a.Issuer = &ca.Issuer{
		ID: id, PublicBase: h.base, Certificate: cert(ca.SignIssuing(h.root, h.rootKey, a.key.Public(), named("CA "+id), newSerial(t), born)),
	}
	delegate := cert(ca.SignOCSPResponder(a.Issuer, a.key, a.ocspKey.Public(), named("OCSP "+id), newSerial(t), responder))
	a.responder = must[*ca.Responder](t)(ca.NewResponder(a.Certificate, delegate, time.Hour))
	return a
}

func (h *house) issue(t testing.TB, name string, by *authority, shard int, status ca.Status) {
	t.Helper()
	key, serial := newKey(t), newSerial(t)
	csr := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
	draft := must[*ca.Draft](t)(by.Prepare(ca.NominativeAuthentication(), must[*ca.Request](t)(ca.ParseRequest(csr)), ca.Subject{
		GivenName: "Amélie", Surname: "Dupont", Organization: "Boulangerie du Pont", OrganizationID: "NTRFR-732829320",
		RegistryNumber: "732829320", Country: "FR", HolderNumber: "H-" + name,
	}, serial, shard, h.now))
	h.certificates[name], h.keys[name], h.statuses[serial] = must[*x509.Certificate](t)(by.Sign(draft, by.key)), key, status
}

func (h *house) serial(name string) lifecycle.Serial {
	var s lifecycle.Serial
	h.certificates[name].SerialNumber.FillBytes(s[:])
	return s
}

// listOf makes a list: entries by the names of their certificates, with the
// reasons that stand there.
func (h *house) listOf(t testing.TB, c ca.CRL, key crypto.Signer, entries map[string]lifecycle.RevocationReason) []byte {
	t.Helper()
	var all []ca.Revoked
	for name, reason := range entries {
		all = append(all, ca.Revoked{Serial: h.serial(name), At: h.now.Add(-4 * time.Hour), Reason: reason})
	}
	slices.SortFunc(all, func(a, b ca.Revoked) int { return slices.Compare(a.Serial[:], b.Serial[:]) })
	encoded := iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) {
		for _, r := range all {
			if !yield(ca.EncodeEntry(r)) {
				return
			}
		}
	})
	c.NextUpdate = h.now.Add(24 * time.Hour)
	return must[[]byte](t)(ca.EncodeCRL(c, encoded, key))
}

// publish makes the lists as the workers do: a full list, then, after a
// revocation and a release, the next full one with the delta since the first. A
// relying party may hold the first, and fetches the delta alone.
func (h *house) publish(t testing.TB) {
	t.Helper()
	urls, others := h.live.URLs(0), h.live.URLs(1)
	first := ca.CRL{Issuer: h.live.Certificate, Number: 1, ThisUpdate: h.now.Add(-2 * time.Hour), DistributionPoint: urls.CRL, Freshest: urls.Delta, OnlyUser: true}
	base := h.listOf(t, first, h.live.key, map[string]lifecycle.RevocationReason{
		revoked: lifecycle.ReasonKeyCompromise, held: lifecycle.ReasonCertificateHold, released: lifecycle.ReasonCertificateHold,
	})
	second := first
	second.Number, second.ThisUpdate = 2, h.now.Add(-time.Minute)
	full := h.listOf(t, second, h.live.key, map[string]lifecycle.RevocationReason{
		revoked: lifecycle.ReasonKeyCompromise, held: lifecycle.ReasonCertificateHold, late: lifecycle.ReasonSuperseded,
	})
	second.BaseNumber = 1
	delta := h.listOf(t, second, h.live.key, map[string]lifecycle.RevocationReason{
		late: lifecycle.ReasonSuperseded, released: lifecycle.ReasonRemoveFromCRL,
	})
	other := ca.CRL{Issuer: h.live.Certificate, Number: 1, ThisUpdate: h.now.Add(-time.Minute), DistributionPoint: others.CRL, Freshest: others.Delta, OnlyUser: true}
	shard1 := h.listOf(t, other, h.live.key, map[string]lifecycle.RevocationReason{lost: lifecycle.ReasonAffiliationChanged})
	root := h.listOf(t, ca.CRL{Issuer: h.root.Certificate, Number: 1, ThisUpdate: h.now.Add(-time.Minute), OnlyCA: true}, h.rootKey, nil)
	for _, err := range []error{
		revocation.WriteLists(h.lists, h.live.ID, 0, bytes.NewReader(full), bytes.NewReader(delta)),
		revocation.WriteLists(h.lists, h.live.ID, 1, bytes.NewReader(shard1), nil),
		revocation.WriteLists(h.lists, h.live.ID, 2, bytes.NewReader(shard1), nil),
		revocation.WriteLists(h.lists, h.root.ID, 0, bytes.NewReader(root), nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, der := range map[string][]byte{"base": base, "full": full, "delta": delta, "other": shard1, "root": root} {
		h.write(t, name+".crl", listBlock(der))
		h.writeBytes(t, name+".crl.der", der)
	}
}

func (h *house) write(t testing.TB, name string, blocks ...*pem.Block) {
	t.Helper()
	var text []byte
	for _, block := range blocks {
		text = append(text, pem.EncodeToMemory(block)...)
	}
	h.writeBytes(t, name, text)
}

func (h *house) writeBytes(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.folder, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func listBlock(der []byte) *pem.Block { return &pem.Block{Type: "X509 CRL", Bytes: der} }

func keyBlock(t testing.TB, key *ecdsa.PrivateKey) *pem.Block {
	t.Helper()
	return &pem.Block{Type: "PRIVATE KEY", Bytes: must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))}
}

func block(c *x509.Certificate) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw} }

func (h *house) writeFiles(t testing.TB) {
	t.Helper()
	h.write(t, "root.pem", block(h.root.Certificate))
	h.write(t, "issuing.pem", block(h.live.Certificate))
	h.write(t, "chain.pem", block(h.live.Certificate), block(h.root.Certificate))
	h.write(t, "ended.pem", block(h.ended.Certificate))
	for name, c := range h.certificates {
		h.write(t, name+".pem", block(c))
	}
}

// Status is what the house knows.
func (h *house) Status(_ context.Context, issuer string, serial []byte) (revocation.Known, error) {
	known := revocation.Known{Status: ca.Status{State: ca.StateNeverIssued}, AsOf: time.Now()}
	if len(serial) == len(lifecycle.Serial{}) && (issuer == h.live.ID || issuer == h.ended.ID) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if status, ok := h.statuses[lifecycle.Serial(serial)]; ok {
			known.Status = status
		}
	}
	return known, nil
}

// record notes each OCSP request before the door answers it.
func (h *house) record(door http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var der []byte
		if encoded, ok := strings.CutPrefix(r.URL.Path, "/ocsp/"); ok && r.Method == http.MethodGet {
			if h.postOnly.Load() {
				http.Error(w, "POST only", http.StatusMethodNotAllowed)
				return
			}
			der, _ = base64.StdEncoding.DecodeString(encoded)
		} else if r.Method == http.MethodPost {
			der, _ = io.ReadAll(io.LimitReader(r.Body, ca.MaxOCSPRequestSize))
			r.Body = io.NopCloser(bytes.NewReader(der))
		}
		if request, err := ca.ParseOCSPRequest(der); err == nil {
			h.mu.Lock()
			h.asked = append(h.asked, question{r.Method, request.Nonce != nil})
			h.mu.Unlock()
		}
		door.ServeHTTP(w, r)
	})
}

// heard gives the OCSP requests since it was asked last.
func (h *house) heard() []question {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := h.asked
	h.asked = nil
	return asked
}

// open serves the real door.
func (h *house) open(t testing.TB, listener net.Listener) {
	t.Helper()
	speaker := func(a *authority) revocation.Responder {
		return revocation.Responder{IssuerID: a.ID, Responder: a.responder, Signer: func(context.Context) (crypto.Signer, error) { return a.ocspKey, nil }}
	}
	handler := must[*revocation.Handler](t)(revocation.New(revocation.Config{
		Lists: h.lists, Source: h, Now: time.Now, Responders: []revocation.Responder{speaker(h.live), speaker(h.ended)},
		Authorities: []revocation.Authority{
			{ID: h.live.ID, Certificate: h.live.Certificate, Chain: []*x509.Certificate{h.root.Certificate}},
			{ID: h.ended.ID, Certificate: h.ended.Certificate}, {ID: h.root.ID, Certificate: h.root.Certificate},
		},
	}))
	server := revocation.Server("", h.record(handler))
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), handler.Close()); err != nil {
			t.Error(err)
		}
	})
}
