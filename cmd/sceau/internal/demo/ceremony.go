package demo

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sceau/authn"
	"sceau/cmd/sceau/internal/client"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/mail"
	"sceau/web/api"
	"sceau/web/revocation"
)

// holdCeremony makes the keys of the bank, and gives the bureau its own.
func (d *demonstration) holdCeremony(ctx context.Context) error {
	public, err := d.listen(ctx)
	if err != nil {
		return err
	}
	d.doors.public = "http://" + public.Addr().String()
	d.doors.listeners = append(d.doors.listeners, public)
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	_, err = d.house.Hold(ctx, house.Ceremony{
		ID: "demo", By: officer, OpenRoot: house.VaultRoot(d.vaults.admin, d.vaults.online, officer.ID), Admin: d.vaults.admin, Online: d.vaults.online, Cards: d.vaults.online, Plan: house.DefaultPlan(), Bank: d.bank,
		PublicBase: d.doors.public, Shards: 1, Now: d.clock.Now,
		Say: func(format string, args ...any) { d.screen.note(format, args...) },
	})
	if err != nil {
		return err
	}
	if err := d.shareTransportKey(ctx); err != nil {
		return fmt.Errorf("the bureau's transport key: %w", err)
	}
	if err := d.shareChipKey(ctx); err != nil {
		return fmt.Errorf("the master key of blank chips: %w", err)
	}
	all, err := d.house.Service.Authorities(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{house.RootID: "root.pem", house.IssuingID: "issuing.pem"}
	for _, a := range all {
		if err := writePEM(filepath.Join(d.folder, "pki", names[a.ID]), "CERTIFICATE", a.Certificate); err != nil {
			return err
		}
	}
	return nil
}

// shareTransportKey has two custodians enter a key block protection key in
// components, exports the transport key under it as a TR-31 key block, and
// opens the block as the bureau does.
func (d *demonstration) shareTransportKey(ctx context.Context) error {
	name := "kbpk-" + d.options.Wall().UTC().Format("20060102-150405")
	kbpk := make([]byte, 32)
	for i, custodian := range []*hsm.Client{d.vaults.custodian1, d.vaults.custodian2} {
		component := make([]byte, len(kbpk))
		_, _ = rand.Read(component) // never fails since Go 1.24: it ends the process instead
		for j, b := range component {
			kbpk[j] ^= b
		}
		kcv, err := keyblock.CheckValueAES(component)
		if err != nil {
			return err
		}
		part := hsm.KeyComponent{
			Key: name, Usage: hsm.UsageKBPK, Algorithm: "aes256", Index: i + 1, Total: 2, Component: fmt.Sprintf("%X", component), KCV: kcv,
		}
		if i == 1 {
			_, _, err := d.vaults.custodian1.EnterComponent(ctx, part)
			d.screen.check("one custodian cannot enter both components of a key", refused(err, lifecycle.Forbidden))
		}
		if _, _, err := custodian.EnterComponent(ctx, part); err != nil {
			return err
		}
	}
	_, _, err := d.vaults.custodian1.ExportKey(ctx, house.DefaultTransportKey, name)
	if !errors.Is(err, hsm.ErrProposed) {
		return fmt.Errorf("one custodian alone exported the transport key: %w", err)
	}
	block, kcv, err := d.vaults.custodian2.ExportKey(ctx, house.DefaultTransportKey, name)
	if err != nil {
		return err
	}
	_, key, err := keyblock.Unwrap(kbpk, block)
	if err != nil {
		return err
	}
	if d.transport, err = crypt.NewTDES(key); err != nil {
		return err
	}
	got, err := keyblock.CheckValueTDES(key)
	d.screen.check("the bureau opens the transport key's TR-31 block and finds its check value", errors.Join(err, equal(got, kcv)))
	return nil
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func (d *demonstration) listen(ctx context.Context) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a door: %w", err)
	}
	return listener, nil
}

// staff is somebody of the bank who holds the role, and no other where there is
// such a person.
func (d *demonstration) staff(ctx context.Context, role lifecycle.Role) (lifecycle.Actor, error) {
	for _, p := range d.bank.Staff {
		if len(p.Roles) == 1 && p.Roles[0] == role {
			return d.house.Service.StaffActor(ctx, p.Login, role)
		}
	}
	return lifecycle.Actor{}, fmt.Errorf("%w: nobody of the sample bank is %s alone", lifecycle.NotFound, role)
}

// openHouse starts the workers and opens the doors.
func (d *demonstration) openHouse(ctx context.Context) error {
	if err := d.startWorkers(ctx, false); err != nil {
		return err
	}
	if err := d.publishNow(ctx); err != nil {
		return err
	}
	handler, err := d.publicHouse.Public(ctx, d.vaults.ocsp, d.vaults.ocsp, filepath.Join(d.folder, "lists"))
	if err != nil {
		return err
	}
	d.later(handler.Close)
	following, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); handler.Follow(following) }()
	d.later(func() error { stop(); <-ended; return nil })
	d.serve(ctx, revocation.Server("", handler), d.doors.listeners[0])
	apiHandler, err := d.house.API(d.vaults.api, d.options.Version)
	if err != nil {
		return err
	}
	listener, err := d.listen(ctx)
	if err != nil {
		return err
	}
	d.doors.api = "http://" + listener.Addr().String()
	d.serve(ctx, api.Server("", apiHandler), listener)
	terminals, err := d.house.Terminals(d.vaults.terminals, d.options.Version)
	if err != nil {
		return err
	}
	if listener, err = d.listen(ctx); err != nil {
		return err
	}
	d.doors.terminals = "http://" + listener.Addr().String()
	d.serve(ctx, api.Server("", terminals), listener)
	if err := d.openHolderDoor(ctx); err != nil {
		return err
	}
	return d.openClients(ctx)
}

