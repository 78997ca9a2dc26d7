package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/web/api"
	"sceau/web/holder"
	"sceau/web/revocation"
)

// door is a listener of the process.
type door struct {
	name   string
	listen string
	server *http.Server
	tls    *tls.Config           // nil: plain HTTP
	follow func(context.Context) // what it does beside, nil: nothing
}

// publicFlags say where the public door is.
type publicFlags struct {
	PublicListen string `help:"Address of the public door (plain HTTP)." default:"127.0.0.1:8080" env:"SCEAU_PUBLIC_LISTEN"`
	Lists        string `help:"Folder of the lists that are served; kept up to date from the database." default:"/var/lib/sceau/lists" env:"SCEAU_LISTS" placeholder:"DIR"`
}

// holderFlags say where the door for holders is.
type holderFlags struct {
	HolderListen string `name:"holder-listen" help:"Address of the door for holders." default:"127.0.0.1:8444" env:"SCEAU_HOLDER_LISTEN"`
	HolderCert   string `name:"holder-cert" help:"TLS certificate of that door, PEM." env:"SCEAU_HOLDER_CERT" placeholder:"FILE"`
	HolderKey    string `name:"holder-key-file" help:"Its key, PEM." env:"SCEAU_HOLDER_KEY_FILE" placeholder:"FILE"`
}

// serveCmd opens doors.
type serveCmd struct {
	databaseFlags
	vaultFlags
	keystoreFlags
	publicFlags

	holderFlags

	Doors     []string `help:"Doors to open: api, public, holder; or terminals, which has a Vault policy of its own, in a process of its own." default:"api,public" env:"SCEAU_DOORS"`
	APIListen string   `name:"api-listen" help:"Address of the API, or of the door for terminals." default:"127.0.0.1:8443" env:"SCEAU_API_LISTEN"`
	APICert   string   `name:"api-cert" help:"TLS certificate of that door, PEM." env:"SCEAU_API_CERT" placeholder:"FILE"`
	APIKey    string   `name:"api-key-file" help:"Its key, PEM." env:"SCEAU_API_KEY_FILE" placeholder:"FILE"`
	TestNames bool     `help:"Certificates are for test: their names start with TEST." env:"SCEAU_TEST_NAMES"`
}

