package house

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"sceau/hsm"
	"sceau/lifecycle"
)

// Plan is what a ceremony makes of card keys, and who watches.
type Plan struct {
	Environment string    `yaml:"environment"` // test or live
	Witnesses   []string  `yaml:"witnesses"`
	Keys        []PlanKey `yaml:"keys"`
	// Policies are what an issuing CA that is made may assert, besides those of the
	// built-in certificate profiles.
	Policies []string `yaml:"policies"`
}

// PlanKey is one card key. With custodians each of them enters a component;
// without, the engine draws it.
type PlanKey struct {
	Name       string       `yaml:"name"`
	Usage      hsm.KeyUsage `yaml:"usage"`
	Algorithm  string       `yaml:"algorithm"` // empty takes the usage's own
	Custodians []string     `yaml:"custodians"`
}

// DefaultPlan is drawn keys of the test environment: development and first steps.
func DefaultPlan() Plan {
	return Plan{Environment: "test", Keys: []PlanKey{
		{Name: "imk-ac", Usage: hsm.UsageIMKAC},
		{Name: "imk-smi", Usage: hsm.UsageIMKSMI},
		{Name: "imk-smc", Usage: hsm.UsageIMKSMC},
		{Name: DefaultTransportKey, Usage: hsm.UsageTransport},
	}}
}

// ReadPlan reads a plan's file; an unknown key is an error.
func ReadPlan(path string) (Plan, error) {
	const maxPlan = 64 << 10
	f, err := os.Open(path) //nolint:gosec // named by the officer
	if err != nil {
		return Plan{}, fmt.Errorf("%w: open the plan: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxPlan))
	if err != nil {
		return Plan{}, fmt.Errorf("read the plan: %w", err)
	}
	p := Plan{Environment: "live"}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&p); err != nil {
		return Plan{}, fmt.Errorf("%w: the plan %s: %w", lifecycle.Invalid, path, err)
	}
	return p, p.check()
}

func (p Plan) check() error {
	if p.Environment != "test" && p.Environment != "live" {
		return fmt.Errorf("%w: the plan's environment is test or live", lifecycle.Invalid)
	}
	for _, oid := range p.Policies {
		if _, err := x509.ParseOID(oid); err != nil {
			return &lifecycle.FieldError{Field: "policies", Why: fmt.Sprintf("%q is no object identifier in dotted form", oid)}
		}
	}
	seen := map[string]bool{}
	for _, k := range p.Keys {
		if k.Name == "" || k.Usage == "" || seen[k.Name] {
			return fmt.Errorf("%w: each key of the plan has a usage and a name of its own", lifecycle.Invalid)
		}
		seen[k.Name] = true
		if n := len(k.Custodians); n == 1 || n > 3 {
			return fmt.Errorf("%w: key %s has no custodians, or two or three", lifecycle.Invalid, k.Name)
		}
	}
	return nil
}

// cardKeys makes the keys that the engine draws, and looks whether those of
// custodians are whole.
func (c *Ceremony) cardKeys(ctx context.Context) error {
	var waiting []string
	for _, k := range c.Plan.Keys {
		whole, err := c.cardKey(ctx, k)
		if err != nil {
			return fmt.Errorf("card key %s: %w", k.Name, err)
		}
		if !whole {
			waiting = append(waiting, k.Name)
		}
	}
	if len(waiting) > 0 {
		return fmt.Errorf("%w: %s", ErrWaiting, strings.Join(waiting, ", "))
	}
	return nil
}

func (c *Ceremony) cardKey(ctx context.Context, k PlanKey) (whole bool, err error) {
	name, environment := c.prefix+k.Name, c.Plan.Environment
	var info hsm.KeyInfo
	if len(k.Custodians) == 0 || c.Rehearsal {
		info, err = c.Cards.CreateKeyIn(ctx, name, k.Usage, k.Algorithm, environment)
	} else {
		info, err = c.Cards.KeyInfo(ctx, name)
	}
	if errors.Is(err, lifecycle.NotFound) {
		c.sayComponents(k)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Usage != k.Usage || info.Environment != environment {
		return false, fmt.Errorf("%w: it is there for %s, %s", lifecycle.Conflict, info.Usage, info.Environment)
	}
	return true, c.made(ctx, "hsm/"+k.Name, "key "+name, described(info, k.Custodians))
}

// sayComponents tells each custodian what to type, on a line of their own.
func (c *Ceremony) sayComponents(k PlanKey) {
	algorithm := ""
	if k.Algorithm != "" {
		algorithm = " --algorithm " + k.Algorithm
	}
	for i, custodian := range k.Custodians {
		c.Say("key %s waits for component %d by %s:\n  sceau ceremony component --key %s --usage %s%s --environment %s --index %d --total %d --kcv … --vault-token-file …",
			k.Name, i+1, custodian, k.Name, k.Usage, algorithm, c.Plan.Environment, i+1, len(k.Custodians))
	}
}

// described is what the minutes say of a card key. people are those who may have
// entered it, by the names that the plan gives them.
func described(info hsm.KeyInfo, people []string) map[string]string {
	d := map[string]string{
		"key": "hsm/" + info.Name, "usage": string(info.Usage), "algorithm": info.Algorithm, "kcv": info.KCV,
		"version": fmt.Sprint(info.Version), "environment": info.Environment,
	}
	for _, v := range info.Versions {
		if v.Version == info.Version {
			d["origin"] = v.Origin
			if len(v.Custodians) > 0 {
				d["custodians"] = strings.Join(named(v.Custodians, people), ", ")
			}
		}
	}
	return d
}

// unnamed are the characters that Vault replaces in a token's display name.
var unnamed = regexp.MustCompile(`[^a-zA-Z0-9-]`)

// named gives people's names back to the display names of their tokens.
func named(tokens, people []string) []string {
	names := make([]string, len(tokens))
	for i, token := range tokens {
		names[i] = strings.TrimPrefix(token, "token-")
		for _, person := range people {
			if unnamed.ReplaceAllString(person, "-") == names[i] {
				names[i] = person
				break
			}
		}
	}
	return names
}

// cleanUp deletes a rehearsal's keys. Deletion of card keys is for two officers:
// the ceremony's token proposes, the administrator's confirms.
func (c *Ceremony) cleanUp(ctx context.Context) error {
	var errs []error
	for _, k := range c.Plan.Keys {
		name := c.prefix + k.Name
		_, err := c.Cards.DisableKey(ctx, name)
		if errors.Is(err, lifecycle.NotFound) {
			continue // the rehearsal did not come that far
		}
		if err == nil {
			if err = c.Cards.DeleteKey(ctx, name); errors.Is(err, hsm.ErrProposed) {
				err = c.Admin.DeleteKey(ctx, name)
			}
		}
		errs = append(errs, err)
	}
	errs = append(errs, c.Admin.DeleteRehearsalKeys(ctx, c.prefix))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up after the rehearsal: %w", err)
	}
	c.Say("the rehearsal's keys are deleted")
	return nil
}
