package crypt

import (
	"bytes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // EMV cards compute with triple DES (Book 2 A1.4)
	"fmt"
	"math/bits"
)

// TDES is a double- or triple-length DES key with its schedules computed once.
// It is a [cipher.Block], safe for concurrent use.
type TDES struct {
	first, second, third cipher.Block
	double               bool
}

var _ cipher.Block = (*TDES)(nil)

// NewTDES takes 16 bytes (K1, K2, K3 = K1) or 24. Parity bits are ignored.
func NewTDES(key []byte) (*TDES, error) {
	if len(key) != 16 && len(key) != 24 {
		return nil, fmt.Errorf("%w: a triple DES key has 16 or 24 bytes, not %d", ErrMalformed, len(key))
	}
	first, err := des.NewCipher(key[:8])
	if err != nil {
		return nil, fmt.Errorf("schedule the first DES key: %w", err)
	}
	second, err := des.NewCipher(key[8:16])
	if err != nil {
		return nil, fmt.Errorf("schedule the second DES key: %w", err)
	}
	if len(key) == 16 {
		return &TDES{first: first, second: second, third: first, double: true}, nil
	}
	third, err := des.NewCipher(key[16:24])
	if err != nil {
		return nil, fmt.Errorf("schedule the third DES key: %w", err)
	}
	return &TDES{first: first, second: second, third: third}, nil
}

// DoubleKey is NewTDES for a key that this package derived, 16 bytes by type.
func DoubleKey(key *[16]byte) *TDES {
	first, err1 := des.NewCipher(key[:8])
	second, err2 := des.NewCipher(key[8:])
	if err1 != nil || err2 != nil {
		return nil // cannot happen: crypto/des refuses only other lengths than 8
	}
	return &TDES{first: first, second: second, third: first, double: true}
}

// BlockSize is 8.
func (t *TDES) BlockSize() int { return des.BlockSize }

// Encrypt is EDE on one block.
func (t *TDES) Encrypt(dst, src []byte) {
	t.first.Encrypt(dst, src)
	t.second.Decrypt(dst, dst)
	t.third.Encrypt(dst, dst)
}

// Decrypt is DED on one block.
func (t *TDES) Decrypt(dst, src []byte) {
	t.third.Decrypt(dst, src)
	t.second.Encrypt(dst, dst)
	t.first.Decrypt(dst, dst)
}

// EncryptECB enciphers whole blocks, each by itself: the way EMV CPS enciphers
// key and PIN data groupings.
func (t *TDES) EncryptECB(data []byte) ([]byte, error) { return t.ecb(data, t.Encrypt) }

// DecryptECB undoes EncryptECB.
func (t *TDES) DecryptECB(data []byte) ([]byte, error) { return t.ecb(data, t.Decrypt) }

func (t *TDES) ecb(data []byte, crypt func(dst, src []byte)) ([]byte, error) {
	if len(data)%des.BlockSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes are not whole DES blocks", ErrMalformed, len(data))
	}
	out := make([]byte, len(data))
	for i := 0; i < len(data); i += des.BlockSize {
		crypt(out[i:i+des.BlockSize], data[i:i+des.BlockSize])
	}
	return out, nil
}

// OddParity gives a copy of a DES key with the parity bit of each byte set so
// that the byte has an odd number of ones.
func OddParity(key []byte) Key {
	out := bytes.Clone(key)
	SetOddParity(out)
	return out
}

// SetOddParity is [OddParity] in place.
func SetOddParity(key []byte) {
	for i, b := range key {
		key[i] = b&0xFE | byte(bits.OnesCount8(b&0xFE)&1^1) //nolint:gosec // 0 or 1
	}
}

// WeakTDES tells whether a key's halves are equal but for parity, so that it
// is single DES in disguise.
func WeakTDES(key []byte) bool {
	if len(key) != 16 && len(key) != 24 {
		return true
	}
	k := OddParity(key)
	return bytes.Equal(k[:8], k[8:16]) || len(k) == 24 && bytes.Equal(k[8:16], k[16:])
}
