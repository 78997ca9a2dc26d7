package keyblock

import (
	"crypto/aes"

	"sceau/hsm/crypt"
)

// CheckValueTDES is the key check value of a TDES key: the first three bytes of
// an enciphered zero block, as six hexadecimal digits (ANSI X9.24-1 annex A).
func CheckValueTDES(key []byte) (string, error) {
	t, err := crypt.NewTDES(key)
	if err != nil {
		return "", err
	}
	value := CheckBytes(t)
	return crypt.Hex(value[:]).String(), nil
}

// CheckBytes is [CheckValueTDES] of a key whose schedules are there, as bytes.
func CheckBytes(t *crypt.TDES) [3]byte {
	var block [8]byte
	t.Encrypt(block[:], block[:])
	return [3]byte(block[:3])
}

// CheckValueAES is the key check value of an AES key: the first five bytes of a
// CMAC over a zero block, as ten hexadecimal digits (ANSI X9.24-1 annex A).
func CheckValueAES(key []byte) (string, error) {
	mac, err := crypt.AESCMAC(key, make([]byte, aes.BlockSize))
	if err != nil {
		return "", err
	}
	return crypt.Hex(mac[:5]).String(), nil
}
