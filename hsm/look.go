package hsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sceau/lifecycle"
)

// AuditDevices are the names of Vault's audit devices; an auditor may read them.
func (c *Client) AuditDevices(ctx context.Context) ([]string, error) {
	devices, err := c.table(ctx, "sys/audit")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, path := range slices.Sorted(maps.Keys(devices)) {
		names = append(names, strings.TrimSuffix(path, "/"))
	}
	return names, nil
}

// CardEngine is the SHA-256 of the card engine that is mounted, as Vault
// registered it: it starts no other program. [lifecycle.NotFound] when nothing
// is mounted in its place, [lifecycle.Conflict] when something else is. That it
// runs is told by its answers.
func (c *Client) CardEngine(ctx context.Context) (sha256 string, err error) {
	mounts, err := c.table(ctx, "sys/mounts")
	if err != nil {
		return "", err
	}
	there, ok := mounts[c.config.CardMount+"/"]
	if !ok {
		return "", fmt.Errorf("card engine: %w: nothing is mounted at %s/", lifecycle.NotFound, c.config.CardMount)
	}
	var mount struct {
		Type string `json:"type"`
		Sum  string `json:"running_sha256"`
	}
	if json.Unmarshal(there, &mount) != nil || mount.Type != pluginName {
		return "", fmt.Errorf("card engine: %w: %s/ is a mount of %s", lifecycle.Conflict, c.config.CardMount, harmless(mount.Type))
	}
	return mount.Sum, nil
}

// table reads one of Vault's lists of what is on or mounted, by path. An empty
// one is no secret, which Vault answers as nothing.
func (c *Client) table(ctx context.Context, path string) (map[string]json.RawMessage, error) {
	var table map[string]json.RawMessage
	err := c.get(ctx, "look at "+path, path, &table)
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return nil, err
	}
	return table, nil
}
