package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/lifecycle"
)

const scopeKey = "scope"

// operatorHeader says who stands at a branch's terminal.
const (
	operatorHeader = "Sceau-Operator"
	maxOperator    = 64
)

type contextKey int

const (
	keyCaller contextKey = iota
	keyCall
)

// call is a request as the log names it.
type call struct {
	id         string
	service    lifecycle.ServiceID
	credential string // the key or certificate by which the service called
}

// traceparent is that of W3C Trace Context, version 00: the caller's own name of what
// the request is part of.
var traceparent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// identify gives the request an identifier, answers it, and logs what became of
// the request: never a body, a query or a header but the trace's.
func (d *door) identify(ctx huma.Context, next func(huma.Context)) {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	id := hex.EncodeToString(random[:])
	made := &call{id: id}
	ctx = huma.WithValue(ctx, keyCall, made)
	ctx.SetHeader("X-Request-Id", id)
	started := d.Now()
	next(ctx)
	told := []slog.Attr{
		slog.String("request", id), slog.String("operation", ctx.Operation().OperationID), slog.Int("status", ctx.Status()),
		slog.Duration("took", d.Now().Sub(started)), slog.String("service", string(made.service)), slog.String("credential", made.credential),
	}
	if trace := ctx.Header("traceparent"); traceparent.MatchString(trace) {
		told = append(told, slog.String("trace", trace))
	}
	d.Logger.LogAttrs(ctx.Context(), slog.LevelInfo, "api", told...)
}

func requestID(ctx context.Context) string {
	if made, ok := ctx.Value(keyCall).(*call); ok {
		return made.id
	}
	return ""
}

// authenticate lets callers in whose key has the operation's scope. An
// operation without a scope lets nobody in.
func (d *door) authenticate(ctx huma.Context, next func(huma.Context)) {
	scope, ok := ctx.Operation().Metadata[scopeKey].(authn.Scope)
	if !ok {
		d.refuse(ctx, lifecycle.Forbidden)
		return
	}
	key, err := d.credential(ctx)
	if err != nil {
		d.refuse(ctx, err)
		return
	}
	if made, ok := ctx.Context().Value(keyCall).(*call); ok {
		made.service, made.credential = key.Service, key.Credential()
	}
	left, err := d.Authn.Admit(ctx.Context(), key)
	ctx.SetHeader("RateLimit-Limit", strconv.Itoa(left.Limit))
	ctx.SetHeader("RateLimit-Remaining", strconv.Itoa(left.Remaining))
	ctx.SetHeader("RateLimit-Reset", seconds(left.Reset))
	if err != nil {
		d.refuse(ctx, err)
		return
	}
	if !key.Allows(scope) {
		d.refuse(ctx, errScope)
		return
	}
	caller := key.Actor()
	if scope.AtBranch() { // its operations are all about an order
		caller.Operator = ctx.Header(operatorHeader)
		if len(caller.Operator) > maxOperator {
			d.refuse(ctx, &lifecycle.FieldError{Field: operatorHeader, Why: "is a login, of at most 64 characters"})
			return
		}
		if err := d.Service.AdmitTerminal(ctx.Context(), caller, key.Branch, lifecycle.OrderID(ctx.Param("id"))); err != nil {
			d.refuse(ctx, err)
			return
		}
	}
	next(huma.WithValue(ctx, keyCaller, caller))
}

// credential finds who calls: by an API key, or without one by the client certificate of
// the connection.
func (d *door) credential(ctx huma.Context) (authn.APIKey, error) {
	if presented, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer "); ok {
		return d.Authn.CheckAPIKey(ctx.Context(), strings.TrimSpace(presented))
	}
	if tls := ctx.TLS(); tls != nil && len(tls.PeerCertificates) > 0 && ctx.Header("Authorization") == "" {
		return d.Authn.CheckCallerCertificate(ctx.Context(), tls.PeerCertificates[0].Raw)
	}
	return authn.APIKey{}, authn.ErrBadKey
}

func (d *door) refuse(ctx huma.Context, cause error) {
	err := d.problem(ctx.Context(), cause)
	code := codeOf(cause)
	p := newProblem(code, "", requestID(ctx.Context()))
	if as, ok := err.(*problem); ok { //nolint:errorlint // problem makes it
		p = as
	}
	if code == codeUnauthorised {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="sceau"`)
	}
	if wait := retryAfter(cause); wait != "" {
		ctx.SetHeader("Retry-After", wait)
	}
	d.write(ctx, p)
}

// write answers a problem before an operation was reached.
func (*door) write(ctx huma.Context, p *problem) {
	ctx.SetHeader("Content-Type", problemType)
	ctx.SetStatus(p.Status)
	_ = huma.DefaultJSONFormat.Marshal(ctx.BodyWriter(), p) // the caller has left
}

// caller is who the middleware let in.
func caller(ctx context.Context) lifecycle.Actor {
	by, _ := ctx.Value(keyCaller).(lifecycle.Actor)
	return by
}
