package keyblock

import (
	"fmt"
	"strconv"
	"strings"

	"sceau/hsm/crypt"
)

// Header is the clear, authenticated head of a TR-31 key block (ANSI
// X9.143 §6): what the key is for and who may have it.
type Header struct {
	Version       byte   // D (AES), B (TDES); A and C (TDES) for partners that have nothing newer
	Usage         string // two characters: K0 key encryption, E0 issuer master key for cryptograms
	Algorithm     byte   // T (TDES) or A (AES)
	Mode          byte   // B both ways, E encipher only, X derive only
	KeyVersion    string // two characters, 00 when unused
	Exportability byte   // E, S or N
	Optional      []OptionalBlock
}

// OptionalBlock is one optional block of the header.
type OptionalBlock struct {
	ID   string // two characters
	Data string // printable ASCII
}

const (
	headerLength = 16
	maxKeyBlock  = 9999 // the length field has four digits
	maxOptionals = 99   // the count of optional blocks has two
)

// encode writes the header for a body of so many characters; optional blocks
// are padded to whole cipher blocks by a PB block.
func (h Header) encode(bodyLength, size int) (string, error) {
	if len(h.Usage) != 2 || len(h.KeyVersion) != 2 || len(h.Optional) >= maxOptionals {
		return "", fmt.Errorf("%w: key usage and key version have two characters", crypt.ErrMalformed)
	}
	var opt strings.Builder
	count := len(h.Optional)
	for _, o := range h.Optional {
		if len(o.ID) != 2 || len(o.Data) > maxKeyBlock || !printable(o.ID+o.Data) {
			return "", fmt.Errorf("%w: an optional block has two characters of identifier, and printable data", crypt.ErrMalformed)
		}
		if len(o.Data) > 251 { // X9.143 §6.3: a length of more than 255 is written behind 00 and its size
			fmt.Fprintf(&opt, "%s0002%04X%s", o.ID, len(o.Data)+10, o.Data)
			continue
		}
		fmt.Fprintf(&opt, "%s%02X%s", o.ID, len(o.Data)+4, o.Data)
	}
	if rest := opt.Len() % size; rest != 0 {
		pad := size - rest
		if pad < 4 {
			pad += size
		}
		fmt.Fprintf(&opt, "PB%02X%s", pad, strings.Repeat("0", pad-4))
		count++
	}
	total := headerLength + opt.Len() + bodyLength
	if total > maxKeyBlock {
		return "", fmt.Errorf("%w: a key block has at most %d characters", crypt.ErrMalformed, maxKeyBlock)
	}
	head := fmt.Sprintf("%c%04d%s%c%c%s%c%02d00", h.Version, total, h.Usage, h.Algorithm, h.Mode, h.KeyVersion, h.Exportability, count)
	if len(head) != headerLength || !printable(head) {
		return "", fmt.Errorf("%w: the key block header has characters other than printable ASCII", crypt.ErrMalformed)
	}
	return head + opt.String(), nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

// parseHeader reads header and optional blocks; body is the rest.
func parseHeader(block string) (h Header, body string, err error) {
	if len(block) < headerLength || len(block) > maxKeyBlock || !printable(block) {
		return h, "", fmt.Errorf("%w: a key block has %d to %d characters of printable ASCII", crypt.ErrMalformed, headerLength, maxKeyBlock)
	}
	if !crypt.IsDigits(block[1:5], 4, 4) || block[1:5] != fmt.Sprintf("%04d", len(block)) {
		return h, "", fmt.Errorf("%w: the key block's length field is not its length", crypt.ErrMalformed)
	}
	if !crypt.IsDigits(block[12:14], 2, 2) {
		return h, "", fmt.Errorf("%w: the key block's count of optional blocks", crypt.ErrMalformed)
	}
	h = Header{
		Version: block[0], Usage: block[5:7], Algorithm: block[7], Mode: block[8],
		KeyVersion: block[9:11], Exportability: block[11],
	}
	count, err := strconv.Atoi(block[12:14])
	if err != nil || count > maxOptionals {
		return h, "", fmt.Errorf("%w: more than %d optional blocks", crypt.ErrMalformed, maxOptionals)
	}
	body = block[headerLength:]
	for range count {
		var o OptionalBlock
		if o, body, err = parseOptional(body); err != nil {
			return h, "", err
		}
		if o.ID != "PB" {
			h.Optional = append(h.Optional, o)
		}
	}
	return h, body, nil
}

// parseOptional reads one optional block: identifier, length in two
// hexadecimal digits, or 00, the size of an extended length, and that length.
func parseOptional(s string) (OptionalBlock, string, error) {
	bad := fmt.Errorf("%w: an optional block of the key block is cut", crypt.ErrMalformed)
	if len(s) < 4 {
		return OptionalBlock{}, "", bad
	}
	n, err := strconv.ParseUint(s[2:4], 16, 8)
	start := 4
	if err == nil && n == 0 {
		if len(s) < 10 || s[4:6] != "02" {
			return OptionalBlock{}, "", bad
		}
		n, err = strconv.ParseUint(s[6:10], 16, 16)
		start = 10
	}
	if err != nil || n < uint64(start) || n > uint64(len(s)) {
		return OptionalBlock{}, "", bad
	}
	return OptionalBlock{ID: s[:2], Data: s[start:n]}, s[n:], nil
}
