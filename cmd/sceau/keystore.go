package main

import (
	"context"
	"fmt"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
)

// Where CA and OCSP keys can be.
const (
	inVault  = "vault"
	inModule = "pkcs11"
)

// keystoreFlags say where CA and OCSP keys are. Card keys stay in the card
// engine.
type keystoreFlags struct {
	Keystore      string `help:"Where CA and OCSP keys are: vault, or pkcs11 for a module of your own." enum:"vault,pkcs11" default:"vault" env:"SCEAU_KEYSTORE"`
	PKCS11Module  string `name:"pkcs11-module" help:"The module's shared library." env:"SCEAU_PKCS11_MODULE" placeholder:"FILE"`
	PKCS11Token   string `name:"pkcs11-token" help:"Label of the token with the online keys." env:"SCEAU_PKCS11_TOKEN" placeholder:"LABEL"`
	PKCS11PINFile string `name:"pkcs11-pin-file" help:"File with the token's user PIN, mode 0600." env:"SCEAU_PKCS11_PIN_FILE" placeholder:"FILE"`
}

// rootKeystoreFlags say where the root's key is, for the ceremony.
type rootKeystoreFlags struct {
	AdminTokenFile    string `help:"File with an administrator's Vault token: it opens the root's mount for the minutes of the root's acts, and cleans up after a rehearsal." env:"SCEAU_ADMIN_TOKEN_FILE" placeholder:"FILE"`
	PKCS11RootToken   string `name:"pkcs11-root-token" help:"Label of the token with the root's key." env:"SCEAU_PKCS11_ROOT_TOKEN" placeholder:"LABEL"`
	PKCS11RootPINFile string `name:"pkcs11-root-pin-file" help:"File with its user PIN, mode 0600." env:"SCEAU_PKCS11_ROOT_PIN_FILE" placeholder:"FILE"`
}

// store is where the online keys are: Vault, whose client the caller closes, or
// a module.
func (f keystoreFlags) store(ctx context.Context, vault *hsm.Client) (store hsm.Keystore, closeIt func(), err error) {
	if f.Keystore != inModule {
		return vault, func() {}, nil
	}
	return openModule(ctx, f.PKCS11Module, f.PKCS11Token, f.PKCS11PINFile)
}

// root is how the root's key is opened for its acts, in the same kind of store.
// admin is nil where the store is a module.
func (f rootKeystoreFlags) root(ctx context.Context, online keystoreFlags, ceremony *hsm.Client, officer string) (open house.RootOpener, admin *hsm.Client, err error) {
	if online.Keystore == inModule {
		return func(ctx context.Context) (hsm.Keystore, house.RootCloser, error) {
			store, closeIt, err := openModule(ctx, online.PKCS11Module, f.PKCS11RootToken, f.PKCS11RootPINFile)
			return store, func(context.Context) (string, error) { closeIt(); return "", nil }, err
		}, nil, nil
	}
	if f.AdminTokenFile == "" {
		return nil, nil, fmt.Errorf("%w: who opens the root's mount? give --admin-token-file FILE", errUsage)
	}
	if admin, err = ceremony.Beside(ctx, f.AdminTokenFile); err != nil {
		return nil, nil, err
	}
	return house.VaultRoot(admin, ceremony, officer), admin, nil
}
