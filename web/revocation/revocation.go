// Package revocation is the public door: certificate revocation lists, OCSP
// and CA certificates over plain HTTP, as RFC 5280 and RFC 6960 expect, for
// anybody, with the caching headers that RFC 9919 asks for.
//
// It never decides whether a certificate is revoked, never writes, and never
// answers good when its source fails. It reads the clock and the database
// through [Config] only.
//
// Requests come in from the Internet, bounded in size. Lists come from a
// folder that the publisher writes, so they are served while the database is
// down; statuses and answers signed ahead come from a [StatusSource]; live
// answers are signed by way of [ca.Responder]. Public bytes go out, no name
// and no secret among them.
package revocation

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// StatusSource knows the status of certificates.
type StatusSource interface {
	// Status tells about a serial (positive, big-endian, at most 20 octets) of
	// an issuer. A serial that was never reserved is [ca.StateNeverIssued] with a
	// nil error; an error means that nothing is known now, and the client is
	// told to try later.
	Status(ctx context.Context, issuerID string, serial []byte) (Known, error)
}

// Known is what is known of a certificate at one moment, with the answers that
// were signed ahead for its status.
type Known struct {
	Status  ca.Status
	Version int32         // rises with each change of status
	AsOf    time.Time     // until when no later change is known: an answer is signed only soon after
	Ahead   [2]*Presigned // without nonce, for a CertID with SHA-1 and with SHA-256; nil: none
}

// slot is where the answer to a CertID with the hash stands.
func slot(hash crypto.Hash) int {
	if hash == crypto.SHA256 {
		return 1
	}
	return 0
}

// Presigned is an answer that was signed ahead for one certificate, without
// nonce. It is used only while it agrees with the status read beside it, has
// not reached its end, and carries the CertID that the client sent.
type Presigned struct {
	ca.Answer

	State ca.OCSPState
	tag   [tagSize]byte // of its entity tag
}

// NewPresigned makes one of an answer that says a state.
func NewPresigned(state ca.OCSPState, answer ca.Answer) *Presigned {
	return &Presigned{State: state, Answer: answer, tag: tagOf(answer.DER)}
}

// Responder answers OCSP requests for one issuer.
type Responder struct {
	IssuerID string
	*ca.Responder
	// Signer gives the responder's key for one answer. An error means that the
	// key store is away: the client is told to try later.
	Signer func(context.Context) (crypto.Signer, error)
}

// Authority is a CA whose certificate is served under /ca/.
type Authority struct {
	ID          string
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // what .p7c adds, up to the root; may be empty
}

// Config is what the door needs. Everything but Logger and the bounds is
// required.
type Config struct {
	Lists       string // folder of {issuer}/{shard}.crl and {issuer}/{shard}-delta.crl; it must exist
	Authorities []Authority
	Responders  []Responder // none when every CA has ended; Handler.Speak changes both
	Source      StatusSource
	// Keep is given answers that were signed for a request and fit others; nil:
	// they are forgotten.
	Keep    func(issuerID string, serial []byte, version int32, hash crypto.Hash, answer *Presigned)
	Holding Holding // for the health page; nil: it says that the door is open
	Now     func() time.Time

	MaxAge      time.Duration // how long an OCSP answer may be cached at most; 0: 5 minutes
	ListMaxAge  time.Duration // how long a list may be cached at most; 0: 15 minutes
	SourceLimit time.Duration // how long one request waits for source and signer; 0: 5 seconds
	Fresh       time.Duration // how old what is known of a certificate may be when an answer is signed for it; 0: 10 seconds
	LiveSigning int           // how many answers are signed at the same time; 0: 64. More are told to try later
	Logger      *slog.Logger  // of failures, without any client data; nil: none
}

// Handler serves the public door.
type Handler struct {
	config Config
	lists  *os.Root
	voice  atomic.Pointer[voice]
	live   chan struct{}
	health health
}

