package signing

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
)

// Proof is a means, and of a CAP reader the mode.
type Proof struct {
	Means lifecycle.MeansKind `json:"means" yaml:"means"`
	Mode  string              `json:"mode,omitempty" yaml:"mode,omitempty"` // "1", "2", "2+tds" or "3"
}

// Linked tells whether the proof is over the operation's own data (RTS article 5):
// all but the CODE key, which takes no input.
func (p Proof) Linked() bool { return p.Means != lifecycle.MeansCode && p.Mode != CodeKey }

// CodeKey is the mode of a reader's key that takes no input.
const CodeKey = "2"

func (p Proof) good() bool {
	if p.Means == lifecycle.MeansCAP {
		return slices.Contains([]string{"1", CodeKey, "2+tds", "3"}, p.Mode)
	}
	return p.Mode == "" && slices.Contains(lifecycle.MeansKinds(), p.Means)
}

// Rule says what suffices for a function.
type Rule struct {
	Proofs  []Proof `json:"proofs" yaml:"proofs"`   // any of them, the best first
	Seconds int     `json:"seconds" yaml:"seconds"` // that the holder has
}

// Allows tells whether a proof suffices.
func (r Rule) Allows(p Proof) bool { return slices.Contains(r.Proofs, p) }

// Policy is the bank's: a rule for every function. A value that [Parse] or [Read]
// gave, and the built-in one, is valid.
type Policy map[Function]Rule

// PolicyName is the one name under which policies are on record.
const PolicyName = "signing"

// MaxFile bounds an author's file, in octets.
const MaxFile = 16 << 10

// Bounds of a rule.
const (
	leastSeconds = 30
	mostSeconds  = 900
	mostUnlinked = 300 // a code that is not linked to its operation lives five minutes at most
	mostProofs   = 9
)

// BuiltIn is the policy of a house that has set none: linked data for whatever is
// sensitive. The CODE key opens a session and signs nothing; a bank that wants it
// to sign, as its customers know it, adds the proof {means: cap, mode: "2"}.
func BuiltIn() Policy {
	const fiveMinutes = 300
	linked := []Proof{
		{lifecycle.MeansCAP, "2+tds"}, {Means: lifecycle.MeansPasskey}, {Means: lifecycle.MeansCertificate},
		{Means: lifecycle.MeansForeign}, {Means: lifecycle.MeansProvider},
	}
	p := Policy{SignIn: {Seconds: fiveMinutes, Proofs: slices.Concat(
		[]Proof{{lifecycle.MeansCAP, CodeKey}, {lifecycle.MeansCAP, "1"}, {lifecycle.MeansCAP, "3"}}, linked[1:],
		[]Proof{{Means: lifecycle.MeansCode}},
	)}}
	for _, f := range Functions() {
		switch {
		case f.MovesMoney():
			p[f] = Rule{Proofs: linked, Seconds: fiveMinutes}
		case f.Sensitive():
			p[f] = Rule{Proofs: slices.Concat(linked, []Proof{{lifecycle.MeansCAP, "3"}, {lifecycle.MeansCAP, "1"}}), Seconds: fiveMinutes}
		}
	}
	return p
}

// check says all that is wrong with a policy.
func (p Policy) check() error {
	var errs lifecycle.FieldErrors
	for f := range p {
		if !slices.Contains(Functions(), f) {
			errs.Add(clean(string(f)), fmt.Sprintf("is no function: use %v", Functions()))
		}
	}
	for _, f := range Functions() {
		rule, ok := p[f]
		name := string(f)
		if !ok {
			errs.Add(name, "has no rule: each function needs one")
			continue
		}
		if len(rule.Proofs) == 0 || len(rule.Proofs) > mostProofs {
			errs.Add(name+".proofs", "name 1 to 9 proofs")
		}
		unlinked := false
		for i, one := range rule.Proofs {
			switch {
			case !one.good():
				errs.Add(name+".proofs", fmt.Sprintf("proof %d: use a means of %v; mode is of cap alone, in quotes: \"1\", \"2\", \"2+tds\" or \"3\"", i+1, lifecycle.MeansKinds()))
			case slices.Contains(rule.Proofs[:i], one):
				errs.Add(name+".proofs", fmt.Sprintf("proof %d is there twice", i+1))
			case f.Sensitive() && !one.Means.Strong():
				errs.Add(name+".proofs", fmt.Sprintf("proof %d: a secret code alone is not strong, and opens nothing sensitive", i+1))
			}
			unlinked = unlinked || f.Sensitive() && !one.Linked()
		}
		if rule.Seconds < leastSeconds || rule.Seconds > mostSeconds {
			errs.Add(name+".seconds", fmt.Sprintf("give the holder %d to %d seconds", leastSeconds, mostSeconds))
		} else if unlinked && rule.Seconds > mostUnlinked {
			errs.Add(name+".seconds", fmt.Sprintf("where the CODE key signs, %d seconds at most", mostUnlinked))
		}
	}
	return errs.Err()
}

// Parse reads an author's file: a YAML map of functions. Those left out keep the
// built-in rule. The error is [lifecycle.Invalid] and names what is wrong.
func Parse(file []byte) (Policy, error) {
	if len(file) > MaxFile {
		return nil, &lifecycle.FieldError{Field: "policy", Why: fmt.Sprintf("is longer than %d KiB", MaxFile>>10)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	decoder.KnownFields(true)
	said := Policy{}
	if err := decoder.Decode(&said); err != nil {
		return nil, notYAML(err)
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &lifecycle.FieldError{Field: "policy", Why: "has more than one document"}
	}
	p := BuiltIn()
	for f, rule := range said {
		if rule.Seconds == 0 {
			rule.Seconds = p[f].Seconds
		}
		p[f] = rule
	}
	return p, p.check()
}

// notYAML says what the decoder objects to, bounded.
func notYAML(err error) error {
	const most = 300
	why := []rune(err.Error())
	return &lifecycle.FieldError{Field: "policy", Why: string(why[:min(most, len(why))])}
}

// Canonical is the one form in which a policy is kept, hashed and approved.
func (p Policy) Canonical() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		return nil // texts and numbers only: cannot happen
	}
	return text
}

// Read reads a policy that is on record: nothing but the canonical form.
func Read(canonical []byte) (Policy, error) {
	var p Policy
	decoder := json.NewDecoder(bytes.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return nil, fmt.Errorf("%w: signing policy: %w", lifecycle.Invalid, err)
	}
	if !bytes.Equal(p.Canonical(), canonical) {
		return nil, fmt.Errorf("%w: signing policy: not in its canonical form", lifecycle.Invalid)
	}
	return p, p.check()
}

// YAML writes a policy as an author would, with all that was left out.
func (p Policy) YAML() []byte {
	text, err := yaml.Marshal(p)
	if err != nil {
		return nil // texts and numbers only: cannot happen
	}
	return text
}

// Sum is the SHA-256 of the canonical form.
func (p Policy) Sum() [32]byte { return sha256.Sum256(p.Canonical()) }
