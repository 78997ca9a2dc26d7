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

// CRL says what a list is about; its entries are streamed beside it, encoded
// once each by [EncodeEntry].
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

	// ExpiredSince is stated where revoked certificates stay on the list after
	// their end: those that ended since then do (X.509 §9.5.2.8,
	// ExpiredCertsOnCRL). Zero: they leave.
	ExpiredSince time.Time

	Size int // octets of entries to expect: sizes the buffer, changes nothing else
}

// Revoked is an entry of a list.
type Revoked struct {
	Serial         lifecycle.Serial
	At             time.Time                  // revocationDate, whole seconds
	Reason         lifecycle.RevocationReason // unspecified is left out of the encoding (RFC 5280 §5.3.1)
	InvalidityDate time.Time                  // zero: none
}

// maxListSize bounds a list in octets: some 20 million entries, and what
// PostgreSQL takes as one value.
const maxListSize = 1<<30 - 1<<20

// Extensions of lists and entries, as OID content octets.
var (
	derCRLNumber         = []byte{0x55, 0x1d, 0x14}
	derDeltaCRLIndicator = []byte{0x55, 0x1d, 0x1b}
	derIssuingDP         = []byte{0x55, 0x1d, 0x1c}
	derAuthorityKeyID    = []byte{0x55, 0x1d, 0x23}
	derFreshestCRL       = []byte{0x55, 0x1d, 0x2e}
	derInvalidityDate    = []byte{0x55, 0x1d, 0x18}
	derExpiredOnCRL      = []byte{0x55, 0x1d, 0x3c}
)

// ListDraft is a list that is whole but for its signature.
type ListDraft struct {
	list CRL
	alg  sigAlgorithm
	buf  []byte
	at   int // in buf, where what is signed begins
}

// DraftCRL makes a version 2 list (RFC 5280 §5) of encoded entries, one or a run at
// a time, in the order of their serials. They are copied as they come, so memory holds the
// list and nothing else; an error of the stream ends the list. That the order is
// kept, and no serial stands twice, is for [CheckSuccessor] to see.
func DraftCRL(c CRL, entries iter.Seq2[[]byte, error]) (*ListDraft, error) {
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
	buf := make([]byte, gap, gap+max(0, min(c.Size, maxListSize))+len(extensions)+maxSignature)
	for run, err := range entries {
		if err != nil {
			return nil, fmt.Errorf("read entries of list %d: %w", c.Number, err)
		}
		if len(buf)+len(run) > maxListSize {
			return nil, fmt.Errorf("%w: list %d is longer than a gigabyte: use more shards", lifecycle.Invalid, c.Number)
		}
		buf = append(buf, run...)
	}
	head := fields
	if n := len(buf) - gap; n > 0 { // an empty revokedCertificates must be absent (§5.1.2.6)
		head = appendHeader(head, tagSequence, n)
	}
	buf = append(buf, extensions...)
	start := prepend(buf, gap, head)
	start = prepend(buf, start, appendHeader(nil, tagSequence, len(buf)-start))
	return &ListDraft{c, alg, buf, start}, nil
}

// maxSignature is room for an algorithm and a signature: RSA-4096 at most.
const maxSignature = 1024

// Sign ends the draft with a signature, which is verified before the list is
// returned. A draft signs once.
func (d *ListDraft) Sign(signer crypto.Signer) ([]byte, error) {
	issuer, buf := d.list.Issuer.PublicKey, d.buf
	if buf == nil {
		return nil, fmt.Errorf("%w: list %d is signed already", lifecycle.Conflict, d.list.Number)
	}
	d.buf = nil
	_, digest, signature, err := signBytes(signer, issuer, buf[d.at:])
	if err != nil {
		return nil, fmt.Errorf("sign list %d: %w", d.list.Number, err)
	}
	if err := verifyDigest(issuer, d.alg.hash, digest, signature); err != nil {
		return nil, fmt.Errorf("sign list %d: %w", d.list.Number, err)
	}
	buf = append(buf, d.alg.der...)
	buf = appendHeader(buf, tagBitString, len(signature)+1)
	buf = append(append(buf, 0), signature...)
	start := prepend(buf, d.at, appendHeader(nil, tagSequence, len(buf)-d.at))
	return buf[start:], nil
}

// EncodeCRL drafts and signs a list.
func EncodeCRL(c CRL, entries iter.Seq2[[]byte, error], signer crypto.Signer) ([]byte, error) {
	draft, err := DraftCRL(c, entries)
	if err != nil {
		return nil, err
	}
	return draft.Sign(signer)
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
	case !c.ExpiredSince.IsZero() && !encodable(c.ExpiredSince):
		problem = "it has no date since when expired certificates stay"
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

// EncodeEntry encodes one entry, as full lists and deltas have it; removeFromCRL
// stands in deltas only. Its content is always shorter than 128 octets, so that
// each length is one octet.
//
//nolint:gosec // G115: lengths are below 128 and reasons below 11
func EncodeEntry(r Revoked) ([]byte, error) {
	serial := minimal(r.Serial[:])
	if serial[0] >= 0x80 || len(serial) == 1 && serial[0] == 0 {
		return nil, fmt.Errorf("%w: serial %s is not positive", lifecycle.Invalid, r.Serial)
	}
	if !encodable(r.At) || !r.InvalidityDate.IsZero() && !encodable(r.InvalidityDate) {
		return nil, fmt.Errorf("%w: serial %s has no date that can be encoded", lifecycle.Invalid, r.Serial)
	}
	if err := checkReason(r.Reason, true); err != nil {
		return nil, fmt.Errorf("serial %s: %w", r.Serial, err)
	}
	dst := make([]byte, 0, maxEntry)
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
	dst[1] = byte(len(dst) - 2)
	return dst, nil
}

// maxEntry is the longest entry: 16 octets of serial, GeneralizedTime, a reason
// and an invalidity date.
const maxEntry = 2 + 18 + 17 + 2 + 12 + 26

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
			if !c.ExpiredSince.IsZero() {
				addExtension(b, derExpiredOnCRL, false, appendGeneralized(nil, c.ExpiredSince))
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

// Scope is the issuingDistributionPoint of the list, as [List] has it read.
func (c CRL) Scope() []byte { return c.issuingDistributionPoint() }

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
