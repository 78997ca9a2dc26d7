package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

// States of a key.
const (
	stateActive   = "active"
	stateDisabled = "disabled" // refused everywhere until enabled again
	stateDeleted  = "deleted"  // its values are gone; the name is never used again
)

const maxKeyVersions = 99 // a TR-31 header writes two digits

// storedKey is a key in storage: what it is for, and its versions. The latest
// makes new things; earlier ones check what was made under them, until retired.
type storedKey struct {
	Usage       string       `json:"usage"`
	Algorithm   string       `json:"algorithm"`
	Mode        string       `json:"mode"`
	Export      string       `json:"exportability"`
	Environment string       `json:"environment"`
	State       string       `json:"state"`
	Versions    []keyVersion `json:"versions"` // number 1 first
}

type keyVersion struct {
	KCV        string    `json:"kcv"`
	Origin     string    `json:"origin"` // random, components or key-block
	Custodians []string  `json:"custodians,omitempty"`
	Retired    bool      `json:"retired,omitempty"`
	Value      crypt.Hex `json:"value,omitempty"`
}

// firstForm is how keys stood in storage before they had versions.
type firstForm struct {
	keyVersion

	Version int `json:"version"`
}

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

func checkKeyName(name string) error {
	if !keyName.MatchString(name) {
		return refuse("invalid", "a key's name has lower-case letters, digits and dashes, at most 48")
	}
	return nil
}

// shown is a name that may stand in an error or in the journal.
func shown(name string) string {
	if keyName.MatchString(name) {
		return name
	}
	return "(malformed name)"
}

// readKey reads a key; nil when there is none.
func readKey(ctx context.Context, s logical.Storage, name string) (*storedKey, error) {
	if !keyName.MatchString(name) {
		return nil, nil //nolint:nilnil // no key has such a name
	}
	var k storedKey
	found, err := get(ctx, s, keyPrefix+name, &k)
	if err != nil || !found {
		return nil, err
	}
	if k.State != "" {
		return &k, nil
	}
	var first firstForm
	if _, err := get(ctx, s, keyPrefix+name, &first); err != nil {
		return nil, err
	}
	k.State, k.Versions = stateActive, []keyVersion{first.keyVersion}
	return &k, k.fill()
}

// usableKey reads a key that must be there and active, for a usage and what its
// mode must allow. The caller wipes it.
func usableKey(ctx context.Context, s logical.Storage, name, usage string, need byte) (*storedKey, error) {
	k, err := readKey(ctx, s, name)
	if err != nil {
		return nil, err
	}
	if err := k.usable(name, usage, need); err != nil {
		k.wipe()
		return nil, err
	}
	return k, nil
}

// usable refuses a key that is not there, not active, or for something else.
func (k *storedKey) usable(name, usage string, need byte) error {
	switch {
	case k == nil || k.State == stateDeleted:
		return refuse("unknown_key", "%s", shown(name))
	case k.Usage != usage:
		return refuse("key_usage", "key %s is for %s, not for %s", shown(name), k.Usage, usage)
	case k.State == stateDisabled:
		return refuse("key_disabled", "key %s is disabled", shown(name))
	case !k.allows(need):
		return refuse("key_usage", "key %s has mode %s, this needs %c", shown(name), k.Mode, need)
	}
	return nil
}

func (k *storedKey) latest() int { return len(k.Versions) }

// version is one that is still in use; 0 asks for the latest.
func (k *storedKey) version(name string, n int) (keyVersion, error) {
	if n == 0 {
		n = k.latest()
	}
	if n < 1 || n > len(k.Versions) {
		return keyVersion{}, refuse("unknown_key", "key %s has no version %d", shown(name), n)
	}
	if k.Versions[n-1].Retired {
		return keyVersion{}, refuse("key_retired", "version %d of key %s is retired", n, shown(name))
	}
	return k.Versions[n-1], nil
}

// wipe clears the values in memory. Go may have copied them before: this keeps
// the time short, it proves nothing.
func (k *storedKey) wipe() {
	if k == nil {
		return
	}
	for _, v := range k.Versions {
		clear(v.Value)
	}
}

// schedule is a TDES key's latest version, ready to compute.
func (k *storedKey) schedule(name string) (*crypt.TDES, error) {
	v, err := k.version(name, 0)
	if err != nil {
		return nil, err
	}
	return crypt.NewTDES(v.Value)
}

// add appends a version with its check value.
func (k *storedKey) add(v keyVersion) error {
	if len(k.Versions) >= maxKeyVersions {
		return refuse("conflict", "a key has at most %d versions: make another", maxKeyVersions)
	}
	var err error
	if v.KCV, err = checkValue(k.Algorithm, v.Value); err != nil {
		return err
	}
	k.State = stateActive
	k.Versions = append(k.Versions, v)
	return nil
}

// putKey stores a key and forgets what was derived from it.
func (b *backend) putKey(ctx context.Context, s logical.Storage, name string, k *storedKey) error {
	if err := put(ctx, s, keyPrefix+name, k); err != nil {
		return err
	}
	b.forget()
	return nil
}

func randomKey(algorithm string) crypt.Hex {
	for {
		key := make([]byte, size(algorithm))
		_, _ = rand.Read(key) // never fails since Go 1.24: it ends the process instead
		if isAES(algorithm) {
			return key
		}
		odd := crypt.OddParity(key)
		if !crypt.WeakTDES(odd) {
			return crypt.Hex(odd)
		}
	}
}

func checkValue(algorithm string, value []byte) (string, error) {
	if isAES(algorithm) {
		return keyblock.CheckValueAES(value)
	}
	return keyblock.CheckValueTDES(value)
}

// describe tells everything of a key but its value.
func (k *storedKey) describe(name string) *logical.Response {
	versions := make([]map[string]any, len(k.Versions))
	for i, v := range k.Versions {
		state := "previous"
		switch {
		case v.Retired:
			state = "retired"
		case i+1 == k.latest():
			state = "current"
		}
		versions[i] = map[string]any{"version": strconv.Itoa(i + 1), "kcv": v.KCV, "state": state, "origin": v.Origin}
		if len(v.Custodians) > 0 {
			versions[i]["custodians"] = v.Custodians
		}
	}
	u, _ := usageNamed(k.Usage)
	current := k.Versions[k.latest()-1]
	return &logical.Response{Data: map[string]any{
		"name": name, "usage": k.Usage, "tr31_usage": u.code, "mode": k.Mode, "algorithm": k.Algorithm,
		"exportability": k.Export, "environment": k.Environment, "state": k.State,
		"version": strconv.Itoa(k.latest()), "kcv": current.KCV, "origin": current.Origin, "versions": versions,
	}}
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
