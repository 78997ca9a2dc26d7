package ca

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxHeader is the longest tag and length that appendHeader writes.
const maxHeader = 6

// appendHeader appends a tag and the shortest encoding of a length (X.690
// §10.1). Lengths stay below 2^32: lists are bounded by maxListSize.
//
//nolint:gosec // G115: each octet of the length is cut out on purpose
func appendHeader(dst []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, tag, byte(n))
	case n < 1<<8:
		return append(dst, tag, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, tag, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		return append(dst, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, tag, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// DER tags.
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctetString     = 0x04
	tagOID             = 0x06
	tagEnumerated      = 0x0a
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
)

// appendTime appends a Time as RFC 5280 §5.1.2.4 wants it: UTCTime through
// 2049, GeneralizedTime from 2050, whole seconds, Z. The caller has checked
// that the time is encodable.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if year := t.Year(); year < 2050 {
		return appendClock(append(dst, tagUTCTime, 13), year%100, t)
	}
	return appendGeneralized(dst, t)
}

// appendGeneralized appends a GeneralizedTime in whole seconds. The caller has
// checked that the time is encodable.
func appendGeneralized(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year := t.Year()
	return appendClock(appendDigits(append(dst, tagGeneralizedTime, 15), year/100), year%100, t)
}

// appendClock appends YYMMDDhhmmssZ. A list has one or two times an entry:
// time.AppendFormat would be most of its cost.
func appendClock(dst []byte, year int, t time.Time) []byte {
	_, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(appendDigits(appendDigits(dst, year), int(month)), day)
	return append(appendDigits(appendDigits(appendDigits(dst, hour), minute), second), 'Z')
}

// appendDigits appends a number below 100.
//
//nolint:gosec // G115: below 100
func appendDigits(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// minimal drops the leading zeros that DER does not allow in an INTEGER (X.690 §8.3.2).
func minimal(n []byte) []byte {
	for len(n) > 1 && n[0] == 0 && n[1] < 0x80 {
		n = n[1:]
	}
	return n
}

// encodable tells whether a time can stand in a certificate or a list.
func encodable(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1950 && y <= 9999
}

// distributionPoints is CRLDistributionPoints with one fullName URI, as
// freshestCRL uses it (RFC 5280 §4.2.1.13, §4.2.1.15).
func distributionPoints(uri string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addFullName(b, uri) })
	})
	return b.BytesOrPanic() // bounded text in, no error possible
}

// addFullName adds distributionPoint [0] { fullName [0] { URI [6] } }.
func addFullName(b *cryptobyte.Builder, uri string) {
	b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
		})
	})
}

// addExtension adds one Extension (RFC 5280 §4.1).
func addExtension(b *cryptobyte.Builder, oid []byte, critical bool, value []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(oid) })
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(value)
	})
}
