package devenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// maxAnswer bounds what is read from Vault.
const maxAnswer = 1 << 20

// setUp brings Vault to what Sceau needs; what is there already stays.
func (v *Vault) setUp(ctx context.Context, engine string) error {
	var mounts, methods, audits map[string]json.RawMessage
	for path, into := range map[string]*map[string]json.RawMessage{
		"sys/mounts": &mounts, "sys/auth": &methods, "sys/audit": &audits,
	} {
		if err := v.http.do(ctx, http.MethodGet, path, nil, into); err != nil {
			return err
		}
	}
	if audits["file/"] == nil { // first, so that all else is on record
		device := map[string]any{"type": "file", "options": map[string]string{"file_path": v.AuditFile, "mode": "0600"}}
		if err := v.http.do(ctx, http.MethodPut, "sys/audit/file", device, nil); err != nil {
			return err
		}
	}
	if methods["approle/"] == nil {
		if err := v.http.do(ctx, http.MethodPost, "sys/auth/approle", map[string]any{"type": "approle"}, nil); err != nil {
			return err
		}
	}
	for _, mount := range []string{TransitMount, RootTransitMount} {
		if mounts[mount+"/"] != nil {
			continue
		}
		if err := v.http.do(ctx, http.MethodPost, "sys/mounts/"+mount, map[string]any{"type": "transit"}, nil); err != nil {
			return err
		}
	}
	if engine == "" {
		return nil
	}
	return v.mountEngine(ctx, engine, mounts[CardMount+"/"] != nil)
}

// mountEngine registers the card engine by its SHA-256. Vault runs a copy whose
// name carries the sum, so that a new build neither pulls the file from under
// the running one nor makes the registered sum wrong.
func (v *Vault) mountEngine(ctx context.Context, engine string, mounted bool) error {
	sum, command, err := v.installEngine(engine)
	if err != nil {
		return err
	}
	var registered struct {
		Data struct{ SHA256 string }
	}
	err = v.http.do(ctx, http.MethodGet, "sys/plugins/catalog/secret/"+pluginName, nil, &registered)
	if err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	if mounted && registered.Data.SHA256 == sum {
		return nil
	}
	entry := map[string]any{"sha256": sum, "command": command}
	if err := v.http.do(ctx, http.MethodPut, "sys/plugins/catalog/secret/"+pluginName, entry, nil); err != nil {
		return err
	}
	if mounted {
		err = v.http.do(ctx, http.MethodPut, "sys/plugins/reload/backend", map[string]any{"plugin": pluginName}, nil)
	} else {
		err = v.http.do(ctx, http.MethodPost, "sys/mounts/"+CardMount, map[string]any{"type": pluginName}, nil)
	}
	if err != nil {
		return err
	}
	return v.dropOldEngines(command)
}

// installEngine copies the card engine into the plugin folder, and gives its
// SHA-256 and the copy's name.
func (v *Vault) installEngine(engine string) (sum, command string, err error) {
	if sum, err = sumFile(engine); err != nil {
		return "", "", err
	}
	command = pluginName + "-" + sum[:16]
	path := filepath.Join(v.plugins, command)
	if there, err := sumFile(path); err == nil && there == sum {
		return sum, command, nil
	}
	return sum, command, copyProgram(engine, path)
}

// dropOldEngines deletes the copies of earlier builds.
func (v *Vault) dropOldEngines(current string) error {
	copies, err := filepath.Glob(filepath.Join(v.plugins, pluginName+"-*"))
	if err != nil {
		return fmt.Errorf("list engine copies: %w", err)
	}
	for _, path := range copies {
		if filepath.Base(path) == current {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("drop an old engine: %w", err)
		}
	}
	return nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the engine that the Makefile built
	if err != nil {
		return "", fmt.Errorf("read the card engine: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read the card engine: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func copyProgram(from, to string) error {
	in, err := os.Open(from) //nolint:gosec // the engine that the Makefile built
	if err != nil {
		return fmt.Errorf("read the card engine: %w", err)
	}
	defer func() { _ = in.Close() }()
	unfinished := to + ".unfinished"
	out, err := os.OpenFile(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o700) //nolint:gosec // it must be executable
	if err != nil {
		return fmt.Errorf("copy the card engine: %w", err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy the card engine: %w", err)
	}
	if err := os.Rename(unfinished, to); err != nil {
		return fmt.Errorf("copy the card engine: %w", err)
	}
	return nil
}

// errAbsent is Vault's 404.
var errAbsent = errors.New("absent")

// vaultHTTP is as much of Vault's API as setting up needs. The product's client
// is in the room hsm; this package imports no room.
type vaultHTTP struct {
	address, token string
	client         *http.Client
}

// do calls a path under /v1 and reads the answer into into unless that is nil.
// Errors name the path and Vault's own words, never what was sent.
func (c *vaultHTTP) do(ctx context.Context, method, path string, send, into any) error {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return fmt.Errorf("vault %s: %w", path, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.address+"/v1/"+path, body)
	if err != nil {
		return fmt.Errorf("vault %s: %w", path, err)
	}
	if c.token != "" {
		request.Header.Set("X-Vault-Token", c.token)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("vault %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("vault %s: %w", path, err)
	}
	if response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("vault %s: %w", path, errAbsent)
	}
	if response.StatusCode >= http.StatusBadRequest {
		var refusal struct{ Errors []string }
		_ = json.Unmarshal(text, &refusal) // no JSON, no words: the status remains
		return fmt.Errorf("vault %s: status %d: %s", path, response.StatusCode, strings.Join(refusal.Errors, "; "))
	}
	if into == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("vault %s: read the answer: %w", path, err)
	}
	return nil
}
