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
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// StatusSource knows the status of certificates. One read gives the status
// and, when there is a fresh one, the answer that was signed ahead for it.
type StatusSource interface {
	// Status tells about a serial (positive, big-endian, at most 20 octets) of
	// an issuer. A serial that was never reserved is [ca.StateUnknown] with a
	// nil error; an error means that nothing is known now, and the client is
	// told to try later. The answer signed ahead is nil when there is none.
	Status(ctx context.Context, issuerID string, serial []byte) (ca.Status, *Presigned, error)
}

// Presigned is an answer that was signed ahead for one certificate, without
// nonce. It is used only while it agrees with the status read beside it, has
// not reached its end, and carries the CertID that the client sent.
type Presigned struct {
	State ca.OCSPState
	ca.Answer
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
	Responders  []Responder // at least one
	Source      StatusSource
	Now         func() time.Time

	MaxAge      time.Duration // how long an OCSP answer may be cached at most; 0: 5 minutes
	ListMaxAge  time.Duration // how long a list may be cached at most; 0: 15 minutes
	SourceLimit time.Duration // how long one request waits for source and signer; 0: 5 seconds
	LiveSigning int           // how many answers are signed at the same time; 0: 64. More are told to try later
	Logger      *slog.Logger  // of failures, without any client data; nil: none
}

// Handler serves the public door.
type Handler struct {
	config Config
	lists  *os.Root
	certs  map[string]certificateFile
	live   chan struct{}
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
	case len(c.Responders) == 0:
		return nil, fmt.Errorf("%w: the revocation door needs an OCSP responder", lifecycle.Invalid)
	case c.MaxAge < 0 || c.ListMaxAge < 0 || c.SourceLimit < 0 || c.LiveSigning < 0:
		return nil, fmt.Errorf("%w: the revocation door's bounds are not negative", lifecycle.Invalid)
	}
	for _, r := range c.Responders {
		if r.Responder == nil || r.Signer == nil || r.IssuerID == "" {
			return nil, fmt.Errorf("%w: an OCSP responder needs its issuer, certificate and signer", lifecycle.Invalid)
		}
	}
	setDefault(&c.MaxAge, 5*time.Minute)
	setDefault(&c.ListMaxAge, 15*time.Minute)
	setDefault(&c.SourceLimit, 5*time.Second)
	setDefault(&c.LiveSigning, 64)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	certs, err := certificateFiles(c.Authorities)
	if err != nil {
		return nil, err
	}
	lists, err := os.OpenRoot(c.Lists)
	if err != nil {
		return nil, fmt.Errorf("open the folder of lists: %w", err)
	}
	return &Handler{config: c, lists: lists, certs: certs, live: make(chan struct{}, c.LiveSigning)}, nil
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
