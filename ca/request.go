package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sceau/certprofile"
	"sceau/lifecycle"
)

// MaxRequestSize bounds a certificate request, in bytes, PEM or DER.
const MaxRequestSize = 16 << 10

// Request is a certificate request whose signature was verified: its sender
// holds the private key. Only its public key can reach a certificate.
type Request struct {
	key     crypto.PublicKey
	spki    [32]byte
	subject []attribute
}

// ParseRequest reads a PKCS#10 request (RFC 2986) in PEM or DER, verifies its
// signature (proof of possession) and judges its key: P-256, P-384, or RSA of
// 3072 to 8192 bits that no known weakness affects. Errors are
// *[lifecycle.FieldError] with a field that starts with "csr".
func ParseRequest(csr []byte) (*Request, error) {
	if len(csr) == 0 {
		return nil, &lifecycle.FieldError{Field: "csr", Why: "is empty: send a PKCS#10 request in PEM or DER"}
	}
	if len(csr) > MaxRequestSize {
		return nil, &lifecycle.FieldError{Field: "csr", Why: "is longer than 16 KiB"}
	}
	der, err := requestDER(csr)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, &lifecycle.FieldError{Field: "csr", Why: "is not a PKCS#10 request with a P-256, P-384 or RSA key"}
	}
	if why := weakKey(parsed.PublicKey); why != "" {
		return nil, &lifecycle.FieldError{Field: "csr.key", Why: why}
	}
	if !slices.Contains(proofAlgorithms, parsed.SignatureAlgorithm) {
		return nil, &lifecycle.FieldError{Field: "csr.signature", Why: "is made with an algorithm that is not accepted: use SHA-256, SHA-384 or SHA-512"}
	}
	if err := parsed.CheckSignature(); err != nil {
		return nil, &lifecycle.FieldError{Field: "csr.signature", Why: "does not verify with the request's key: make the request again on the device that holds the key"}
	}
	spki, err := spkiHash(parsed.PublicKey)
	if err != nil {
		return nil, &lifecycle.FieldError{Field: "csr.key", Why: "cannot be encoded"}
	}
	r := &Request{key: parsed.PublicKey, spki: spki}
	for _, a := range parsed.Subject.Names {
		value, ok := a.Value.(string)
		if !ok {
			return nil, &lifecycle.FieldError{Field: "csr.subject", Why: "has an attribute that is not text"}
		}
		r.subject = append(r.subject, attribute{a.Type.String(), value})
	}
	return r, nil
}

// proofAlgorithms are the signatures taken as proof of possession. SHA-1 is
// not: crypto/x509 would still accept it in a request.
var proofAlgorithms = []x509.SignatureAlgorithm{
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
}

// requestDER takes DER as it is and unwraps exactly one PEM block.
func requestDER(csr []byte) ([]byte, error) {
	if csr[0] == 0x30 {
		return csr, nil
	}
	block, rest := pem.Decode(csr)
	if block == nil || (block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST") {
		return nil, &lifecycle.FieldError{Field: "csr", Why: "is neither DER nor a PEM block of type CERTIFICATE REQUEST"}
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, &lifecycle.FieldError{Field: "csr", Why: "has something after its PEM block: send one request alone"}
	}
	return block.Bytes, nil
}

// SPKIHash is the SHA-256 of the request's SubjectPublicKeyInfo: a key that was
// certified before is not certified again (RGS A2 IV.6).
func (r *Request) SPKIHash() [32]byte { return r.spki }

// PublicKey is the key that the sender proved to hold.
func (r *Request) PublicKey() crypto.PublicKey { return r.key }

// CheckKey refuses a key of a kind that the profile does not take. The error is a
// *[lifecycle.FieldError].
func (r *Request) CheckKey(p Profile) error {
	var kind certprofile.KeyKind
	switch key := r.key.(type) {
	case *rsa.PublicKey:
		kind = certprofile.RSA
	case *ecdsa.PublicKey:
		kind = certprofile.KeyKind(key.Curve.Params().Name)
	}
	if !slices.Contains(p.Keys, kind) {
		return &lifecycle.FieldError{Field: "csr.key", Why: fmt.Sprintf("is %s; for this certificate make one of %v", kind, p.Keys)}
	}
	return nil
}

// CheckSubject refuses a request that names somebody else than the approved
// subject: a foreign CN, O or C. An empty subject is fine, and every other
// attribute is ignored: nothing of it reaches the certificate. The error is a
// *[lifecycle.FieldError].
func (r *Request) CheckSubject(s Subject) error {
	for _, a := range r.subject {
		switch a.oid {
		case oidCommonName:
			if !sameName(a.value, s.CommonName()) && !sameName(a.value, strings.TrimPrefix(s.CommonName(), s.prefix())) {
				return &lifecycle.FieldError{Field: "csr.common_name", Why: "names somebody else than the order: leave it empty or use the name that was ordered"}
			}
		case oidOrganization:
			if !sameName(a.value, s.Organization) {
				return &lifecycle.FieldError{Field: "csr.organization", Why: "names another organisation than the order: leave it empty or use the order's"}
			}
		case oidCountry:
			if !sameName(a.value, s.Country) {
				return &lifecycle.FieldError{Field: "csr.country", Why: "names another country than the order: leave it empty or use the order's"}
			}
		}
	}
	return nil
}

// sameName compares names as a person does: case, composition and runs of
// spaces do not matter.
func sameName(a, b string) bool {
	fold := func(s string) string { return strings.Join(strings.Fields(norm.NFKC.String(s)), " ") }
	return strings.EqualFold(fold(a), fold(b))
}
