package engine

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func nameField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "Name: lower-case letters, digits and dashes, at most 48."}
}

// keyFields describe a key that is made, entered or imported.
func keyFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"name":          nameField(),
		"usage":         {Type: framework.TypeString, Description: "What it is for, one thing: " + usageNames() + "."},
		"algorithm":     {Type: framework.TypeString, Description: "tdes2, tdes3, aes128, aes192 or aes256; empty takes the usage's own."},
		"mode":          {Type: framework.TypeString, Description: "Mode of use as in TR-31, one: B, E, D, X, C, G or V; empty takes the usage's own."},
		"exportability": {Type: framework.TypeString, Description: "E: may leave in a key block, N: never. Issuer master keys are N unless told otherwise."},
		"environment":   {Type: framework.TypeString, Default: environmentTest, Description: "test or live; the two are never used together."},
	}
}

// keyOf is the key that a request describes.
func keyOf(data *framework.FieldData) (storedKey, error) {
	k := storedKey{
		Usage: text(data, "usage"), Algorithm: text(data, "algorithm"), Mode: text(data, "mode"),
		Export: text(data, "exportability"), Environment: text(data, "environment"), State: stateActive,
	}
	if err := checkKeyName(text(data, "name")); err != nil {
		return k, err
	}
	return k, k.fill()
}

// like tells whether two keys are for the same thing.
func (k *storedKey) like(o *storedKey) bool {
	return k.Usage == o.Usage && k.Algorithm == o.Algorithm && k.Mode == o.Mode && k.Environment == o.Environment
}

func (b *backend) keyPaths() []*framework.Path {
	key := "keys/" + framework.GenericNameRegex("name")
	named := map[string]*framework.FieldSchema{"name": nameField()}
	return []*framework.Path{
		{
			Pattern:         "keys/?$",
			Operations:      operations{logical.ListOperation: b.quick("List the names of keys.", listKeys)},
			HelpSynopsis:    "List the names of keys.",
			HelpDescription: "Names only, also of deleted keys: a name is never used again. Read each for its description.",
		},
		{
			Pattern: key, Fields: keyFields(),
			Operations: operations{
				logical.UpdateOperation: b.command("Make a random key; the same again changes nothing.", b.createKey),
				logical.ReadOperation:   b.quick("Describe a key by its check value.", describeKey),
				logical.DeleteOperation: b.command("Delete a disabled key: two officers.", b.deleteKey),
			},
			HelpSynopsis: "Make a key inside the engine, describe it, or delete it.",
			HelpDescription: "A key has one usage and one mode of use, fixed when it is made. It is shown by its check value; its value is never answered. " +
				"A key is deleted only when disabled, by two officers: one proposes, another confirms. Its values are erased, its name and check values stay.",
		},
		{
			Pattern: key + "/rotate", Fields: named,
			Operations:   operations{logical.UpdateOperation: b.command("Add a new random version.", b.rotateKey)},
			HelpSynopsis: "Add a new random version to a key.",
			HelpDescription: "New cards are made under the new version. The old one stays usable for what was made under it, until it is retired. " +
				"To rotate in components or by a key block, enter or import with rotate.",
		},
		{
			Pattern: key + "/retire",
			Fields: map[string]*framework.FieldSchema{
				"name": nameField(), "version": {Type: framework.TypeString, Required: true, Description: "Number of the version; not the latest."},
			},
			Operations:      operations{logical.UpdateOperation: b.command("Retire an earlier version.", b.retireKey)},
			HelpSynopsis:    "Retire a version of a key once the last card of it has expired.",
			HelpDescription: "A retired version is refused everywhere, with the code key_retired, and does not come back. The latest version cannot be retired.",
		},
		b.statePath(key+"/disable", stateDisabled), b.statePath(key+"/enable", stateActive),
		b.pathComponents(), b.pathImport(), b.pathExport(),
	}
}

func (b *backend) statePath(pattern, state string) *framework.Path {
	return &framework.Path{
		Pattern: pattern, Fields: map[string]*framework.FieldSchema{"name": nameField()},
		Operations: operations{logical.UpdateOperation: b.command("Make the key "+state+".", func(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
			return b.change(ctx, r, text(data, "name"), func(k *storedKey) error {
				k.State = state
				return nil
			})
		})},
		HelpSynopsis:    "Make a key " + state + ".",
		HelpDescription: "A disabled key is refused everywhere, with the code key_disabled, until it is enabled again.",
	}
}

