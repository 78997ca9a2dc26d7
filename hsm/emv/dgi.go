package emv

import (
	"fmt"

	"sceau/hsm/crypt"
)

// DGI is one data grouping of a personalisation file (EMV CPS v1.1 §2.2).
type DGI struct {
	ID    uint16 // SFI||record for records, 8000, 8010, 9000, 9010, 9102, 9104
	Value []byte
}

// Enciphered tells whether the value is keys or a PIN, which stand enciphered.
func (d DGI) Enciphered() bool { return d.ID == dgiKeys || d.ID == dgiPIN }

// Bounds of a personalisation file for one card.
const (
	maxDGIs     = 64
	maxDGIBytes = 16 << 10
)

// EncodeDGIs writes data groupings one after the other: identifier, length
// (one byte, or FF and two bytes from 255 on), value.
func EncodeDGIs(dgis []DGI) ([]byte, error) {
	var out []byte
	for _, d := range dgis {
		out = append(out, byte(d.ID>>8), byte(d.ID&0xFF))
		switch n := len(d.Value); {
		case n > 0xFFFF:
			return nil, fmt.Errorf("%w: data grouping %04X has more than 65535 bytes", crypt.ErrMalformed, d.ID)
		case n >= 0xFF:
			out = append(out, 0xFF, byte(n>>8), byte(n&0xFF))
		default:
			out = append(out, byte(n))
		}
		out = append(out, d.Value...)
	}
	if len(out) > maxDGIBytes || len(dgis) > maxDGIs {
		return nil, fmt.Errorf("%w: a card has at most %d data groupings, %d bytes", crypt.ErrMalformed, maxDGIs, maxDGIBytes)
	}
	return out, nil
}

// ParseDGIs reads what [EncodeDGIs] writes. Values share the input's memory.
func ParseDGIs(data []byte) ([]DGI, error) {
	if len(data) > maxDGIBytes {
		return nil, fmt.Errorf("%w: more than %d bytes of data groupings", crypt.ErrMalformed, maxDGIBytes)
	}
	var out []DGI
	for len(data) > 0 {
		if len(data) < 3 || len(out) == maxDGIs {
			return nil, fmt.Errorf("%w: a data grouping is cut, or they are more than %d", crypt.ErrMalformed, maxDGIs)
		}
		id, n, rest := uint16(data[0])<<8|uint16(data[1]), int(data[2]), data[3:]
		if n == 0xFF {
			if len(rest) < 2 {
				return nil, fmt.Errorf("%w: the length of data grouping %04X is cut", crypt.ErrMalformed, id)
			}
			n, rest = int(rest[0])<<8|int(rest[1]), rest[2:]
			if n < 0xFF {
				return nil, fmt.Errorf("%w: the length of data grouping %04X is not in its short form", crypt.ErrMalformed, id)
			}
		}
		if n > len(rest) {
			return nil, fmt.Errorf("%w: the value of data grouping %04X is cut", crypt.ErrMalformed, id)
		}
		out = append(out, DGI{ID: id, Value: rest[:n:n]})
		data = rest[n:]
	}
	return out, nil
}
