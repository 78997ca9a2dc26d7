package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

// Components of one key.
const (
	minComponents = 2
	maxComponents = 5
)

// ceremony is a key of which some components are entered.
type ceremony struct {
	Usage       string            `json:"usage"`
	Algorithm   string            `json:"algorithm"`
	Environment string            `json:"environment"`
	Total       int               `json:"total"`
	Parts       map[int]component `json:"parts"`
}

// component is one custodian's part. Who entered it is told by what Vault knows
// of the token: two parts never come from one.
type component struct {
	Value    crypt.Hex `json:"value"`
	Accessor string    `json:"accessor"`
	Entity   string    `json:"entity"`
	Name     string    `json:"name"`
}

func (b *backend) pathComponents() *framework.Path {
	return &framework.Path{
		Pattern: "keys/" + framework.GenericNameRegex("name") + "/components",
		Fields: map[string]*framework.FieldSchema{
			"name":        nameField(),
			"usage":       {Type: framework.TypeString, Required: true, Description: "As of keys/."},
			"algorithm":   {Type: framework.TypeString, Description: "As of keys/."},
			"index":       {Type: framework.TypeString, Required: true, Description: "Number of this component, from 1."},
			"total":       {Type: framework.TypeString, Required: true, Description: "How many there are: 2 to 5."},
			"component":   {Type: framework.TypeString, Required: true, Description: "The component, hexadecimal.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
			"kcv":         {Type: framework.TypeString, Required: true, Description: "Its check value: 6 hexadecimal digits, 10 for AES."},
			"environment": {Type: framework.TypeString, Default: "test", Description: "As of keys/."},
		},
		Operations:   write("Enter one component.", b.enterComponent),
		HelpSynopsis: "Enter a key in components, each by another custodian: the key is their XOR.",
	}
}

func (b *backend) enterComponent(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	k := storedKey{Usage: text(data, "usage"), Algorithm: text(data, "algorithm"), Version: 1, Environment: text(data, "environment"), Origin: "components"}
	if err := k.check(name); err != nil {
		return nil, err
	}
	index, total, err := position(data)
	if err != nil {
		return nil, err
	}
	value, err := checkedComponent(k.Algorithm, text(data, "component"), text(data, "kcv"))
	if err != nil {
		return nil, err
	}
	lock := locksutil.LockForKey(b.locks, keyPrefix+name)
	lock.Lock()
	defer lock.Unlock()
	there, err := readKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	if there != nil {
		// A crash may have come between the key and the end of its components.
		if err := r.Storage.Delete(ctx, componentPrefix+name); err != nil {
			return nil, fmt.Errorf("erase the components of key %s: %w", name, err)
		}
		return nil, refuse("conflict", "key %s is whole already: check value %s", name, there.KCV)
	}
	c := ceremony{Usage: k.Usage, Algorithm: k.Algorithm, Environment: k.Environment, Total: total, Parts: map[int]component{}}
	if _, err := get(ctx, r.Storage, componentPrefix+name, &c); err != nil {
		return nil, err
	}
	if c.Usage != k.Usage || c.Algorithm != k.Algorithm || c.Environment != k.Environment || c.Total != total {
		return nil, refuse("conflict", "the components of key %s were begun with another usage, algorithm, environment or total", name)
	}
	part := component{Value: value, Accessor: r.ClientTokenAccessor, Entity: r.EntityID, Name: r.DisplayName}
	if err := c.add(index, part); err != nil {
		return nil, err
	}
	if len(c.Parts) < total {
		if err := put(ctx, r.Storage, componentPrefix+name, c); err != nil {
			return nil, err
		}
		return &logical.Response{Data: map[string]any{"complete": false}}, nil
	}
	return b.finishCeremony(ctx, r.Storage, name, k, c)
}

func position(data *framework.FieldData) (index, total int, err error) {
	index, errIndex := strconv.Atoi(text(data, "index"))
	total, errTotal := strconv.Atoi(text(data, "total"))
	if errIndex != nil || errTotal != nil || total < minComponents || total > maxComponents || index < 1 || index > total {
		return 0, 0, refuse("invalid", "total is 2 to 5, index 1 to total")
	}
	return index, total, nil
}

func checkedComponent(algorithm, component, kcv string) (crypt.Hex, error) {
	value, err := crypt.ParseHex(component)
	if err != nil {
		return nil, err
	}
	size := map[string]int{algorithmTDES2: 16, algorithmAES256: 32}[algorithm]
	if len(value) != size {
		return nil, refuse("invalid", "a component of %s has %d bytes", algorithm, size)
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

// add takes a part unless its custodian has entered another. The same part
// again changes nothing.
func (c *ceremony) add(index int, part component) error {
	if there, ok := c.Parts[index]; ok {
		if there.Accessor == part.Accessor && subtle.ConstantTimeCompare(there.Value, part.Value) == 1 {
			return nil
		}
		return refuse("conflict", "component %d was entered before", index)
	}
	for _, other := range c.Parts {
		if other.sameCustodian(part) {
			return refuse("dual_control", "another custodian must enter component %d", index)
		}
	}
	c.Parts[index] = part
	return nil
}

func (c component) sameCustodian(other component) bool {
	return c.Accessor == other.Accessor || c.Entity != "" && c.Entity == other.Entity || c.Name == other.Name
}

// finishCeremony makes the key of its parts.
func (b *backend) finishCeremony(ctx context.Context, s logical.Storage, name string, k storedKey, c ceremony) (*logical.Response, error) {
	for index := 1; index <= c.Total; index++ {
		part := c.Parts[index]
		if k.Value == nil {
			k.Value = make([]byte, len(part.Value))
		}
		subtle.XORBytes(k.Value, k.Value, part.Value)
		k.Custodians = append(k.Custodians, part.Name)
	}
	if k.Algorithm == algorithmTDES2 && crypt.WeakTDES(crypt.OddParity(k.Value)) {
		return nil, refuse("invalid", "the components give a weak key: begin again with others")
	}
	if err := b.putKey(ctx, s, name, &k); err != nil {
		return nil, err
	}
	if err := s.Delete(ctx, componentPrefix+name); err != nil {
		return nil, refuse("conflict", "key %s is whole, but its components could not be erased: enter this one again", name)
	}
	return &logical.Response{Data: map[string]any{"complete": true, "kcv": k.KCV}}, nil
}

func (b *backend) pathExport() *framework.Path {
	return &framework.Path{
		Pattern: "keys/" + framework.GenericNameRegex("name") + "/export",
		Fields: map[string]*framework.FieldSchema{
			"name": nameField(),
			"kbpk": {Type: framework.TypeString, Required: true, Description: "Name of the key block protection key."},
		},
		Operations:   write("Export a transport key as a TR-31 key block.", b.export),
		HelpSynopsis: "Export a transport key for the bureau. Issuer master keys never leave.",
	}
}

func (b *backend) export(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	key, err := usableKey(ctx, r.Storage, text(data, "name"), usageTransport)
	if err != nil {
		return nil, err
	}
	kbpk, err := usableKey(ctx, r.Storage, text(data, "kbpk"), usageKBPK)
	if err != nil {
		return nil, err
	}
	version := byte('D')
	if kbpk.Algorithm == algorithmTDES2 {
		version = 'B'
	}
	block, err := keyblock.Wrap(crypt.Key(kbpk.Value), keyblock.Header{
		Version: version, Usage: "K0", Algorithm: 'T', Mode: 'B', KeyVersion: "00", Exportability: 'N',
	}, crypt.Key(key.Value), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"key_block": block, "kcv": key.KCV}}, nil
}