// openClients makes the API keys of the relying services.
func (d *demonstration) openClients(ctx context.Context) error {
	keys, err := d.house.CodesDesk()
	if err != nil {
		return err
	}
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	const life = 365 * 24 * time.Hour
	branch := d.bank.Branches[0].Code
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager) // of that branch
	if err != nil {
		return err
	}
	_, bank, err := keys.NewAPIKey(ctx, officer, "online banking", []authn.Scope{
		authn.ScopeVerifyCAP, authn.ScopeAuthenticate, authn.ScopeOperate, authn.ScopeStop, authn.ScopeReportFraud, authn.ScopeActivateCards, authn.ScopeBlockCards, authn.ScopeRevokeCertificates, authn.ScopeReadOrders,
	}, "", life)
	if err != nil {
		return err
	}
	_, terminal, err := keys.NewAPIKey(ctx, officer, "branch terminal", []authn.Scope{authn.ScopeResetPIN}, branch, life)
	if err != nil {
		return err
	}
	_, desk, err := keys.NewAPIKey(ctx, officer, "branch terminal that personalises", []authn.Scope{authn.ScopePersonalise}, branch, life)
	if err != nil {
		return err
	}
	d.desk = client.New(d.doors.terminals, desk.Reveal()).At(manager.ID)
	d.bankKey = bank.Reveal()
	d.online, d.terminal = client.New(d.doors.api, d.bankKey), client.New(d.doors.api, terminal.Reveal()).At(manager.ID)
	return nil
}

// serve answers on a listener until the demonstration closes.
func (d *demonstration) serve(ctx context.Context, server *http.Server, listener net.Listener) {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	d.later(func() error {
		ctx, cancel := patient(ctx)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close() // somebody keeps a connection: it is a demonstration
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// startWorkers starts a client for each queue, as two processes would: each has
// the Vault policy of its queue.
func (d *demonstration) startWorkers(ctx context.Context, periodic bool) error {
	tray, err := mail.NewTray(d.mailTray(), mail.Sender{Name: d.bank.Bank.Name, Address: mailFrom})
	if err != nil {
		return err
	}
	for _, w := range []struct {
		house.Workers

		house *house.House
	}{
		{house: d.house, Workers: house.Workers{
			Settings: jobs.Settings{Queues: []jobs.Queue{jobs.QueueDefault}, Parallel: 8, Wait: time.Second, Periodic: periodic},
			Vault:    d.vaults.worker, PrintRoomCert: d.printRoom.certificate,
			Bureaux: map[string]jobs.Bureau{house.DefaultBureau: {TransportKey: house.DefaultTransportKey, Certificate: d.bureau.certificate}},
		}},
		{house: d.pinHouse, Workers: house.Workers{
			Settings: jobs.Settings{Queues: []jobs.Queue{jobs.QueuePIN}, Parallel: 2, Wait: time.Second},
			PINVault: d.vaults.pins, PrintRoomCert: d.printRoom.certificate,
		}},
		{house: d.house, Workers: house.Workers{
			Settings: jobs.Settings{Queues: []jobs.Queue{jobs.QueueMail}, Parallel: 2, Wait: time.Second}, Mail: tray,
		}},
	} {
		w.Bank, w.PublicBase = d.bank, d.doors.public
		workers, err := w.house.Work(w.Workers)
		if err != nil {
			return err
		}
		// Not ctx: Stop lets running jobs end, a cancelled context would not.
		if err := workers.Start(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		d.workers = append(d.workers, workers)
	}
	d.later(func() error { return d.stopWorkers(ctx) })
	return nil
}

func (d *demonstration) stopWorkers(ctx context.Context) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	var errs []error
	for _, w := range d.workers {
		errs = append(errs, w.Stop(ctx))
	}
	d.workers = nil
	return errors.Join(errs...)
}

// settle waits until no job is left, and shows how many still are.
func (d *demonstration) settle(ctx context.Context, what string) error {
	const (
		look  = 50 * time.Millisecond
		limit = 3 * time.Minute
	)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	total := 0
	bar := d.screen.bar(1, what)
	defer func() { _ = bar.Finish() }()
	for {
		left, err := d.workers[0].Unfinished(ctx)
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		if left > total {
			total = left
			bar.ChangeMax(total)
		}
		_ = bar.Set(total - left)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %d jobs are still to come", what, ctx.Err(), left)
		case <-time.After(look):
		}
	}
	lost, err := d.workers[0].Stuck(ctx)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return fmt.Errorf("%s: jobs failed for good: %v", what, lost)
	}
	return nil
}

// publishNow has the scheduled lists signed and brings them to the door.
func (d *demonstration) publishNow(ctx context.Context) error {
	if err := d.workers[0].Insert(ctx, issuance.CRLPublishArgs{Issuer: house.IssuingID, Scheduled: true}); err != nil {
		return err
	}
	return d.fetchLists(ctx)
}

// fetchLists waits for the lists that are being signed and brings them to the
// door.
func (d *demonstration) fetchLists(ctx context.Context) error {
	if err := d.settle(ctx, "lists"); err != nil {
		return err
	}
	return d.publicHouse.SyncLists(ctx, filepath.Join(d.folder, "lists"))
}
