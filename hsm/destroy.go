package hsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	vaultpolicy "sceau/deploy/vault"
	"sceau/lifecycle"
)

// KeyDestroyer destroys the signing keys that it was made for, and no other; see
// [Client.KeyDestroyer].
type KeyDestroyer struct {
	client *Client
	admin  *Client
	policy string
	keys   []string
}

// KeyDestroyer opens, with an administrator's client, a token of a quarter of an hour
// for one person that may read and delete these online keys of a CA, and nothing else.
// Its policy is of its own, since names of keys stand in it; [KeyDestroyer.Close]
// removes both.
func (c *Client) KeyDestroyer(ctx context.Context, person, of string, keys ...string) (*KeyDestroyer, error) {
	d := &KeyDestroyer{admin: c, policy: namePrefix + "key-destruction-" + of, keys: keys}
	lines, err := vaultpolicy.Policy("key-destruction")
	if err != nil {
		return nil, fmt.Errorf("destroy the keys of %s: %w", of, err)
	}
	var text strings.Builder
	for _, name := range append([]string{of}, keys...) {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	for _, name := range keys {
		if !slices.ContainsFunc([]string{IssuingKeyPrefix, ResponderKeyPrefix, BureauKeyPrefix, StatementKeyPrefix}, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return nil, fmt.Errorf("destroy key %s: %w: it is none of a CA", name, lifecycle.Invalid)
		}
		text.WriteString(strings.ReplaceAll(lines, "KEY", name))
	}
	if err := c.post(ctx, "write policy "+d.policy, "sys/policies/acl/"+d.policy, map[string]string{"policy": text.String()}, nil); err != nil {
		return nil, err
	}
	var answer lease
	err = c.post(ctx, "make a token to destroy keys of "+of, "auth/token/create", map[string]any{
		"policies": []string{namePrefix + selfPolicy, d.policy}, "no_default_policy": true, "no_parent": true, "display_name": person,
		"type": "service", "ttl": rootTokenLife, "explicit_max_ttl": rootTokenLife,
	}, &answer)
	if err == nil {
		config := c.config
		config.Token, config.TokenFile, config.AppRole = answer.ClientToken, "", AppRole{}
		d.client, err = Open(ctx, config)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close(context.WithoutCancel(ctx)))
	}
	return d, nil
}

// Close revokes the token, shows that Vault takes it no more, and removes the policy.
func (d *KeyDestroyer) Close(ctx context.Context) error {
	var err error
	if d.client != nil {
		err = d.client.RevokeSelf(ctx)
		d.client.Close()
	}
	return errors.Join(err, d.admin.remove(ctx, "remove policy "+d.policy, "sys/policies/acl/"+d.policy, nil))
}

// SigningKey reads a version of a key, as [Keystore] says.
func (d *KeyDestroyer) SigningKey(ctx context.Context, name string, version int) (*SigningKey, error) {
	return d.client.SigningKey(ctx, name, version)
}

// Destroy deletes a key with all its versions inside Vault, and shows that it is gone.
// One that is not there any more is no error.
func (d *KeyDestroyer) Destroy(ctx context.Context, name string) error {
	if !slices.Contains(d.keys, name) {
		return fmt.Errorf("destroy key %s: %w: it is none of this CA's", name, lifecycle.Invalid)
	}
	_, err := d.client.SigningKey(ctx, name, 0)
	if err == nil {
		if err := d.client.deleteKey(ctx, d.client.config.TransitMount, name); err != nil {
			return err
		}
		if _, err = d.client.SigningKey(ctx, name, 0); err == nil {
			return fmt.Errorf("destroy key %s: %w: Vault still has it", name, lifecycle.Conflict)
		}
	}
	if errors.Is(err, lifecycle.NotFound) {
		return nil
	}
	return err
}

// deleteKey deletes a signing key, which Vault refuses until it is released.
func (c *Client) deleteKey(ctx context.Context, mount, name string) error {
	path := mount + "/keys/" + name
	if err := c.post(ctx, "release key "+name+" for deletion", path+"/config", map[string]bool{"deletion_allowed": true}, nil); err != nil {
		return err
	}
	return c.remove(ctx, "delete key "+name, path, nil)
}