// Run serves until the process is told to stop.
func (c serveCmd) Run(w *world) error {
	var vault, numbers *hsm.Client
	var err error
	cards := slices.Contains(c.Doors, "api") || slices.Contains(c.Doors, doorTerminals)
	if cards && slices.Contains(c.Doors, doorTerminals) && len(c.Doors) > 1 {
		return fmt.Errorf("%w: the door for terminals has a Vault policy of its own: give it a process of its own", errUsage)
	}
	public := slices.Contains(c.Doors, "public")
	if public && c.Keystore == inVault || cards { // the door for holders, or a public one with a module, needs no Vault
		if vault, err = c.vaultFlags.open(w.ctx); err != nil {
			return err
		}
		defer vault.Close()
	}
	if cards {
		numbers = vault
	}
	h, err := openHouseWith(w, c.databaseFlags, numbers, issuance.DefaultPolicy(), c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	var doors []door
	for _, name := range slices.Compact(slices.Sorted(slices.Values(c.Doors))) {
		switch name {
		case "api":
			d, err := c.apiDoor(name, h.API, vault)
			if err != nil {
				return err
			}
			doors = append(doors, d)
		case doorTerminals:
			d, err := c.apiDoor(name, h.Terminals, vault)
			if err != nil {
				return err
			}
			doors = append(doors, d)
		case "holder":
			d, err := c.holderDoor(name, h.Holders)
			if err != nil {
				return err
			}
			doors = append(doors, d)
		case "public":
			keys, closeKeys, err := c.store(w.ctx, vault)
			if err != nil {
				return err
			}
			defer closeKeys()
			var marks house.MarkReader // with a module in Vault's place there are none
			if vault != nil {
				marks = vault
			}
			handler, err := h.Public(w.ctx, keys, marks, c.Lists)
			if err != nil {
				return err
			}
			defer func() { _ = handler.Close() }()
			doors = append(doors, door{name: name, listen: c.PublicListen, server: revocation.Server(c.PublicListen, handler), follow: handler.Follow})
		default:
			return fmt.Errorf("%w: there is no door %q: use api, public, holder or terminals", errUsage, name)
		}
	}
	return open(w, doors)
}

// doorTerminals is the door for branch terminals that personalise.
const doorTerminals = "terminals"

// apiDoor wants TLS wherever others than this machine can reach it.
func (c serveCmd) apiDoor(name string, open func(*hsm.Client, string) (http.Handler, error), vault *hsm.Client) (door, error) {
	handler, err := open(vault, version)
	if err != nil {
		return door{}, err
	}
	d := door{name: name, listen: c.APIListen, server: api.Server(c.APIListen, handler)}
	d.tls, err = doorTLS(name, c.APIListen, "api", c.APICert, c.APIKey, tls.VersionTLS13)
	if d.tls != nil {
		// A relying service may call by a certificate in place of a key. Which one it
		// is the house's database says, not a chain.
		d.tls.ClientAuth = tls.RequestClientCert
	}
	return d, err
}

// holderDoor speaks TLS 1.2 too: a holder's browser is not the bank's.
func (c serveCmd) holderDoor(name string, open func() (http.Handler, error)) (door, error) {
	handler, err := open()
	if err != nil {
		return door{}, err
	}
	d := door{name: name, listen: c.HolderListen, server: holder.Server(c.HolderListen, handler)}
	d.tls, err = doorTLS(name, c.HolderListen, "holder", c.HolderCert, c.HolderKey, tls.VersionTLS12)
	return d, err
}

// doorTLS reads a door's certificate and key; flags are those that begin with the
// word. Without, it is open to this machine alone.
func doorTLS(name, listen, flags, certificate, key string, oldest uint16) (*tls.Config, error) {
	if certificate == "" && key == "" {
		host, _, err := net.SplitHostPort(listen)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("%w: door %s listens on %s: give --%s-cert and --%s-key-file, or a loopback address behind a TLS proxy", errUsage, name, listen, flags, flags)
		}
		return nil, nil //nolint:nilnil // plain HTTP
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("%w: TLS certificate of door %s: %w", errUsage, name, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: oldest}, nil
}

// ocspCmd is the stateless responder: many of them stand behind a balancer.
type ocspCmd struct {
	databaseFlags
	vaultFlags
	keystoreFlags
	publicFlags
}

// Run serves until the process is told to stop.
func (c ocspCmd) Run(w *world) error {
	return serveCmd{
		databaseFlags: c.databaseFlags, vaultFlags: c.vaultFlags, keystoreFlags: c.keystoreFlags, publicFlags: c.publicFlags, Doors: []string{"public"},
	}.Run(w)
}

// open serves the doors until ctx ends or one fails, then lets requests end.
func open(w *world, doors []door) error {
	group, ctx := errgroup.WithContext(w.ctx)
	for _, d := range doors {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.listen)
		if err != nil {
			return fmt.Errorf("open door %s: %w", d.name, err)
		}
		if d.tls != nil {
			listener = tls.NewListener(listener, d.tls)
		}
		w.logger.InfoContext(ctx, "door open", slog.String("door", d.name), slog.String("address", listener.Addr().String()))
		group.Go(func() error {
			if err := d.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("door %s: %w", d.name, err)
			}
			return nil
		})
		if d.follow != nil {
			group.Go(func() error {
				d.follow(ctx)
				return nil
			})
		}
		group.Go(func() error {
			<-ctx.Done()
			patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
			defer cancel()
			return d.server.Shutdown(patient)
		})
	}
	return group.Wait()
}
