package emv

import (
	"crypto/subtle"

	"sceau/hsm/crypt"
)

// Cryptogram is the application cryptogram over the card's input: terminal
// data, then card data (EMV Book 2 §8.1.1). M/Chip and EMV CCD pad with PadOne.
func Cryptogram(sk *crypt.TDES, input []byte, pad crypt.Padding) [8]byte {
	return crypt.RetailMAC(sk, input, pad)
}

// ARPC1 is the issuer's answer by method 1 (Book 2 §8.2.1): the cryptogram
// XORed with the authorisation response code, enciphered. The key is the card
// master key or the session key, as the scheme says.
func ARPC1(key *crypt.TDES, arqc [8]byte, arc [2]byte) [8]byte {
	out := arqc
	out[0] ^= arc[0]
	out[1] ^= arc[1]
	key.Encrypt(out[:], out[:])
	return out
}

// ARPC2 is the issuer's answer by method 2 (Book 2 §8.2.2): the first four
// bytes of a MAC over cryptogram, card status update and 0 to 8 bytes of
// proprietary authentication data.
func ARPC2(sk *crypt.TDES, arqc [8]byte, csu [4]byte, proprietary []byte) [4]byte {
	input := make([]byte, 0, 20)
	input = append(input, arqc[:]...)
	input = append(input, csu[:]...)
	input = append(input, proprietary...)
	mac := crypt.RetailMAC(sk, input, crypt.PadOne)
	return [4]byte(mac[:4])
}

// ScriptMAC is the MAC of an issuer script command (Book 2 §9.2.1.2, 8 bytes)
// over the parts one after the other, padded with one bit and zeros. M/Chip
// and Visa authenticate header, counter, cryptogram and data; others header
// and data only.
func ScriptMAC(skSMI *crypt.TDES, parts ...[]byte) [8]byte {
	var input []byte
	for _, p := range parts {
		input = append(input, p...)
	}
	return crypt.RetailMAC(skSMI, input, crypt.PadOne)
}

// unblockHeader is CLA INS P1 P2 Lc of PIN CHANGE/UNBLOCK that resets the try
// counter and carries nothing but a MAC (EMV Book 3 §6.5.10, P2 = 00).
var unblockHeader = [5]byte{0x84, 0x24, 0x00, 0x00, 0x08}

// PINUnblock is the whole APDU that resets the PIN try counter. smi is the
// card's master key for integrity; the session key's R is the cryptogram of
// this transaction, and the MAC covers header, counter and cryptogram (M/Chip).
func PINUnblock(smi *crypt.TDES, atc uint16, arqc [8]byte) [13]byte {
	sk := sessionKey(smi, arqc)
	counter := ATCDiversifier(atc)
	mac := ScriptMAC(crypt.DoubleKey(&sk), unblockHeader[:], counter[:2], arqc[:])
	var apdu [13]byte
	copy(apdu[:5], unblockHeader[:])
	copy(apdu[5:], mac[:])
	return apdu
}

// CheckPINUnblock is the card's side: it tells whether the APDU is the one
// that the issuer made for this cryptogram, in constant time.
func CheckPINUnblock(smi *crypt.TDES, atc uint16, arqc [8]byte, apdu []byte) bool {
	want := PINUnblock(smi, atc, arqc)
	return subtle.ConstantTimeCompare(want[:], apdu) == 1
}
