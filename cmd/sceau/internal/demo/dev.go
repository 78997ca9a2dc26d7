package demo

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"sceau/cmd/sceau/internal/house"
	"sceau/lifecycle"
)

// devFile is dev.json: where everything is while the doors are open.
type devFile struct {
	API        string      `json:"api"`
	Terminals  string      `json:"terminals"`
	Public     string      `json:"public"`
	Holder     string      `json:"holder"`
	HolderCA   string      `json:"holder_ca"` // file: vouches for the door for holders
	APIKey     string      `json:"api_key"`
	Database   string      `json:"database"`
	Vault      string      `json:"vault"`
	VaultToken string      `json:"vault_token"`
	Staff      []devStaff  `json:"staff"`
	Holders    []devHolder `json:"holders"`
}

type devStaff struct {
	Login string           `json:"login"`
	Name  string           `json:"name"`
	Role  lifecycle.Role   `json:"role"`
	Roles []lifecycle.Role `json:"roles"`
}

type devHolder struct {
	ClientID   string `json:"client_id"`
	UserNumber string `json:"user_number"`
	Language   string `json:"language"`
	Name       string `json:"name"`
}

// stayOpen keeps doors and workers until ctx ends, and says where they are.
func (d *demonstration) stayOpen(ctx context.Context) error {
	if err := d.stopWorkers(ctx); err != nil {
		return err
	}
	if err := d.startWorkers(ctx, true); err != nil { // from here on things happen by themselves
		return err
	}
	path := filepath.Join(d.options.Dir, "dev.json")
	if err := d.writeDev(ctx, path); err != nil {
		return err
	}
	defer func() {
		if err := os.Remove(path); err != nil {
			d.options.Logger.WarnContext(ctx, "dev.json", slog.String("error", err.Error()))
		}
	}()
	d.screen.note("API      %s", d.doors.api)
	d.screen.note("terminals %s", d.doors.terminals)
	d.screen.note("public   %s/crl/%s/0.crl  %s/ocsp", d.doors.public, house.IssuingID, d.doors.public)
	d.screen.note("holders  %s", d.doors.holder)
	d.screen.note("mail      %s", d.mailTray())
	d.screen.note("more     %s", path)
	d.screen.step("doors open: end with Ctrl-C")
	<-ctx.Done()
	d.screen.step("closing")
	return nil
}

func (d *demonstration) writeDev(ctx context.Context, path string) error {
	holders, err := d.house.Service.Holders(ctx)
	if err != nil {
		return err
	}
	f := devFile{
		API: d.doors.api, Terminals: d.doors.terminals, Public: d.doors.public, Holder: d.doors.holder, HolderCA: d.holderDoorFile(), APIKey: d.bankKey, Database: d.databaseURL, Vault: d.env.VaultAddr,
		VaultToken: d.env.VaultRootToken,
	}
	for _, p := range d.bank.Staff {
		f.Staff = append(f.Staff, devStaff{Login: p.Login, Name: p.Name, Role: p.Roles[0], Roles: p.Roles})
	}
	for _, h := range holders {
		f.Holders = append(f.Holders, devHolder{ClientID: h.ClientID, UserNumber: h.UserNumber, Language: h.Language, Name: h.GivenName + " " + h.Surname})
	}
	return writeJSON(path, f)
}
