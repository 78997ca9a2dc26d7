package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
)

// refusal is an error of the caller's: a code word and words without any value
// of the request that could be secret. docs/hsm.md lists the code words.
type refusal struct{ code, words string }

func (r *refusal) Error() string { return r.code + ": " + r.words }

func refuse(code, format string, args ...any) error {
	return &refusal{code: code, words: fmt.Sprintf(format, args...)}
}

// words are what a refusal says behind its code word.
func words(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.words
	}
	return err.Error()
}

// refused is an error as a refusal; false for one that is not the caller's.
func refused(err error) (*refusal, bool) {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, crypt.ErrMalformed), errors.Is(err, crypt.ErrMismatch):
		return &refusal{code: "invalid", words: err.Error()}, true
	}
	return nil, false
}

type operations = map[logical.Operation]framework.OperationHandler

// command is an operation of which the journal has an entry before its answer
// leaves: what changes something, or lets something out.
func (b *backend) command(summary string, call framework.OperationFunc) *framework.PathOperation {
	return b.operation(summary, call, b.journal.record)
}

// quick is an operation that the journal counts and writes down each minute.
func (b *backend) quick(summary string, call framework.OperationFunc) *framework.PathOperation {
	return b.operation(summary, call, b.journal.count)
}

type keeper func(ctx context.Context, s logical.Storage, e event) error

// operation runs a command, keeps it in the journal, and turns refusals into
// answers with status 400; other errors are Vault's own, status 500. Without its
// journal entry no answer leaves.
func (b *backend) operation(summary string, call framework.OperationFunc, keep keeper) *framework.PathOperation {
	return &framework.PathOperation{Summary: summary, Callback: func(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
		response, err := call(ctx, r, data)
		outcome := "ok"
		r400, ours := refused(err)
		switch {
		case ours:
			outcome, response, err = r400.code, logical.ErrorResponse(r400.Error()), nil
		case err != nil:
			outcome = "error"
		}
		if kept := keep(ctx, r.Storage, b.eventOf(r, data, outcome)); kept != nil {
			return nil, errors.Join(err, kept)
		}
		return response, err
	}}
}

// decode reads a member that framework's fields cannot describe: a list of
// objects. Unknown members are refused.
func decode(value, into any, what string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return refuse("invalid", "%s is not a list of objects", what)
	}
	if err := strict(text, into); err != nil {
		return refuse("invalid", "%s is not a list of objects with members of text", what)
	}
	return nil
}

func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// text is a member that is a string, or a number for those who send one.
func text(data *framework.FieldData, name string) string {
	s, _ := data.Get(name).(string)
	return s
}

func bounded(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, refuse("invalid", "%s is %d to %d", name, low, high)
	}
	return n, nil
}
