package ca

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // identifiers of RFC 6960 §4.2.1, no security rests on it
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// maxOCSPAnswer bounds an answer that is read, in octets of DER.
const maxOCSPAnswer = 64 << 10

// errAnswer is the one answer to bytes that are no OCSP answer.
var errAnswer = errors.New("not a basic OCSP answer in DER")

// OCSPAnswer is an answer that was read, as a relying party does. Reading it
// verifies nothing.
type OCSPAnswer struct {
	Produced time.Time
	Nonce    []byte // nil: none
	Singles  []SingleAnswer

	tbs, algorithm, signature []byte
	responder                 []byte   // ResponderID, DER
	certificates              [][]byte // DER
}

// SingleAnswer is what an answer says of one certificate. A serial that was
// never issued is revoked, on hold, here: RFC 6960 §4.4.8 has no state for it.
type SingleAnswer struct {
	ID                     CertID
	Status                 Status
	ThisUpdate, NextUpdate time.Time // no NextUpdate: zero
}

// ReadOCSPAnswer reads a basic answer. One that says why there is none (try
// later, and others) is [lifecycle.Unavailable]; other bytes are
// [lifecycle.Invalid].
func ReadOCSPAnswer(der []byte) (*OCSPAnswer, error) {
	var whole, status, outer, inner, oid, octets, basic cryptobyte.String
	in := cryptobyte.String(der)
	if len(der) > maxOCSPAnswer || !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() ||
		!whole.ReadASN1(&status, cbasn1.ENUM) || len(status) != 1 {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, errAnswer)
	}
	if status[0] != 0 {
		return nil, fmt.Errorf("%w: the responder answers with error %d (RFC 6960 §4.2.1)", lifecycle.Unavailable, status[0])
	}
	a := &OCSPAnswer{}
	if !whole.ReadASN1(&outer, explicit(0)) || !whole.Empty() || !outer.ReadASN1(&inner, cbasn1.SEQUENCE) || !outer.Empty() ||
		!inner.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !bytes.Equal(oid, derOCSPBasic) ||
		!inner.ReadASN1(&octets, cbasn1.OCTET_STRING) || !inner.Empty() ||
		!octets.ReadASN1(&basic, cbasn1.SEQUENCE) || !octets.Empty() || !a.readBasic(basic) {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, errAnswer)
	}
	return a, nil
}

// readBasic reads BasicOCSPResponse.
func (a *OCSPAnswer) readBasic(basic cryptobyte.String) bool {
	var tbs, algorithm, wrapped, list cryptobyte.String
	var has bool
	if !basic.ReadASN1Element(&tbs, cbasn1.SEQUENCE) || !basic.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
		!basic.ReadASN1BitStringAsBytes(&a.signature) || !basic.ReadOptionalASN1(&wrapped, &has, explicit(0)) || !basic.Empty() {
		return false
	}
	a.tbs, a.algorithm = tbs, algorithm
	if has && (!wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return false
	}
	for !list.Empty() {
		var certificate cryptobyte.String
		if !list.ReadASN1Element(&certificate, cbasn1.SEQUENCE) {
			return false
		}
		a.certificates = append(a.certificates, certificate)
	}
	var data cryptobyte.String
	return tbs.ReadASN1(&data, cbasn1.SEQUENCE) && a.readData(data)
}

// readData reads ResponseData.
func (a *OCSPAnswer) readData(data cryptobyte.String) bool {
	var responder, list, wrapped, extensions cryptobyte.String
	var tag cbasn1.Tag
	var has bool
	if !readVersion(&data) || !data.ReadAnyASN1Element(&responder, &tag) || tag != explicit(1) && tag != explicit(2) ||
		!data.ReadASN1GeneralizedTime(&a.Produced) || !data.ReadASN1(&list, cbasn1.SEQUENCE) ||
		!data.ReadOptionalASN1(&wrapped, &has, explicit(1)) || !data.Empty() {
		return false
	}
	a.responder = responder
	for !list.Empty() {
		single, ok := readSingle(&list)
		if !ok || len(a.Singles) == MaxCertIDs {
			return false
		}
		a.Singles = append(a.Singles, single)
	}
	if has && (!wrapped.ReadASN1(&extensions, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return false
	}
	request := OCSPRequest{}
	if !request.readExtensions(extensions) {
		return false
	}
	a.Nonce = request.Nonce
	return len(a.Singles) > 0
}

// readSingle reads one SingleResponse.
func readSingle(list *cryptobyte.String) (s SingleAnswer, ok bool) {
	var body, element, status, wrapped cryptobyte.String
	var tag cbasn1.Tag
	var has bool
	if !list.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Element(&element, cbasn1.SEQUENCE) || !s.ID.read(element) ||
		!body.ReadAnyASN1(&status, &tag) || !s.Status.readState(status, tag) ||
		!body.ReadASN1GeneralizedTime(&s.ThisUpdate) || !body.ReadOptionalASN1(&wrapped, &has, explicit(0)) {
		return s, false
	}
	s.ID.raw = element
	if has && (!wrapped.ReadASN1GeneralizedTime(&s.NextUpdate) || !wrapped.Empty()) {
		return s, false
	}
	return s, body.SkipOptionalASN1(explicit(1)) && body.Empty()
}

// readState reads CertStatus.
func (s *Status) readState(in cryptobyte.String, tag cbasn1.Tag) bool {
	var wrapped cryptobyte.String
	var has bool
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
		s.State = StateGood
		return in.Empty()
	case cbasn1.Tag(2).ContextSpecific():
		s.State = StateUnknown
		return in.Empty()
	case explicit(1):
		s.State = StateRevoked
		if !in.ReadASN1GeneralizedTime(&s.RevokedAt) || !in.ReadOptionalASN1(&wrapped, &has, explicit(0)) || !in.Empty() {
			return false
		}
		var reason int
		if has && (!wrapped.ReadASN1Enum(&reason) || !wrapped.Empty()) {
			return false
		}
		s.Reason = lifecycle.RevocationReason(reason)
		return true
	}
	return false
}

