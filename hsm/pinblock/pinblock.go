// Package pinblock is the arithmetic of PINs: PIN blocks (ISO 9564-1 formats 0,
// 2, 3 and 4) and the values by which an issuer verifies a PIN (Visa PVV, IBM
// 3624 PIN and offset). PINs and keys come in as values, results go out.
//
// It never keeps a PIN, does I/O or draws randomness by itself. Errors never
// repeat a digit of a PIN or card number.
package pinblock

import (
	"crypto/subtle"
	"fmt"
	"io"
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

// EncodeISO3 is format 3 of ISO 9564-1 §9.3.5: format 0 with a random fill of
// digits A to F, drawn from random, so that equal PINs give unequal blocks.
func EncodeISO3(pin, pan string, random io.Reader) ([8]byte, error) {
	block, err := pinField(pin, 3)
	if err != nil {
		return block, err
	}
	part, err := panField(pan)
	if err != nil {
		return block, err
	}
	for i := len(pin); i < 14; i++ {
		nibble, err := fillDigit(random)
		if err != nil {
			return [8]byte{}, err
		}
		if i%2 == 0 {
			block[1+i/2] = nibble<<4 | block[1+i/2]&0x0F
		} else {
			block[1+i/2] = block[1+i/2]&0xF0 | nibble
		}
	}
	subtle.XORBytes(block[:], block[:], part[:])
	return block, nil
}

// fillDigit draws one of A to F, each as likely as the others.
func fillDigit(random io.Reader) (byte, error) {
	var b [1]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, fmt.Errorf("draw the fill of a PIN block: %w", err)
		}
		if b[0] < 252 { // the largest multiple of 6
			return 10 + b[0]%6, nil
		}
	}
}

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

var (
	errPINBlock  = fmt.Errorf("%w: the PIN block", crypt.ErrMismatch)
	errPINDigits = fmt.Errorf("%w: a PIN has 4 to 12 digits", crypt.ErrMalformed)
)

func pinField(pin string, format byte) ([8]byte, error) {
	if !crypt.IsDigits(pin, 4, 12) {
		return [8]byte{}, errPINDigits
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
