package ca

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// CRL says what a list is about; its entries are streamed beside it.
type CRL struct {
	Issuer     *x509.Certificate // of the key that signs
	Number     int64             // cRLNumber: above 0, one more than the last list's (RGS A4 III)
	BaseNumber int64             // 0: a full list; else the cRLNumber of the full list that this delta completes
	ThisUpdate time.Time         // whole seconds, UTC
	NextUpdate time.Time         // later than ThisUpdate; always stated (EN 319 411-1 CSS-6.3.9-05)

	// DistributionPoint is the full list's URL, in the full list and in its
	// deltas alike: RFC 5280 §5.2.4 asks both for the same scope. It stands in
	// the critical issuingDistributionPoint and equals the certificates' CDP.
	// An issuer with one list (the root) leaves it empty: the root's own
	// certificate has no CDP, and OpenSSL's crl_check_all looks it up too.
	DistributionPoint string
	Freshest          string // a full list's delta URL (freshestCRL, §5.2.6); ignored in deltas, which must not have it

	OnlyUser bool // the scope is end-entity certificates alone
	OnlyCA   bool // the scope is CA certificates alone

	Entries int // how many entries to expect: sizes the buffer, changes nothing else
}

// Revoked is an entry of a list.
type Revoked struct {
	Serial         lifecycle.Serial
	At             time.Time                  // revocationDate, whole seconds
	Reason         lifecycle.RevocationReason // unspecified is left out of the encoding (RFC 5280 §5.3.1)
	InvalidityDate time.Time                  // zero: none
}

// maxListSize bounds a list in bytes: 2^31 is some 40 million entries.
const maxListSize = 1 << 31

// Extensions of lists and entries, as OID content octets.
var (
	derCRLNumber         = []byte{0x55, 0x1d, 0x14}
	derDeltaCRLIndicator = []byte{0x55, 0x1d, 0x1b}
	derIssuingDP         = []byte{0x55, 0x1d, 0x1c}
	derAuthorityKeyID    = []byte{0x55, 0x1d, 0x23}
	derFreshestCRL       = []byte{0x55, 0x1d, 0x2e}
	derInvalidityDate    = []byte{0x55, 0x1d, 0x18}
)

// EncodeCRL encodes and signs a version 2 list (RFC 5280 §5). Entries are
// encoded as they come, so memory holds the output and nothing else; an error
// of the stream ends the list. The caller gives each serial once;
// [CheckSuccessor] refuses a list that repeats one. The signature is verified
// before the list is returned.
func EncodeCRL(c CRL, entries iter.Seq2[Revoked, error], signer crypto.Signer) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	alg, err := signatureAlgorithm(c.Issuer.PublicKey)
	if err != nil {
		return nil, err
	}
	extensions, err := c.extensions()
	if err != nil {
		return nil, err
	}
	fields := []byte{tagInteger, 1, 1} // v2
	fields = append(fields, alg.der...)
	fields = append(fields, c.Issuer.RawSubject...)
	fields = appendTime(fields, c.ThisUpdate)
	fields = appendTime(fields, c.NextUpdate)

	// The head's length is known only at the end: it is written right-aligned
	// into a gap before the entries.
	gap := 2*maxHeader + len(fields) + maxHeader
	buf := make([]byte, gap, gap+max(0, min(c.Entries, 1<<24))*entrySize+len(extensions)+1024)
	for r, err := range entries {
		if err != nil {
			return nil, fmt.Errorf("read entries of list %d: %w", c.Number, err)
		}
		if buf, err = appendRevoked(buf, r, c); err != nil {
			return nil, err
		}
		if len(buf) > maxListSize {
			return nil, fmt.Errorf("%w: list %d is longer than 2 GiB: use more shards", lifecycle.Invalid, c.Number)
		}
	}
	head := fields
	if n := len(buf) - gap; n > 0 { // an empty revokedCertificates must be absent (§5.1.2.6)
		head = appendHeader(head, tagSequence, n)
	}
	buf = append(buf, extensions...)
	start := prepend(buf, gap, head)
	start = prepend(buf, start, appendHeader(nil, tagSequence, len(buf)-start))
	_, digest, signature, err := signBytes(signer, c.Issuer.PublicKey, buf[start:])
	if err != nil {
		return nil, fmt.Errorf("sign list %d: %w", c.Number, err)
	}
	if err := verifyDigest(c.Issuer.PublicKey, alg.hash, digest, signature); err != nil {
		return nil, fmt.Errorf("sign list %d: %w", c.Number, err)
	}
	buf = append(buf, alg.der...)
	buf = appendHeader(buf, tagBitString, len(signature)+1)
	buf = append(append(buf, 0), signature...)
	start = prepend(buf, start, appendHeader(nil, tagSequence, len(buf)-start))
	return buf[start:], nil
}

// prepend copies b in front of buf[at:] and gives the new start.
func prepend(buf []byte, at int, b []byte) int {
	at -= len(b)
	copy(buf[at:], b)
	return at
}

