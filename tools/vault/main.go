// Command vault is a real Vault server, built from HashiCorp's own Go module,
// for Sceau's development environment and tests. It stands in for the bank's
// Vault, which stands in for a hardware security module.
//
// It starts as the real one does: not initialised, then sealed; init and
// unseal come over HTTP. Alone it keeps its storage in files; with -node and
// -cluster it is a member of a Raft cluster on this machine. It has the kv,
// transit and pki engines, the approle method, the file audit device, and
// external plugins from one directory. When it listens it prints one line of
// JSON, {"address": ..., "version": ...}, and it ends on SIGTERM or SIGINT,
// sealing first.
//
// It must never serve production: it speaks plain HTTP on a loopback address
// only, and its release (the last whose dependencies the module proxy serves)
// is exposed to CVE-2026-5807, an unauthenticated denial of service on
// generate-root.
// Nothing imports it; it is its own module so that its dependencies stay out of
// Sceau's.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/vault"
)

// version is that of the Vault module in go.mod. A test of the development
// environment compares it with what the running server says.
const version = "1.21.2"

// Limits of the listener, those of Vault's own defaults.
const (
	maxRequestSize     = 32 << 20
	maxRequestDuration = 90 * time.Second
	shutdownGrace      = 5 * time.Second
)

type options struct {
	address, data, plugins, logLevel string
	node, cluster                    string
}

func main() {
	var o options
	flag.StringVar(&o.address, "addr", "127.0.0.1:0", "loopback address to listen on; port 0 takes a free one")
	flag.StringVar(&o.data, "data", "", "folder of the encrypted storage, made when missing")
	flag.StringVar(&o.plugins, "plugins", "", "folder of the plugins that may be registered")
	flag.StringVar(&o.node, "node", "", "name of this member of a Raft cluster; empty keeps the storage in files")
	flag.StringVar(&o.cluster, "cluster", "", "with -node: loopback address and port for the other members")
	flag.StringVar(&o.logLevel, "log", "error", "log level: trace, debug, info, warn, error, off")
	showVersion := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *showVersion {
		fmt.Println("vault", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serve(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		stop()
		os.Exit(1)
	}
}

// serve runs the server until ctx ends, then seals it.
func serve(ctx context.Context, o options, ready, logs io.Writer) error {
	listener, err := listenLoopback(ctx, o.address)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	address := listener.Addr().String()
	core, err := newCore(o, address, logs)
	if err != nil {
		return err
	}
	defer func() { _ = core.Shutdown() }() // seals: the storage is consistent at every moment anyway
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core: core,
		ListenerConfig: &configutil.Listener{
			Type: "tcp", Address: address, TLSDisable: true,
			MaxRequestSize: maxRequestSize, MaxRequestDuration: maxRequestDuration,
		},
	})
	if o.node != "" {
		members, err := loopback(o.cluster)
		if err != nil {
			return fmt.Errorf("-cluster: %w", err)
		}
		core.SetClusterListenerAddrs([]*net.TCPAddr{members})
		core.SetClusterHandler(handler)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       5 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	err = json.NewEncoder(ready).Encode(map[string]string{"address": "http://" + address, "version": version})
	if err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", address, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// newCore is Vault itself over the storage of o.
func newCore(o options, apiAddress string, logs io.Writer) (*vault.Core, error) {
	log := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.LevelFromString(o.logLevel), Output: logs})
	config := &vault.CoreConfig{
		DisableMlock:       true, // a container seldom grants IPC_LOCK
		Logger:             log,
		AllLoggers:         []hclog.Logger{log},
		PluginDirectory:    o.plugins,
		LogicalBackends:    logicalBackends(),
		CredentialBackends: credentialBackends(),
		AuditBackends:      auditBackends(),
		BuiltinRegistry:    registry{},
		ClusterName:        "sceau-development",
	}
	if err := o.store(config, apiAddress, log); err != nil {
		return nil, err
	}
	core, err := vault.NewCore(config)
	if err != nil {
		return nil, fmt.Errorf("start the core: %w", err)
	}
	return core, nil
}

// loopback reads an address and refuses any that another machine could reach.
func loopback(address string) (*net.TCPAddr, error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("read an address: %w", err)
	}
	if !at.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address: this server speaks plain HTTP", address)
	}
	return at, nil
}

func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	if _, err := loopback(address); err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
