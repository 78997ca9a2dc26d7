//go:build pkcs11

package main

import (
	"context"
	"fmt"

	"sceau/hsm"
	"sceau/hsm/pkcs11"
)

// openModule logs in to a token.
func openModule(ctx context.Context, module, label, pinFile string) (hsm.Keystore, func(), error) {
	token, err := pkcs11.Open(ctx, pkcs11.Config{Module: module, Token: label, PINFile: pinFile})
	if err != nil {
		return nil, nil, fmt.Errorf("--keystore pkcs11: %w", err)
	}
	return token, token.Close, nil
}
