package ca

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // identifiers of RFC 6960 §4.1.1 and §4.2.1, no security rests on it
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// OCSPState is what an answer says about a certificate. Its zero value is
// unknown: a status that nobody filled in is never good.
type OCSPState uint8

// The states (RFC 6960 §2.2).
const (
	StateUnknown OCSPState = iota // never issued here
	StateGood
	StateRevoked
	// StateNeverIssued is a serial that this issuer never reserved: answered
	// revoked since 1970, on hold, with extended-revoke (§2.2, §4.4.8). Whoever
	// forged a certificate may not pass by a client that takes unknown for good.
	StateNeverIssued
)

// Status is what is known about a certificate.
type Status struct {
	State          OCSPState
	RevokedAt      time.Time                  // of a revoked one, whole seconds
	Reason         lifecycle.RevocationReason // of a revoked one; unspecified is left out
	InvalidityDate time.Time                  // of a revoked one; zero: none
}

// OCSPError is the responseStatus of an answer that is not one.
type OCSPError uint8

// The error answers (RFC 6960 §4.2.1).
const (
	OCSPMalformed    OCSPError = 1
	OCSPInternal     OCSPError = 2
	OCSPTryLater     OCSPError = 3
	OCSPUnauthorized OCSPError = 6 // this responder does not speak for that issuer (RFC 5019 §2.2.3)
)

// ErrorResponse is the unsigned answer for an error, in DER.
func ErrorResponse(e OCSPError) []byte {
	return []byte{tagSequence, 3, tagEnumerated, 1, byte(e)}
}

// Responder speaks for one issuer with a delegated key (RFC 6960 §4.2.2.2).
// It is read only once made, hence safe for concurrent use.
type Responder struct {
	issuer      *x509.Certificate
	certificate *x509.Certificate
	lifetime    time.Duration
	ids         [2]issuerHash // SHA-1, SHA-256
	responderID []byte        // byKey [2], DER
	certs       []byte        // certs [0], DER
	cutoff      []byte        // the archive cutoff as an Extension, DER
	usual       []byte        // how the usual request begins: see Usual
}

type issuerHash struct {
	hash      crypto.Hash
	name, key []byte
	prefix    []byte // AlgorithmIdentifier and the two hashes, DER
}

// NewResponder checks that the issuer delegated to the responder's certificate:
// signed by the issuer itself, OCSPSigning, digitalSignature, no CA, with
// id-pkix-ocsp-nocheck. Answers live for the given time, one minute to a week.
func NewResponder(issuer, certificate *x509.Certificate, lifetime time.Duration) (*Responder, error) {
	if err := certificate.CheckSignatureFrom(issuer); err != nil {
		return nil, fmt.Errorf("%w: the OCSP responder's certificate is not its issuer's: %w", lifecycle.Invalid, err)
	}
	noCheck := slices.ContainsFunc(certificate.Extensions, func(e pkix.Extension) bool { return e.Id.String() == oidOCSPNoCheck })
	if !slices.Contains(certificate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) || !noCheck ||
		certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0 || certificate.IsCA {
		return nil, fmt.Errorf("%w: the OCSP responder's certificate is not a delegated responder's", lifecycle.Invalid)
	}
	if lifetime < time.Minute || lifetime > 7*24*time.Hour {
		return nil, fmt.Errorf("%w: an OCSP answer lives one minute to seven days", lifecycle.Invalid)
	}
	issuerKey, err := subjectPublicKey(issuer.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	ownKey, err := subjectPublicKey(certificate.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	r := &Responder{issuer: issuer, certificate: certificate, lifetime: lifetime, cutoff: archiveCutoff(issuer.NotBefore)}
	name1, key1 := sha1.Sum(issuer.RawSubject), sha1.Sum(issuerKey)
	name2, key2 := sha256.Sum256(issuer.RawSubject), sha256.Sum256(issuerKey)
	r.ids = [2]issuerHash{
		newIssuerHash(crypto.SHA1, derSHA1, name1[:], key1[:]),
		newIssuerHash(crypto.SHA256, derSHA256, name2[:], key2[:]),
	}
	own := sha1.Sum(ownKey)
	r.responderID = append([]byte{0xa2, 22, tagOctetString, 20}, own[:]...)
	list := append(appendHeader(nil, tagSequence, len(certificate.Raw)), certificate.Raw...)
	r.certs = append(appendHeader(nil, 0xa0, len(list)), list...)
	r.usual, err = r.beginningOfUsual()
	return r, err
}

// archiveCutoff is the extension that says since when statuses are kept, also
// of certificates that have expired: as long as the issuer has been (§4.4.4;
// ETSI EN 319 411-2 CSS-6.3.10). None is ever forgotten.
func archiveCutoff(since time.Time) []byte {
	var b cryptobyte.Builder
	addExtension(&b, derArchiveCutoff, false, appendGeneralized(nil, since))
	return b.BytesOrPanic() // constants and a time, no error possible
}

func newIssuerHash(hash crypto.Hash, oid, name, key []byte) issuerHash {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(oid) })
		b.AddASN1NULL()
	})
	b.AddASN1OctetString(name)
	b.AddASN1OctetString(key)
	return issuerHash{hash: hash, name: bytes.Clone(name), key: bytes.Clone(key), prefix: b.BytesOrPanic()} // constants, no error possible
}

