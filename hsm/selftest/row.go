package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sceau/hsm/crypt"
)

// about is what a row says about itself; nothing of it is computed.
type about struct {
	ID       string `json:"id"`
	Source   string `json:"source"`
	Note     string `json:"note"`
	Asserted bool   `json:"asserted"`
	HSM      bool   `json:"hsm"`
}

// kind is one family of rows. What a row is, its fields say: the first kind with
// all its marks in the row judges it, strictly.
type kind struct {
	marks []string
	run   func(f file, row json.RawMessage) error
}

// kindsOf lists the families, those with the more telling marks first.
func kindsOf() []kind {
	return []kind{
		{[]string{"apdus"}, withFile(runTrace)},
		{[]string{"ipb_9f56", "kind"}, of(runResync)},
		{[]string{"ipb_9f56"}, of(runCode)},
		{[]string{"ipb"}, of(runCaptured)},
		{[]string{"skudek"}, of(runDGI)},
		{[]string{"profile", "height"}, of(runTreeProfile)},
		{[]string{"profile"}, of(runProfile)},
		{[]string{"option", "sha1"}, of(runDecimalise)},
		{[]string{"option"}, of(runMasterKey)},
		{[]string{"method"}, of(runSessionKey)},
		{[]string{"mac_input"}, of(runScript)},
		{[]string{"alg"}, of(runCheckValue)},
		{[]string{"format"}, of(runPINBlock)},
		{[]string{"pvv"}, of(runPVV)},
		{[]string{"pvk"}, of(runIBM3624)},
		{[]string{"kbpk"}, of(runKeyBlock)},
		{[]string{"op", "data", "mac"}, of(runMAC)},
		{[]string{"op", "ac"}, of(runCryptogram)},
		{[]string{"op", "arpc"}, of(runAnswer)},
		{[]string{"op"}, runGlobalPlatform},
	}
}

// of makes a family of a function over one shape of row.
func of[T any](run func(c *check, row T)) func(file, json.RawMessage) error {
	return withFile(func(c *check, _ file, row T) { run(c, row) })
}

func withFile[T any](run func(c *check, f file, row T)) func(file, json.RawMessage) error {
	return func(f file, text json.RawMessage) error {
		var row T
		if err := strict(text, &row); err != nil {
			return err
		}
		var c check
		run(&c, f, row)
		return c.err()
	}
}

// runRow judges one row and answers its identifier.
func runRow(f file, text json.RawMessage) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return "", errors.New("a row is a JSON object")
	}
	var id string
	if err := json.Unmarshal(fields["id"], &id); err != nil || len(id) > 100 {
		return "", errors.New("a row has an id, a string")
	}
	for _, k := range kindsOf() {
		if holdsAll(fields, k.marks) {
			return id, k.run(f, text)
		}
	}
	return id, errors.New("no kind of vector has these fields")
}

func holdsAll(fields map[string]json.RawMessage, names []string) bool {
	for _, name := range names {
		if _, ok := fields[name]; !ok {
			return false
		}
	}
	return true
}

// strict reads JSON into a shape that must know every field. Its errors name
// fields, never values.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong):
			return fmt.Errorf("field %s is of another type", wrong.Field)
		case strings.HasPrefix(err.Error(), "json: unknown field "):
			return errors.New(strings.TrimPrefix(err.Error(), "json: "))
		case errors.Is(err, crypt.ErrMalformed):
			return errors.New("a field is not hexadecimal")
		}
		return errors.New("not JSON, or of another shape")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// check collects what differs. A row in which nothing was compared fails too.
type check struct {
	compared int
	wrong    []string
}

func (c *check) err() error {
	switch {
	case len(c.wrong) > 0:
		return errors.New(strings.Join(c.wrong, ", "))
	case c.compared == 0:
		return errors.New("nothing to compare")
	}
	return nil
}

// that counts a comparison that came out true or not.
func (c *check) that(field string, same bool) {
	c.compared++
	if !same {
		c.wrong = append(c.wrong, field)
	}
}

// bytes compares, unless the row leaves the field out.
func (c *check) bytes(field string, want crypt.Hex, got []byte) {
	if want != nil {
		c.that(field, bytes.Equal(want, got))
	}
}

// text compares, unless the row leaves the field out.
func (c *check) text(field, want, got string) {
	if want != "" {
		c.that(field, want == got)
	}
}

// fails notes what could not be computed, and tells whether that is so.
func (c *check) fails(what string, err error) bool {
	if err == nil {
		return false
	}
	c.wrong = append(c.wrong, what+" cannot be computed")
	return true
}

// tdes schedules a key of the row.
func (c *check) tdes(field string, key crypt.Hex) *crypt.TDES {
	t, err := crypt.NewTDES(key)
	if c.fails(field, err) {
		return nil
	}
	return t
}

// eight is a field of exactly eight bytes, as cryptograms are.
func (c *check) eight(field string, value crypt.Hex) (out [8]byte, ok bool) {
	if len(value) != 8 {
		c.that(field, false)
		return out, false
	}
	return [8]byte(value), true
}

// counter is a transaction counter of two bytes.
func (c *check) counter(field string, value crypt.Hex) (uint16, bool) {
	if len(value) != 2 {
		c.that(field, false)
		return 0, false
	}
	return uint16(value[0])<<8 | uint16(value[1]), true
}
