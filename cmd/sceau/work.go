package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/jobs"
)

// workCmd works queues until it is told to stop; running jobs may end.
type workCmd struct {
	databaseFlags
	vaultFlags
	bankFlags
	keystoreFlags
	mailFlags

	Queues        []jobs.Queue `help:"Queues to work: default, pin, mail: each can have a process of its own." default:"default" env:"SCEAU_QUEUES"`
	Parallel      int          `help:"Jobs at the same time in each queue." default:"8" env:"SCEAU_PARALLEL"`
	PublicBase    string       `help:"Where relying parties reach the public door, http://host." env:"SCEAU_PUBLIC_BASE" placeholder:"URL"`
	Resolve       string       `help:"Where workers that look at lists and OCSP answers from outside find the public door, when its name is not known here." env:"SCEAU_RESOLVE" placeholder:"HOST:PORT"`
	Bureau        string       `help:"The card bureau that the two flags below describe; further ones stand in the bank's file." default:"bureau-1" env:"SCEAU_BUREAU"`
	TransportKey  string       `help:"The bureau's transport key, by its name in the engine." default:"transport-bureau-1" env:"SCEAU_TRANSPORT_KEY"`
	BureauCert    string       `help:"The card bureau's certificate: its files are encrypted for it." env:"SCEAU_BUREAU_CERT" placeholder:"FILE"`
	PrintRoomCert string       `help:"The print room's certificate: print runs are encrypted for it." env:"SCEAU_PRINT_ROOM_CERT" placeholder:"FILE"`
}

// Run works the queues.
func (c workCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	// Mail wants no key: a process for it alone has no way to Vault.
	var vault *hsm.Client
	if !slices.Equal(c.Queues, []jobs.Queue{jobs.QueueMail}) {
		if vault, err = c.vaultFlags.open(w.ctx); err != nil {
			return err
		}
		defer vault.Close()
	}
	numbers := vault
	if !slices.Contains(c.Queues, jobs.QueueDefault) { // PIN letters, mail: no card number
		numbers = nil
	}
	h, err := openHouseWith(w, c.databaseFlags, numbers, bank.Policy(), c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	workers := house.Workers{
		Settings: jobs.Settings{Queues: c.Queues, Parallel: c.Parallel, Periodic: slices.Contains(c.Queues, jobs.QueueDefault)},
		Bank:     bank, PublicBase: c.PublicBase, Resolve: c.Resolve,
	}
	// One token serves one policy: a process that works both queues needs one
	// that has both, which only a test environment gives.
	if slices.Contains(c.Queues, jobs.QueueDefault) {
		var closeKeys func()
		if workers.Keys, closeKeys, err = c.store(w.ctx, vault); err != nil {
			return err
		}
		defer closeKeys()
		workers.Vault = vault
		if workers.Bureaux, err = c.bureaux(bank); err != nil {
			return err
		}
	}
	if slices.Contains(c.Queues, jobs.QueuePIN) {
		workers.PINVault = vault
	}
	if slices.Contains(c.Queues, jobs.QueueMail) {
		if workers.Mail, err = c.mailFlags.open(bank); err != nil {
			return err
		}
	}
	if vault == nil {
		return c.run(w, h, workers)
	}
	if workers.PrintRoomCert, err = house.ReadCertificate(c.PrintRoomCert); err != nil {
		return fmt.Errorf("--print-room-cert: %w", err)
	}
	return c.run(w, h, workers)
}

func (c workCmd) run(w *world, h *house.House, workers house.Workers) error {
	client, err := h.Work(workers)
	if err != nil {
		return err
	}
	// Not w.ctx: Stop lets running jobs end, a cancelled context would not.
	if err := client.Start(context.WithoutCancel(w.ctx)); err != nil {
		return err
	}
	w.logger.InfoContext(w.ctx, "working", slog.Any("queues", c.Queues))
	<-w.ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), shutdownPatience)
	defer cancel()
	return client.Stop(ctx)
}

// bureaux are that of the flags, and those of the bank's file.
func (c workCmd) bureaux(bank *house.Bank) (map[string]jobs.Bureau, error) {
	bureaux, err := bank.ReadBureaux()
	if err != nil {
		return nil, err
	}
	certificate, err := house.ReadCertificate(c.BureauCert)
	if err != nil {
		return nil, fmt.Errorf("--bureau-cert: %w", err)
	}
	if _, twice := bureaux[c.Bureau]; twice {
		return nil, fmt.Errorf("%w: bureau %s stands in the bank's file and in flags", errUsage, c.Bureau)
	}
	bureaux[c.Bureau] = jobs.Bureau{TransportKey: c.TransportKey, Certificate: certificate}
	return bureaux, nil
}
