package emv

import (
	"crypto/aes"
	"crypto/sha1" //nolint:gosec // EMV Book 2 A1.4.2 prescribes it as a mixer, not for collision resistance
	"fmt"

	"sceau/hsm/crypt"
)

// Option is the way a card's master key is derived (EMV Book 2 A1.4).
type Option string

// The options for TDES. Option C, for AES, is [CardMasterKeyAES].
const (
	OptionA Option = "A" // the right 16 digits of PAN and PSN
	OptionB Option = "B" // longer PANs through SHA-1 and decimalisation
)

// CardMasterKey derives a card's 16-byte master key from an issuer master key
// (EMV Book 2 A1.4.1, A1.4.2), with odd parity.
func CardMasterKey(imk *crypt.TDES, option Option, pan, psn string) (crypt.Key, error) {
	mk, err := cardMasterKey(imk, option, pan, psn)
	if err != nil {
		return nil, err
	}
	return mk[:], nil
}

func cardMasterKey(imk *crypt.TDES, option Option, pan, psn string) ([16]byte, error) {
	var mk [16]byte
	if err := CheckCard(pan, psn); err != nil {
		return mk, err
	}
	digits := pan + psn
	switch {
	case option == OptionB && len(pan) > 16:
		digits = decimalisedHash(digits)
	case option == OptionA, option == OptionB:
		digits = digits[max(0, len(digits)-16):]
	default:
		return mk, fmt.Errorf("%w: option %q for a crypt.TDES card key", crypt.ErrMalformed, option)
	}
	copy(mk[:8], crypt.PackBCD(digits, 8))
	for i := range 8 {
		mk[8+i] = ^mk[i]
	}
	imk.Encrypt(mk[:8], mk[:8])
	imk.Encrypt(mk[8:], mk[8:])
	crypt.SetOddParity(mk[:])
	return mk, nil
}

// decimalisedHash is steps 1 to 3 of option B: the first 16 decimal digits of
// SHA-1 over PAN and PSN, filled up with its letters A to F read as 0 to 5.
func decimalisedHash(digits string) string {
	sum := sha1.Sum(crypt.PackBCD(digits, (len(digits)+1)/2))
	return crypt.Decimalise(crypt.Hex(sum[:]).String(), 16)
}

// CardMasterKeyAES derives a card's AES master key, as long as the issuer's
// (EMV Book 2 A1.4.3, option C).
func CardMasterKeyAES(imk crypt.Key, pan, psn string) (crypt.Key, error) {
	if err := CheckCard(pan, psn); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(imk)
	if err != nil {
		return nil, fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes, not %d", crypt.ErrMalformed, len(imk))
	}
	y := crypt.PackBCD(pan+psn, 16)
	out := make([]byte, 32)
	block.Encrypt(out[:16], y)
	for i := range y {
		y[i] = ^y[i]
	}
	block.Encrypt(out[16:], y)
	return out[:len(imk)], nil
}
