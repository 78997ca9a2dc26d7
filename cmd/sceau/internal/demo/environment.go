package demo

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/internal/devenv"
	"sceau/migrations"
)

const databaseName = "sceau_demo"

// correspondent is somebody outside the bank for whom files are encrypted: the
// card bureau, the print room.
type correspondent struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// newCorrespondent makes a correspondent's key and certificate, and keeps both
// beside what is sent to it.
func newCorrespondent(dir, name string, now time.Time) (correspondent, error) {
	const bits = 3072
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return correspondent{}, fmt.Errorf("key of the %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Sample " + name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return correspondent{}, fmt.Errorf("certificate of the %s: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return correspondent{}, fmt.Errorf("certificate of the %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return correspondent{}, fmt.Errorf("key of the %s: %w", name, err)
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "certificate.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
	return correspondent{certificate: certificate, key: key}, err
}

// vaults are the clients of the demonstration, each with its process's policy
// and no more.
type vaults struct {
	admin                  *hsm.Client // sets policies and tokens up, opens the root's mount
	worker, pins, api      *hsm.Client
	office, terminals      *hsm.Client
	ocsp                   *hsm.Client
	online                 *hsm.Client // of the key ceremony
	custodian1, custodian2 *hsm.Client // of the bureau's transport key, and of blank chips
}

// openVaults applies the policies and gives each process its token.
func openVaults(ctx context.Context, address, rootToken string) (*vaults, error) {
	admin, err := hsm.Open(ctx, hsm.Config{Address: address, Token: rootToken})
	if err != nil {
		return nil, err
	}
	v := &vaults{admin: admin}
	if err := errors.Join(admin.ApplyPolicies(ctx), admin.CreateSafeKey(ctx)); err != nil {
		return v, err
	}
	for _, c := range []struct {
		into **hsm.Client
		role hsm.Role
		name string
	}{
		{&v.worker, hsm.RoleWorker, "worker"},
		{&v.pins, hsm.RolePINLetter, "pin worker"},
		{&v.api, hsm.RoleAPI, "api"},
		{&v.terminals, hsm.RoleTerminals, "terminals"},
		{&v.office, hsm.RoleOffice, "office"},
		{&v.ocsp, hsm.RoleOCSP, "ocsp"},
		{&v.online, hsm.RoleCeremony, "ceremony"},
		{&v.custodian1, hsm.RoleCeremony, "custodian 1"},
		{&v.custodian2, hsm.RoleCeremony, "custodian 2"},
	} {
		token, err := admin.NewToken(ctx, c.role, c.name)
		if err != nil {
			return v, err
		}
		if *c.into, err = hsm.Open(ctx, hsm.Config{Address: address, Token: token}); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (v *vaults) close() {
	for _, c := range []*hsm.Client{v.worker, v.pins, v.api, v.terminals, v.office, v.ocsp, v.online, v.custodian1, v.custodian2, v.admin} {
		if c != nil {
			c.Close()
		}
	}
}

// openEnvironment starts PostgreSQL and Vault, each with nothing in it: a new house.
func (d *demonstration) openEnvironment(ctx context.Context) error {
	env, err := devenv.Start(ctx, devenv.Options{Dir: d.options.Dir, Root: d.options.Root, Out: d.screen.out, FreshVault: true})
	if err != nil {
		return err
	}
	d.env = env
	d.later(env.Stop)
	// Only now: another demonstration that plays here has the servers' locks.
	if err := os.RemoveAll(d.folder); err != nil {
		return fmt.Errorf("clear the last demonstration: %w", err)
	}
	for _, sub := range []string{"letters", "stock", "bureau/cards", "print-room", "pki", "holders", "lists"} {
		if err := os.MkdirAll(filepath.Join(d.folder, sub), 0o700); err != nil {
			return fmt.Errorf("make the demonstration's folder: %w", err)
		}
	}
	var group errgroup.Group
	group.Go(func() (err error) {
		d.vaults, err = openVaults(ctx, env.VaultAddr, env.VaultRootToken)
		return err
	})
	group.Go(func() (err error) {
		d.bureau, err = newCorrespondent(filepath.Join(d.folder, "bureau"), "card bureau", d.clock.Now())
		return err
	})
	group.Go(func() (err error) {
		d.printRoom.correspondent, err = newCorrespondent(filepath.Join(d.folder, "print-room"), "print room", d.clock.Now())
		return err
	})
	err = group.Wait()
	if err == nil {
		err = d.openDatabase(ctx)
	}
	d.later(func() error {
		if d.vaults != nil {
			d.vaults.close()
		}
		for _, h := range []*house.House{d.house, d.pinHouse, d.holderHouse, d.publicHouse} {
			if h != nil {
				h.Close()
			}
		}
		return nil
	})
	return err
}

// openDatabase starts from an empty database each time, so that a second
// demonstration shows the same.
func (d *demonstration) openDatabase(ctx context.Context) error {
	if err := d.env.DropDatabase(ctx, databaseName); err != nil {
		return err
	}
	if err := d.env.CreateDatabase(ctx, databaseName, ""); err != nil {
		return err
	}
	url := d.env.DatabaseURL(databaseName)
	if err := house.Migrate(ctx, url); err != nil {
		return err
	}
	bank, err := house.ReadBank(filepath.Join(d.options.Root, "testdata", "demo", "bank.yaml"))
	if err != nil {
		return err
	}
	d.bank, d.databaseURL = bank, url
	for role, opened := range map[string]**house.House{
		migrations.RoleApp: &d.house, migrations.RolePIN: &d.pinHouse, migrations.RoleHolder: &d.holderHouse, migrations.RolePublic: &d.publicHouse,
	} {
		var numbers *hsm.Client
		if role == migrations.RoleApp {
			numbers = d.vaults.office
		}
		*opened, err = house.Open(ctx, house.Config{
			Vault:       numbers,
			DatabaseURL: d.env.DatabaseURLAs(databaseName, role), Policy: bank.Policy(), TestNames: true, Now: d.clock.Now,
			Logger: d.options.Logger,
		})
		if err != nil {
			return err
		}
	}
	return d.house.SetUp(ctx, bank, d.clock.Now())
}
