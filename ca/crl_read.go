package ca

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"iter"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// List is a list that was read back: its head, and its entries on demand. Its
// signature is not verified by reading.
type List struct {
	Number       int64
	BaseNumber   int64 // 0: a full list
	ThisUpdate   time.Time
	NextUpdate   time.Time
	Issuer       []byte // the issuer's name, DER
	Distribution []byte // issuingDistributionPoint, DER; nil: none
	tbs          []byte
	entries      cryptobyte.String
	signature    []byte
	tail         int // octets behind the entries, of a list that is read from a stream
}

// ReadCRL reads a version 2 list such as [EncodeCRL] writes, without taking
// its entries apart: reading costs the same for ten entries and a million.
// Errors are [lifecycle.Invalid].
func ReadCRL(der []byte) (*List, error) {
	l, err := readCRL(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	return l, nil
}

func readCRL(der []byte) (*List, error) {
	in := cryptobyte.String(der)
	var whole, tbs, alg cryptobyte.String
	l := &List{}
	if len(der) > maxListSize || !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() ||
		!whole.ReadASN1Element(&tbs, cbasn1.SEQUENCE) || !whole.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!whole.ReadASN1BitStringAsBytes(&l.signature) || !whole.Empty() {
		return nil, errList
	}
	l.tbs = tbs
	var body, name cryptobyte.String
	if !tbs.ReadASN1(&body, cbasn1.SEQUENCE) {
		return nil, errList
	}
	if !readCRLHead(&body, &name, &l.ThisUpdate, &l.NextUpdate) {
		return nil, errList
	}
	l.Issuer = name
	if !body.ReadOptionalASN1(&l.entries, nil, cbasn1.SEQUENCE) {
		return nil, errList
	}
	return l, l.readTail(body)
}

// readTail reads what stands behind the entries: crlExtensions [0].
func (l *List) readTail(body cryptobyte.String) error {
	var outer, extensions cryptobyte.String
	if !body.ReadASN1(&outer, cbasn1.Tag(0).ContextSpecific().Constructed()) || !body.Empty() ||
		!outer.ReadASN1(&extensions, cbasn1.SEQUENCE) || !outer.Empty() {
		return errList
	}
	return l.readExtensions(extensions)
}

// readCRLHead reads what stands before the entries: version, algorithm, name
// and times.
func readCRLHead(body, name *cryptobyte.String, thisUpdate, nextUpdate *time.Time) bool {
	var version int
	var alg cryptobyte.String
	return body.ReadASN1Integer(&version) && version == 1 && body.ReadASN1(&alg, cbasn1.SEQUENCE) &&
		body.ReadASN1Element(name, cbasn1.SEQUENCE) && readTime(body, thisUpdate) && readTime(body, nextUpdate)
}

func readTime(s *cryptobyte.String, t *time.Time) bool {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return s.ReadASN1UTCTime(t)
	}
	return s.ReadASN1GeneralizedTime(t)
}

// readExtension reads one Extension.
func readExtension(s *cryptobyte.String) (oid string, critical bool, value cryptobyte.String, ok bool) {
	var ext, id cryptobyte.String
	ok = s.ReadASN1(&ext, cbasn1.SEQUENCE) && ext.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) &&
		(!ext.PeekASN1Tag(cbasn1.BOOLEAN) || ext.ReadASN1Boolean(&critical)) &&
		ext.ReadASN1(&value, cbasn1.OCTET_STRING) && ext.Empty()
	return string(id), critical, value, ok
}

func (l *List) readExtensions(extensions cryptobyte.String) error {
	seen := map[string]bool{}
	for !extensions.Empty() {
		oid, critical, value, ok := readExtension(&extensions)
		if !ok || seen[oid] {
			return errList
		}
		seen[oid] = true
		switch oid {
		case string(derCRLNumber):
			ok = value.ReadASN1Integer(&l.Number) && value.Empty() && l.Number > 0
		case string(derDeltaCRLIndicator):
			ok = value.ReadASN1Integer(&l.BaseNumber) && value.Empty() && l.BaseNumber > 0
		case string(derIssuingDP):
			l.Distribution = value
		default:
			ok = !critical
		}
		if !ok {
			return errList
		}
	}
	if l.Number == 0 {
		return fmt.Errorf("%w: it has no number", errList)
	}
	return nil
}

