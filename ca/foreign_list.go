package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
	"sceau/trust"
)

// MaxForeignList bounds another CA's list, in octets: some 800 000 entries.
const MaxForeignList = 32 << 20

// ForeignList is another CA's full list, as [ReadForeignList] believes it.
type ForeignList struct {
	Issuer     *x509.Certificate // the accepted CA that signed it
	Number     [20]byte          // big-endian
	ThisUpdate time.Time
	NextUpdate time.Time
	Points     []string // addresses of the distribution point that it is for; none: all of its issuer's
	entries    cryptobyte.String
}

// ForeignEntry is what a list says of a serial.
type ForeignEntry struct {
	Serial []byte // as a positive number, big-endian, without leading zeros
	At     time.Time
	Reason lifecycle.RevocationReason
}

// signatureAlgorithms are those of lists, by their AlgorithmIdentifier in DER. Weak
// hashes, and RSA-PSS, are none of them.
var signatureAlgorithms = map[string]x509.SignatureAlgorithm{
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00": x509.SHA256WithRSA,
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00": x509.SHA384WithRSA,
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00": x509.SHA512WithRSA,
	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02":             x509.ECDSAWithSHA256,
	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03":             x509.ECDSAWithSHA384,
	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04":             x509.ECDSAWithSHA512,
}

