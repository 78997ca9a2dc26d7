package testenv

import (
	"context"
	"fmt"
	"testing"

	"sceau/internal/devenv"
)

// VaultCluster is three Vaults with one Raft storage, for one test alone.
type VaultCluster struct {
	Leader   VaultServer // the first one
	Follower VaultServer // another: it passes on to whoever leads

	t   testing.TB
	env *devenv.VaultCluster
}

// ClusterOfVaults starts three Vaults that keep one storage by Raft.
func ClusterOfVaults(t testing.TB) VaultCluster {
	t.Helper()
	options, err := shared.options(fmt.Sprintf("cluster-%d", shared.names.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := uptime()
	defer cancel()
	const members = 3
	env, err := devenv.StartVaultCluster(ctx, options, members)
	if err != nil {
		t.Fatalf("start a cluster of Vaults: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	return VaultCluster{
		Leader: vaultServer(t, env.Members[0], false), Follower: vaultServer(t, env.Members[members-1], false), t: t, env: env,
	}
}

// KillLeader ends the leader at once, as a lost machine does, and waits until
// another leads.
func (c VaultCluster) KillLeader() {
	c.t.Helper()
	if err := c.Leader.env.Kill(); err != nil {
		c.t.Fatal(err)
	}
	ctx := context.WithoutCancel(c.t.Context())
	next, err := c.env.Leader(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	if next == c.Leader.env {
		c.t.Fatal("the killed Vault still leads")
	}
}
