package ca

import (
	"crypto"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// Bounds of an OCSP request.
const (
	MaxOCSPRequestSize = 2048 // octets of DER
	MaxCertIDs         = 16   // certificates asked about at once
	maxNonce           = 128  // octets (RFC 9654 §2.1)
	maxSerialSize      = 20   // octets (RFC 5280 §4.1.2.2)
)

// CertID names a certificate in a request (RFC 6960 §4.1.1).
type CertID struct {
	Hash     crypto.Hash // SHA-1 or SHA-256; 0: another, which no responder of ours knows
	NameHash []byte      // of the issuer's name
	KeyHash  []byte      // of the issuer's public key
	Serial   []byte      // positive, big-endian, without leading zeros; empty: not a serial that exists
	raw      []byte      // as received: the answer repeats it
}

// Raw is the CertID in DER, as it stands in the request and in every answer
// to it.
func (id CertID) Raw() []byte { return id.raw }

// OCSPRequest is a request that was read (RFC 6960 §4.1).
type OCSPRequest struct {
	IDs   []CertID // one to MaxCertIDs
	Nonce []byte   // 1 to 128 octets (RFC 9654); nil: none
}

// OIDs as content octets.
var (
	derSHA1      = []byte{0x2b, 0x0e, 0x03, 0x02, 0x1a}
	derSHA256    = []byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}
	derOCSPBasic = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01}
	derOCSPNonce = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02}

	derArchiveCutoff  = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x06}
	derExtendedRevoke = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x09}
	derNull           = []byte{0x05, 0x00}
)

// ParseOCSPRequest reads a request of at most [MaxOCSPRequestSize] octets. A
// requestor's name and signature are ignored (anybody may ask); unknown
// extensions are ignored unless critical (RFC 6960 §4.1.2); a nonce outside 1
// to 128 octets is malformed (RFC 9654 §2.1). Every error is
// [lifecycle.Invalid] and is answered with [OCSPMalformed].
func ParseOCSPRequest(der []byte) (*OCSPRequest, error) {
	if len(der) > MaxOCSPRequestSize {
		return nil, fmt.Errorf("%w: an OCSP request has %d octets at most", lifecycle.Invalid, MaxOCSPRequestSize)
	}
	req := &OCSPRequest{}
	if !req.read(der) {
		return nil, fmt.Errorf("%w: the OCSP request is malformed", lifecycle.Invalid)
	}
	return req, nil
}

func (req *OCSPRequest) read(der []byte) bool {
	in := cryptobyte.String(der)
	var whole, tbs, list, wrapped, extensions cryptobyte.String
	var has bool
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!whole.SkipOptionalASN1(explicit(0)) || !whole.Empty() {
		return false
	}
	if !readVersion(&tbs) || !tbs.SkipOptionalASN1(explicit(1)) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) ||
		!tbs.ReadOptionalASN1(&wrapped, &has, explicit(2)) || !tbs.Empty() {
		return false
	}
	if has && (!wrapped.ReadASN1(&extensions, cbasn1.SEQUENCE) || !wrapped.Empty() || !req.readExtensions(extensions)) {
		return false
	}
	for !list.Empty() {
		id, ok := readRequestEntry(&list)
		if !ok || len(req.IDs) == MaxCertIDs {
			return false
		}
		req.IDs = append(req.IDs, id)
	}
	return len(req.IDs) > 0
}

// readVersion takes version 1, absent or (against DER, but seen) written out.
func readVersion(tbs *cryptobyte.String) bool {
	if !tbs.PeekASN1Tag(explicit(0)) {
		return true
	}
	var wrapped cryptobyte.String
	var version int
	return tbs.ReadASN1(&wrapped, explicit(0)) && wrapped.ReadASN1Integer(&version) && version == 0 && wrapped.Empty()
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func (req *OCSPRequest) readExtensions(extensions cryptobyte.String) bool {
	for !extensions.Empty() {
		oid, critical, value, ok := readExtension(&extensions)
		if !ok {
			return false
		}
		if oid != string(derOCSPNonce) {
			if critical {
				return false
			}
			continue
		}
		var nonce cryptobyte.String
		if req.Nonce != nil || !value.ReadASN1(&nonce, cbasn1.OCTET_STRING) || !value.Empty() ||
			len(nonce) < 1 || len(nonce) > maxNonce {
			return false
		}
		req.Nonce = nonce
	}
	return true
}

// readRequestEntry reads one Request: a CertID and extensions, none of which
// is known.
func readRequestEntry(list *cryptobyte.String) (id CertID, ok bool) {
	var entry, element, wrapped, extensions cryptobyte.String
	var has bool
	if !list.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1Element(&element, cbasn1.SEQUENCE) ||
		!entry.ReadOptionalASN1(&wrapped, &has, explicit(0)) || !entry.Empty() {
		return id, false
	}
	if has {
		if !wrapped.ReadASN1(&extensions, cbasn1.SEQUENCE) || !wrapped.Empty() {
			return id, false
		}
		for !extensions.Empty() {
			if _, critical, _, ok := readExtension(&extensions); !ok || critical {
				return id, false
			}
		}
	}
	id.raw = element
	return id, id.read(element)
}

func (id *CertID) read(element cryptobyte.String) bool {
	var body, alg, oid, name, key, serial cryptobyte.String
	if !element.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!alg.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !body.ReadASN1(&name, cbasn1.OCTET_STRING) ||
		!body.ReadASN1(&key, cbasn1.OCTET_STRING) || !body.ReadASN1(&serial, cbasn1.INTEGER) || !body.Empty() {
		return false
	}
	if len(serial) == 0 || len(serial) > maxSerialSize+1 ||
		len(serial) > 1 && serial[0] == 0 && serial[1] < 0x80 { // not DER
		return false
	}
	switch string(oid) {
	case string(derSHA1):
		id.Hash = crypto.SHA1
	case string(derSHA256):
		id.Hash = crypto.SHA256
	}
	id.NameHash, id.KeyHash = name, key
	if serial[0] < 0x80 { // a negative number is no serial: asked, not found
		for len(serial) > 0 && serial[0] == 0 {
			serial = serial[1:]
		}
		id.Serial = serial
	}
	return true
}
