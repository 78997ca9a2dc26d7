// Package keyblock is the form in which keys travel and are recognised: TR-31 key
// blocks (ANSI X9.143, versions A to D) and key check values (ANSI X9.24-1).
//
// It never does I/O, draws randomness by itself, or answers anything of a block
// whose MAC is wrong but [crypt.ErrMismatch].
package keyblock

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sceau/hsm/crypt"
)

// Header is the clear, authenticated head of a TR-31 key block (ANSI
// X9.143 §6): what the key is for and who may have it.
type Header struct {
	Version       byte   // B (TDES) or D (AES) to wrap; A and C are opened only
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
	headerLength   = 16
	maxKeyBlock    = 2048
	maxOptionals   = 16
	paddedTDESKey  = 24 // shorter keys are padded to these lengths, so that
	paddedAESKey   = 32 // the block does not tell how long the key is
	keyLengthField = 2
)

// Wrap writes a key as a TR-31 key block under the key block protection
// key: version B under a TDES key, D under an AES key. random fills the padding.
func Wrap(kbpk crypt.Key, h Header, key crypt.Key, random io.Reader) (string, error) {
	s, err := newBlockSuite(h.Version, kbpk)
	if err != nil {
		return "", err
	}
	if h.Version != 'B' && h.Version != 'D' {
		return "", fmt.Errorf("%w: a key block of version %c is opened, never made", crypt.ErrMalformed, h.Version)
	}
	if len(key) == 0 || len(key) > paddedAESKey {
		return "", fmt.Errorf("%w: a wrapped key has 1 to %d bytes", crypt.ErrMalformed, paddedAESKey)
	}
	padded := paddedTDESKey
	if h.Algorithm == 'A' || len(key) > paddedTDESKey {
		padded = paddedAESKey
	}
	plain := make([]byte, (keyLengthField+padded+s.size-1)/s.size*s.size)
	if _, err := io.ReadFull(random, plain); err != nil {
		return "", fmt.Errorf("draw key block padding: %w", err)
	}
	plain[0], plain[1] = byte(len(key)*8>>8), byte(len(key)*8&0xFF) //nolint:gosec // a length of 16 bits in two parts
	copy(plain[keyLengthField:], key)
	head, err := h.encode(2*(len(plain)+s.macSize), s.size)
	if err != nil {
		return "", err
	}
	mac := crypt.CMAC(s.auth, append([]byte(head), plain...))
	body := make([]byte, len(plain))
	cipher.NewCBCEncrypter(s.enc, mac[:s.size]).CryptBlocks(body, plain) // #nosec G407 -- the IV is the MAC, X9.143 §7.3
	clear(plain)
	return head + crypt.Hex(body).String() + crypt.Hex(mac).String(), nil
}

// Unwrap opens a TR-31 key block of version A, B, C or D. Nothing of a block
// whose MAC is wrong is answered but [crypt.ErrMismatch].
func Unwrap(kbpk crypt.Key, block string) (Header, crypt.Key, error) {
	h, body, err := parseHeader(block)
	if err != nil {
		return Header{}, nil, err
	}
	s, err := newBlockSuite(h.Version, kbpk)
	if err != nil {
		return Header{}, nil, err
	}
	head := block[:len(block)-len(body)]
	raw, err := crypt.ParseHex(body)
	if err != nil {
		return Header{}, nil, fmt.Errorf("key block body: %w", err)
	}
	n := len(raw) - s.macSize
	if n < s.size || n%s.size != 0 {
		return Header{}, nil, fmt.Errorf("%w: the key block's enciphered part is not whole blocks", crypt.ErrMalformed)
	}
	plain, ok := s.open(head, raw[:n], raw[n:])
	if !ok {
		return Header{}, nil, fmt.Errorf("%w: the key block", crypt.ErrMismatch)
	}
	length := int(plain[0])<<8 | int(plain[1])
	if length == 0 || length%8 != 0 || length/8 > len(plain)-keyLengthField {
		return Header{}, nil, fmt.Errorf("%w: the key length inside the key block", crypt.ErrMalformed)
	}
	return h, plain[keyLengthField : keyLengthField+length/8], nil
}

// blockSuite is a version's ciphers, keyed.
type blockSuite struct {
	enc, auth     cipher.Block
	size, macSize int
	variant       bool // versions A and C: MAC over the enciphered body, four bytes
}

