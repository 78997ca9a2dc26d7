package engine

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
)

// Components of one key.
const (
	minComponents = 2
	maxComponents = 3
)

// ceremony is a key of which some components are entered.
type ceremony struct {
	Usage       string            `json:"usage"`
	Algorithm   string            `json:"algorithm"`
	Mode        string            `json:"mode"`
	Export      string            `json:"exportability"`
	Environment string            `json:"environment"`
	Rotate      bool              `json:"rotate,omitempty"`
	Total       int               `json:"total"`
	Parts       map[int]component `json:"parts"`
}

// component is one custodian's part. Who entered it is told by what Vault knows
// of the token: two parts never come from one.
type component struct {
	officer

	Value crypt.Hex `json:"value"`
	KCV   string    `json:"kcv"`
	When  time.Time `json:"when"`
}

func (b *backend) pathComponents() *framework.Path {
	fields := keyFields()
	fields["index"] = &framework.FieldSchema{Type: framework.TypeString, Description: "Number of this component, from 1."}
	fields["total"] = &framework.FieldSchema{Type: framework.TypeString, Description: "How many there are: 2 or 3."}
	fields["component"] = &framework.FieldSchema{
		Type: framework.TypeString, Description: "The component, hexadecimal.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
	}
	fields["kcv"] = &framework.FieldSchema{Type: framework.TypeString, Description: "Its check value: 6 hexadecimal digits, 10 for AES."}
	fields["rotate"] = &framework.FieldSchema{Type: framework.TypeBool, Description: "The components are the next version of a key that is there."}
	return &framework.Path{
		Pattern: "keys/" + framework.GenericNameRegex("name") + "/components", Fields: fields,
		Operations: operations{
			logical.UpdateOperation: b.command("Enter one component.", b.enterComponent),
			logical.ReadOperation:   b.quick("Tell which components are entered, and by whom.", readCeremony),
			logical.DeleteOperation: b.command("Abort: erase the components entered so far.", b.abortCeremony),
		},
		HelpSynopsis: "Enter a key in 2 or 3 components, each by another custodian: the key is their XOR.",
		HelpDescription: "Each component comes from another Vault entity under its own token; for test keys another token of another name is enough, for live keys " +
			"a token without entity, such as the root token, is refused. Each is checked against the check value on its custodian's form. " +
			"The key is made when the last component is in; until then nothing can use it, and anybody who may enter one may abort.",
	}
}

func (b *backend) enterComponent(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	k, err := keyOf(data)
	if err != nil {
		return nil, err
	}
	index, total, err := position(data)
	if err != nil {
		return nil, err
	}
	part := component{officer: officerOf(r), KCV: text(data, "kcv"), When: b.now()}
	if err := part.accountable(k.Environment); err != nil {
		return nil, err
	}
	if part.Value, err = checkedComponent(k.Algorithm, text(data, "component"), part.KCV); err != nil {
		return nil, err
	}
	defer clear(part.Value)
	defer b.lock(keyPrefix + name)()
	rotate, _ := data.Get("rotate").(bool)
	c := ceremony{
		Usage: k.Usage, Algorithm: k.Algorithm, Mode: k.Mode, Export: k.Export, Environment: k.Environment,
		Rotate: rotate, Total: total, Parts: map[int]component{},
	}
	into, err := target(ctx, r.Storage, name, k, rotate)
	if err != nil {
		return nil, err
	}
	defer into.wipe()
	if err := c.resume(ctx, r.Storage, name); err != nil {
		return nil, err
	}
	if err := c.add(index, part); err != nil {
		return nil, err
	}
	if len(c.Parts) < total {
		if err := put(ctx, r.Storage, componentPrefix+name, c); err != nil {
			return nil, err
		}
		return c.describe(), nil
	}
	return b.finishCeremony(ctx, r.Storage, name, into, c)
}

// target is the key that the components become a version of: a new one, or with
// rotate the one that is there.
func target(ctx context.Context, s logical.Storage, name string, k storedKey, rotate bool) (*storedKey, error) {
	there, err := readKey(ctx, s, name)
	if err != nil {
		return nil, err
	}
	switch {
	case there == nil && rotate:
		return nil, refuse("unknown_key", "%s: nothing to rotate", name)
	case there == nil:
		return &k, nil
	case there.State == stateActive && rotate && there.like(&k):
		return there, nil
	case there.State != stateDeleted && there.like(&k) && !rotate:
		// A crash may have come between the key and the end of its components.
		if err := s.Delete(ctx, componentPrefix+name); err != nil {
			return nil, fmt.Errorf("erase the components of key %s: %w", name, err)
		}
		return nil, refuse("conflict", "key %s is whole already: check value %s", name, there.Versions[there.latest()-1].KCV)
	}
	return nil, taken(name, there)
}

func position(data *framework.FieldData) (index, total int, err error) {
	index, errIndex := strconv.Atoi(text(data, "index"))
	total, errTotal := strconv.Atoi(text(data, "total"))
	if errIndex != nil || errTotal != nil || total < minComponents || total > maxComponents || index < 1 || index > total {
		return 0, 0, refuse("invalid", "total is %d or %d, index 1 to total", minComponents, maxComponents)
	}
	return index, total, nil
}

