package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
)

// MaxFile bounds an account manager's file, in octets.
const MaxFile = 8 << 10

// ParseIdentity reads an identity from a file: one flat YAML map of texts and no other
// member. The number comes in no other way than this, so that no command line and no
// shell's history has it. The error never has what the file says.
func ParseIdentity(file []byte) (Identity, error) {
	text, err := flat(file)
	if err != nil {
		return Identity{}, err
	}
	var errs lifecycle.FieldErrors
	take := func(field string) string {
		value := text[field]
		delete(text, field)
		return value
	}
	day := func(field string) time.Time {
		at, err := ParseDay(field, take(field))
		errs.AddError(field, err)
		return at
	}
	i := Identity{
		Type: DocumentType(take("document")), Country: take("country"), Expires: day("expires"),
		GivenName: take("given_name"), Surname: take("surname"), How: Way(take("how")), Where: take("where"),
		SeenOn: day("seen_on"), SeenBy: take("seen_by"), SignedWith: lifecycle.CertificateID(take("signed_with")),
	}
	i.Number, err = lifecycle.NewDocumentNumber(take("number"))
	errs.AddError("number", err)
	if len(text) > 0 {
		errs.Add("file", "has members that are not known: use document, country, number, expires, given_name, surname, how, where, seen_on, seen_by, signed_with")
	}
	return i, errs.Err()
}

// flat reads one map of texts.
func flat(file []byte) (map[string]string, error) {
	wrong := func(why string) error { return &lifecycle.FieldError{Field: "file", Why: why} }
	if len(file) > MaxFile {
		return nil, wrong(fmt.Sprintf("is longer than %d KiB", MaxFile>>10))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, wrong("is not YAML: one line for each member, as document: passport") // the decoder would quote it
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, wrong("has more than one document")
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, wrong("is one line for each member, as document: passport")
	}
	text := map[string]string{}
	for n := 0; n+1 < len(root.Content); n += 2 {
		key, value := root.Content[n], root.Content[n+1]
		_, twice := text[key.Value]
		if twice || key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode || key.Anchor+value.Anchor != "" {
			return nil, wrong(fmt.Sprintf("line %d: is a member once, with one value", key.Line))
		}
		text[key.Value] = value.Value
	}
	return text, nil
}

// ParseDay reads a day.
func ParseDay(field, text string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, &lifecycle.FieldError{Field: field, Why: "is a day as 2026-03-02"}
	}
	return day, nil
}
