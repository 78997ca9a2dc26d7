package main

import (
	"fmt"

	"sceau/hsm"
)

// vaultCmd prepares Vault, with an administrator's token.
type vaultCmd struct {
	Setup vaultSetupCmd `cmd:"" help:"Make mounts, card engine, policies and roles that are missing; an upgrade runs it again."`
	Token vaultTokenCmd `cmd:"" help:"Make a token for one person or process of a role; it is shown once."`
}

type vaultSetupCmd struct {
	vaultFlags

	Plugin      string `help:"The card engine's program in the server's plugin folder: it is registered by its SHA-256, and mounted." type:"existingfile" placeholder:"FILE"`
	Credentials string `help:"Folder for each service's role ID and secret ID, mode 0600." type:"existingdir" placeholder:"DIR"`
}

// Run prepares Vault. What is there stays.
func (c vaultSetupCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) }
	warnings, err := vault.SetUp(w.ctx, hsm.Setup{Plugin: c.Plugin, Say: say})
	for _, warning := range warnings {
		_, _ = fmt.Fprintf(w.logs, "\n*** WARNING: %s ***\n\n", warning)
	}
	if err != nil || c.Credentials == "" {
		return err
	}
	for _, role := range hsm.Services() {
		files, err := vault.Credentials(w.ctx, role, c.Credentials)
		if err != nil {
			return err
		}
		say("%s: %s %s", role, files.RoleIDFile, files.SecretIDFile)
	}
	return nil
}

type vaultTokenCmd struct {
	vaultFlags

	Role hsm.Role `help:"ceremony, root-ceremony or auditor for people; office, worker, pin-letter, api or ocsp for processes." required:"" placeholder:"ROLE"`
	For  string   `help:"Whom the token is for, as Vault's audit log and the card engine's journal show it: one name for one person." required:"" placeholder:"NAME"`
}

// Run makes the token.
func (c vaultTokenCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	token, err := vault.NewToken(w.ctx, c.Role, c.For)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, token)
	return err
}
