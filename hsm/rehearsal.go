package hsm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sceau/lifecycle"
)

// RehearsalPrefix begins the names of keys that a rehearsal makes and deletes.
const RehearsalPrefix = "rehearsal-"

// As opens a client in a role for one person, with an administrator's client.
// Its token ends with the role's time, or by [Client.RevokeSelf].
func (c *Client) As(ctx context.Context, role Role, person string) (*Client, error) {
	token, err := c.NewToken(ctx, role, person)
	if err != nil {
		return nil, err
	}
	config := c.config
	config.Token, config.TokenFile, config.AppRole = token, "", AppRole{}
	return Open(ctx, config)
}

// Beside opens a client of the same Vault with the token in a file.
func (c *Client) Beside(ctx context.Context, tokenFile string) (*Client, error) {
	config := c.config
	config.Token, config.TokenFile, config.AppRole = "", tokenFile, AppRole{}
	return Open(ctx, config)
}

// DeleteRehearsalKeys deletes the signing keys of one rehearsal under both
// Transit mounts, with an administrator's client: no other policy may delete
// one. It refuses names that are not a rehearsal's.
func (c *Client) DeleteRehearsalKeys(ctx context.Context, prefix string) error {
	if !strings.HasPrefix(prefix, RehearsalPrefix) || checkName(prefix) != nil {
		return fmt.Errorf("delete a rehearsal's keys: %w: their names begin with %s", lifecycle.Invalid, RehearsalPrefix)
	}
	for _, mount := range []string{c.config.TransitMount, c.config.RootTransitMount} {
		names, err := c.list(ctx, "list the keys of "+mount, mount+"/keys")
		if err != nil && !errors.Is(err, lifecycle.NotFound) { // Vault's word for an empty list
			return err
		}
		for _, name := range names {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if err := c.deleteKey(ctx, mount, name); err != nil {
				return err
			}
		}
	}
	return nil
}
