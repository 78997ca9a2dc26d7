package certprofile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
)

// MaxFile bounds an author's file, in octets.
const MaxFile = 16 << 10

// Parse reads an author's file: one YAML map of the members of [Profile] and no
// other. Kind and level come first in its meaning: they fill what is left out
// (pki.md §4.2). The error is [lifecycle.Invalid] and names what is wrong.
func Parse(file []byte) (Profile, error) {
	if len(file) > MaxFile {
		return Profile{}, &lifecycle.FieldError{Field: "profile", Why: fmt.Sprintf("is longer than %d KiB", MaxFile>>10)}
	}
	root, err := oneMap(file)
	if err != nil {
		return Profile{}, err
	}
	var head struct {
		Kind  Kind  `yaml:"kind"`
		Level Level `yaml:"level"`
	}
	if err := root.Decode(&head); err != nil {
		return Profile{}, notYAML(err)
	}
	p := defaults(head.Kind, head.Level)
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	decoder.KnownFields(true)
	if err := decoder.Decode(&p); err != nil {
		return Profile{}, notYAML(err)
	}
	return p, p.check()
}

// oneMap reads the only document of a file, a flat map without YAML's references.
func oneMap(file []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, notYAML(err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &lifecycle.FieldError{Field: "profile", Why: "has more than one document"}
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &lifecycle.FieldError{Field: "profile", Why: "begins with name, kind and level"}
	}
	for _, n := range root.Content {
		for _, item := range append([]*yaml.Node{n}, n.Content...) {
			if item.Anchor != "" || item.Kind == yaml.AliasNode || item.Tag == "!!merge" || item.Tag == "!!null" {
				return nil, &lifecycle.FieldError{Field: "profile", Why: fmt.Sprintf("line %d: write the value out; stars stand in quotes", item.Line)}
			}
		}
	}
	return root, nil
}

// notYAML says what the decoder objects to, bounded.
func notYAML(err error) error {
	const most = 300
	why := []rune(err.Error())
	return &lifecycle.FieldError{Field: "profile", Why: string(why[:min(most, len(why))]) + `; levels are written "*", in quotes`}
}

// Canonical is the one form in which a profile is kept, hashed and approved.
func (p Profile) Canonical() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		return nil // texts and numbers only: cannot happen
	}
	return text
}

// Read reads a profile that is on record: nothing but the canonical form.
func Read(canonical []byte) (Profile, error) {
	var p Profile
	decoder := json.NewDecoder(bytes.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("%w: certificate profile: %w", lifecycle.Invalid, err)
	}
	if !bytes.Equal(p.Canonical(), canonical) {
		return Profile{}, fmt.Errorf("%w: certificate profile: not in its canonical form", lifecycle.Invalid)
	}
	return p, p.check()
}

// YAML writes a profile as an author would, with all that was left out.
func (p Profile) YAML() []byte {
	text, err := yaml.Marshal(p)
	if err != nil {
		return nil // texts and numbers only: cannot happen
	}
	return text
}

// Sum is the SHA-256 of the canonical form.
func (p Profile) Sum() [32]byte { return sha256.Sum256(p.Canonical()) }