// Verify tells whether the issuer signed the list and is named in it.
func (l *List) Verify(issuer *x509.Certificate) error {
	alg, err := signatureAlgorithm(issuer.PublicKey)
	if err != nil {
		return err
	}
	h := alg.hash.New()
	h.Write(l.tbs)
	if err := verifyDigest(issuer.PublicKey, alg.hash, h.Sum(nil), l.signature); err != nil {
		return fmt.Errorf("%w: list %d: %w", lifecycle.Invalid, l.Number, err)
	}
	if !bytes.Equal(l.Issuer, issuer.RawSubject) {
		return fmt.Errorf("%w: list %d is not the issuer's", lifecycle.Invalid, l.Number)
	}
	return nil
}

// All runs through the entries. A malformed one ends the walk with an error.
func (l *List) All() iter.Seq2[Revoked, error] {
	return func(yield func(Revoked, error) bool) {
		for rest := l.entries; !rest.Empty(); {
			r, ok := readRevoked(&rest)
			if !ok {
				yield(Revoked{}, fmt.Errorf("%w: %w: an entry is malformed", lifecycle.Invalid, errList))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func readRevoked(s *cryptobyte.String) (r Revoked, ok bool) {
	var entry, extensions cryptobyte.String
	var serial []byte
	if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1Integer(&serial) || len(serial) > len(r.Serial) ||
		!readTime(&entry, &r.At) || !entry.ReadOptionalASN1(&extensions, nil, cbasn1.SEQUENCE) || !entry.Empty() {
		return r, false
	}
	copy(r.Serial[len(r.Serial)-len(serial):], serial)
	for !extensions.Empty() {
		oid, critical, value, ok := readExtension(&extensions)
		switch {
		case !ok:
			return r, false
		case oid == "\x55\x1d\x15":
			var reason int
			if !value.ReadASN1Enum(&reason) {
				return r, false
			}
			r.Reason = lifecycle.RevocationReason(reason)
		case oid == string(derInvalidityDate):
			if !value.ReadASN1GeneralizedTime(&r.InvalidityDate) {
				return r, false
			}
		case critical:
			return r, false
		}
	}
	return r, true
}

// CRLWindow reads thisUpdate and nextUpdate from the first octets of a list,
// which may be cut off after them: 4 KiB are enough for any issuer name that
// Sceau writes. A server learns from it how long a file may be cached without
// reading the file.
func CRLWindow(start []byte) (thisUpdate, nextUpdate time.Time, err error) {
	body := cryptobyte.String(start)
	var name cryptobyte.String
	for range 2 { // CertificateList, tbsCertList: their ends may be missing
		if _, ok := readHeader(&body); !ok {
			return thisUpdate, nextUpdate, fmt.Errorf("%w: %w", lifecycle.Invalid, errList)
		}
	}
	if !readCRLHead(&body, &name, &thisUpdate, &nextUpdate) {
		return thisUpdate, nextUpdate, fmt.Errorf("%w: %w", lifecycle.Invalid, errList)
	}
	return thisUpdate, nextUpdate, nil
}

// readHeader reads a SEQUENCE's tag and length, whose content may be missing.
func readHeader(s *cryptobyte.String) (length int, ok bool) {
	var tag, first uint8
	if !s.ReadUint8(&tag) || tag != tagSequence || !s.ReadUint8(&first) {
		return 0, false
	}
	if first < 0x80 {
		return int(first), true
	}
	n := int(first & 0x7f)
	var octets []byte
	if n < 1 || n > 4 || !s.ReadBytes(&octets, n) {
		return 0, false
	}
	for _, b := range octets {
		length = length<<8 | int(b)
	}
	return length, true
}
