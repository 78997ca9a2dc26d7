package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/physical/raft"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// store puts the storage of o into a core's settings: files of one server, or
// with -node its copy of a Raft cluster's log. A member names the addresses at
// which the others find it, -cluster for the servers' own TLS.
func (o options) store(config *vault.CoreConfig, apiAddress string, log hclog.Logger) error {
	if o.data == "" {
		return errors.New("-data is needed: the folder of the encrypted storage")
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("make the storage folder: %w", err)
	}
	if o.node == "" {
		storage, err := file.NewFileBackend(map[string]string{"path": o.data}, log.Named("storage"))
		if err != nil {
			return fmt.Errorf("open the storage: %w", err)
		}
		config.Physical, config.StorageType = storage, "file"
		return nil
	}
	settings := map[string]string{"path": o.data, "node_id": o.node, "performance_multiplier": "1"}
	storage, err := raft.NewRaftBackend(settings, log.Named("raft"))
	if err != nil {
		return fmt.Errorf("open the storage of node %s: %w", o.node, err)
	}
	config.Physical, config.StorageType = storage, "raft"
	if standby, ok := storage.(physical.HABackend); ok {
		config.HAPhysical = standby
	}
	config.RedirectAddr, config.ClusterAddr = "http://"+apiAddress, "https://"+o.cluster
	return nil
}
