package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
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
	keyRequest
)

// identify gives the request an identifier, answers it, and logs what became of
// the request: never a body, a query or a header.
func (d *door) identify(ctx huma.Context, next func(huma.Context)) {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	id := hex.EncodeToString(random[:])
	ctx = huma.WithValue(ctx, keyRequest, id)
	ctx.SetHeader("X-Request-Id", id)
	started := d.Now()
	next(ctx)
	d.Logger.InfoContext(ctx.Context(), "api", slog.String("request", id), slog.String("operation", ctx.Operation().OperationID),
		slog.Int("status", ctx.Status()), slog.Duration("took", d.Now().Sub(started)))
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(keyRequest).(string)
	return id
}

// authenticate lets callers in whose key has the operation's scope. An
// operation without a scope lets nobody in.
func (d *door) authenticate(ctx huma.Context, next func(huma.Context)) {
	scope, ok := ctx.Operation().Metadata[scopeKey].(authn.Scope)
	if !ok {
		d.refuse(ctx, lifecycle.Forbidden)
		return
	}
	presented, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer ")
	if !ok {
		d.refuse(ctx, authn.ErrBadKey)
		return
	}
	key, err := d.Authn.CheckAPIKey(ctx.Context(), strings.TrimSpace(presented))
	if err != nil {
		d.refuse(ctx, err)
		return
	}
	if !key.Allows(scope) {
		d.refuse(ctx, errScope)
		return
	}
	caller := lifecycle.Actor{ID: string(key.ID), Role: lifecycle.RoleRelyingService}
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
	if code == "unavailable" {
		ctx.SetHeader("Retry-After", "10")
	}
	ctx.SetHeader("Content-Type", problemType)
	ctx.SetStatus(p.Status)
	_ = huma.DefaultJSONFormat.Marshal(ctx.BodyWriter(), p) // the caller has left
}

// caller is who the middleware let in.
func caller(ctx context.Context) lifecycle.Actor {
	by, _ := ctx.Value(keyCaller).(lifecycle.Actor)
	return by
}
