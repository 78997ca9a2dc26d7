package devenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"
)

// clusterPatience is how long an election and a new leader's start may take.
const clusterPatience = 60 * time.Second

// membership is what a member of a Raft cluster tells its server; the zero
// value is a Vault alone.
type membership struct{ node, address string }

func (m membership) flags() []string {
	if m.node == "" {
		return nil
	}
	return []string{"-node", m.node, "-cluster", m.address}
}

// VaultCluster is several Vaults on this machine that keep one storage by Raft:
// one leads, the others pass requests on to it and take over when it dies. They
// share the unseal key and the audit file of the first.
type VaultCluster struct {
	Members []*Vault
}

// StartVaultCluster starts a new cluster of so many members in o.Dir,
// initialised, unsealed, and with the engines of [StartVault].
func StartVaultCluster(ctx context.Context, o Options, members int) (_ *VaultCluster, err error) {
	o, err = o.prepare()
	if err != nil {
		return nil, err
	}
	c := &VaultCluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	for i := range members {
		node := fmt.Sprintf("vault-%d", i+1)
		address, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		v, err := o.launchVault(ctx, node, membership{node: node, address: address})
		if err != nil {
			return nil, err
		}
		c.Members = append(c.Members, v)
		if i > 0 {
			err = v.join(ctx, c.Members[0])
		} else if err = v.initialise(ctx, o); err == nil {
			err = v.lead(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := c.awaitVoters(ctx); err != nil {
		return nil, err
	}
	return c, c.setUp(ctx, o)
}

// awaitVoters waits until every member votes: before, the death of the leader
// would leave no majority.
func (c *VaultCluster) awaitVoters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	for {
		var raft struct {
			Data struct {
				Config struct{ Servers []struct{ Voter bool } }
			}
		}
		err := c.Members[0].http.do(ctx, http.MethodGet, "sys/storage/raft/configuration", nil, &raft)
		voters := 0
		for _, server := range raft.Data.Config.Servers {
			if server.Voter {
				voters++
			}
		}
		if err == nil && voters == len(c.Members) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d voting members, %d so far: %w", len(c.Members), voters, errors.Join(ctx.Err(), err))
		case <-time.After(pollEvery):
		}
	}
}

// setUp gives each member the card engine's program, and the cluster its mounts.
func (c *VaultCluster) setUp(ctx context.Context, o Options) error {
	engine, err := o.engine()
	if err != nil {
		return err
	}
	if engine != "" {
		for _, v := range c.Members {
			if _, _, err := v.installEngine(engine); err != nil {
				return err
			}
		}
	}
	return c.Members[0].setUp(ctx, engine)
}

// lead opens the first member, and lets the others vote soon after they have
// joined: Vault's own pause of ten seconds is for machines far apart.
func (v *Vault) lead(ctx context.Context) error {
	if err := v.Unseal(ctx); err != nil {
		return err
	}
	pilot := map[string]any{"server_stabilization_time": "1s"}
	return v.http.do(ctx, http.MethodPost, "sys/storage/raft/autopilot/configuration", pilot, nil)
}

// join makes a new member take the storage of the leader, and opens it.
func (v *Vault) join(ctx context.Context, leader *Vault) error {
	v.key, v.VaultRootToken, v.http.token = leader.key, leader.VaultRootToken, leader.VaultRootToken
	v.UnsealKey, v.RootTokenFile, v.AuditFile = leader.UnsealKey, leader.RootTokenFile, leader.AuditFile
	at := map[string]any{"leader_api_addr": leader.VaultAddr}
	if err := v.http.do(ctx, http.MethodPost, "sys/storage/raft/join", at, nil); err != nil {
		return err
	}
	if err := v.http.do(ctx, http.MethodPut, "sys/unseal", map[string]any{"key": v.key}, nil); err != nil {
		return err
	}
	return v.wait(ctx, "sys/health?standbyok=true")
}

// Leader waits until one running member leads, and gives it.
func (c *VaultCluster) Leader(ctx context.Context) (*Vault, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	for {
		for _, v := range c.Members {
			if v.proc != nil && v.http.do(ctx, http.MethodGet, "sys/health", nil, nil) == nil {
				return v, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a leader of the cluster: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// Kill ends a Vault at once, as a lost machine does: no request is answered, no
// storage closed. What it had started ends with it.
func (v *Vault) Kill() error {
	if v.proc == nil {
		return nil
	}
	proc := v.proc
	v.proc = nil
	err := syscall.Kill(-proc.cmd.Process.Pid, syscall.SIGKILL) // its own group
	<-proc.done
	if err != nil {
		return fmt.Errorf("kill %s: %w", proc.name, err)
	}
	return nil
}

// Stop ends all members. A second call does nothing.
func (c *VaultCluster) Stop() error {
	var errs []error
	for _, v := range c.Members {
		errs = append(errs, v.Stop())
	}
	return errors.Join(errs...)
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

// folder is where the Vault of this name keeps its files.
func (o Options) folder(name string) string { return filepath.Join(o.Dir, name) }
