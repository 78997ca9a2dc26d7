package pinblock

import (
	"crypto/aes"
	"crypto/subtle"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sceau/hsm/crypt"
)

// EncodeISO4 makes and enciphers a format 4 block (ISO 9564-1 §9.4.2) under an
// AES key: the PIN field with eight random bytes, enciphered, XORed with the card
// number field, enciphered again.
func EncodeISO4(key crypt.Key, pin, pan string, random io.Reader) ([16]byte, error) {
	var block [16]byte
	part, err := PANFieldISO4(pan)
	if err != nil {
		return block, err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return block, fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes, not %d", crypt.ErrMalformed, len(key))
	}
	field, err := pinField(pin, 4)
	if err != nil {
		return block, err
	}
	for i := len(pin); i < 14; i++ { // the fill of format 4 is A, not F
		field[1+i/2] &^= 0x50 >> (4 * (i % 2))
	}
	copy(block[:8], field[:])
	if _, err := io.ReadFull(random, block[8:]); err != nil {
		return [16]byte{}, fmt.Errorf("draw the random half of a PIN block: %w", err)
	}
	c.Encrypt(block[:], block[:])
	subtle.XORBytes(block[:], block[:], part[:])
	c.Encrypt(block[:], block[:])
	return block, nil
}

// DecodeISO4 deciphers and reads a format 4 block (ISO 9564-1 §9.4.2)
// under an AES key.
func DecodeISO4(key crypt.Key, block []byte, pan string) (string, error) {
	part, err := PANFieldISO4(pan)
	if err != nil {
		return "", err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes, not %d", crypt.ErrMalformed, len(key))
	}
	if len(block) != 16 {
		return "", errPINBlock
	}
	var plain [16]byte
	c.Decrypt(plain[:], block)
	subtle.XORBytes(plain[:], plain[:], part[:])
	c.Decrypt(plain[:], plain[:])
	n := int(plain[0] & 0x0F)
	digits := crypt.Hex(plain[1:8]).String()
	if plain[0]>>4 != 4 || n < 4 || n > 12 || !crypt.IsDigits(digits[:n], 4, 12) || strings.Trim(digits[n:14], "A") != "" {
		return "", errPINBlock
	}
	return digits[:n], nil
}

// PANFieldISO4 is the card number field of format 4: a digit that tells by how
// much the number is longer than twelve, the number, zeros.
func PANFieldISO4(pan string) ([16]byte, error) {
	if !crypt.IsDigits(pan, 1, 19) {
		return [16]byte{}, fmt.Errorf("%w: a card number has 1 to 19 digits", crypt.ErrMalformed)
	}
	padded := strings.Repeat("0", max(0, 12-len(pan))) + pan
	text := strconv.Itoa(len(padded)-12) + padded
	text += strings.Repeat("0", 32-len(text))
	return [16]byte(crypt.PackBCD(text, 16)), nil
}