func (c CRL) check() error {
	var problem string
	switch {
	case c.Issuer == nil || len(c.Issuer.SubjectKeyId) == 0 || c.Issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		problem = "the issuer's certificate has no key identifier or may not sign lists"
	case c.Number <= 0 || c.BaseNumber < 0 || c.BaseNumber >= c.Number:
		problem = "the number must be above zero and above the base's"
	case !encodable(c.ThisUpdate) || !encodable(c.NextUpdate) || !c.NextUpdate.After(c.ThisUpdate):
		problem = "nextUpdate must follow thisUpdate"
	case c.OnlyUser && c.OnlyCA:
		problem = "the scope cannot be user certificates alone and CA certificates alone"
	case !plainURL(c.DistributionPoint) || !plainURL(c.Freshest):
		problem = "distribution points are http URIs in ASCII"
	default:
		return nil
	}
	return fmt.Errorf("%w: list %d: %s", lifecycle.Invalid, c.Number, problem)
}

// plainURL takes no URL, or one that an IA5String holds.
func plainURL(s string) bool {
	return s == "" || strings.HasPrefix(s, "http://") && len(s) < 1024 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// entrySize is the usual length of an entry: 16 octets of serial, UTCTime, a
// reason.
const entrySize = 2 + 18 + 15 + 2 + 2 + 10

// appendRevoked encodes one entry. Its content is always shorter than 128
// octets, so that each length is one octet.
//
//nolint:gosec // G115: lengths are below 128 and reasons below 11
func appendRevoked(dst []byte, r Revoked, c CRL) ([]byte, error) {
	serial := minimal(r.Serial[:])
	if serial[0] >= 0x80 || len(serial) == 1 && serial[0] == 0 {
		return nil, fmt.Errorf("%w: list %d: serial %s is not positive", lifecycle.Invalid, c.Number, r.Serial)
	}
	if !encodable(r.At) || !r.InvalidityDate.IsZero() && !encodable(r.InvalidityDate) {
		return nil, fmt.Errorf("%w: list %d: serial %s has no date that can be encoded", lifecycle.Invalid, c.Number, r.Serial)
	}
	if r.At.Truncate(time.Second).After(c.ThisUpdate) {
		return nil, fmt.Errorf("%w: list %d: serial %s is revoked after thisUpdate", lifecycle.Invalid, c.Number, r.Serial)
	}
	if err := checkReason(r.Reason, c.BaseNumber != 0); err != nil {
		return nil, fmt.Errorf("list %d: serial %s: %w", c.Number, r.Serial, err)
	}
	start := len(dst)
	dst = append(dst, tagSequence, 0, tagInteger, byte(len(serial)))
	dst = append(dst, serial...)
	dst = appendTime(dst, r.At)
	if r.Reason != lifecycle.ReasonUnspecified || !r.InvalidityDate.IsZero() {
		ext := len(dst)
		dst = append(dst, tagSequence, 0)
		if r.Reason != lifecycle.ReasonUnspecified {
			dst = append(dst, tagSequence, 10, tagOID, 3, 0x55, 0x1d, 0x15, tagOctetString, 3, tagEnumerated, 1, byte(r.Reason))
		}
		if !r.InvalidityDate.IsZero() {
			dst = append(dst, tagSequence, 24, tagOID, 3, 0x55, 0x1d, 0x18, tagOctetString, 17)
			dst = appendGeneralized(dst, r.InvalidityDate)
		}
		dst[ext+1] = byte(len(dst) - ext - 2)
	}
	dst[start+1] = byte(len(dst) - start - 2)
	return dst, nil
}

// checkReason takes the reasons of RFC 5280 §5.3.1; removeFromCRL stands in
// deltas only.
func checkReason(r lifecycle.RevocationReason, delta bool) error {
	switch {
	case r == lifecycle.ReasonRemoveFromCRL && !delta:
		return fmt.Errorf("%w: removeFromCRL stands in delta lists only", lifecycle.Invalid)
	case r < 0 || r == 7 || r > lifecycle.ReasonAACompromise:
		return fmt.Errorf("%w: %s is not a reason", lifecycle.Invalid, r)
	}
	return nil
}

// extensions encodes crlExtensions [0].
func (c CRL) extensions() ([]byte, error) {
	integer := func(n int64) []byte {
		var b cryptobyte.Builder
		b.AddASN1Int64(n)
		return b.BytesOrPanic() // a number, no error possible
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addExtension(b, derAuthorityKeyID, false, c.authorityKeyID())
			addExtension(b, derCRLNumber, false, integer(c.Number))
			if c.BaseNumber != 0 {
				addExtension(b, derDeltaCRLIndicator, true, integer(c.BaseNumber))
			}
			if c.DistributionPoint != "" || c.OnlyUser || c.OnlyCA {
				addExtension(b, derIssuingDP, true, c.issuingDistributionPoint())
			}
			if c.Freshest != "" && c.BaseNumber == 0 {
				addExtension(b, derFreshestCRL, false, distributionPoints(c.Freshest))
			}
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode extensions of list %d: %w", c.Number, err)
	}
	return der, nil
}

func (c CRL) authorityKeyID() []byte {
	skid := c.Issuer.SubjectKeyId
	return append(appendHeader(appendHeader(nil, tagSequence, len(skid)+2), 0x80, len(skid)), skid...)
}

// issuingDistributionPoint encodes RFC 5280 §5.2.5.
func (c CRL) issuingDistributionPoint() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if c.DistributionPoint != "" {
			addFullName(b, c.DistributionPoint)
		}
		for tag, set := range []bool{1: c.OnlyUser, 2: c.OnlyCA} {
			if set {
				b.AddASN1(cbasn1.Tag(tag).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddUint8(0xff) })
			}
		}
	})
	return b.BytesOrPanic() // bounded text, no error possible
}

// errList is the one answer to bytes that are not a list.
var errList = errors.New("not a version 2 certificate revocation list in DER")
