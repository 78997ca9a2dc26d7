// Command sceau-hsm is the card engine as a Vault plugin: Vault starts it,
// after comparing its SHA-256 with the one registered. By itself it does
// nothing. It holds no rule: hsm/engine does the work.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	"sceau/hsm/engine"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "sceau-hsm:", err)
		os.Exit(1)
	}
}

func serve() error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(os.Args[1:]); err != nil {
		return fmt.Errorf("read the flags that Vault gives: %w", err)
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: engine.Factory(time.Now),
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
}
