// Package statement makes and checks what the house states to relying services: a
// JSON Web Signature (RFC 7515) over claims, by a key that an issuing CA of the
// house certified, and the set of those keys (RFC 7517) by which anybody checks one.
//
// It never does I/O, knows a clock, or decides what is stated. Data runs in as
// claims, certificates and a crypto.Signer, and out as text.
package statement

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"sceau/lifecycle"
)

// Type is the header by which a statement is told from other tokens (RFC 8725 §3.11).
const Type = "sceau-statement+jwt"

// MaxLength bounds a statement that is checked, in octets.
const MaxLength = 64 << 10

// KeyID is the thumbprint of a certificate's key (RFC 7638), by which a statement
// names its key.
func KeyID(certificate *x509.Certificate) (string, error) {
	key := jose.JSONWebKey{Key: certificate.PublicKey}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("%w: name the key of a statement: %w", lifecycle.Invalid, err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Sign makes the statement of the claims, JSON, in the compact form, by ES256.
func Sign(claims []byte, certificate *x509.Certificate, signer crypto.Signer) (string, error) {
	if _, ok := certificate.PublicKey.(*ecdsa.PublicKey); !ok || !json.Valid(claims) {
		return "", fmt.Errorf("%w: a statement is of JSON, signed by an ECDSA key", lifecycle.Invalid)
	}
	id, err := KeyID(certificate)
	if err != nil {
		return "", err
	}
	how := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{KeyID: id, Key: cryptosigner.Opaque(signer)}}
	jws, err := jose.NewSigner(how, (&jose.SignerOptions{}).WithType(Type))
	if err != nil {
		return "", fmt.Errorf("sign a statement: %w", err)
	}
	signed, err := jws.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign a statement: %w", err)
	}
	return signed.CompactSerialize()
}

// KeySet is the set of the certificates' keys, each with its certificate (x5c), the
// newest first as they came.
func KeySet(certificates []*x509.Certificate) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, c := range certificates {
		id, err := KeyID(c)
		if err != nil {
			return nil, err
		}
		if len(set.Key(id)) > 0 {
			continue // certified again: one key, its newest certificate
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: c.PublicKey, KeyID: id, Algorithm: string(jose.ES256), Use: "sig", Certificates: []*x509.Certificate{c},
		})
	}
	text, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("write the key set: %w", err)
	}
	return text, nil
}

// Check gives the claims of a statement that a key of the set signed. Whatever else
// it is given is [lifecycle.Invalid]. Whether the claims are about what the caller
// asked is the caller's to see.
func Check(text string, set []byte) ([]byte, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("%w: the statement is too long", lifecycle.Invalid)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(set, &keys); err != nil {
		return nil, fmt.Errorf("%w: the key set cannot be read: %w", lifecycle.Invalid, err)
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("%w: the statement cannot be read: %w", lifecycle.Invalid, err)
	}
	header := signed.Signatures[0].Protected
	found := keys.Key(header.KeyID)
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); kind != Type || header.KeyID == "" || len(found) != 1 {
		return nil, fmt.Errorf("%w: no key of the set signs such a statement", lifecycle.Invalid)
	}
	claims, err := signed.Verify(found[0].Key)
	if err != nil {
		return nil, fmt.Errorf("%w: the statement was changed, or another key signed it", lifecycle.Invalid)
	}
	return claims, nil
}
