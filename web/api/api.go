// Package api is the door for relying services: online banking, payment hub,
// branch terminals. It verifies codes, activates and blocks cards, revokes
// certificates and follows orders over JSON, with API keys, RFC 9457 problems
// and an OpenAPI 3.1 description at /openapi.yaml.
//
// It identifies the caller, validates what came in, calls issuance or authn,
// and turns their error kinds into statuses in one place (problem.go). It never
// decides what is legal, never tells why a code was refused, and never writes a
// code, a key or a cryptogram to a log, an error or a URL. Data runs caller →
// api → authn, issuance.
package api

//go:generate go run sceau/tools/openapi -folder ../../docs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sceau/authn"
	"sceau/decision"
	"sceau/issuance"
	"sceau/lifecycle"
)

// Scripter makes the issuer script that resets a card's PIN try counter or gives
// it another PIN: the card engine. It checks the card's cryptogram first; a wrong
// one is [lifecycle.Invalid].
type Scripter interface {
	Script(ctx context.Context, plan issuance.ScriptPlan, atc int, arqc []byte) (apdu []byte, err error)
}

// Chips makes cards in blank chips at branch terminals: the card engine, by a
// policy of its own.
type Chips interface {
	// Challenge is what INITIALIZE UPDATE brings to the chip.
	Challenge(ctx context.Context, plan issuance.ChipPlan) ([]byte, error)
	// Open makes the commands for the chip that gave the answer; a strange chip is
	// [lifecycle.Invalid].
	Open(ctx context.Context, plan issuance.ChipPlan, answer []byte) (issuance.ChipData, error)
	// Prove tells whether the card of the plan made the cryptogram.
	Prove(ctx context.Context, plan issuance.ChipPlan, proof issuance.ChipProof) (bool, error)
}

// Config is what the door needs; every member is required, but for Scripts with
// Decisions and Chips, of which the door has one.
type Config struct {
	Service   *issuance.Service
	Authn     *authn.Service
	Decisions *decision.Service               // of the door for relying services
	Scripts   Scripter                        // of the same
	Chips     Chips                           // of the door for terminals that personalise
	Ready     func(ctx context.Context) error // whether database and Vault answer
	Now       func() time.Time
	Logger    *slog.Logger
	Version   string // of the program, for the description
}

type door struct {
	Config

	api huma.API
}

// Bounds of a request.
const (
	maxBody     = 64 << 10
	bodyTimeout = 5 * time.Second
)

// New makes the door's handler: for relying services, or with Chips for terminals
// that personalise.
func New(c Config) (http.Handler, error) {
	if c.Service == nil || c.Authn == nil || (c.Scripts == nil) == (c.Chips == nil) || (c.Scripts == nil) != (c.Decisions == nil) || c.Ready == nil || c.Now == nil || c.Logger == nil {
		return nil, fmt.Errorf("%w: the API needs use cases, authentication, scripts or chips, a clock and a logger", lifecycle.Invalid)
	}
	mux, d := register(c)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", d.ready)
	mux.HandleFunc("GET /.well-known/jwks.json", d.keySet)
	mux.HandleFunc("GET /problems/{code}", explain)
	return d.recovered(known(mux)), nil
}

// register makes the door with its operations.
func register(c Config) (*http.ServeMux, *door) {
	problemsInsteadOfHumas()
	mux := http.NewServeMux()
	d := &door{Config: c, api: humago.New(mux, description(c.Version))}
	d.api.UseMiddleware(d.identify, d.authenticate, d.onlyOnce)
	routes := d.routes
	if c.Chips != nil {
		routes = d.chipRoutes
	}
	for _, register := range routes() {
		register()
	}
	return mux, d
}

// Description is the OpenAPI 3.1 description of the door for relying services, as it is
// served at /openapi.yaml, of a program's version.
func Description(version string) ([]byte, error) {
	_, d := register(Config{Version: version})
	text, err := d.api.OpenAPI().YAML()
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return text, nil
}

// known answers what no route takes with a problem, as routes do.
func known(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		said := unwritten{header: w.Header()}
		refusal.ServeHTTP(&said, r)
		w.Header().Del("Content-Length")
		writeProblem(w, newProblem(codeOfStatus(said.status), "", ""))
	})
}

// unwritten keeps what a handler says of the status, and its headers.
type unwritten struct {
	header http.Header
	status int
}

func (u *unwritten) Header() http.Header         { return u.header }
func (u *unwritten) Write(b []byte) (int, error) { return len(b), nil }
func (u *unwritten) WriteHeader(status int)      { u.status = status }

// description is the head of the OpenAPI document. No page that loads scripts
// from elsewhere is served.
func description(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Sceau", Version: version,
				Description: "Strong authentication for relying services: sign users in, have them sign operations, verify codes, activate and block cards, revoke certificates, stop everything, follow orders and events.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					bearer: {Type: "http", Scheme: "bearer", Description: "An API key of `sceau api-key`, which names its scopes. A client certificate that `sceau service bind` knows takes its place."},
				},
			},
		},
		OpenAPIPath: "/openapi", Formats: map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
}

const bearer = "api_key"

