package hsm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	vaultpolicy "sceau/deploy/vault"
	"sceau/lifecycle"
)

// Role is a kind of process, with its own Vault policy and AppRole, both named
// "sceau-" and the role.
type Role string

// The roles; deploy/vault says what each may do.
const (
	RoleWorker       Role = "worker"
	RolePINLetter    Role = "pin-letter"
	RoleOCSP         Role = "ocsp"
	RoleAPI          Role = "api"
	RoleCeremony     Role = "ceremony"
	RoleRootCeremony Role = "root-ceremony"
)

// Roles are all of them.
func Roles() []Role {
	return []Role{RoleWorker, RolePINLetter, RoleOCSP, RoleAPI, RoleCeremony, RoleRootCeremony}
}

// How long the tokens of people and of services live.
const (
	ceremonyTokenLife = "8h" // the day of the ceremony, then it is over
	serviceTokenLife  = "1h" // renewed for as long as the service runs
	selfPolicy        = "self"
	namePrefix        = "sceau-"
)

func (r Role) policies() []string { return []string{namePrefix + selfPolicy, namePrefix + string(r)} }

// forPeople tells the roles whose tokens end with the day.
func (r Role) forPeople() bool { return r == RoleCeremony || r == RoleRootCeremony }

// ApplyPolicies writes the policies and the AppRoles of all roles, for a client
// that may do so. It can be called again after an upgrade.
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
		settings := map[string]any{
			"token_policies": role.policies(), "token_no_default_policy": true,
			"token_type": "service", "bind_secret_id": true,
		}
		if role.forPeople() {
			settings["token_ttl"], settings["token_max_ttl"] = ceremonyTokenLife, ceremonyTokenLife
		} else {
			settings["token_period"] = serviceTokenLife
		}
		if err := c.post(ctx, "write AppRole "+string(role), role.path(""), settings, nil); err != nil {
			return err
		}
	}
	return nil
}

func (r Role) path(below string) string { return "auth/approle/role/" + namePrefix + string(r) + below }

// Credentials writes the files of a role into dir, in mode 0600, and gives
// their names: for the development environment and for handing over to a
// service's secret store.
func (c *Client) Credentials(ctx context.Context, role Role, dir string) (AppRole, error) {
	if !slices.Contains(Roles(), role) {
		return AppRole{}, fmt.Errorf("credentials: %w: no role %q", lifecycle.Invalid, role)
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
// name the audit log shows. Two custodians of a ceremony have one each.
func (c *Client) NewToken(ctx context.Context, role Role, displayName string) (string, error) {
	if !slices.Contains(Roles(), role) {
		return "", fmt.Errorf("make a token: %w: no role %q", lifecycle.Invalid, role)
	}
	request := map[string]any{
		"policies": role.policies(), "no_default_policy": true, "no_parent": true,
		"display_name": displayName, "type": "service",
	}
	if role.forPeople() {
		request["ttl"], request["explicit_max_ttl"] = ceremonyTokenLife, ceremonyTokenLife
	} else {
		request["period"] = serviceTokenLife
	}
	var answer lease
	if err := c.post(ctx, "make a token of role "+string(role), "auth/token/create", request, &answer); err != nil {
		return "", err
	}
	return answer.ClientToken, nil
}
