//go:build !pkcs11

package main

import (
	"strings"
	"testing"
)

func TestABinaryWithoutPKCS11SaysHowToGetOne(t *testing.T) {
	t.Parallel()
	_, _, err := keystoreFlags{Keystore: inModule}.store(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "make build-pkcs11") || exitCode(err) != 2 {
		t.Errorf("it says: %v", err)
	}
}
