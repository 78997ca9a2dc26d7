package testenv

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"sceau/internal/devenv"
)

// VaultServer is a running, unsealed Vault with the engines of devenv.
type VaultServer struct {
	Addr      string // as VAULT_ADDR
	RootToken string
	AuditFile string

	t   testing.TB
	env *devenv.Vault
	own bool
}

// Vault is the Vault of this test binary. Its tests share it: each takes key
// and card names of its own, and none seals it.
func Vault(t testing.TB) VaultServer {
	t.Helper()
	env, err := shared.vault.get(func() (*devenv.Vault, error) { return shared.startVault("env") })
	if err != nil {
		t.Fatalf("start a private Vault: %v", err)
	}
	return vaultServer(t, env, false)
}

// OwnVault starts a Vault for this test alone, which may seal it.
func OwnVault(t testing.TB) VaultServer {
	t.Helper()
	env, err := shared.startVault(fmt.Sprintf("own-%d", shared.names.Add(1)))
	if err != nil {
		t.Fatalf("start a Vault for one test: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	return vaultServer(t, env, true)
}

func vaultServer(t testing.TB, env *devenv.Vault, own bool) VaultServer {
	t.Helper()
	return VaultServer{
		Addr: env.VaultAddr, RootToken: env.VaultRootToken, AuditFile: env.AuditFile,
		t: t, env: env, own: own,
	}
}

func (e *environment) startVault(sub string) (*devenv.Vault, error) {
	options, err := e.options(sub)
	if err != nil {
		return nil, err
	}
	ctx, cancel := uptime()
	defer cancel()
	return devenv.StartVault(ctx, options)
}

// Seal closes the Vault of [OwnVault]: it answers 503 until Unseal.
func (v VaultServer) Seal() {
	v.t.Helper()
	v.mine()
	if err := v.env.Seal(context.WithoutCancel(v.t.Context())); err != nil {
		v.t.Fatal(err)
	}
}

// Unseal opens it again and waits until it serves.
func (v VaultServer) Unseal() {
	v.t.Helper()
	v.mine()
	if err := v.env.Unseal(context.WithoutCancel(v.t.Context())); err != nil {
		v.t.Fatal(err)
	}
}

// Stop ends it: its address refuses connections from then on.
func (v VaultServer) Stop() {
	v.t.Helper()
	v.mine()
	if err := v.env.Stop(); err != nil {
		v.t.Fatal(err)
	}
}

// Folder is where this Vault keeps its files.
func (v VaultServer) Folder() string { return filepath.Dir(v.AuditFile) }

func (v VaultServer) mine() {
	v.t.Helper()
	if !v.own {
		v.t.Fatal("other tests share this Vault: take testenv.OwnVault to seal or stop one")
	}
}
