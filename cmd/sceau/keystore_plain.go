//go:build !pkcs11

package main

import (
	"context"
	"fmt"

	"sceau/hsm"
)

// openModule refuses: this binary has no cgo.
func openModule(context.Context, string, string, string) (hsm.Keystore, func(), error) {
	return nil, nil, fmt.Errorf("%w: this sceau speaks no PKCS #11: use one made by `make build-pkcs11`", errUsage)
}
