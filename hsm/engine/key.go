package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

// Usages of keys. The engine uses a key for its usage and nothing else.
const (
	usageIMKAC     = "imk-ac"
	usageIMKSMI    = "imk-smi"
	usageIMKSMC    = "imk-smc"
	usageTransport = "transport"
	usageKBPK      = "kbpk"
)

// Algorithms of keys.
const (
	algorithmTDES2  = "tdes2"
	algorithmAES256 = "aes256"
)

// storedKey is a key in storage.
type storedKey struct {
	Usage       string    `json:"usage"`
	Algorithm   string    `json:"algorithm"`
	Version     int       `json:"version"`
	KCV         string    `json:"kcv"`
	Environment string    `json:"environment"`
	Origin      string    `json:"origin"` // random, or components
	Custodians  []string  `json:"custodians,omitempty"`
	Value       crypt.Hex `json:"value"`
}

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

func nameField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "Name: lower-case letters, digits and dashes, at most 48."}
}

func (b *backend) pathKeys() *framework.Path {
	return &framework.Path{
		Pattern: "keys/?$",
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{Callback: func(ctx context.Context, r *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
				names, err := r.Storage.List(ctx, keyPrefix)
				if err != nil {
					return nil, fmt.Errorf("list keys: %w", err)
				}
				return logical.ListResponse(names), nil
			}},
		},
		HelpSynopsis: "List the names of keys.",
	}
}

func (b *backend) pathKey() *framework.Path {
	operations := write("Make a random key; the same again changes nothing.", b.createKey)
	operations[logical.ReadOperation] = &framework.PathOperation{Callback: answered(b.readKey), Summary: "Describe a key."}
	return &framework.Path{
		Pattern: "keys/" + framework.GenericNameRegex("name"),
		Fields: map[string]*framework.FieldSchema{
			"name":        nameField(),
			"usage":       {Type: framework.TypeString, Description: "imk-ac, imk-smi, imk-smc, transport or kbpk."},
			"algorithm":   {Type: framework.TypeString, Description: "tdes2, or aes256 for a key block protection key."},
			"environment": {Type: framework.TypeString, Default: "test", Description: "test or live."},
		},
		Operations:   operations,
		HelpSynopsis: "Make a key inside the engine, or describe it by its check value.",
	}
}

func (b *backend) createKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	k := storedKey{
		Usage: text(data, "usage"), Algorithm: text(data, "algorithm"), Version: 1, Environment: text(data, "environment"), Origin: "random",
	}
	if err := k.check(name); err != nil {
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
		if there.Usage != k.Usage || there.Algorithm != k.Algorithm || there.Environment != k.Environment {
			return nil, refuse("conflict", "key %s is there with usage %s and algorithm %s, for %s", name, there.Usage, there.Algorithm, there.Environment)
		}
		return there.describe(name), nil
	}
	k.Value = randomKey(k.Algorithm)
	if err := b.putKey(ctx, r.Storage, name, &k); err != nil {
		return nil, err
	}
	return k.describe(name), nil
}

// check validates what a key is for and fills the usage's own algorithm in.
func (k *storedKey) check(name string) error {
	if !keyName.MatchString(name) {
		return refuse("invalid", "a key's name has lower-case letters, digits and dashes, at most 48")
	}
	own := algorithmTDES2
	switch k.Usage {
	case usageIMKAC, usageIMKSMI, usageIMKSMC, usageTransport:
	case usageKBPK:
		own = algorithmAES256
	default:
		return refuse("invalid", "usage is imk-ac, imk-smi, imk-smc, transport or kbpk")
	}
	if k.Algorithm == "" {
		k.Algorithm = own
	}
	if k.Algorithm != own && (k.Usage != usageKBPK || k.Algorithm != algorithmTDES2) {
		return refuse("invalid", "the algorithm of usage %s is %s", k.Usage, own)
	}
	if k.Environment != "test" && k.Environment != "live" {
		return refuse("invalid", "environment is test or live")
	}
	return nil
}

func randomKey(algorithm string) crypt.Hex {
	const tdes2, aes256 = 16, 32
	size := tdes2
	if algorithm == algorithmAES256 {
		size = aes256
	}
	for {
		key := make([]byte, size)
		_, _ = rand.Read(key) // never fails since Go 1.24: it ends the process instead
		if algorithm != algorithmTDES2 {
			return key
		}
		odd := crypt.OddParity(key)
		if !crypt.WeakTDES(odd) {
			return crypt.Hex(odd)
		}
	}
}

// putKey completes a key with its check value and stores it.
func (b *backend) putKey(ctx context.Context, s logical.Storage, name string, k *storedKey) error {
	var err error
	if k.KCV, err = checkValue(k.Algorithm, k.Value); err != nil {
		return err
	}
	if err := put(ctx, s, keyPrefix+name, k); err != nil {
		return err
	}
	b.forget()
	return nil
}

func checkValue(algorithm string, value []byte) (string, error) {
	if algorithm == algorithmAES256 {
		return keyblock.CheckValueAES(value)
	}
	return keyblock.CheckValueTDES(value)
}

func (b *backend) readKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	k, err := readKey(ctx, r.Storage, name)
	if err != nil || k == nil {
		return nil, err // nil, nil is Vault's 404
	}
	return k.describe(name), nil
}

func (k *storedKey) describe(name string) *logical.Response {
	return &logical.Response{Data: map[string]any{
		"name": name, "usage": k.Usage, "algorithm": k.Algorithm, "version": fmt.Sprint(k.Version), "kcv": k.KCV,
		"state": "active", "environment": k.Environment, "origin": k.Origin,
	}}
}

// readKey reads a key; nil when there is none.
func readKey(ctx context.Context, s logical.Storage, name string) (*storedKey, error) {
	var k storedKey
	found, err := get(ctx, s, keyPrefix+name, &k)
	if err != nil || !found {
		return nil, err
	}
	return &k, nil
}

// usableKey reads a key that must be there, for a usage.
func usableKey(ctx context.Context, s logical.Storage, name, usage string) (*storedKey, error) {
	k, err := readKey(ctx, s, name)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, refuse("unknown_key", "%s", shown(name))
	}
	if k.Usage != usage {
		return nil, refuse("key_usage", "key %s is for %s, not for %s", shown(name), k.Usage, usage)
	}
	return k, nil
}

// shown is a name that may stand in an error.
func shown(name string) string {
	if keyName.MatchString(name) {
		return name
	}
	return "(malformed name)"
}

func get(ctx context.Context, s logical.Storage, path string, into any) (bool, error) {
	entry, err := s.Get(ctx, path)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	if entry == nil {
		return false, nil
	}
	if err := entry.DecodeJSON(into); err != nil {
		return false, fmt.Errorf("read %s: what is stored is not what was written", path)
	}
	return true, nil
}

func put(ctx context.Context, s logical.Storage, path string, value any) error {
	entry, err := logical.StorageEntryJSON(path, value)
	if err != nil {
		return fmt.Errorf("store %s: it has no JSON form", path)
	}
	if err := s.Put(ctx, entry); err != nil {
		return fmt.Errorf("store %s: %w", path, err)
	}
	return nil
}
