package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
)

// Padding is how a message is brought to whole blocks (ISO/IEC 9797-1 §6.3).
type Padding int

// The padding methods of ISO/IEC 9797-1.
const (
	PadZeros Padding = 1 // method 1: zeros, only if needed
	PadOne   Padding = 2 // method 2: one bit, then zeros, always
)

// Apply answers a padded copy, whole blocks of size bytes.
func (p Padding) Apply(data []byte, size int) []byte {
	n := len(data)
	switch p {
	case PadOne:
		n++
	case PadZeros:
		n = max(n, 1) // an empty message is one block
	}
	out := make([]byte, (n+size-1)/size*size)
	copy(out, data)
	if p == PadOne {
		out[len(data)] = 0x80
	}
	return out
}

// RetailMAC is ISO/IEC 9797-1 MAC algorithm 3 with DES: a CBC-MAC under the
// first half of the key, the last block deciphered under the second and
// enciphered under the first again. The EMV application cryptogram and the
// script MAC are both this.
func RetailMAC(key *TDES, data []byte, pad Padding) [8]byte {
	return RetailMACFrom(key, [8]byte{}, data, pad)
}

// RetailMACFrom is [RetailMAC] chained to what came before: mac is the value that
// the first block is XORed with.
func RetailMACFrom(key *TDES, mac [8]byte, data []byte, pad Padding) [8]byte {
	for n := len(data); n >= 8; n = len(data) {
		subtle.XORBytes(mac[:], mac[:], data[:8])
		key.first.Encrypt(mac[:], mac[:])
		data = data[8:]
		if n == 8 && pad == PadZeros {
			return lastRetailBlock(key, mac)
		}
	}
	var last [8]byte
	copy(last[:], data)
	if pad == PadOne {
		last[len(data)] = 0x80
	}
	subtle.XORBytes(mac[:], mac[:], last[:])
	key.first.Encrypt(mac[:], mac[:])
	return lastRetailBlock(key, mac)
}

func lastRetailBlock(key *TDES, mac [8]byte) [8]byte {
	key.second.Decrypt(mac[:], mac[:])
	key.first.Encrypt(mac[:], mac[:])
	return mac
}

// CBCMAC is ISO/IEC 9797-1 MAC algorithm 1 (padding method 1) under any block
// cipher. TR-31 versions A and C use it.
func CBCMAC(block cipher.Block, data []byte) []byte {
	size := block.BlockSize()
	mac := make([]byte, size)
	for padded := PadZeros.Apply(data, size); len(padded) > 0; padded = padded[size:] {
		subtle.XORBytes(mac, mac, padded[:size])
		block.Encrypt(mac, mac)
	}
	return mac
}

// CMAC is NIST SP 800-38B (ISO/IEC 9797-1 MAC algorithm 5) under AES or TDES.
func CMAC(block cipher.Block, data []byte) []byte {
	size := block.BlockSize()
	sub := make([]byte, size)
	block.Encrypt(sub, sub)
	doubleInField(sub) // K1
	whole := len(data) > 0 && len(data)%size == 0
	if !whole {
		doubleInField(sub) // K2
		data = PadOne.Apply(data, size)
	}
	mac := make([]byte, size)
	for ; len(data) > 0; data = data[size:] {
		subtle.XORBytes(mac, mac, data[:size])
		if len(data) == size {
			subtle.XORBytes(mac, mac, sub)
		}
		block.Encrypt(mac, mac)
	}
	return mac
}

// doubleInField multiplies by x in GF(2^64) or GF(2^128) (SP 800-38B §6.1).
func doubleInField(b []byte) {
	carry := b[0] >> 7
	for i := range b {
		b[i] <<= 1
		if i+1 < len(b) {
			b[i] |= b[i+1] >> 7
		}
	}
	poly := byte(0x1B)
	if len(b) == 16 {
		poly = 0x87
	}
	b[len(b)-1] ^= poly & -carry
}

// AESCMAC is CMAC under an AES key of 16, 24 or 32 bytes.
func AESCMAC(key, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes, not %d", ErrMalformed, len(key))
	}
	return CMAC(block, data), nil
}