func newBlockSuite(version byte, kbpk crypt.Key) (blockSuite, error) {
	switch version {
	case 'A', 'C':
		return newVariantSuite(kbpk)
	case 'B':
		block, err := crypt.NewTDES(kbpk)
		if err != nil {
			return blockSuite{}, err
		}
		algorithm := byte(0) // 2-key TDES
		if len(kbpk) == 24 {
			algorithm = 1
		}
		return newDerivedSuite(block, algorithm, len(kbpk), func(k []byte) (cipher.Block, error) { return crypt.NewTDES(k) })
	case 'D':
		block, err := aes.NewCipher(kbpk)
		if err != nil {
			return blockSuite{}, fmt.Errorf("%w: a version D key block is under an AES key", crypt.ErrMalformed)
		}
		algorithm := map[int]byte{16: 2, 24: 3, 32: 4}[len(kbpk)]
		return newDerivedSuite(block, algorithm, len(kbpk), aes.NewCipher)
	}
	return blockSuite{}, fmt.Errorf("%w: key block versions are A, B, C and D", crypt.ErrMalformed)
}

// newVariantSuite makes both keys by XOR with a constant (TR-31 §5.3.1).
func newVariantSuite(kbpk crypt.Key) (blockSuite, error) {
	variant := func(c byte) []byte {
		out := make([]byte, len(kbpk))
		for i, b := range kbpk {
			out[i] = b ^ c
		}
		return out
	}
	enc, err := crypt.NewTDES(variant('E'))
	if err != nil {
		return blockSuite{}, err
	}
	auth, err := crypt.NewTDES(variant('M'))
	if err != nil {
		return blockSuite{}, err
	}
	return blockSuite{enc: enc, auth: auth, size: 8, macSize: 4, variant: true}, nil
}

// newDerivedSuite makes both keys by CMAC over counter, usage, algorithm and
// length (X9.143 §7.2).
func newDerivedSuite(kbpk cipher.Block, algorithm byte, length int, schedule func([]byte) (cipher.Block, error)) (blockSuite, error) {
	derive := func(usage byte) (cipher.Block, error) {
		var key []byte
		for counter := byte(1); len(key) < length; counter++ {
			key = append(key, crypt.CMAC(kbpk, []byte{counter, 0, usage, 0, 0, algorithm, byte(length * 8 >> 8), byte(length * 8 & 0xFF)})...) //nolint:gosec // a length of 16 bits in two parts
		}
		return schedule(key[:length])
	}
	enc, err := derive(0)
	if err != nil {
		return blockSuite{}, fmt.Errorf("derive the key block encryption key: %w", err)
	}
	auth, err := derive(1)
	if err != nil {
		return blockSuite{}, fmt.Errorf("derive the key block authentication key: %w", err)
	}
	return blockSuite{enc: enc, auth: auth, size: kbpk.BlockSize(), macSize: kbpk.BlockSize()}, nil
}

func (s blockSuite) open(head string, body, mac []byte) ([]byte, bool) {
	plain := make([]byte, len(body))
	if s.variant {
		want := crypt.CBCMAC(s.auth, append([]byte(head), body...))
		if !crypt.Equal(want[:s.macSize], mac) {
			return nil, false
		}
		cipher.NewCBCDecrypter(s.enc, []byte(head[:s.size])).CryptBlocks(plain, body)
		return plain, true
	}
	cipher.NewCBCDecrypter(s.enc, mac).CryptBlocks(plain, body)
	if !crypt.Equal(crypt.CMAC(s.auth, append([]byte(head), plain...)), mac) {
		clear(plain)
		return nil, false
	}
	return plain, true
}

// encode writes the header for a body of so many characters; optional blocks
// are padded to whole cipher blocks by a PB block.
func (h Header) encode(bodyLength, size int) (string, error) {
	if len(h.Usage) != 2 || len(h.KeyVersion) != 2 || len(h.Optional) >= maxOptionals {
		return "", fmt.Errorf("%w: key usage and key version have two characters", crypt.ErrMalformed)
	}
	var opt strings.Builder
	count := len(h.Optional)
	for _, o := range h.Optional {
		if len(o.ID) != 2 || len(o.Data) > 251 || !printable(o.Data) {
			return "", fmt.Errorf("%w: an optional block has two characters of identifier and up to 251 of data", crypt.ErrMalformed)
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
