package hsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	vaultpolicy "sceau/deploy/vault"
	"sceau/lifecycle"
)

// Role is a kind of process, with its own Vault policy and AppRole, both named
// "sceau-" and the role.
type Role string

// The roles; deploy/vault says what each may do.
const (
	RoleOffice       Role = "office"
	RoleWorker       Role = "worker"
	RolePINLetter    Role = "pin-letter"
	RoleOCSP         Role = "ocsp"
	RoleAPI          Role = "api"
	RoleTerminals    Role = "terminals"
	RoleCeremony     Role = "ceremony"
	RoleRootCeremony Role = "root-ceremony"
	RoleAuditor      Role = "auditor"
)

// Roles are all of them.
func Roles() []Role {
	return []Role{RoleOffice, RoleWorker, RolePINLetter, RoleAPI, RoleTerminals, RoleOCSP, RoleCeremony, RoleRootCeremony, RoleAuditor}
}

// Services are the roles of processes, which sign in by AppRole.
func Services() []Role {
	return slices.DeleteFunc(Roles(), Role.forPeople)
}

// How long the tokens of people and of services live.
const (
	ceremonyTokenLife = "8h"  // the day of the ceremony, then it is over
	rootTokenLife     = "15m" // the minutes of the root's acts
	serviceTokenLife  = "1h"  // renewed for as long as the service runs
	selfPolicy        = "self"
	namePrefix        = "sceau-"
)

func (r Role) policies() []string { return []string{namePrefix + selfPolicy, namePrefix + string(r)} }

// forPeople tells the roles whose tokens end with the day.
func (r Role) forPeople() bool {
	return r == RoleCeremony || r == RoleRootCeremony || r == RoleAuditor
}

