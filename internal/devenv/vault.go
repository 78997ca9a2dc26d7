package devenv

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Mount points of the development Vault; hsm.Config has the same defaults.
const (
	CardMount        = "hsm"
	TransitMount     = "transit"
	RootTransitMount = "transit-root"
	pluginName       = "sceau-hsm"
)

const (
	vaultReady = 60 * time.Second
	vaultEnd   = 15 * time.Second
)

// Vault is a running, initialised and unsealed Vault.
type Vault struct {
	// VaultAddr is its address, as VAULT_ADDR.
	VaultAddr string
	// VaultRootToken may do everything: for setting up and for tests.
	VaultRootToken string
	// UnsealKey is the file of the one unseal key share, in hexadecimal.
	UnsealKey string
	// RootTokenFile is the file of the root token.
	RootTokenFile string
	// AuditFile takes one line of JSON a request and one an answer.
	AuditFile string

	dir, plugins string
	key          string
	proc         *process
	lock         *os.File
	http         *vaultHTTP
}

// StartVault starts the Vault of o.Dir: initialised on the first call (one key
// share, kept beside it in a file of mode 0600), unsealed on each, with the
// engines, the AppRole method and the file audit device that Sceau needs.
func StartVault(ctx context.Context, o Options) (*Vault, error) {
	o, err := o.prepare()
	if err != nil {
		return nil, err
	}
	engine, err := o.engine()
	if err != nil {
		return nil, err
	}
	v, err := o.launchVault(ctx, "vault", membership{})
	if err != nil {
		return nil, err
	}
	err = v.initialise(ctx, o)
	if err == nil {
		err = v.Unseal(ctx)
	}
	if err == nil {
		err = v.setUp(ctx, engine)
	}
	if err != nil {
		return nil, errors.Join(err, v.Stop())
	}
	return v, nil
}

// engine is the card engine's program, "" when it is not wanted.
func (o Options) engine() (string, error) {
	if o.WithoutCardEngine {
		return "", nil
	}
	return o.tool(pluginName, "build")
}

// launchVault makes the folder of a Vault and starts its server, sealed.
func (o Options) launchVault(ctx context.Context, name string, in membership) (_ *Vault, err error) {
	server, err := o.tool("sceau-vault", "vault")
	if err != nil {
		return nil, err
	}
	v := &Vault{dir: o.folder(name)}
	v.UnsealKey = filepath.Join(v.dir, "unseal.key")
	v.RootTokenFile = filepath.Join(v.dir, "root.token")
	v.AuditFile = filepath.Join(v.dir, "audit.log")
	v.plugins = filepath.Join(v.dir, "plugins")
	if err := os.MkdirAll(v.plugins, 0o700); err != nil {
		return nil, fmt.Errorf("make Vault's folder: %w", err)
	}
	if err := os.Chmod(v.dir, 0o700); err != nil { //nolint:gosec // a folder needs its x bit
		return nil, fmt.Errorf("close Vault's folder to others: %w", err)
	}
	if v.lock, err = lock(filepath.Join(o.Dir, name+".lock")); err != nil {
		return nil, err
	}
	if o.FreshVault {
		err = v.forget()
	}
	if err == nil {
		err = v.launch(ctx, server, in)
	}
	if err != nil {
		return nil, errors.Join(err, v.Stop())
	}
	return v, nil
}

// forget throws away what an earlier run kept.
func (v *Vault) forget() error {
	var errs []error
	for _, kept := range []string{filepath.Join(v.dir, "data"), v.UnsealKey, v.RootTokenFile, v.AuditFile} {
		errs = append(errs, os.RemoveAll(kept))
	}
	return errors.Join(errs...)
}

