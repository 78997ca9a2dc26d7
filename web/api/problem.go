package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/lifecycle"
)

// problem is what an error looks like to a caller (RFC 9457).
type problem struct {
	Type     string         `json:"type" doc:"Path of a page of this API that explains the code"`
	Title    string         `json:"title" doc:"What the code means; the same each time"`
	Status   int            `json:"status" doc:"The HTTP status"`
	Code     string         `json:"code" doc:"Stable word for programs"`
	Detail   string         `json:"detail,omitempty" doc:"What went wrong this time"`
	Instance string         `json:"instance,omitempty" doc:"The request's identifier: quote it when you ask for help"`
	Errors   []fieldProblem `json:"errors,omitempty" doc:"Each wrong field"`
}

type fieldProblem struct {
	Field string `json:"field" doc:"Where it stands in the request"`
	Why   string `json:"why" doc:"What is wrong and what to do"`
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is RFC 9457's.
func (p *problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// kindOfProblem is a row of the API's vocabulary of problems.
type kindOfProblem struct {
	code   string
	status int
	title  string
}

const (
	codeBadRequest   = "bad-request"
	codeUnauthorised = "unauthorised"
	codeInternal     = "internal"
	codeTooMany      = "too-many"
)

// problems are all that a caller can meet.
func problems() []kindOfProblem {
	return []kindOfProblem{
		{codeBadRequest, http.StatusBadRequest, "The request cannot be read."},
		{codeUnauthorised, http.StatusUnauthorized, "The API key is missing, unknown or past its end."},
		{"forbidden", http.StatusForbidden, "The caller may not do this, or the code was not accepted."},
		{"not-found", http.StatusNotFound, "There is no such thing."},
		{"method-not-allowed", http.StatusMethodNotAllowed, "The resource does not take this method."},
		{"conflict", http.StatusConflict, "Somebody was first, or what was shown has changed: read it again."},
		{"illegal-move", http.StatusConflict, "The life cycle knows no such move from the present state."},
		{"too-large", http.StatusRequestEntityTooLarge, "The request is too large."},
		{"media-type", http.StatusUnsupportedMediaType, "Send application/json."},
		{"invalid", http.StatusUnprocessableEntity, "Fields of the request are wrong."},
		{"locked", http.StatusLocked, "Too many wrong attempts: it stays locked until the bank opens it."},
		{codeTooMany, http.StatusTooManyRequests, "Too many requests, or too many wrong proofs: wait as long as Retry-After says."},
		{"timeout", http.StatusRequestTimeout, "The request came too slowly."},
		{codeInternal, http.StatusInternalServerError, "Something went wrong here: quote the instance when you ask for help."},
		{"unavailable", http.StatusServiceUnavailable, "A part of the service is away: try again later."},
	}
}

func newProblem(code, detail, instance string) *problem {
	for _, k := range problems() {
		if k.code == code {
			return &problem{Type: "/problems/" + k.code, Title: k.title, Status: k.status, Code: k.code, Detail: detail, Instance: instance}
		}
	}
	return newProblem(codeInternal, detail, instance)
}

// codeOf is the one place where an error's kind becomes a problem.
func codeOf(err error) string {
	var kind lifecycle.Kind
	if _, ok := errors.AsType[*authn.TooMany](err); ok {
		return codeTooMany
	}
	switch {
	case errors.Is(err, authn.ErrBadKey):
		return codeUnauthorised
	case !errors.As(err, &kind):
		return codeInternal
	}
	switch kind {
	case lifecycle.NotFound:
		return "not-found"
	case lifecycle.Invalid:
		return "invalid"
	case lifecycle.Forbidden:
		return "forbidden"
	case lifecycle.Illegal:
		return "illegal-move"
	case lifecycle.Conflict:
		return "conflict"
	case lifecycle.Locked:
		return "locked"
	case lifecycle.Unavailable:
		return "unavailable"
	}
	return codeInternal
}

// problem renders an error. What has no kind, or is about this house's own
// parts, is logged and not told.
func (d *door) problem(ctx context.Context, err error) error {
	code := codeOf(err)
	p := newProblem(code, "", requestID(ctx))
	switch code {
	case codeInternal, "unavailable":
		d.Logger.ErrorContext(ctx, "api", slog.String("request", p.Instance), slog.String("error", err.Error()))
	default:
		p.Detail = err.Error()
	}
	var fields lifecycle.FieldErrors
	if errors.Is(err, lifecycle.Invalid) {
		fields.Merge(err)
	}
	for _, f := range fields {
		if f.Field != "" {
			p.Errors = append(p.Errors, fieldProblem{Field: f.Field, Why: f.Why})
		}
	}
	if wait := retryAfter(err); wait != "" {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {wait}})
	}
	return p
}

// retryAfter is how many seconds a caller waits before it tries again; "": trying
// again helps nobody.
func retryAfter(err error) string {
	if many, ok := errors.AsType[*authn.TooMany](err); ok {
		return seconds(many.Wait)
	}
	if codeOf(err) == "unavailable" {
		return "10"
	}
	return ""
}

// seconds are whole ones, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

// problemsInsteadOfHumas has huma make our problems of what it finds itself, and
// leave out the values that it would quote: a code or a cryptogram may be one.
var problemsInsteadOfHumas = sync.OnceFunc(func() {
	make := func(ctx huma.Context, status int, detail string, errs ...error) huma.StatusError {
		p := newProblem(codeOfStatus(status), detail, "")
		p.Status = status
		if ctx != nil {
			p.Instance = requestID(ctx.Context())
		}
		for _, err := range errs {
			if one, ok := errors.AsType[*huma.ErrorDetail](err); ok {
				p.Errors = append(p.Errors, fieldProblem{Field: one.Location, Why: one.Message})
			}
		}
		return p
	}
	huma.NewErrorWithContext = make
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		return make(nil, status, detail, errs...)
	}
})

func codeOfStatus(status int) string {
	for _, k := range problems() {
		if k.status == status {
			return k.code
		}
	}
	if status >= http.StatusInternalServerError {
		return codeInternal
	}
	return codeBadRequest
}

func writeProblem(w http.ResponseWriter, p *problem) {
	text, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(text)
}

// explain is the page that a problem's type names.
func explain(w http.ResponseWriter, r *http.Request) {
	for _, k := range problems() {
		if k.code == r.PathValue("code") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, fmt.Sprintf("%s (HTTP status %d)\n\n%s\n", k.code, k.status, k.title))
			return
		}
	}
	writeProblem(w, newProblem("not-found", "no such problem", ""))
}