// voice is for whom the door speaks.
type voice struct {
	responders []Responder
	certs      map[string]certificateFile
}

type certificateFile struct {
	kind string
	der  []byte
	etag string
}

// New checks the configuration and opens the lists' folder. Close the handler
// when it serves no more.
func New(c Config) (*Handler, error) {
	switch {
	case c.Source == nil || c.Now == nil:
		return nil, fmt.Errorf("%w: the revocation door needs a status source and a clock", lifecycle.Invalid)
	case c.MaxAge < 0 || c.ListMaxAge < 0 || c.SourceLimit < 0 || c.Fresh < 0 || c.LiveSigning < 0:
		return nil, fmt.Errorf("%w: the revocation door's bounds are not negative", lifecycle.Invalid)
	}
	setDefault(&c.MaxAge, 5*time.Minute)
	setDefault(&c.ListMaxAge, 15*time.Minute)
	setDefault(&c.SourceLimit, 5*time.Second)
	setDefault(&c.Fresh, 10*time.Second)
	setDefault(&c.LiveSigning, 64)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{config: c, live: make(chan struct{}, c.LiveSigning)}
	if err := h.Speak(c.Authorities, c.Responders); err != nil {
		return nil, err
	}
	var err error
	if h.lists, err = os.OpenRoot(c.Lists); err != nil {
		return nil, fmt.Errorf("open the folder of lists: %w", err)
	}
	return h, nil
}

// Speak changes for whom the door speaks, while it is open: a responder was
// renewed, a CA is new.
func (h *Handler) Speak(authorities []Authority, responders []Responder) error {
	if len(authorities) == 0 && len(responders) == 0 {
		return fmt.Errorf("%w: the revocation door speaks for nobody", lifecycle.Invalid)
	}
	for _, r := range responders {
		if r.Responder == nil || r.Signer == nil || r.IssuerID == "" {
			return fmt.Errorf("%w: an OCSP responder needs its issuer, certificate and signer", lifecycle.Invalid)
		}
	}
	certs, err := certificateFiles(authorities)
	if err != nil {
		return err
	}
	h.voice.Store(&voice{slices.Clone(responders), certs})
	return nil
}

func setDefault[T ~int | ~int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Close releases the lists' folder.
func (h *Handler) Close() error { return h.lists.Close() }

// ServeHTTP routes by hand: http.ServeMux would redirect an OCSP GET whose
// base64 has two slashes in a row, and clients do not follow.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	header := w.Header()
	header["X-Content-Type-Options"] = []string{"nosniff"}
	var err error
	switch {
	case path == "/ocsp" || path == "/ocsp/" && r.Method == http.MethodPost:
		err = h.ocspPost(w, r)
	case strings.HasPrefix(path, "/ocsp/"):
		err = h.ocspGet(w, r, path[len("/ocsp/"):])
	case strings.HasPrefix(path, "/crl/"):
		err = h.list(w, r, path[len("/crl/"):])
	case path == "/health":
		err = h.tellHealth(w, r)
	case strings.HasPrefix(path, "/ca/"):
		err = h.certificate(w, r, path[len("/ca/"):])
	default:
		err = lifecycle.NotFound
	}
	if err != nil {
		h.render(w, r, err)
	}
}

// methodError says which methods a resource takes.
type methodError struct{ allow string }

func (e methodError) Error() string { return "method not allowed, use " + e.allow }

// allow takes a request with one of the methods.
func allow(r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	return methodError{strings.Join(methods, ", ")}
}

// render is the one place where an error becomes an HTTP status.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	var method methodError
	switch {
	case errors.As(err, &method):
		status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", method.allow)
	case errors.Is(err, lifecycle.NotFound):
		status = http.StatusNotFound
	default:
		h.config.Logger.ErrorContext(r.Context(), "public door", slog.String("error", err.Error()))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

// Server is an HTTP server with the limits of a public door: a client that
// sends slowly, or nothing, is dropped, and a list of 50 MB has ten minutes.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