// ReadForeignList reads a list in DER and tells whether it can be relied on at a
// moment: full, numbered, not indirect, not for some reasons only, of this time, and
// signed by one of the accepted CAs whose name it bears. Entries are read on demand by
// [ForeignList.All]. Errors are [lifecycle.Invalid].
func ReadForeignList(der []byte, cas []*x509.Certificate, at time.Time) (*ForeignList, error) {
	l, err := readForeignList(der, cas, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	return l, nil
}

func readForeignList(der []byte, cas []*x509.Certificate, at time.Time) (*ForeignList, error) {
	if len(der) > MaxForeignList {
		return nil, fmt.Errorf("the list is longer than %d octets", MaxForeignList)
	}
	in := cryptobyte.String(der)
	var whole, tbs, algorithm, body, inner, name, outer, extensions cryptobyte.String
	var signature []byte
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1Element(&tbs, cbasn1.SEQUENCE) ||
		!whole.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !whole.ReadASN1BitStringAsBytes(&signature) || !whole.Empty() {
		return nil, errList
	}
	l, signed, version := &ForeignList{}, tbs, 0
	if !tbs.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Integer(&version) || version != 1 ||
		!body.ReadASN1Element(&inner, cbasn1.SEQUENCE) || !bytes.Equal(inner, algorithm) ||
		!body.ReadASN1Element(&name, cbasn1.SEQUENCE) || !readTime(&body, &l.ThisUpdate) || !readTime(&body, &l.NextUpdate) ||
		!body.ReadOptionalASN1(&l.entries, nil, cbasn1.SEQUENCE) || !body.ReadASN1(&outer, explicit(0)) || !body.Empty() ||
		!outer.ReadASN1(&extensions, cbasn1.SEQUENCE) || !outer.Empty() {
		return nil, errList
	}
	if err := l.signedBy(cas, name, algorithm, signed, signature); err != nil {
		return nil, err
	}
	if err := l.readExtensions(extensions); err != nil {
		return nil, err
	}
	switch {
	case l.ThisUpdate.After(at.Add(clockTolerance)):
		return nil, fmt.Errorf("the list is of %s, in the future", l.ThisUpdate.Format(time.RFC3339))
	case !l.NextUpdate.After(at):
		return nil, fmt.Errorf("the list ended at %s", l.NextUpdate.Format(time.RFC3339))
	}
	return l, nil
}

// signedBy finds who signed the list: a CA of its issuer's name, by its key.
func (l *ForeignList) signedBy(cas []*x509.Certificate, name, algorithm, signed []byte, signature []byte) error {
	known, ok := signatureAlgorithms[string(algorithm)]
	if !ok {
		return errors.New("the list is signed by an algorithm that is not accepted: SHA-256, -384 or -512 with RSA (PKCS #1 v1.5) or ECDSA")
	}
	namesake := false
	for _, c := range cas {
		if !bytes.Equal(c.RawSubject, name) {
			continue
		}
		namesake = true
		if c.KeyUsage&x509.KeyUsageCRLSign != 0 && c.CheckSignature(known, signed, signature) == nil {
			l.Issuer = c
			return nil
		}
	}
	if namesake {
		return errors.New("the list bears an accepted CA's name, and that CA did not sign it")
	}
	return errors.New("the list is of another issuer than the accepted CAs: an indirect list is not taken")
}

func (l *ForeignList) readExtensions(extensions cryptobyte.String) error {
	seen := map[string]bool{}
	for !extensions.Empty() {
		oid, critical, value, ok := readExtension(&extensions)
		if !ok || seen[oid] {
			return errList
		}
		seen[oid] = true
		switch oid {
		case string(derCRLNumber):
			var number []byte
			if !value.ReadASN1Integer(&number) || !value.Empty() || len(number) > len(l.Number) {
				return fmt.Errorf("%w: its number is malformed", errList)
			}
			copy(l.Number[len(l.Number)-len(number):], number)
		case string(derDeltaCRLIndicator):
			return errors.New("it is a delta list: name the address of the full one")
		case string(derIssuingDP):
			if err := l.readScope(value); err != nil {
				return err
			}
		default:
			if critical {
				return errors.New("the list has a critical extension that nobody here understands")
			}
		}
	}
	if !seen[string(derCRLNumber)] {
		return fmt.Errorf("%w: it has no number", errList)
	}
	return nil
}

// readScope reads the issuing distribution point (RFC 5280 §5.2.5). A list for some
// reasons only, of attribute certificates or of several issuers is refused.
func (l *ForeignList) readScope(value cryptobyte.String) error {
	var idp, point, full, uri cryptobyte.String
	var hasPoint bool
	if !value.ReadASN1(&idp, cbasn1.SEQUENCE) || !value.Empty() || !idp.ReadOptionalASN1(&point, &hasPoint, explicit(0)) {
		return fmt.Errorf("%w: its issuing distribution point is malformed", errList)
	}
	if hasPoint {
		if !point.ReadASN1(&full, explicit(0)) || !point.Empty() {
			return errors.New("the list is for a distribution point that has no address")
		}
		for !full.Empty() {
			var tag cbasn1.Tag
			if !full.ReadAnyASN1(&uri, &tag) {
				return fmt.Errorf("%w: its issuing distribution point is malformed", errList)
			}
			const most, longest = 16, 1000
			if tag == cbasn1.Tag(6).ContextSpecific() && len(l.Points) < most && len(uri) < longest {
				l.Points = append(l.Points, string(uri))
			}
		}
		if len(l.Points) == 0 {
			return errors.New("the list is for a distribution point that has no address")
		}
	}
	const users, cas, reasons, indirect, attributes = 1, 2, 3, 4, 5
	for !idp.Empty() {
		var flag cryptobyte.String
		var tag cbasn1.Tag
		if !idp.ReadAnyASN1(&flag, &tag) {
			return fmt.Errorf("%w: its issuing distribution point is malformed", errList)
		}
		set := len(flag) == 1 && flag[0] != 0
		switch {
		case tag == cbasn1.Tag(users).ContextSpecific():
			if set && !hasPoint {
				l.Points = []string{trust.OnlyUsers}
			}
		case tag == cbasn1.Tag(cas).ContextSpecific():
			if set {
				l.Points = []string{trust.OnlyCAs}
			}
		case tag == cbasn1.Tag(reasons).ContextSpecific():
			return errors.New("the list is for some reasons of revocation only")
		case tag == cbasn1.Tag(indirect).ContextSpecific() && !set, tag == cbasn1.Tag(attributes).ContextSpecific() && !set:
		case tag == cbasn1.Tag(indirect).ContextSpecific():
			return errors.New("it is an indirect list, which may speak for other CAs: it is not taken")
		default:
			return errors.New("the list is for other things than certificates of persons")
		}
	}
	return nil
}

// All runs through the entries. A malformed one, or one of another issuer, ends the walk
// with an error.
func (l *ForeignList) All() iter.Seq2[ForeignEntry, error] {
	return func(yield func(ForeignEntry, error) bool) {
		for rest := l.entries; !rest.Empty(); {
			e, err := readForeignEntry(&rest)
			if err != nil {
				yield(e, fmt.Errorf("%w: %w", lifecycle.Invalid, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// derReasonCode is id-ce-cRLReasons as content octets.
var derReasonCode = []byte{0x55, 0x1d, 0x15}

func readForeignEntry(s *cryptobyte.String) (e ForeignEntry, err error) {
	var entry, extensions cryptobyte.String
	if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1Integer(&e.Serial) || !readTime(&entry, &e.At) ||
		!entry.ReadOptionalASN1(&extensions, nil, cbasn1.SEQUENCE) || !entry.Empty() || len(e.Serial) == 0 || len(e.Serial) > maxSerialSize {
		return e, fmt.Errorf("%w: an entry is malformed", errList)
	}
	for !extensions.Empty() {
		oid, critical, value, ok := readExtension(&extensions)
		if !ok {
			return e, fmt.Errorf("%w: an entry is malformed", errList)
		}
		switch {
		case bytes.Equal([]byte(oid), derReasonCode):
			var reason int
			if !value.ReadASN1Enum(&reason) || !value.Empty() || reason < 0 || reason > 10 || reason == 7 {
				return e, fmt.Errorf("%w: an entry's reason is malformed", errList)
			}
			e.Reason = lifecycle.RevocationReason(reason)
		case critical:
			return e, errors.New("an entry has a critical extension: it may be another issuer's")
		}
	}
	if e.Reason == lifecycle.ReasonRemoveFromCRL {
		return e, errors.New("an entry is removed: that stands in delta lists only")
	}
	return e, nil
}
