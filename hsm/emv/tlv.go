package emv

import (
	"fmt"

	"sceau/hsm/crypt"
)

// maxObjects bounds how many data objects one list may hold.
const maxObjects = 256

// TLV is one BER-TLV data object (EMV Book 3 annex B).
type TLV struct {
	Tag   uint32 // up to three bytes, as written: 0x5A, 0x9F37
	Value []byte
}

// ParseTLV reads the data objects of one level. Zero bytes between objects are
// padding (Book 3 annex B1). Values share the input's memory.
func ParseTLV(data []byte) ([]TLV, error) {
	var out []TLV
	for len(data) > 0 {
		if data[0] == 0 {
			data = data[1:]
			continue
		}
		tag, rest, err := parseTag(data)
		if err != nil {
			return nil, err
		}
		n, rest, err := parseLength(rest)
		if err != nil {
			return nil, fmt.Errorf("tag %X: %w", tag, err)
		}
		if len(out) == maxObjects {
			return nil, fmt.Errorf("%w: more than %d data objects", crypt.ErrMalformed, maxObjects)
		}
		out = append(out, TLV{Tag: tag, Value: rest[:n:n]})
		data = rest[n:]
	}
	return out, nil
}

func parseTag(data []byte) (uint32, []byte, error) {
	if len(data) == 0 {
		return 0, nil, fmt.Errorf("%w: no tag", crypt.ErrMalformed)
	}
	tag := uint32(data[0])
	if data[0]&0x1F != 0x1F {
		return tag, data[1:], nil
	}
	for i := 1; i < 3 && i < len(data); i++ {
		tag = tag<<8 | uint32(data[i])
		if data[i]&0x80 == 0 {
			return tag, data[i+1:], nil
		}
	}
	return 0, nil, fmt.Errorf("%w: a tag is cut, or longer than three bytes", crypt.ErrMalformed)
}

func parseLength(data []byte) (int, []byte, error) {
	if len(data) == 0 {
		return 0, nil, fmt.Errorf("%w: no length", crypt.ErrMalformed)
	}
	n, rest := int(data[0]), data[1:]
	if n >= 0x80 {
		size := n & 0x7F
		if size < 1 || size > 2 || len(rest) < size {
			return 0, nil, fmt.Errorf("%w: a length is cut, or longer than two bytes", crypt.ErrMalformed)
		}
		n = 0
		for _, b := range rest[:size] {
			n = n<<8 | int(b)
		}
		rest = rest[size:]
	}
	if n > len(rest) {
		return 0, nil, fmt.Errorf("%w: a value is cut", crypt.ErrMalformed)
	}
	return n, rest, nil
}

// AppendTLV appends one data object to dst. The value has at most 65 535 bytes.
//
//nolint:gosec // tag and length are cut into bytes on purpose
func AppendTLV(dst []byte, tag uint32, value []byte) []byte {
	switch {
	case tag > 0xFFFF:
		dst = append(dst, byte(tag>>16), byte(tag>>8), byte(tag))
	case tag > 0xFF:
		dst = append(dst, byte(tag>>8), byte(tag))
	default:
		dst = append(dst, byte(tag))
	}
	switch n := len(value); {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n < 0x100:
		dst = append(dst, 0x81, byte(n))
	default:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, value...)
}

// FindTLV follows a path of tags through nested data objects and answers the
// value at its end, or nil when there is none.
func FindTLV(data []byte, path ...uint32) []byte {
	for _, tag := range path {
		objects, err := ParseTLV(data)
		if err != nil {
			return nil
		}
		if data = valueOf(objects, tag); data == nil {
			return nil
		}
	}
	return data
}

func valueOf(objects []TLV, tag uint32) []byte {
	for _, o := range objects {
		if o.Tag == tag {
			return o.Value
		}
	}
	return nil
}

// DOLEntry is one row of a data object list: what the terminal must give, and
// in how many bytes (EMV Book 3 §5.4).
type DOLEntry struct {
	Tag    uint32
	Length int
}

// ParseDOL reads a data object list such as CDOL1 (8C).
func ParseDOL(data []byte) ([]DOLEntry, error) {
	var out []DOLEntry
	total := 0
	for len(data) > 0 {
		tag, rest, err := parseTag(data)
		if err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			return nil, fmt.Errorf("%w: tag %X of a data object list has no length", crypt.ErrMalformed, tag)
		}
		if total += int(rest[0]); total > 255 {
			return nil, fmt.Errorf("%w: a data object list asks for more than 255 bytes", crypt.ErrMalformed)
		}
		out = append(out, DOLEntry{Tag: tag, Length: int(rest[0])})
		data = rest[1:]
	}
	return out, nil
}
