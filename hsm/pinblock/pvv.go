package pinblock

import (
	"crypto/cipher"
	"fmt"

	"sceau/hsm/crypt"
)

// PVV is the Visa PIN verification value (four digits) under a PIN verification
// key: eleven digits of the card number before its check digit, the key's index
// (one digit) and the first four digits of the PIN, enciphered; the first
// decimal digits of the result, then its letters with A read as 0.
func PVV(pvk *crypt.TDES, index byte, pin, pan string) (string, error) {
	switch {
	case !crypt.IsDigits(pan, 12, 19):
		return "", fmt.Errorf("%w: a card number has 12 to 19 digits", crypt.ErrMalformed)
	case index < '0' || index > '9':
		return "", fmt.Errorf("%w: the index of a PIN verification key is one digit", crypt.ErrMalformed)
	case !crypt.IsDigits(pin, 4, 12):
		return "", errPINDigits
	}
	block := crypt.PackBCD(pan[len(pan)-12:len(pan)-1]+string(index)+pin[:4], 8)
	pvk.Encrypt(block, block)
	return crypt.Decimalise(crypt.Hex(block).String(), 4), nil
}

// VerifyPVV tells in constant time whether the PIN has the value.
func VerifyPVV(pvk *crypt.TDES, index byte, pin, pan, pvv string) (bool, error) {
	want, err := PVV(pvk, index, pin, pan)
	return err == nil && crypt.Equal([]byte(want), []byte(pvv)), err
}

// IBM3624 is the rule by which an issuer derives PINs from card numbers.
type IBM3624 struct {
	Decimalisation string // sixteen decimal digits, one for each hexadecimal digit
	Offset, Length int    // the part of the card number that is validation data; of more than 16 digits the first count
	Pad            byte   // hexadecimal digit that fills the validation data up to 16
}

// NaturalPIN is the first digits of the enciphered, decimalised validation data.
func (r IBM3624) NaturalPIN(pvk cipher.Block, pan string, digits int) (string, error) {
	switch {
	case !crypt.IsDigits(pan, 1, 19):
		return "", fmt.Errorf("%w: a card number has up to 19 digits", crypt.ErrMalformed)
	case !crypt.IsDigits(r.Decimalisation, 16, 16):
		return "", fmt.Errorf("%w: a decimalisation table has 16 decimal digits", crypt.ErrMalformed)
	case r.Offset < 0 || r.Length < 1 || r.Offset > len(pan) || r.Length > len(pan)-r.Offset:
		return "", fmt.Errorf("%w: the validation data lie outside the card number", crypt.ErrMalformed)
	case digits < 4 || digits > 16 || pvk.BlockSize() != 8:
		return "", fmt.Errorf("%w: an IBM 3624 PIN has 4 to 16 digits, under a DES key", crypt.ErrMalformed)
	}
	text := []byte("0000000000000000")
	for i := range text {
		text[i] = r.Pad
	}
	copy(text, pan[r.Offset:r.Offset+r.Length])
	data, err := crypt.ParseHex(string(text))
	if err != nil {
		return "", fmt.Errorf("%w: the pad is one hexadecimal digit", crypt.ErrMalformed)
	}
	pvk.Encrypt(data, data)
	pin := make([]byte, digits)
	for i := range pin {
		pin[i] = r.Decimalisation[data[i/2]>>(4*(1-i%2))&0x0F]
	}
	return string(pin), nil
}

// PIN is the natural PIN plus the offset, digit by digit modulo ten. The offset
// is as long as the PIN; zeros give the natural PIN.
func (r IBM3624) PIN(pvk cipher.Block, pan, offset string) (string, error) {
	return r.shift(pvk, pan, offset, func(natural, digit byte) byte { return (natural + digit) % 10 })
}

// PINOffset is what must be added to the natural PIN to give the holder's PIN.
func (r IBM3624) PINOffset(pvk cipher.Block, pan, pin string) (string, error) {
	return r.shift(pvk, pan, pin, func(natural, digit byte) byte { return (10 + digit - natural) % 10 })
}

// Verify tells in constant time whether pin is the PIN of that offset.
func (r IBM3624) Verify(pvk cipher.Block, pan, pin, offset string) (bool, error) {
	want, err := r.PIN(pvk, pan, offset)
	return err == nil && crypt.Equal([]byte(want), []byte(pin)), err
}

func (r IBM3624) shift(pvk cipher.Block, pan, digits string, add func(natural, digit byte) byte) (string, error) {
	if !crypt.IsDigits(digits, 4, 16) {
		return "", fmt.Errorf("%w: an IBM 3624 PIN or offset has 4 to 16 digits", crypt.ErrMalformed)
	}
	natural, err := r.NaturalPIN(pvk, pan, len(digits))
	if err != nil {
		return "", err
	}
	out := make([]byte, len(digits))
	for i := range out {
		out[i] = '0' + add(natural[i]-'0', digits[i]-'0')
	}
	return string(out), nil
}
