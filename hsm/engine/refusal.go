package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
)

// refusal is an error of the caller's: a code word and words without any value
// of the request that could be secret.
type refusal struct{ code, words string }

func (r *refusal) Error() string { return r.code + ": " + r.words }

func refuse(code, format string, args ...any) error {
	return &refusal{code: code, words: fmt.Sprintf(format, args...)}
}

// answered turns refusals into answers with status 400; other errors are
// Vault's own, status 500.
func answered(call framework.OperationFunc) framework.OperationFunc {
	return func(ctx context.Context, request *logical.Request, data *framework.FieldData) (*logical.Response, error) {
		response, err := call(ctx, request, data)
		var r *refusal
		switch {
		case errors.As(err, &r):
			return logical.ErrorResponse(r.Error()), nil
		case errors.Is(err, crypt.ErrMalformed), errors.Is(err, crypt.ErrMismatch):
			return logical.ErrorResponse("invalid: " + err.Error()), nil
		}
		return response, err
	}
}

// write makes the operations of a path that is called with PUT or POST.
func write(summary string, call framework.OperationFunc) map[logical.Operation]framework.OperationHandler {
	operation := &framework.PathOperation{Callback: answered(call), Summary: summary}
	return map[logical.Operation]framework.OperationHandler{logical.UpdateOperation: operation}
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
