package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

func kbpkField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "Name of the key block protection key, of usage kbpk."}
}

func (b *backend) pathImport() *framework.Path {
	return &framework.Path{
		Pattern: "keys/" + framework.GenericNameRegex("name") + "/import",
		Fields: map[string]*framework.FieldSchema{
			"name": nameField(), "kbpk": kbpkField(),
			"key_block": {Type: framework.TypeString, Required: true, Description: "TR-31 key block, version A, B, C or D."},
			"usage":     {Type: framework.TypeString, Description: "What the block must be for; empty takes what its header says."},
			"kcv":       {Type: framework.TypeString, Description: "Check value that the key must have, from the sender's letter."},
			"rotate":    {Type: framework.TypeBool, Description: "The block is the next version of a key that is there."},
		},
		Operations:   operations{logical.UpdateOperation: b.command("Take a key out of a key block.", b.importKey)},
		HelpSynopsis: "Import a key as a TR-31 key block under a key block protection key.",
		HelpDescription: "Usage, mode of use and exportability are those of the block's header (ANSI X9.143): E0 imk-ac, E1 imk-smc, E2 imk-smi, E4 imk-dn, " +
			"E5 imk-perso, P0 pin, K0 transport, K1 kbpk, V1 pvk-ibm, V2 pvk-visa, C0 cvk, B0 bdk. The key gets the environment of its protection key.",
	}
}

func (b *backend) pathExport() *framework.Path {
	return &framework.Path{
		Pattern:      "keys/" + framework.GenericNameRegex("name") + "/export",
		Fields:       map[string]*framework.FieldSchema{"name": nameField(), "kbpk": kbpkField()},
		Operations:   operations{logical.UpdateOperation: b.command("Export a key as a key block: two officers.", b.export)},
		HelpSynopsis: "Export a key as a TR-31 key block under a key block protection key.",
		HelpDescription: "One officer proposes, another, with the same request within 15 minutes, confirms and gets the block: version D under an AES key, " +
			"B under a TDES key. A key made with exportability N never leaves; none leaves under a weaker key, or under one of the other environment.",
	}
}

// algorithmOf names the algorithm of a key in a block.
func algorithmOf(header byte, length int) string {
	switch {
	case header == 'T' && length == size(algorithmTDES2):
		return algorithmTDES2
	case header == 'T' && length == size(algorithmTDES3):
		return algorithmTDES3
	case header == 'A' && length == size(algorithmAES128):
		return algorithmAES128
	case header == 'A' && length == size(algorithmAES192):
		return algorithmAES192
	case header == 'A' && length == size(algorithmAES256):
		return algorithmAES256
	}
	return "unknown"
}

// protection reads the latest version of a key block protection key.
func protection(ctx context.Context, s logical.Storage, name string, need byte) (*storedKey, crypt.Key, error) {
	k, err := usableKey(ctx, s, name, usageKBPK, need)
	if err != nil {
		return nil, nil, err
	}
	v, err := k.version(name, 0)
	return k, crypt.Key(v.Value), err
}

func (b *backend) importKey(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	if err := checkKeyName(name); err != nil {
		return nil, err
	}
	kbpk, under, err := protection(ctx, r.Storage, text(data, "kbpk"), toDecipher)
	defer kbpk.wipe()
	if err != nil {
		return nil, err
	}
	if kbpk.Environment == environmentLive {
		if err := officerOf(r).accountable(kbpk.Environment); err != nil {
			return nil, err
		}
	}
	header, value, err := keyblock.Unwrap(under, text(data, "key_block"))
	if errors.Is(err, crypt.ErrMalformed) || errors.Is(err, crypt.ErrMismatch) {
		return nil, refuse("bad_key_block", "%v", err)
	}
	if err != nil {
		return nil, err
	}
	defer clear(value)
	k, err := imported(header, len(value), kbpk.Environment)
	if err != nil {
		return nil, err
	}
	if want := text(data, "usage"); want != "" && want != k.Usage {
		return nil, refuse("key_usage", "the block's key is for %s, not for %s", k.Usage, shown(want))
	}
	if strength(kbpk.Algorithm) < strength(k.Algorithm) {
		return nil, refuse("key_usage", "an %s key came under a weaker one, of %s: who made the block may have shown it", k.Algorithm, kbpk.Algorithm)
	}
	kcv, err := checkValue(k.Algorithm, value)
	if err != nil {
		return nil, err
	}
	if want := text(data, "kcv"); want != "" && !crypt.Equal([]byte(want), []byte(kcv)) {
		return nil, refuse("wrong_kcv", "the block's key has another check value, %s", kcv)
	}
	rotate, _ := data.Get("rotate").(bool)
	return b.placeKey(ctx, r.Storage, name, k, keyVersion{KCV: kcv, Origin: "key-block", Value: crypt.Hex(value)}, rotate)
}

