// Package holder is the door for holders: small pages, rendered here, without a
// script, in French, Dutch, German and English, on which who has a reference and
// an enrolment code brings a key and takes a certificate. The same handlers answer
// JSON to who accepts it: sceau-enroll.
//
// It decides nothing: it reads forms and files, bounded in size, asks the use
// cases as the holder that the session names, and renders what they say, errors
// too, in one place (render.go). A code is never in an address, a log or a page.
// Data runs browser → issuance → browser.
package holder

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// Config is what the door needs; everything is required.
type Config struct {
	Service *issuance.Service
	// Chain are the certificates of an issuer and of those above it, DER.
	Chain func(ctx context.Context, issuer string) ([][]byte, error)
	// Bundle puts certificates in a CMS message for /certificate.p7c.
	Bundle func(certificates ...[]byte) ([]byte, error)
	Ready  func(context.Context) error
	Now    func() time.Time
	Logger *slog.Logger
}

type door struct {
	Config

	tries       throttle
	revocations callers  // who were wrong: none is kept from being right
	reports     throttle // of suspicious things
}

// Bounds of a request.
const (
	maxBody  = 64 << 10
	maxWait  = 3 * time.Second // that a page waits for its certificate
	lookEach = 200 * time.Millisecond
)

// New makes the door's handler.
func New(c Config) (http.Handler, error) {
	if c.Service == nil || c.Chain == nil || c.Bundle == nil || c.Ready == nil || c.Now == nil || c.Logger == nil {
		return nil, fmt.Errorf("%w: the door for holders needs use cases, chains, a clock and a logger", lifecycle.Invalid)
	}
	d := &door{Config: c}
	d.tries.rate, d.tries.most = triesASecond, triesAtOnce
	d.reports.rate, d.reports.most = reportsASecond, reportsAtOnce
	mux := http.NewServeMux()
	for pattern, handle := range map[string]handler{
		"GET /{$}":                          d.showDoor,
		"POST /{$}":                         d.enter,
		"GET /certificate":                  d.showCertificate,
		"POST /certificate/request":         d.takeRequest,
		"POST /certificate/acceptance":      d.takeAcceptance,
		"POST /certificate/refusal":         d.takeRefusal,
		"GET /certificate/certificate.pem":  d.certificatePEM,
		"GET /certificate/certificate.p7c":  d.certificateBundle,
		"GET /certificate/acceptance.txt":   d.statement,
		"POST /certificate/revocation-code": d.giveCode,
		"GET /revoke":                       d.showRevoke,
		"POST /revoke":                      d.openRevocation,
		"GET /revoke/reason":                d.showReasons,
		"POST /revoke/confirm":              d.confirmRevocation,
		"POST /revoke/receipt":              d.revoke,
		"POST /revoke/signed":               d.revokeSigned,
		"POST /revoke/leave":                d.leaveRevocation,
		"GET /advice":                       d.showAdvice,
		"GET /report":                       d.showReport,
		"POST /report":                      d.report,
		"POST /leave":                       d.leave,
		"GET /livez":                        func(*visit) (answer, error) { return answer{status: http.StatusNoContent}, nil },
		"GET /readyz":                       d.ready,
		"GET /style.css":                    func(*visit) (answer, error) { return answer{file: style, kind: "text/css; charset=utf-8"}, nil },
		"/":                                 func(*visit) (answer, error) { return answer{}, errNoPage },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, handle) })
	}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.serve(w, r, func(*visit) (answer, error) { return answer{}, errForeign })
	}))
	return headers(guard.Handler(mux)), nil
}

// headers are the same on every answer: no script, no frame, nothing from
// elsewhere, nothing kept.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would hide the origin of our own forms
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Strict-Transport-Security", "max-age=63072000")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// ready tells a balancer whether this process can work.
func (d *door) ready(v *visit) (answer, error) {
	ctx, cancel := context.WithTimeout(v.r.Context(), maxWait)
	defer cancel()
	if err := d.Ready(ctx); err != nil {
		return answer{}, fmt.Errorf("%w: not ready: %w", lifecycle.Unavailable, err)
	}
	return answer{status: http.StatusNoContent}, nil
}

// Server is an HTTP server with the limits of this door.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}
