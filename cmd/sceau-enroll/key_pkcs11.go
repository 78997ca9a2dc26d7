//go:build pkcs11

package main

import (
	"context"
	"crypto"
	"crypto/x509"

	"sceau/hsm"
	"sceau/hsm/pkcs11"
)

// tokenKey is a key that was made on a token and stays there.
type tokenKey struct {
	crypto.Signer

	token *pkcs11.Token
	name  string
	is    device
}

func (k tokenKey) Device() *device { return &k.is }
func (k tokenKey) Close()          { k.token.Close() }

func (k tokenKey) Keep(ctx context.Context, certificate *x509.Certificate) error {
	return k.token.KeepCertificate(ctx, k.name, certificate)
}

// openTokenKey finds the key of an earlier run on the token, or makes one.
func openTokenKey(ctx context.Context, c common) (holderKey, error) {
	token, err := pkcs11.Open(ctx, pkcs11.Config{Module: c.PKCS11Module, Token: c.TokenLabel, PINFile: c.PINFile})
	if err != nil {
		return nil, err
	}
	key, err := c.onToken(ctx, token)
	if err != nil {
		token.Close()
		return nil, err
	}
	return key, nil
}

func (c common) onToken(ctx context.Context, token *pkcs11.Token) (holderKey, error) {
	algorithm := hsm.P256
	if c.RSA {
		algorithm = hsm.RSA3072
	}
	if !c.existing {
		if err := token.CreateSigningKey(ctx, c.keyName(), algorithm); err != nil {
			return nil, err
		}
	}
	key, err := token.SigningKey(ctx, c.keyName(), 1)
	if err != nil {
		return nil, err
	}
	is, err := token.Identity(ctx)
	return tokenKey{Signer: key.Signer(ctx), token: token, name: c.keyName(), is: device(is)}, err
}