// Certificate is the responder's own certificate.
func (r *Responder) Certificate() *x509.Certificate { return r.certificate }

// Covers tells whether the CertID names a certificate of this responder's
// issuer, by name and by key.
func (r *Responder) Covers(id CertID) bool {
	for _, own := range r.ids {
		if own.hash == id.Hash {
			return bytes.Equal(own.name, id.NameHash) && bytes.Equal(own.key, id.KeyHash)
		}
	}
	return false
}

// Request makes the request for one certificate, as most clients send it, to
// sign its answer ahead. hash is SHA-1 (RFC 5019 clients) or SHA-256
// (RFC 9919 clients).
func (r *Responder) Request(serial lifecycle.Serial, hash crypto.Hash) (*OCSPRequest, error) {
	for _, own := range r.ids {
		if own.hash != hash {
			continue
		}
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(own.prefix)
			b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(minimal(serial[:])) })
		})
		element, err := b.Bytes()
		if err != nil {
			return nil, fmt.Errorf("make OCSP request: %w", err)
		}
		id := CertID{raw: element}
		if !id.read(element) || len(id.Serial) == 0 {
			return nil, fmt.Errorf("%w: serial %s is not positive", lifecycle.Invalid, serial)
		}
		return &OCSPRequest{IDs: []CertID{id}}, nil
	}
	return nil, fmt.Errorf("%w: OCSP requests use SHA-1 or SHA-256", lifecycle.Invalid)
}

// Answer is a signed OCSP answer.
type Answer struct {
	DER        []byte
	ThisUpdate time.Time
	NextUpdate time.Time
}

// Answer signs the answer to a request: statuses[n] is about req.IDs[n]. A
// CertID of another issuer is answered unknown whatever its status says; a
// request with none of this issuer's is refused with [lifecycle.Forbidden],
// for [OCSPUnauthorized]. The request's nonce is repeated octet for octet.
// Outside the responder certificate's validity nothing is signed.
func (r *Responder) Answer(req *OCSPRequest, statuses []Status, now time.Time, signer crypto.Signer) (Answer, error) {
	if len(req.IDs) == 0 || len(statuses) != len(req.IDs) {
		return Answer{}, errors.New("answer OCSP request: one status for each certificate is needed")
	}
	if !slices.ContainsFunc(req.IDs, r.Covers) {
		return Answer{}, fmt.Errorf("%w: the OCSP request is about another issuer", lifecycle.Forbidden)
	}
	now, next, err := r.window(now)
	if err != nil {
		return Answer{}, err
	}
	tbs, err := r.responseData(req, statuses, now, next)
	if err != nil {
		return Answer{}, err
	}
	alg, _, signature, err := signBytes(signer, r.certificate.PublicKey, tbs)
	if err != nil {
		return Answer{}, fmt.Errorf("sign OCSP answer: %w", err)
	}
	return Answer{DER: r.wrap(tbs, alg.der, signature), ThisUpdate: now, NextUpdate: next}, nil
}

// window is from when until when an answer of now holds.
func (r *Responder) window(now time.Time) (from, until time.Time, err error) {
	from = now.UTC().Truncate(time.Second)
	if from.Before(r.certificate.NotBefore) || from.After(r.certificate.NotAfter) {
		return from, until, fmt.Errorf("%w: the OCSP responder's certificate is valid from %s to %s", lifecycle.Unavailable,
			r.certificate.NotBefore.Format(time.RFC3339), r.certificate.NotAfter.Format(time.RFC3339))
	}
	until = from.Add(r.lifetime).Truncate(time.Second)
	if until.After(r.certificate.NotAfter) {
		until = r.certificate.NotAfter
	}
	return from, until, nil
}

