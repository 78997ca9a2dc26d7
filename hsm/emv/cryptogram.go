package emv

import (
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