func checkedComponent(algorithm, component, kcv string) (crypt.Hex, error) {
	value, err := crypt.ParseHex(component)
	if err != nil {
		return nil, err
	}
	if len(value) != size(algorithm) {
		return nil, refuse("invalid", "a component of %s has %d bytes", algorithm, size(algorithm))
	}
	want, err := checkValue(algorithm, value)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(kcv)) != 1 {
		return nil, refuse("wrong_kcv", "the component does not have this check value: was it typed right?")
	}
	return value, nil
}

// resume takes the components up that were entered before.
func (c *ceremony) resume(ctx context.Context, s logical.Storage, name string) error {
	before := ceremony{}
	found, err := get(ctx, s, componentPrefix+name, &before)
	if err != nil || !found {
		return err
	}
	if before.Usage != c.Usage || before.Algorithm != c.Algorithm || before.Mode != c.Mode || before.Export != c.Export ||
		before.Environment != c.Environment || before.Rotate != c.Rotate || before.Total != c.Total {
		return refuse("conflict", "the components of key %s were begun with another usage, algorithm, mode, exportability, environment or total", name)
	}
	c.Parts = before.Parts
	return nil
}

// add takes a part unless its custodian has entered another. The same part
// again changes nothing.
func (c *ceremony) add(index int, part component) error {
	if there, ok := c.Parts[index]; ok {
		if there.officer == part.officer && subtle.ConstantTimeCompare(there.Value, part.Value) == 1 {
			return nil
		}
		return refuse("conflict", "component %d was entered before", index)
	}
	for _, other := range c.Parts {
		if other.same(part.officer) {
			return refuse("dual_control", "another custodian must enter component %d", index)
		}
	}
	c.Parts[index] = part
	return nil
}

// describe tells how far the ceremony is, by check values.
func (c *ceremony) describe() *logical.Response {
	entered := make([]map[string]any, 0, len(c.Parts))
	for index := 1; index <= c.Total; index++ {
		if part, ok := c.Parts[index]; ok {
			entered = append(entered, map[string]any{"index": strconv.Itoa(index), "kcv": part.KCV, "by": part.Name, "when": stamp(part.When)})
		}
	}
	return &logical.Response{Data: map[string]any{
		"complete": false, "total": strconv.Itoa(c.Total), "entered": entered, "usage": c.Usage, "algorithm": c.Algorithm, "environment": c.Environment,
	}}
}

// finishCeremony makes the key of its parts.
func (b *backend) finishCeremony(ctx context.Context, s logical.Storage, name string, k *storedKey, c ceremony) (*logical.Response, error) {
	v := keyVersion{Origin: "components", Value: make([]byte, size(k.Algorithm))}
	defer clear(v.Value)
	for index := 1; index <= c.Total; index++ {
		part := c.Parts[index]
		subtle.XORBytes(v.Value, v.Value, part.Value)
		v.Custodians = append(v.Custodians, part.Name)
		clear(part.Value)
	}
	if err := k.addStrong(v); err != nil {
		return nil, err
	}
	if err := b.putKey(ctx, s, name, k); err != nil {
		return nil, err
	}
	if err := s.Delete(ctx, componentPrefix+name); err != nil {
		return nil, refuse("conflict", "key %s is whole, but its components could not be erased: abort them", name)
	}
	latest := k.Versions[k.latest()-1]
	return &logical.Response{Data: map[string]any{"complete": true, "kcv": latest.KCV, "version": strconv.Itoa(k.latest())}}, nil
}

// addStrong is add for a value that came from outside: not single DES in
// disguise, not the value of another version.
func (k *storedKey) addStrong(v keyVersion) error {
	if len(v.Value) != size(k.Algorithm) {
		return refuse("invalid", "a key of %s has %d bytes", k.Algorithm, size(k.Algorithm))
	}
	if !isAES(k.Algorithm) && crypt.WeakTDES(crypt.OddParity(v.Value)) {
		return refuse("invalid", "this is a weak key: begin again with others")
	}
	if slices.ContainsFunc(k.Versions, func(o keyVersion) bool { return subtle.ConstantTimeCompare(o.Value, v.Value) == 1 }) {
		return refuse("conflict", "this value is another version of the key already")
	}
	return k.add(v)
}

func readCeremony(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	if err := checkKeyName(name); err != nil {
		return nil, err
	}
	var c ceremony
	found, err := get(ctx, r.Storage, componentPrefix+name, &c)
	if err != nil || !found {
		return nil, err // nil, nil is Vault's 404
	}
	return c.describe(), nil
}

func (b *backend) abortCeremony(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	if err := checkKeyName(name); err != nil {
		return nil, err
	}
	defer b.lock(keyPrefix + name)()
	if err := r.Storage.Delete(ctx, componentPrefix+name); err != nil {
		return nil, fmt.Errorf("erase the components of key %s: %w", name, err)
	}
	return nil, nil //nolint:nilnil // Vault's 204
}
