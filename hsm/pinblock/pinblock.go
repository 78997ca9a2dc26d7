// Package pinblock is the arithmetic of PINs: PIN blocks (ISO 9564-1 formats 0,
// 2, 3 and 4) and the values by which an issuer verifies a PIN (Visa PVV, IBM
// 3624 PIN and offset). PINs and keys come in as values, results go out.
//
// It never keeps a PIN, does I/O or draws randomness by itself. Errors never
// repeat a digit of a PIN or card number.
package pinblock

import (
	"crypto/aes"
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"

	"sceau/hsm/crypt"
)

// EncodeISO0 is format 0 of ISO 9564-1 §9.3.2: the PIN XORed with the
// right-most twelve digits of the card number without its check digit.
func EncodeISO0(pin, pan string) ([8]byte, error) {
	block, err := pinField(pin, 0)
	if err != nil {
		return block, err
	}
	part, err := panField(pan)
	if err != nil {
		return block, err
	}
	subtle.XORBytes(block[:], block[:], part[:])
	return block, nil
}

// EncodeISO2 is format 2 of ISO 9564-1 §9.3.4, the form in which a PIN
// reaches a card: VERIFY and data grouping 8010.
func EncodeISO2(pin string) ([8]byte, error) { return pinField(pin, 2) }

// DecodeISO2 reads the PIN out of a format 2 block.
func DecodeISO2(block []byte) (string, error) { return readPINField(block, 2, false) }

// DecodeISO0 reads the PIN out of a format 0 block.
func DecodeISO0(block []byte, pan string) (string, error) { return openXORed(block, pan, 0) }

// DecodeISO3 reads the PIN out of a format 3 block (ISO 9564-1 §9.3.5),
// whose fill is random.
func DecodeISO3(block []byte, pan string) (string, error) { return openXORed(block, pan, 3) }

func openXORed(block []byte, pan string, format byte) (string, error) {
	part, err := panField(pan)
	if err != nil {
		return "", err
	}
	if len(block) != 8 {
		return "", errPINBlock
	}
	var plain [8]byte
	subtle.XORBytes(plain[:], block, part[:])
	return readPINField(plain[:], format, format == 3)
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

var errPINBlock = fmt.Errorf("%w: the PIN block", crypt.ErrMismatch)

func pinField(pin string, format byte) ([8]byte, error) {
	if !crypt.IsDigits(pin, 4, 12) {
		return [8]byte{}, fmt.Errorf("%w: a PIN has 4 to 12 digits", crypt.ErrMalformed)
	}
	block := [8]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	block[0] = format<<4 | byte(len(pin)&0x0F)
	for i := range len(pin) {
		d := pin[i] - '0'
		if i%2 == 0 {
			block[1+i/2] = d<<4 | 0x0F
		} else {
			block[1+i/2] = block[1+i/2]&0xF0 | d
		}
	}
	return block, nil
}

func readPINField(block []byte, format byte, randomFill bool) (string, error) {
	if len(block) != 8 || block[0]>>4 != format {
		return "", errPINBlock
	}
	n := int(block[0] & 0x0F)
	text := crypt.Hex(block[1:]).String()
	if n < 4 || n > 12 || !crypt.IsDigits(text[:n], 4, 12) {
		return "", errPINBlock
	}
	fill := "F"
	if randomFill {
		fill = "ABCDEF"
	}
	if strings.Trim(text[n:], fill) != "" {
		return "", errPINBlock
	}
	return text[:n], nil
}

func panField(pan string) ([8]byte, error) {
	if !crypt.IsDigits(pan, 13, 19) {
		return [8]byte{}, fmt.Errorf("%w: a card number in a PIN block has 13 to 19 digits", crypt.ErrMalformed)
	}
	return [8]byte(crypt.PackBCD(pan[len(pan)-13:len(pan)-1], 8)), nil
}
