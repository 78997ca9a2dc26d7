package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sceau/lifecycle"
)

// fileKey is a key in a file that its owner alone may read.
type fileKey struct{ crypto.Signer }

func (fileKey) Device() *device                               { return nil }
func (fileKey) Keep(context.Context, *x509.Certificate) error { return nil }
func (fileKey) Close()                                        {}

const keyBlock = "PRIVATE KEY" // PKCS #8

// readFileKey reads a key that was made before.
func readFileKey(folder, name string) (holderKey, error) {
	path := filepath.Join(folder, name+".key")
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != keyBlock {
		return nil, fmt.Errorf("%w: %s holds no key", lifecycle.Invalid, path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s holds no key", lifecycle.Invalid, path)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %s holds no key that signs", lifecycle.Invalid, path)
	}
	return fileKey{signer}, nil
}

// openFileKey reads the key of an earlier run, or makes one. It is on the disk
// before anything is asked for it.
func openFileKey(folder, name string, useRSA bool) (holderKey, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("%w: --out: %w", lifecycle.Invalid, err)
	}
	path := filepath.Join(folder, name+".key")
	if found, err := readFileKey(folder, name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	key, err := makeKey(useRSA)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	return fileKey{key}, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}))
}

func makeKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		const bits = 3072
		return rsa.GenerateKey(rand.Reader, bits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sceau-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
