package main

import (
	"errors"
	"fmt"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// doctorCmds are what the doctor looks at.
type doctorCmds struct {
	All        doctorCmd           `cmd:"" default:"withargs" help:"Check database, clock, Vault, keys and token, and the age of lists and certificates."`
	Revocation doctorRevocationCmd `cmd:"" help:"Look at lists, OCSP answers and CA certificates as relying parties do; tell whether the database was restored to an earlier day, and bring back what it lost."`
}

// doctorRevocationCmd compares the database with the marks beside it, and with
// what relying parties see.
type doctorRevocationCmd struct {
	databaseFlags
	vaultFlags

	Certificate []string `help:"Look at this certificate too, PEM." placeholder:"FILE"`
	Resolve     string   `help:"Where the public door is, when the name in the certificates is not known here." env:"SCEAU_RESOLVE" placeholder:"HOST:PORT"`

	Repair bool   `help:"Bring back revocations, serials and numbers from the newest published lists. Two security officers give the same command."`
	Lists  string `help:"Where they are: a folder with {issuer}/{shard}.crl, as the public door keeps it, or the address of that door." placeholder:"FOLDER|URL"`
	As     string `help:"Login of the security officer." placeholder:"LOGIN"`
	Issuer string `help:"One CA; else all that stand below their marks."`
	Older  bool   `help:"Take lists that are older than the marks: what the missing ones said is lost, and their numbers are left out."`
}

// Run looks, or repairs.
func (c doctorRevocationCmd) Run(w *world) error {
	if c.Repair && (c.Lists == "" || c.As == "") {
		return fmt.Errorf("%w: to repair, give --lists and --as", errUsage)
	}
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	if !c.Repair {
		seen, err := c.lookOutside(w, h)
		if err != nil {
			return err
		}
		return show(w, append([]examination{marks(w, h, vault)}, seen...))
	}
	by, err := staff(w, h, c.As, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	behind, err := h.Restored(w.ctx, vault)
	if err != nil {
		return err
	}
	issuers := map[string]bool{}
	for _, b := range behind {
		issuers[b.Issuer] = c.Issuer == "" || c.Issuer == b.Issuer
	}
	done := 0
	for issuer, chosen := range issuers {
		if !chosen {
			continue
		}
		done++
		repair, err := h.Repair(w.ctx, by, vault, issuer, c.Lists, c.Older)
		if err != nil {
			return err
		}
		if err := c.tell(w, issuer, repair); err != nil {
			return err
		}
	}
	if done == 0 {
		_, err = fmt.Fprintln(w.out, "no list stands below its mark: there is nothing to repair")
	}
	return err
}

// lookOutside looks at what relying parties see.
func (c doctorRevocationCmd) lookOutside(w *world, h *house.House) ([]examination, error) {
	o := house.Watch{Resolve: c.Resolve}
	for _, file := range c.Certificate {
		certificate, err := house.ReadCertificate(file)
		if err != nil {
			return nil, fmt.Errorf("--certificate: %w", err)
		}
		o.Certificates = append(o.Certificates, certificate)
	}
	sights, err := h.LookAtRevocation(w.ctx, o)
	if err != nil {
		return nil, err
	}
	table := make([]examination, len(sights))
	for i, s := range sights {
		table[i] = examination{what: s.What, found: s.Found, err: s.Err}
	}
	return table, nil
}

func (c doctorRevocationCmd) tell(w *world, issuer string, r issuance.Repair) error {
	for _, s := range r.Shards {
		_, err := fmt.Fprintf(w.out, "%s/%d: list %d, mark %d: %d entries are known, %d revocations come back, %d serials that nobody knows any more are recorded as revoked, %d are revoked here alone and stay so\n",
			issuer, s.Shard, s.Number, s.Mark.Number, s.Same, s.BroughtBack, s.Lost, s.OnlyHere)
		if err != nil {
			return fmt.Errorf("tell the repair: %w", err)
		}
	}
	word := "proposed by " + r.Proposer + ": another security officer gives this command within a day"
	if r.Done {
		word = "repaired, proposed by " + r.Proposer + ", agreed by " + c.As + ": lists are published again"
	}
	_, err := fmt.Fprintln(w.out, word)
	return err
}

// marks tells whether the database stands below what was published.
func marks(w *world, h *house.House, vault *hsm.Client) examination {
	e := examination{what: "marks of lists", found: "no database was restored to an earlier day"}
	restored, err := h.Restored(w.ctx, vault)
	errs := []error{err}
	for _, r := range restored {
		errs = append(errs, r)
	}
	e.err = errors.Join(errs...)
	return e.unlessForbidden()
}