// imported is the description of a block's key.
func imported(h keyblock.Header, length int, environment string) (storedKey, error) {
	u, ok := usageCoded(h.Usage)
	if !ok {
		return storedKey{}, refuse("key_usage", "the engine has no use for keys of this block's usage")
	}
	k := storedKey{
		Usage: u.name, Algorithm: algorithmOf(h.Algorithm, length), Mode: string(h.Mode), Export: "E", Environment: environment, State: stateActive,
	}
	if h.Exportability == 'N' {
		k.Export = "N"
	}
	if err := k.fill(); err != nil {
		return k, refuse("key_usage", "the block's header does not fit usage %s: %s", u.name, words(err))
	}
	return k, nil
}

// placeKey stores an imported key, or its next version. The same again changes
// nothing.
func (b *backend) placeKey(ctx context.Context, s logical.Storage, name string, k storedKey, v keyVersion, rotate bool) (*logical.Response, error) {
	defer b.lock(keyPrefix + name)()
	there, err := readKey(ctx, s, name)
	if err != nil {
		return nil, err
	}
	defer there.wipe()
	if there != nil && there.State == stateActive && there.like(&k) && there.Versions[there.latest()-1].KCV == v.KCV {
		return there.describe(name), nil
	}
	into := &k
	switch {
	case rotate && there == nil:
		return nil, refuse("unknown_key", "%s: nothing to rotate", name)
	case rotate && there.State == stateActive && there.like(&k):
		into = there
	case there != nil:
		return nil, taken(name, there)
	}
	if err := into.addStrong(v); err != nil {
		return nil, err
	}
	if err := b.putKey(ctx, s, name, into); err != nil {
		return nil, err
	}
	return into.describe(name), nil
}

func (b *backend) export(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, under := text(data, "name"), text(data, "kbpk")
	kbpk, protector, err := protection(ctx, r.Storage, under, toEncipher)
	defer kbpk.wipe()
	if err != nil {
		return nil, err
	}
	defer b.lock(keyPrefix + name)()
	k, err := readKey(ctx, r.Storage, name)
	if err != nil {
		return nil, err
	}
	defer k.wipe()
	v, err := k.exportable(name, kbpk)
	if err != nil {
		return nil, err
	}
	detail := fmt.Sprintf("version %d under %s", k.latest(), under)
	if answer, err := b.agree(ctx, r, step{"export", name, detail, k.Environment}); answer != nil || err != nil {
		return answer, err
	}
	u, _ := usageNamed(k.Usage)
	h := keyblock.Header{
		Version: 'D', Usage: u.code, Algorithm: 'T', Mode: k.Mode[0], KeyVersion: fmt.Sprintf("%02d", k.latest()), Exportability: 'N',
	}
	if !isAES(kbpk.Algorithm) {
		h.Version = 'B'
	}
	if isAES(k.Algorithm) {
		h.Algorithm = 'A'
	}
	block, err := keyblock.Wrap(protector, h, crypt.Key(v.Value), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"key_block": block, "kcv": v.KCV, "version": strconv.Itoa(k.latest())}}, nil
}

// exportable is the version that leaves, or why none does.
func (k *storedKey) exportable(name string, kbpk *storedKey) (keyVersion, error) {
	switch {
	case k == nil || k.State == stateDeleted:
		return keyVersion{}, refuse("unknown_key", "%s", shown(name))
	case k.State == stateDisabled:
		return keyVersion{}, refuse("key_disabled", "key %s is disabled", name)
	case k.Export != "E":
		return keyVersion{}, refuse("key_usage", "key %s was made never to leave (exportability N)", name)
	case k.Environment != kbpk.Environment:
		return keyVersion{}, refuse("mixed_environment", "key %s is for %s, the protection key for %s", name, k.Environment, kbpk.Environment)
	case strength(kbpk.Algorithm) < strength(k.Algorithm):
		return keyVersion{}, refuse("key_usage", "an %s key leaves under none of %s, which is weaker", k.Algorithm, kbpk.Algorithm)
	}
	return k.version(name, 0)
}