// responseData encodes ResponseData (RFC 6960 §4.2.1).
func (r *Responder) responseData(req *OCSPRequest, statuses []Status, now, next time.Time) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 512))
	var failed error
	neverIssued := false
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(r.responderID)
		b.AddBytes(appendGeneralized(nil, now)) // producedAt
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for n, id := range req.IDs {
				status := statuses[n]
				if !r.Covers(id) || len(id.Serial) == 0 {
					status = Status{}
				}
				neverIssued = neverIssued || status.State == StateNeverIssued
				if err := r.addSingle(b, id, status, now, next); err != nil && failed == nil {
					failed = err
				}
			}
		})
		if req.Nonce != nil || neverIssued {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					if req.Nonce != nil {
						addExtension(b, derOCSPNonce, false, append(appendHeader(nil, tagOctetString, len(req.Nonce)), req.Nonce...))
					}
					if neverIssued {
						addExtension(b, derExtendedRevoke, false, derNull)
					}
				})
			})
		}
	})
	der, err := b.Bytes()
	if err != nil || failed != nil {
		return nil, fmt.Errorf("encode OCSP answer: %w", errors.Join(err, failed))
	}
	return der, nil
}

// addSingle encodes one SingleResponse.
func (r *Responder) addSingle(b *cryptobyte.Builder, id CertID, s Status, now, next time.Time) error {
	if s.State == StateRevoked {
		if err := checkReason(s.Reason, false); err != nil {
			return err
		}
		if !encodable(s.RevokedAt) || !s.InvalidityDate.IsZero() && !encodable(s.InvalidityDate) {
			return fmt.Errorf("%w: a revoked status needs its time", lifecycle.Invalid)
		}
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(id.raw)
		switch s.State {
		case StateGood:
			b.AddBytes([]byte{0x80, 0})
		case StateRevoked:
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddBytes(appendGeneralized(nil, s.RevokedAt))
				if s.Reason != lifecycle.ReasonUnspecified {
					b.AddBytes([]byte{0xa0, 3, tagEnumerated, 1, byte(s.Reason)}) //nolint:gosec // G115: checkReason bounds it
				}
			})
		case StateNeverIssued:
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddBytes(appendGeneralized(nil, time.Unix(0, 0)))
				b.AddBytes([]byte{0xa0, 3, tagEnumerated, 1, byte(lifecycle.ReasonCertificateHold)})
			})
		default: // unknown
			b.AddBytes([]byte{0x82, 0})
		}
		b.AddBytes(appendGeneralized(nil, now))
		if s.State == StateNeverIssued {
			return // without nextUpdate: it may be issued in a second
		}
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(appendGeneralized(nil, next)) })
		b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(r.cutoff)
				if s.State == StateRevoked && !s.InvalidityDate.IsZero() { // §4.4.5
					addExtension(b, derInvalidityDate, false, appendGeneralized(nil, s.InvalidityDate))
				}
			})
		})
	})
	return nil
}

// wrap puts the signed data into OCSPResponse. Every length is known, so each
// octet is written once.
func (r *Responder) wrap(tbs, alg, signature []byte) []byte {
	bits := appendHeader(nil, tagBitString, len(signature)+1)
	basic := len(tbs) + len(alg) + len(bits) + 1 + len(signature) + len(r.certs)
	basicHead := appendHeader(nil, tagSequence, basic)
	octets := appendHeader(nil, tagOctetString, len(basicHead)+basic)
	oid := append([]byte{tagOID, byte(len(derOCSPBasic))}, derOCSPBasic...) //nolint:gosec // 9
	inner := len(oid) + len(octets) + len(basicHead) + basic
	innerHead := appendHeader(nil, tagSequence, inner)
	explicitHead := appendHeader(nil, 0xa0, len(innerHead)+inner)
	status := []byte{tagEnumerated, 1, 0}
	whole := len(status) + len(explicitHead) + len(innerHead) + inner

	out := appendHeader(make([]byte, 0, whole+maxHeader), tagSequence, whole)
	for _, part := range [][]byte{status, explicitHead, innerHead, oid, octets, basicHead, tbs, alg, bits, {0}, signature, r.certs} {
		out = append(out, part...)
	}
	return out
}