func listKeys(ctx context.Context, r *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	names, err := r.Storage.List(ctx, keyPrefix)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return logical.ListResponse(names), nil
}

func (b *backend) createKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	k, err := keyOf(data)
	if err != nil {
		return nil, err
	}
	if k.Environment == environmentLive {
		if err := officerOf(r).accountable(k.Environment); err != nil {
			return nil, err
		}
	}
	name := text(data, "name")
	defer b.lock(keyPrefix + name)()
	there, err := readKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	defer there.wipe()
	if there != nil {
		if there.State == stateDeleted || !there.like(&k) {
			return nil, taken(name, there)
		}
		return there.describe(name), nil
	}
	defer k.wipe()
	if err := k.add(keyVersion{Origin: "random", Value: randomKey(k.Algorithm)}); err != nil {
		return nil, err
	}
	if err := b.putKey(ctx, r.Storage, name, &k); err != nil {
		return nil, err
	}
	return k.describe(name), nil
}

// taken refuses a name that is in use for something else, or was.
func taken(name string, there *storedKey) error {
	return refuse("conflict", "key %s is there, %s, with usage %s, algorithm %s and mode %s, for %s",
		name, there.State, there.Usage, there.Algorithm, there.Mode, there.Environment)
}

func describeKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	k, err := readKey(ctx, r.Storage, name)
	if err != nil || k == nil {
		return nil, err // nil, nil is Vault's 404
	}
	defer k.wipe()
	return k.describe(name), nil
}

// change works on a key that is there and stores it again.
func (b *backend) change(ctx context.Context, r *logical.Request, name string, work func(k *storedKey) error) (*logical.Response, error) {
	defer b.lock(keyPrefix + name)()
	k, err := readKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	if k == nil || k.State == stateDeleted {
		return nil, refuse("unknown_key", "%s", shown(name))
	}
	defer k.wipe()
	if k.Environment == environmentLive {
		if err := officerOf(r).accountable(k.Environment); err != nil {
			return nil, err
		}
	}
	if err := work(k); err != nil {
		return nil, err
	}
	if err := b.putKey(ctx, r.Storage, name, k); err != nil {
		return nil, err
	}
	return k.describe(name), nil
}

func (b *backend) rotateKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return b.change(ctx, r, text(data, "name"), func(k *storedKey) error {
		if k.State == stateDisabled {
			return refuse("key_disabled", "a disabled key is not rotated")
		}
		return k.add(keyVersion{Origin: "random", Value: randomKey(k.Algorithm)})
	})
}

func (b *backend) retireKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	n, err := strconv.Atoi(text(data, "version"))
	if err != nil {
		return nil, refuse("invalid", "version is a number")
	}
	return b.change(ctx, r, text(data, "name"), func(k *storedKey) error {
		if n < 1 || n > k.latest() {
			return refuse("unknown_key", "the key has no version %d", n)
		}
		if n == k.latest() {
			return refuse("conflict", "version %d is the latest: rotate first, or disable the key", n)
		}
		k.Versions[n-1].Retired = true
		return nil
	})
}

// deleteKey erases the values of a disabled key and keeps what it was.
func (b *backend) deleteKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	defer b.lock(keyPrefix + name)()
	k, err := readKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	defer k.wipe()
	switch {
	case k == nil || k.State == stateDeleted:
		return nil, refuse("unknown_key", "%s", shown(name))
	case k.State != stateDisabled:
		return nil, refuse("conflict", "key %s is %s: disable it first", name, k.State)
	}
	answer, err := b.agree(ctx, r, step{"delete", name, k.Versions[k.latest()-1].KCV, k.Environment})
	if answer != nil || err != nil {
		return answer, err
	}
	gone := *k
	gone.State, gone.Versions = stateDeleted, make([]keyVersion, len(k.Versions))
	for i, v := range k.Versions {
		gone.Versions[i] = v
		gone.Versions[i].Value = nil
	}
	if err := b.putKey(ctx, r.Storage, name, &gone); err != nil {
		return nil, err
	}
	return gone.describe(name), nil
}