// launch starts the server and reads its address from its first line.
func (v *Vault) launch(ctx context.Context, server string, in membership) error {
	args := append([]string{"-addr", "127.0.0.1:0", "-data", filepath.Join(v.dir, "data"), "-plugins", v.plugins}, in.flags()...)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), server, args...) //nolint:gosec // the server that the Makefile built
	cmd.Dir = v.dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + v.dir}
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for Vault: %w", err)
	}
	defer func() { _ = read.Close() }()
	cmd.Stdout = write
	v.proc, err = start(cmd, "Vault", filepath.Join(v.dir, "vault.log"), syscall.SIGTERM)
	_ = write.Close()
	if err != nil {
		return err
	}
	if err := read.SetReadDeadline(time.Now().Add(vaultReady)); err != nil {
		return fmt.Errorf("set a deadline for Vault's first line: %w", err)
	}
	line, err := bufio.NewReader(read).ReadBytes('\n')
	if err != nil {
		select {
		case <-v.proc.done:
			return v.proc.died()
		case <-time.After(time.Second):
			return fmt.Errorf("read Vault's first line: %w", err)
		}
	}
	var ready struct{ Address string }
	if err := json.Unmarshal(line, &ready); err != nil || ready.Address == "" {
		return fmt.Errorf("no address in Vault's first line %q", line)
	}
	v.VaultAddr = ready.Address
	v.http = &vaultHTTP{address: v.VaultAddr, client: &http.Client{Timeout: time.Minute}}
	return nil
}

// initialise makes the keys once, and reads them afterwards.
func (v *Vault) initialise(ctx context.Context, o Options) error {
	var status struct{ Initialized bool }
	if err := v.http.do(ctx, http.MethodGet, "sys/init", nil, &status); err != nil {
		return err
	}
	if !status.Initialized {
		_, _ = fmt.Fprintln(o.Out, "initialising a private Vault in", v.dir)
		var made struct {
			Keys      []string `json:"keys"`
			RootToken string   `json:"root_token"`
		}
		shares := map[string]any{"secret_shares": 1, "secret_threshold": 1}
		if err := v.http.do(ctx, http.MethodPut, "sys/init", shares, &made); err != nil {
			return err
		}
		if len(made.Keys) != 1 {
			return fmt.Errorf("Vault gave %d key shares, not 1", len(made.Keys))
		}
		if err := errors.Join(writeSecret(v.UnsealKey, made.Keys[0]), writeSecret(v.RootTokenFile, made.RootToken)); err != nil {
			return err
		}
	}
	key, err := os.ReadFile(v.UnsealKey)
	if err != nil {
		return fmt.Errorf("the unseal key of this Vault is lost, delete %s to start anew: %w", v.dir, err)
	}
	token, err := os.ReadFile(v.RootTokenFile)
	if err != nil {
		return fmt.Errorf("the root token of this Vault is lost, delete %s to start anew: %w", v.dir, err)
	}
	v.key, v.VaultRootToken = strings.TrimSpace(string(key)), strings.TrimSpace(string(token))
	v.http.token = v.VaultRootToken
	return nil
}

func writeSecret(path, value string) error {
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep a secret of Vault: %w", err)
	}
	return nil
}

// Unseal opens Vault with the kept key and waits until it serves.
func (v *Vault) Unseal(ctx context.Context) error {
	if err := v.http.do(ctx, http.MethodPut, "sys/unseal", map[string]any{"key": v.key}, nil); err != nil {
		return err
	}
	return v.wait(ctx, "sys/health")
}

// wait polls a health path until Vault serves.
func (v *Vault) wait(ctx context.Context, health string) error {
	ctx, cancel := context.WithTimeout(ctx, vaultReady)
	defer cancel()
	for {
		err := v.http.do(ctx, http.MethodGet, health, nil, nil)
		if err == nil {
			return nil
		}
		select {
		case <-v.proc.done:
			return v.proc.died()
		case <-ctx.Done():
			return fmt.Errorf("wait for Vault to serve: %w", err)
		case <-time.After(pollEvery):
		}
	}
}

// Seal closes Vault: from here on it answers 503 until Unseal.
func (v *Vault) Seal(ctx context.Context) error {
	return v.http.do(ctx, http.MethodPut, "sys/seal", nil, nil)
}

// Stop ends Vault and what it started, and waits. A second call does nothing.
func (v *Vault) Stop() error {
	var err error
	if v.proc != nil {
		err = v.proc.stop(syscall.SIGTERM, vaultEnd)
		// The plugin is in Vault's process group, and outlives a Vault that was killed.
		_ = syscall.Kill(-v.proc.cmd.Process.Pid, syscall.SIGKILL)
		v.proc = nil
	}
	if v.lock != nil {
		_ = v.lock.Close()
	}
	return err
}
