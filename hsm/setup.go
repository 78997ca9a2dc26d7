package hsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sceau/lifecycle"
)

// pluginName is the card engine's name in Vault's catalogue.
const pluginName = "sceau-hsm"

// Setup says how a Vault is brought to what Sceau needs.
type Setup struct {
	// Plugin is the card engine's program as it stands in the server's plugin
	// folder, or a copy: its SHA-256 is registered. Empty leaves the catalogue.
	Plugin string
	// Say is told each step, one line.
	Say func(format string, args ...any)
}

// SetUp makes what is missing in a Vault, with an administrator's token: mounts,
// the AppRole method, the card engine in the catalogue, policies and roles. What
// is there stays; policies and roles are written again. warnings tell what a
// human must do: no audit device is on, or there is no card engine.
func (c *Client) SetUp(ctx context.Context, s Setup) (warnings []string, err error) {
	var mounts, methods, audits map[string]json.RawMessage
	for _, list := range []struct {
		path string
		into *map[string]json.RawMessage
	}{{"sys/audit", &audits}, {"sys/auth", &methods}, {"sys/mounts", &mounts}} {
		if *list.into, err = c.table(ctx, list.path); err != nil {
			return nil, err
		}
	}
	if len(audits) == 0 {
		warnings = append(warnings, "NO AUDIT DEVICE IS ON: nothing of what follows is on record; turn one on first (vault audit enable …), Vault refuses requests that it cannot record")
	}
	if methods["approle/"] == nil {
		if err := c.post(ctx, "turn AppRole on", "sys/auth/approle", map[string]string{"type": "approle"}, nil); err != nil {
			return warnings, err
		}
		s.Say("method approle: on")
	}
	for _, mount := range []string{c.config.TransitMount, c.config.RootTransitMount} {
		if mounts[mount+"/"] != nil {
			continue
		}
		if err := c.post(ctx, "mount "+mount, "sys/mounts/"+mount, map[string]string{"type": "transit"}, nil); err != nil {
			return warnings, err
		}
		s.Say("mount %s: made", mount)
	}
	if err := c.setUpSafeKey(ctx, s); err != nil {
		return warnings, err
	}
	mounted := mounts[c.config.CardMount+"/"] != nil
	switch {
	case s.Plugin != "":
		err = c.setUpEngine(ctx, s, mounted)
	case !mounted:
		warnings = append(warnings, "there is no card engine at "+c.config.CardMount+"/: give --plugin with the program in the server's plugin folder")
	}
	if err != nil {
		return warnings, err
	}
	if err := c.ApplyPolicies(ctx); err != nil {
		return warnings, err
	}
	s.Say("policies and roles: written")
	return warnings, nil
}

// setUpSafeKey makes the key that wraps the safe's data keys.
func (c *Client) setUpSafeKey(ctx context.Context, s Setup) error {
	err := c.get(ctx, "look at the key of the safe", c.config.TransitMount+"/keys/"+safeKey, nil)
	if !errors.Is(err, lifecycle.NotFound) {
		return err
	}
	if err := c.CreateSafeKey(ctx); err != nil {
		return err
	}
	s.Say("key %s: made", safeKey)
	return nil
}

// setUpEngine registers the engine by its SHA-256 and mounts it. A plugin of
// another sum is registered anew and the running one restarted.
func (c *Client) setUpEngine(ctx context.Context, s Setup, mounted bool) error {
	sum, err := sumFile(s.Plugin)
	if err != nil {
		return err
	}
	catalogue := "sys/plugins/catalog/secret/" + pluginName
	var there struct {
		SHA256 string `json:"sha256"`
	}
	err = c.get(ctx, "look the card engine up in the catalogue", catalogue, &there)
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return err
	}
	if there.SHA256 != sum {
		entry := map[string]string{"sha256": sum, "command": filepath.Base(s.Plugin)}
		if err := c.post(ctx, "register the card engine", catalogue, entry, nil); err != nil {
			return err
		}
		s.Say("plugin %s: registered, SHA-256 %s", pluginName, sum)
		if mounted {
			return c.post(ctx, "restart the card engine", "sys/plugins/reload/backend", map[string]string{"plugin": pluginName}, nil)
		}
	}
	if mounted {
		return nil
	}
	if err := c.post(ctx, "mount the card engine", "sys/mounts/"+c.config.CardMount, map[string]string{"type": pluginName}, nil); err != nil {
		return fmt.Errorf("%w (is %s of this SHA-256 in the server's plugin folder?)", err, filepath.Base(s.Plugin))
	}
	s.Say("mount %s: made", c.config.CardMount)
	return nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // named by the administrator
	if err != nil {
		return "", fmt.Errorf("%w: read the card engine: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%w: read the card engine: %w", lifecycle.Invalid, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
