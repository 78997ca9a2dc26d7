//go:build !pkcs11

package main

import (
	"context"
	"fmt"

	"sceau/lifecycle"
)

// openTokenKey refuses: this binary has no cgo.
func openTokenKey(context.Context, common) (holderKey, error) {
	return nil, fmt.Errorf("%w: this sceau-enroll speaks no PKCS #11: use one made by `make build-pkcs11`", lifecycle.Invalid)
}