// routes are the door's operations; each names the scope that its caller's key
// must have.
func (d *door) routes() []func() {
	return append(slices.Concat(d.authenticationRoutes(), d.fraudRoutes(), d.certificateRoutes(), d.settingsRoutes(), d.decisionRoutes(), d.meansRoutes(), d.eventRoutes()), []func(){
		route(d, authn.ScopeVerifyCAP, huma.Operation{
			OperationID: "verify-cap", Method: http.MethodPost, Path: "/v1/cap/verify", Tags: []string{"authentication"},
			Summary:     "Verify a code of the CAP reader",
			Description: "A code counts once. The answer never says what was wrong with it.",
		}, d.verifyCAP),
		route(d, authn.ScopeVerifyCAP, huma.Operation{
			OperationID: "resync-cap", Method: http.MethodPost, Path: "/v1/cap/resync", Tags: []string{"authentication"},
			Summary:     "Verify two codes in a row, of a card whose counter ran ahead",
			Description: "For a holder whose right codes are refused: some cards make many codes that nobody sends. Both codes are spent.",
		}, d.resyncCAP),
		route(d, authn.ScopeActivateCards, huma.Operation{
			OperationID: "activate-card", Method: http.MethodPost, Path: "/v1/cards/{id}/activate", Tags: []string{"cards"},
			Summary: "Activate a card by its first right code",
		}, d.activateCard),
		route(d, authn.ScopeBlockCards, huma.Operation{
			OperationID: "block-card", Method: http.MethodPost, Path: "/v1/cards/{id}/block", Tags: []string{"cards"},
			Summary:     "Block a card: for a while, or for ever with a dated receipt",
			Description: "Reporting the same loss again answers the first receipt.",
		}, d.blockCard),
		route(d, authn.ScopeRevokeCertificates, huma.Operation{
			OperationID: "revoke-certificate", Method: http.MethodPost, Path: "/v1/certificates/{serial}/revoke", Tags: []string{"certificates"},
			Summary:     "Revoke a certificate for ever",
			Description: "OCSP and the lists say so within seconds. Revoking again changes nothing.",
		}, d.revokeCertificate),
		route(d, authn.ScopeReadOrders, huma.Operation{
			OperationID: "list-orders", Method: http.MethodGet, Path: "/v1/orders", Tags: []string{"orders"},
			Summary: "List orders, oldest first",
		}, d.orders),
		route(d, authn.ScopeReadOrders, huma.Operation{
			OperationID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{id}", Tags: []string{"orders"},
			Summary: "Follow an order with its card or certificate",
		}, d.getOrder),
		route(d, authn.ScopeResetPIN, huma.Operation{
			OperationID: "make-script", Method: http.MethodPost, Path: "/v1/orders/{id}/script", Tags: []string{"terminals"},
			Summary:     "Make the script that resets a card's PIN try counter, or gives it another PIN",
			Description: "For a branch terminal with the card in it, under an approved order. The card's cryptogram proves that it is there; each card transaction gets one script.",
		}, d.makeScript),
		route(d, authn.ScopeResetPIN, huma.Operation{
			OperationID: "finish-script", Method: http.MethodPost, Path: "/v1/orders/{id}/script/result", Tags: []string{"terminals"},
			Summary:     "Record whether the card took the script",
			Description: "A script that the card refused changes nothing; the terminal may ask for another, three an order.",
		}, d.scriptResult),
	}...)
}

// route is an operation for callers with the scope.
func route[In, Out any](d *door, scope authn.Scope, op huma.Operation, handle func(ctx context.Context, in *In) (*Out, error)) func() {
	op.Metadata = map[string]any{scopeKey: scope}
	if op.Method == http.MethodPost {
		rule := d.onceOf(op.OperationID)
		if scope.AtBranch() { // what is made for a chip is kept nowhere
			rule = once{several: true, secret: true}
		}
		op.Metadata[onceKey] = rule
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: onceHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Names the request, so that it acts once however often it is sent within 24 hours; sent again it is answered as the first time.",
		})
	}
	op.Security = []map[string][]string{{bearer: {string(scope)}}}
	op.MaxBodyBytes, op.BodyReadTimeout = maxBody, bodyTimeout
	op.Errors = []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict,
		http.StatusUnprocessableEntity, http.StatusLocked, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
	if scope.AtBranch() {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: operatorHeader, In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Login of who stands at the terminal: staff of the branch that the API key names. It is kept.",
		})
	}
	return func() {
		huma.Register(d.api, op, func(ctx context.Context, in *In) (*Out, error) {
			out, err := handle(ctx, in)
			if err != nil {
				return nil, d.problem(ctx, err)
			}
			return out, nil
		})
	}
}

// ready tells a balancer whether this process can work.
func (d *door) ready(w http.ResponseWriter, r *http.Request) {
	const patience = 3 * time.Second
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if err := d.Ready(ctx); err != nil {
		d.Logger.WarnContext(ctx, "not ready", slog.String("error", err.Error()))
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// recovered answers a panic with a problem instead of a cut connection.
//
//nolint:contextcheck // the request has its context
func (d *door) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause) // the server's own way to end a request
			}
			// The cause may quote a payload: its type is enough to find it.
			d.Logger.ErrorContext(r.Context(), "panic in the API", slog.String("type", fmt.Sprintf("%T", cause)))
			writeProblem(w, newProblem(codeInternal, "", ""))
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Server is an HTTP server with the limits of this door.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}
