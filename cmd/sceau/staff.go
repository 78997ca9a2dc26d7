package main

import (
	"fmt"
	"os"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
)

// staff is a member of staff in the first of the roles that they hold.
func staff(w *world, h *house.House, login string, roles ...lifecycle.Role) (lifecycle.Actor, error) {
	var last error
	for _, role := range roles {
		actor, err := h.Service.StaffActor(w.ctx, login, role)
		if err == nil {
			return actor, nil
		}
		last = err
	}
	return lifecycle.Actor{}, last
}

// asStaff is what a command takes that some members of staff may give.
type asStaff struct {
	databaseFlags

	As string `help:"Login of the member of staff who does it." required:""`
}

// do opens the house for a member of staff who has one of the roles.
func (c asStaff) do(w *world, roles []lifecycle.Role, work func(h *house.House, by lifecycle.Actor) error) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, roles...)
	if err != nil {
		return err
	}
	return work(h, by)
}

func openFile(path string) (*os.File, error) {
	f, err := os.Open(path) //nolint:gosec // named on the command line
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	return f, nil
}

// returnCmd takes a bureau's return file.
type returnCmd struct {
	databaseFlags

	File string `arg:"" help:"The return file." type:"existingfile"`
	As   string `help:"Login of the operator who takes it." required:""`
}

// Run takes the file; its reconciliation follows as a job.
func (c returnCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	const longest = 8 << 20
	content, err := readLimited(c.File, longest)
	if err != nil {
		return err
	}
	id, err := jobs.TakeReturn(w.ctx, h.Service, by, content)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "return file %s taken\n", id)
	return err
}
