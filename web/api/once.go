package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/lifecycle"
)

const (
	onceKey    = "once"
	onceHeader = "Idempotency-Key"
	maxOnce    = 255
)

// once is how an operation that changes something acts once.
type once struct {
	// several says that it acts in several transactions: one that was begun is never
	// begun again.
	several bool
	// secret says that its answer is not kept.
	secret bool
	// hidden are the members of its answer that are shown once and not kept.
	hidden []string
	// read makes the answer again of the thing that was made or moved, when the first
	// is lost; nil: it cannot. It answers nil of a thing that does not tell.
	read func(ctx context.Context, thing string) (body any, err error)
}

var onceText = regexp.MustCompile(`^[!-~]+$`)

// errLost answers a request that may have acted, in a process that died.
var errLost = fmt.Errorf("%w: the request of this Idempotency-Key was begun and its answer is lost: read what became of it, then use a new key", lifecycle.Conflict)

// onlyOnce answers a request that its caller has named and sends again with the first
// answer.
func (d *door) onlyOnce(ctx huma.Context, next func(huma.Context)) {
	rule, ok := ctx.Operation().Metadata[onceKey].(once)
	key := ctx.Header(onceHeader)
	if !ok || key == "" {
		next(ctx)
		return
	}
	if len(key) > maxOnce || !onceText.MatchString(key) {
		d.refuse(ctx, &lifecycle.FieldError{Field: onceHeader, Why: "is 1 to 255 visible ASCII characters without a space, a UUID for instance"})
		return
	}
	body, status := d.bodyOf(ctx)
	if status != 0 {
		p := newProblem(codeOfStatus(status), "", requestID(ctx.Context()))
		d.write(ctx, p)
		return
	}
	request := authn.Once{Service: lifecycle.ServiceID(caller(ctx.Context()).ID), Key: key, Several: rule.several}
	sent := append([]byte(ctx.Method()+" "+ctx.URL().Path+"\n"), body...)
	marked, kept, err := d.Authn.BeginOnce(ctx.Context(), &request, sent)
	switch {
	case err != nil:
		d.refuse(ctx, err)
	case kept != nil:
		d.again(ctx, rule, *kept)
	default:
		d.first(huma.WithContext(ctx, marked), next, rule, request, body)
	}
}

// bodyOf reads the body within its bounds, or says with which status it is refused.
func (d *door) bodyOf(ctx huma.Context) (body []byte, status int) {
	_ = ctx.SetReadDeadline(d.Now().Add(bodyTimeout)) // without one the server's own holds
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), maxBody+1))
	switch {
	case err != nil:
		return nil, http.StatusRequestTimeout
	case len(body) > maxBody:
		return nil, http.StatusRequestEntityTooLarge
	}
	return body, 0
}

// first acts, and keeps the answer. What failed here and changed nothing may be sent
// again.
func (d *door) first(ctx huma.Context, next func(huma.Context), rule once, request authn.Once, body []byte) {
	r := &recorder{humaContext: ctx, body: bytes.NewReader(body)}
	next(r)
	var err error
	switch failed := r.status >= http.StatusInternalServerError; {
	case rule.secret:
	case failed && !rule.several:
		err = d.Authn.AgainOnce(ctx.Context(), request)
	default:
		err = d.Authn.EndOnce(ctx.Context(), request, authn.Kept{Status: r.status, Type: r.kind, Body: without(r.said.Bytes(), rule.hidden)})
	}
	if err != nil {
		d.Logger.ErrorContext(ctx.Context(), "an answer is not kept", slog.String("request", requestID(ctx.Context())), slog.String("error", err.Error()))
	}
}

// without leaves members out of an answer.
func without(body []byte, hidden []string) []byte {
	if len(hidden) == 0 {
		return body
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil // nothing is kept rather than a secret
	}
	for _, name := range hidden {
		delete(members, name)
	}
	left, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	return left
}

// again answers a request that was sent before.
func (d *door) again(ctx huma.Context, rule once, kept authn.Kept) {
	if !kept.Answered() {
		if rule.read == nil {
			d.refuse(ctx, errLost)
			return
		}
		thing := kept.Thing
		if thing == "" {
			thing = ctx.Param("id")
		}
		body, err := rule.read(ctx.Context(), thing)
		if err != nil || body == nil {
			if errors.Is(err, lifecycle.Unavailable) {
				d.refuse(ctx, err)
				return
			}
			d.refuse(ctx, errLost)
			return
		}
		text, err := json.Marshal(body)
		if err != nil {
			d.refuse(ctx, err)
			return
		}
		kept = authn.Kept{Status: max(http.StatusOK, ctx.Operation().DefaultStatus), Type: "application/json", Body: text}
	}
	ctx.SetHeader("Content-Type", kept.Type)
	ctx.SetHeader("Idempotency-Replayed", "true")
	ctx.SetStatus(kept.Status)
	_, _ = ctx.BodyWriter().Write(kept.Body) // the caller has left
}

// humaContext has a name that is no method's.
type humaContext = huma.Context

// recorder is a request whose body was read, and whose answer is kept.
type recorder struct {
	humaContext

	body   io.Reader
	status int
	kind   string
	said   bytes.Buffer
}

func (r *recorder) BodyReader() io.Reader { return r.body }

func (r *recorder) BodyWriter() io.Writer { return io.MultiWriter(&r.said, r.humaContext.BodyWriter()) }

func (r *recorder) SetStatus(code int) {
	r.status = code
	r.humaContext.SetStatus(code)
}

func (r *recorder) SetHeader(name, value string) {
	if name == "Content-Type" {
		r.kind = value
	}
	r.humaContext.SetHeader(name, value)
}

// onceOf are the operations whose rule is another than to act in one transaction.
func (d *door) onceOf(operation string) once {
	proven := func(ctx context.Context, thing string) (any, error) {
		a, err := d.Authn.Authentication(ctx, caller(ctx), lifecycle.AuthenticationID(thing))
		if err != nil {
			return nil, err
		}
		out := d.stated(ctx, a)
		switch a.State { //nolint:exhaustive // the others do not tell what became of a proof
		case lifecycle.AuthenticationAccepted:
			out.Body.Result = "accepted"
		case lifecycle.AuthenticationRefused:
			out.Body.Result = "refused"
		default:
			return nil, nil //nolint:nilnil // as read says
		}
		return out.Body, nil
	}
	asked := func(ctx context.Context, thing string) (any, error) {
		a, err := d.Authn.Authentication(ctx, caller(ctx), lifecycle.AuthenticationID(thing))
		if err != nil {
			return nil, err
		}
		return d.stated(ctx, a).Body, nil
	}
	switch operation {
	case "begin-authentication", "begin-operation", "cancel-authentication", "cancel-operation":
		return once{read: asked}
	case "verify-authentication", "verify-operation":
		return once{several: true, read: proven}
	case "stop":
		return once{read: func(ctx context.Context, thing string) (any, error) {
			found, err := d.Service.Stop(ctx, lifecycle.StopID(thing))
			return stopOutOf(found).Body, err
		}}
	case "report-fraud":
		return once{read: func(ctx context.Context, thing string) (any, error) {
			found, err := d.Service.FraudReport(ctx, lifecycle.FraudReportID(thing))
			return fraudReportOutOf(found).Body, err
		}}
	case "block-card":
		return once{read: func(ctx context.Context, thing string) (any, error) {
			out, err := d.card(ctx, lifecycle.CardID(thing))
			if err != nil {
				return nil, err
			}
			return out.Body, nil
		}}
	}
	// Any other is taken for one that acts in several transactions.
	return once{several: true}
}
