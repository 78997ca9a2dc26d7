// Package passkeytest is a passkey in software with the browser around it, for tests
// of the rooms that judge passkeys. It signs whatever it is told to, in the wrong
// way too. It is for tests only: no room imports it outside its _test.go files.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// Passkey is one with its browser. Its fields are a test's to change.
type Passkey struct {
	ID         []byte
	Handle     []byte // of its user
	RPID       string // that it was made for
	Origin     string // of the page
	Count      uint32 // raised by each signature; 0 stays 0
	Unverified bool   // nobody showed who they are
	BackedUp   bool   // it can be on several devices
	Cross      bool   // the page is in another's frame

	key *ecdsa.PrivateKey
}

// New makes a passkey with a key of its own.
func New(rpID, origin string, handle []byte) (*Passkey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a passkey: %w", err)
	}
	p := &Passkey{ID: make([]byte, 20), Handle: handle, RPID: rpID, Origin: origin, key: key}
	_, _ = rand.Read(p.ID)
	return p, nil
}

const (
	present, verified, eligible, saved, attested = 1, 4, 8, 16, 64
	octets32                                     = 32
)

func (p *Passkey) data(attestation byte) []byte {
	flags := present | attestation
	if !p.Unverified {
		flags |= verified
	}
	if p.BackedUp {
		flags |= eligible | saved
	}
	sum := sha256.Sum256([]byte(p.RPID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), p.Count)
}

func (p *Passkey) client(kind string, challenge []byte) ([]byte, error) {
	return json.Marshal(map[string]any{"type": kind, "challenge": b64(challenge), "origin": p.Origin, "crossOrigin": p.Cross})
}

// Create is the browser's answer to navigator.credentials.create.
func (p *Passkey) Create(challenge []byte) ([]byte, error) {
	client, err := p.client("webauthn.create", challenge)
	if err != nil {
		return nil, err
	}
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("write a key: %w", err)
	}
	// COSE_Key (RFC 9053 §7.1.1): EC2, ES256, P-256, x, y.
	key := append([]byte{0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, octets32}, point[1:1+octets32]...)
	key = append(append(key, 0x22, 0x58, octets32), point[1+octets32:]...)
	data := append(p.data(attested), make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(p.ID)))
	data = append(append(data, p.ID...), key...)
	object := append([]byte("\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData\x58"), byte(len(data)))
	return json.Marshal(map[string]any{
		"id": b64(p.ID), "rawId": b64(p.ID), "type": "public-key",
		"response": map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(append(object, data...)), "transports": []string{"internal", "hybrid"}},
	})
}

// Sign is the browser's answer to navigator.credentials.get.
func (p *Passkey) Sign(challenge []byte) ([]byte, error) {
	client, err := p.client("webauthn.get", challenge)
	if err != nil {
		return nil, err
	}
	if p.Count > 0 {
		p.Count++
	}
	data, sum := p.data(0), sha256.Sum256(client)
	digest := sha256.Sum256(append(data, sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, p.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	response := map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
	if p.Handle != nil {
		response["userHandle"] = b64(p.Handle)
	}
	return json.Marshal(map[string]any{"id": b64(p.ID), "rawId": b64(p.ID), "type": "public-key", "response": response})
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