// ApplyPolicies writes the policies, the AppRoles and the token roles, for a
// client that may do so. It can be called again after an upgrade.
func (c *Client) ApplyPolicies(ctx context.Context) error {
	names := []string{selfPolicy}
	for _, role := range Roles() {
		names = append(names, string(role))
	}
	for _, name := range names {
		text, err := vaultpolicy.Policy(name)
		if err != nil {
			return fmt.Errorf("apply policies: %w", err)
		}
		path := "sys/policies/acl/" + namePrefix + name
		if err := c.post(ctx, "write policy "+name, path, map[string]string{"policy": text}, nil); err != nil {
			return err
		}
	}
	for _, role := range Roles() {
		if err := c.writeRole(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// writeRole writes the AppRole of a process, or the token role of people: their
// tokens end with the day and name a person whom Vault knows as an entity.
func (c *Client) writeRole(ctx context.Context, role Role) error {
	if role.forPeople() {
		return c.post(ctx, "write token role "+string(role), "auth/token/roles/"+namePrefix+string(role), map[string]any{
			"allowed_policies": role.policies(), "token_no_default_policy": true, "orphan": true, "renewable": true,
			"token_type": "service", "token_explicit_max_ttl": role.life(), "allowed_entity_aliases": []string{"*"},
		}, nil)
	}
	return c.post(ctx, "write AppRole "+string(role), role.path(""), map[string]any{
		"token_policies": role.policies(), "token_no_default_policy": true,
		"token_type": "service", "bind_secret_id": true, "token_period": serviceTokenLife,
	}, nil)
}

// life is how long a person's token may live.
func (r Role) life() string {
	if r == RoleRootCeremony {
		return rootTokenLife
	}
	return ceremonyTokenLife
}

func (r Role) path(below string) string { return "auth/approle/role/" + namePrefix + string(r) + below }

// Credentials writes the files of a role into dir, in mode 0600, and gives
// their names: for the development environment and for handing over to a
// service's secret store.
func (c *Client) Credentials(ctx context.Context, role Role, dir string) (AppRole, error) {
	if !slices.Contains(Services(), role) {
		return AppRole{}, fmt.Errorf("credentials: %w: no process has the role %q", lifecycle.Invalid, role)
	}
	var id struct {
		RoleID string `json:"role_id"`
	}
	if err := c.get(ctx, "read the role ID of "+string(role), role.path("/role-id"), &id); err != nil {
		return AppRole{}, err
	}
	var secret struct {
		SecretID string `json:"secret_id"`
	}
	if err := c.post(ctx, "make a secret ID for "+string(role), role.path("/secret-id"), struct{}{}, &secret); err != nil {
		return AppRole{}, err
	}
	files := AppRole{
		RoleIDFile:   filepath.Join(dir, string(role)+".role-id"),
		SecretIDFile: filepath.Join(dir, string(role)+".secret-id"),
	}
	err := errors.Join(
		os.WriteFile(files.RoleIDFile, []byte(id.RoleID+"\n"), 0o600),
		os.WriteFile(files.SecretIDFile, []byte(secret.SecretID+"\n"), 0o600),
	)
	if err != nil {
		return AppRole{}, fmt.Errorf("keep the credentials of %s: %w", role, err)
	}
	return files, nil
}

// NewToken makes a token of a role for one person or process, whose display
// name the audit log shows. A person's token carries an identity entity of that
// name, by which the card engine tells two custodians apart: two tokens for one
// name are still one person.
func (c *Client) NewToken(ctx context.Context, role Role, displayName string) (string, error) {
	if !slices.Contains(Roles(), role) {
		return "", fmt.Errorf("make a token: %w: no role %q", lifecycle.Invalid, role)
	}
	path := "auth/token/create"
	request := map[string]any{
		"policies": role.policies(), "no_default_policy": true, "display_name": displayName, "type": "service",
	}
	if role.forPeople() {
		alias, err := c.person(ctx, displayName)
		if err != nil {
			return "", err
		}
		path += "/" + namePrefix + string(role)
		request["entity_alias"], request["ttl"] = alias, role.life()
	} else {
		request["no_parent"], request["period"] = true, serviceTokenLife
	}
	var answer lease
	if err := c.post(ctx, "make a token of role "+string(role), path, request, &answer); err != nil {
		return "", err
	}
	return answer.ClientToken, nil
}

// person makes the entity of somebody who takes part in ceremonies, or finds it,
// and gives the alias that a token is made for.
func (c *Client) person(ctx context.Context, name string) (alias string, err error) {
	alias = personAlias(name)
	if alias == "" {
		return "", fmt.Errorf("make a token: %w: whom is it for?", lifecycle.Invalid)
	}
	doing := "name the person of a token"
	var methods map[string]json.RawMessage
	if err := c.get(ctx, doing, "sys/auth", &methods); err != nil {
		return "", err
	}
	var token struct{ Accessor string }
	if json.Unmarshal(methods["token/"], &token) != nil || token.Accessor == "" {
		return "", fmt.Errorf("%s: Vault has no token method", doing)
	}
	path := "identity/entity/name/" + namePrefix + alias
	if err := c.post(ctx, doing, path, map[string]any{"metadata": map[string]string{"name": name}}, nil); err != nil {
		return "", err
	}
	var entity struct{ ID string }
	if err := c.get(ctx, doing, path, &entity); err != nil {
		return "", err
	}
	return alias, c.post(ctx, doing, "identity/entity-alias", map[string]string{
		"name": alias, "canonical_id": entity.ID, "mount_accessor": token.Accessor,
	}, nil)
}

// personAlias is a name as one plain segment of a path: the same for spellings
// that differ in case, spaces and marks only.
func personAlias(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, "-")
}

// RevokeSelf ends the client's own token, and then proves that Vault takes it no
// more: [lifecycle.Conflict] when it still does.
func (c *Client) RevokeSelf(ctx context.Context) error {
	if err := c.post(ctx, "revoke the token", "auth/token/revoke-self", struct{}{}, nil); err != nil {
		return err
	}
	err := c.Ping(ctx)
	switch {
	case errors.Is(err, lifecycle.Forbidden):
		return nil
	case err == nil:
		return fmt.Errorf("revoke the token: %w: Vault still takes it", lifecycle.Conflict)
	}
	return err
}
