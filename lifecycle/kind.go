package lifecycle

import (
	"errors"
	"strings"
)

// Kind is the class of an error: what the caller can do about it. The whole
// program has seven; an error without one is internal. web turns kinds into
// statuses, jobs into cancel, snooze or retry, each in one function.
type Kind string

func (k Kind) Error() string { return string(k) }

// The kinds of error.
const (
	NotFound    Kind = "not found"
	Invalid     Kind = "invalid"      // the input is wrong: say which field, why, what to do
	Forbidden   Kind = "forbidden"    // this actor may not
	Illegal     Kind = "illegal move" // the life cycle knows no such move
	Conflict    Kind = "conflict"     // somebody was first, or what was shown has changed
	Locked      Kind = "locked"       // too many wrong attempts
	Unavailable Kind = "unavailable"  // Vault sealed, database away: try later
)

// FieldError says which field is wrong, why, and what to do. It is [Invalid].
type FieldError struct {
	Field string // as the caller named it: a CSV column, a JSON member
	Why   string // what is wrong and what to do, never the value of a secret
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Why }

// Unwrap makes every field error [Invalid].
func (e *FieldError) Unwrap() error { return Invalid }

// FieldErrors are all wrong fields of one input, so that a person corrects
// them in one go.
type FieldErrors []*FieldError

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap makes the list [Invalid].
func (e FieldErrors) Unwrap() error { return Invalid }

// Add appends a wrong field.
func (e *FieldErrors) Add(field, why string) {
	*e = append(*e, &FieldError{Field: field, Why: why})
}

// AddError appends err under the field name unless it is nil.
func (e *FieldErrors) AddError(field string, err error) {
	if err == nil {
		return
	}
	if fe, ok := errors.AsType[*FieldError](err); ok {
		e.Add(field, fe.Why)
		return
	}
	e.Add(field, err.Error())
}

// Merge appends the fields of another error; an error that names no field goes
// under its own text.
func (e *FieldErrors) Merge(err error) {
	if list, ok := errors.AsType[FieldErrors](err); ok {
		*e = append(*e, list...)
		return
	}
	if one, ok := errors.AsType[*FieldError](err); ok {
		*e = append(*e, one)
		return
	}
	if err != nil {
		e.Add("", err.Error())
	}
}

// Err is nil when nothing is wrong.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
