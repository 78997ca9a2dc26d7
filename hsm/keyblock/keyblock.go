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

	"sceau/hsm/crypt"
)

const (
	paddedTDESKey  = 24 // shorter keys are padded to these lengths, so that
	paddedAESKey   = 32 // the block does not tell how long the key is
	keyLengthField = 2
)

// Wrap writes a key as a TR-31 key block under the key block protection key: an
// AES key for version D, a TDES key for the others. random fills the padding.
// A protection key that is weaker than the key is refused (X9.143 §5).
func Wrap(kbpk crypt.Key, h Header, key crypt.Key, random io.Reader) (string, error) {
	s, err := newBlockSuite(h.Version, kbpk)
	if err != nil {
		return "", err
	}
	if err := checkStrength(kbpk, h, key); err != nil {
		return "", err
	}
	padded := paddedTDESKey
	if len(key) > paddedTDESKey || h.Algorithm == 'A' {
		padded = paddedAESKey
	}
	plain := make([]byte, (keyLengthField+padded+s.size-1)/s.size*s.size)
	if _, err := io.ReadFull(random, plain); err != nil {
		return "", fmt.Errorf("draw key block padding: %w", err)
	}
	defer clear(plain)
	plain[0], plain[1] = byte(len(key)*8>>8), byte(len(key)*8&0xFF) //nolint:gosec // a length of 16 bits in two parts
	copy(plain[keyLengthField:], key)
	head, err := h.encode(2*(len(plain)+s.macSize), s.size)
	if err != nil {
		return "", err
	}
	body, mac := s.seal(head, plain)
	return head + crypt.Hex(body).String() + crypt.Hex(mac).String(), nil
}

// checkStrength refuses what X9.143 §5 forbids: a TDES key longer than the TDES
// key that protects it, and an AES key under TDES or under a shorter AES key.
func checkStrength(kbpk crypt.Key, h Header, key crypt.Key) error {
	switch {
	case len(key) == 0 || len(key) > paddedAESKey:
		return fmt.Errorf("%w: a wrapped key has 1 to %d bytes", crypt.ErrMalformed, paddedAESKey)
	case h.Version != 'D' && h.Algorithm == 'A':
		return fmt.Errorf("%w: an AES key travels in a version D key block", crypt.ErrMalformed)
	case h.Version != 'D' && len(key) > len(kbpk), h.Algorithm == 'A' && len(key) > len(kbpk):
		return fmt.Errorf("%w: the key is longer than the key that protects it", crypt.ErrMalformed)
	}
	return nil
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

// seal enciphers and authenticates: versions A and C first encipher, with the
// header as IV, then authenticate what came out; B and D authenticate the key in
// clear and encipher it with the MAC as IV (X9.143 §7.3).
func (s blockSuite) seal(head string, plain []byte) (body, mac []byte) {
	body = make([]byte, len(plain))
	if s.variant {
		cipher.NewCBCEncrypter(s.enc, []byte(head[:s.size])).CryptBlocks(body, plain) // #nosec G407 -- the IV is the header, TR-31 §5.3.1
		return body, crypt.CBCMAC(s.auth, append([]byte(head), body...))[:s.macSize]
	}
	mac = s.authenticate(head, plain)
	cipher.NewCBCEncrypter(s.enc, mac).CryptBlocks(body, plain) // #nosec G407 -- the IV is the MAC, X9.143 §7.3
	return body, mac
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
	if !crypt.Equal(s.authenticate(head, plain), mac) {
		clear(plain)
		return nil, false
	}
	return plain, true
}

// authenticate is the MAC of versions B and D over the header and the key in
// clear, of which it leaves no copy behind.
func (s blockSuite) authenticate(head string, plain []byte) []byte {
	input := append([]byte(head), plain...)
	defer clear(input)
	return crypt.CMAC(s.auth, input)
}
