// Package passkey checks what a browser brings from a passkey (W3C WebAuthn): that it
// was made for this relying party, and that it signed the challenge after its user
// showed who they are by code, face or finger.
//
// It never does I/O, keeps nothing, and asks no maker's word about a passkey
// (attestation none). Data runs in as JSON that a browser made, and out as checked
// values.
package passkey

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"sceau/lifecycle"
)

// MaxResponse bounds what a browser brings, in octets.
const MaxResponse = 16 << 10

// RelyingParty is for whom passkeys are made: the bank's domain, and the origins of
// its pages.
type RelyingParty struct {
	ID      string // "bank.example": passkeys are bound to it for ever
	Name    string
	Origins []string // "https://online.bank.example"
}

// Check tells what is wrong with it.
func (r RelyingParty) Check() error {
	var errs lifecycle.FieldErrors
	if r.ID == "" || strings.ContainsAny(r.ID, ":/ ") {
		errs.Add("passkey domain", "is the bank's domain, without scheme and port")
	}
	if len(r.Origins) == 0 {
		errs.Add("passkey origins", "name the origins of the pages that use passkeys")
	}
	for _, o := range r.Origins {
		u, err := url.Parse(o)
		local := err == nil && u.Hostname() == "localhost" && u.Scheme == "http"
		if err != nil || (u.Scheme != "https" && !local) || u.Path != "" || (u.Hostname() != r.ID && !strings.HasSuffix(u.Hostname(), "."+r.ID)) {
			errs.Add("passkey origins", "each is https://host, of the domain or below it")
		}
	}
	return errs.Err()
}

// Credential is a passkey that was made.
type Credential struct {
	ID         []byte
	PublicKey  []byte // COSE
	SignCount  uint32
	AAGUID     []byte
	BackedUp   bool // it can be on several devices
	Transports []string
}

// algorithms are those of keys: ECDSA with P-256, EdDSA, RSA.
func algorithms() []protocol.CredentialParameter {
	var list []protocol.CredentialParameter
	for _, a := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		list = append(list, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	return list
}

// Made checks that a passkey was made for the challenge.
func (r RelyingParty) Made(challenge [32]byte, response []byte) (Credential, error) {
	if len(response) > MaxResponse {
		return Credential{}, refused("is too long")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return Credential{}, refused("is no answer of navigator.credentials.create, as JSON")
	}
	if _, err := parsed.Verify(b64(challenge[:]), r.ID, r.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, nil,
		algorithms(), protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return Credential{}, refused("was not made for this registration, on a page of the bank, with its user verified")
	}
	data := parsed.Response.AttestationObject.AuthData
	c := Credential{
		ID: data.AttData.CredentialID, PublicKey: data.AttData.CredentialPublicKey, SignCount: data.Counter, AAGUID: data.AttData.AAGUID,
		BackedUp: data.Flags.HasBackupEligible(),
	}
	for _, t := range parsed.Response.Transports {
		if known := []string{"usb", "nfc", "ble", "smart-card", "hybrid", "internal"}; slices.Contains(known, string(t)) && !slices.Contains(c.Transports, string(t)) {
			c.Transports = append(c.Transports, string(t))
		}
	}
	return c, nil
}

// Assertion is what a passkey signed, not checked yet.
type Assertion struct {
	CredentialID []byte
	UserHandle   []byte // nil: the passkey said none
	parsed       *protocol.ParsedCredentialAssertionData
}

// ParseAssertion reads what a browser brings.
func ParseAssertion(response []byte) (Assertion, error) {
	wrong := &lifecycle.FieldError{Field: "passkey", Why: "is no answer of navigator.credentials.get, as JSON"}
	if len(response) == 0 || len(response) > MaxResponse {
		return Assertion{}, wrong
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Assertion{}, wrong
	}
	return Assertion{CredentialID: parsed.RawID, UserHandle: parsed.Response.UserHandle, parsed: parsed}, nil
}

// Signed tells whether the passkey of the public key signed the challenge on a page of
// the bank, with its user verified, and gives its count. backedUp says whether it was
// made as one that can be on several devices: that never changes.
func (r RelyingParty) Signed(a Assertion, challenge [32]byte, publicKey []byte, backedUp bool) (uint32, error) {
	err := a.parsed.Verify(b64(challenge[:]), r.ID, "", r.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, publicKey,
		protocol.SignaturePolicy{})
	data := a.parsed.Response.AuthenticatorData
	if err != nil || data.Flags.HasBackupEligible() != backedUp {
		return 0, fmt.Errorf("%w: the passkey did not sign this", lifecycle.Forbidden)
	}
	return data.Counter, nil
}

// Is tells whether the passkey names its user so, or does not name them.
func (a Assertion) Is(handle []byte) bool {
	return len(a.UserHandle) == 0 || bytes.Equal(a.UserHandle, handle)
}

func refused(why string) error { return &lifecycle.FieldError{Field: "passkey", Why: why} }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