// Verify tells whether a responder to whom the issuer delegates signed the
// answer, and may at this time. It gives the responder's certificate.
func (a *OCSPAnswer) Verify(issuer *x509.Certificate, now time.Time) (*x509.Certificate, error) {
	var failed error
	for _, der := range a.certificates {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: a certificate in the OCSP answer: %w", lifecycle.Invalid, err)
		}
		if _, err := NewResponder(issuer, certificate, time.Hour); err != nil {
			failed = err
			continue
		}
		return certificate, a.signedBy(certificate, now)
	}
	if failed == nil {
		failed = fmt.Errorf("%w: the OCSP answer carries no responder's certificate", lifecycle.Invalid)
	}
	return nil, failed
}

func (a *OCSPAnswer) signedBy(certificate *x509.Certificate, now time.Time) error {
	if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return fmt.Errorf("%w: the OCSP responder's certificate ended at %s", lifecycle.Invalid, certificate.NotAfter.Format(time.RFC3339))
	}
	key, err := subjectPublicKey(certificate.RawSubjectPublicKeyInfo)
	if err != nil {
		return err
	}
	byKey := sha1.Sum(key)
	id := append([]byte{byte(explicit(2)), 22, tagOctetString, 20}, byKey[:]...)
	byName := append(appendHeader(nil, byte(explicit(1)), len(certificate.RawSubject)), certificate.RawSubject...)
	if !bytes.Equal(a.responder, id) && !bytes.Equal(a.responder, byName) {
		return fmt.Errorf("%w: the OCSP answer names another responder than its certificate", lifecycle.Invalid)
	}
	alg, err := signatureAlgorithm(certificate.PublicKey)
	if err != nil {
		return err
	}
	if !bytes.Equal(a.algorithm, alg.der) {
		return fmt.Errorf("%w: the OCSP answer is signed with another algorithm than its responder's", lifecycle.Invalid)
	}
	h := alg.hash.New()
	h.Write(a.tbs)
	if err := verifyDigest(certificate.PublicKey, alg.hash, h.Sum(nil), a.signature); err != nil {
		return fmt.Errorf("%w: the OCSP answer: %w", lifecycle.Invalid, err)
	}
	return nil
}

// OCSPQuestion makes the request about a certificate, with a nonce or with nil
// for none, as a relying party sends it.
func OCSPQuestion(of, issuer *x509.Certificate, hash crypto.Hash, nonce []byte) ([]byte, error) {
	id, err := certIDOf(of, issuer, hash)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(id.raw) })
			})
			if nonce == nil {
				return
			}
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addExtension(b, derOCSPNonce, false, append(appendHeader(nil, tagOctetString, len(nonce)), nonce...))
				})
			})
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make OCSP request: %w", err)
	}
	return der, nil
}

// certIDOf names a certificate of an issuer.
func certIDOf(of, issuer *x509.Certificate, hash crypto.Hash) (CertID, error) {
	key, err := subjectPublicKey(issuer.RawSubjectPublicKeyInfo)
	if err != nil {
		return CertID{}, err
	}
	oid := derSHA1
	if hash == crypto.SHA256 {
		oid = derSHA256
	}
	sum := func(b []byte) []byte {
		h := hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	own := newIssuerHash(hash, oid, sum(issuer.RawSubject), sum(key))
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(own.prefix)
		b.AddASN1BigInt(of.SerialNumber)
	})
	raw, err := b.Bytes()
	if err != nil {
		return CertID{}, fmt.Errorf("name a certificate: %w", err)
	}
	id := CertID{raw: raw}
	if !id.read(raw) {
		return CertID{}, fmt.Errorf("%w: serial %s cannot be asked about", lifecycle.Invalid, of.SerialNumber)
	}
	return id, nil
}
