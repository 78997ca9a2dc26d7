package emv

import (
	"crypto/cipher"
	"crypto/subtle"
	"fmt"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

// Encipherment is how a scheme enciphers the data of an issuer script.
type Encipherment int

// The ways of enciphering script data (EMV Book 2 §9.3.1).
const (
	EncipherVisa  Encipherment = iota + 1 // length byte in front, one bit and zeros behind; ECB
	EncipherMChip                         // one bit and zeros only if needed; CBC
	EncipherCCD                           // one bit and zeros always; CBC
)

// EncipherScript enciphers script data under a session key for confidentiality.
func EncipherScript(skSMC *crypt.TDES, how Encipherment, data []byte) ([]byte, error) {
	if len(data) > 239 {
		return nil, fmt.Errorf("%w: script data have at most 239 bytes", crypt.ErrMalformed)
	}
	switch how {
	case EncipherVisa:
		framed := append([]byte{byte(len(data) & 0xFF)}, data...)
		return skSMC.EncryptECB(crypt.PadOne.Apply(framed, 8))
	case EncipherMChip:
		if len(data)%8 == 0 {
			return scriptCBC(skSMC, data), nil
		}
		return scriptCBC(skSMC, crypt.PadOne.Apply(data, 8)), nil
	case EncipherCCD:
		return scriptCBC(skSMC, crypt.PadOne.Apply(data, 8)), nil
	}
	return nil, fmt.Errorf("%w: script encipherment %d", crypt.ErrMalformed, how)
}

func scriptCBC(key *crypt.TDES, padded []byte) []byte {
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(key, make([]byte, 8)).CryptBlocks(out, padded) // #nosec G407 -- EMV Book 2 A1.1: the IV is zero, the key is used once
	return out
}

// VISPINBlock is the PIN block of a VIS card: length, new PIN and F, the second
// half XORed with bytes 5 to 8 of the card's master key for cryptograms, and
// everything XORed with the current PIN when the command carries it (P2 = 01).
func VISPINBlock(mkAC crypt.Key, newPIN, currentPIN string) ([8]byte, error) {
	if len(mkAC) != 16 {
		return [8]byte{}, fmt.Errorf("%w: a card master key has 16 bytes, not %d", crypt.ErrMalformed, len(mkAC))
	}
	block, err := pinblock.EncodeISO2(newPIN)
	if err != nil {
		return [8]byte{}, err
	}
	block[0] &= 0x0F
	subtle.XORBytes(block[4:], block[4:], mkAC[4:8])
	if currentPIN == "" {
		return block, nil
	}
	if !crypt.IsDigits(currentPIN, 4, 12) {
		return [8]byte{}, fmt.Errorf("%w: a PIN has 4 to 12 digits", crypt.ErrMalformed)
	}
	for i := range len(currentPIN) {
		block[i/2] ^= (currentPIN[i] - '0') << (4 * (1 - i%2))
	}
	return block, nil
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

// Command is an issuer script command: INS, P1 and P2. CLA is always 84: secure
// messaging with an authenticated header.
type Command [3]byte

// The commands that issuers send (EMV Book 3 §6.5.1, 2, 4 and 10).
var (
	ApplicationBlock    = Command{0x1E, 0, 0}
	ApplicationUnblock  = Command{0x18, 0, 0}
	CardBlock           = Command{0x16, 0, 0}
	PINUnblockCommand   = Command{0x24, 0, 0} // resets the try counter, carries nothing but a MAC
	PINChangeWithOld    = Command{0x24, 0, 1} // new PIN, proved by the current one
	PINChangeWithoutOld = Command{0x24, 0, 2}
)

// header is CLA to Lc of the command with so many bytes of data before the MAC.
func (c Command) header(data int) [5]byte {
	return [5]byte{0x84, c[0], c[1], c[2], byte(data + 8)} //nolint:gosec // script data are bounded by EncipherScript
}

// ScriptSession is what protects the scripts of one transaction.
type ScriptSession struct {
	SMI, SMC *crypt.TDES // session keys for integrity and confidentiality
	// Bound is what the MAC covers between header and data: counter and
	// cryptogram of the transaction, or nothing where the scheme leaves them out.
	Bound []byte
}

// APDU is the whole command: header, data, MAC. Data are enciphered before.
func (s ScriptSession) APDU(c Command, data []byte) []byte {
	header := c.header(len(data))
	mac := ScriptMAC(s.SMI, header[:], s.Bound, data)
	apdu := append(header[:], data...)
	return append(apdu, mac[:]...)
}

// OpenScript is the card's side of an issuer script: it proves the whole APDU
// by its MAC for this cryptogram, in constant time, and deciphers the data, which
// only PIN CHANGE carries. The command is the first one of its transaction.
func OpenScript(smi, smc *crypt.TDES, atc uint16, arqc [8]byte, apdu []byte) (c Command, data []byte, err error) {
	const head, mac, block = 5, 8, 8
	if len(apdu) != head+mac && len(apdu) != head+block+mac || apdu[0] != 0x84 {
		return c, nil, fmt.Errorf("%w: an issuer script has %d or %d bytes", crypt.ErrMalformed, head+mac, head+block+mac)
	}
	c, data = Command(apdu[1:4]), apdu[head:len(apdu)-mac]
	sk := sessionKey(smi, arqc)
	session := ScriptSession{SMI: crypt.DoubleKey(&sk), Bound: transactionBound(atc, arqc)}
	if subtle.ConstantTimeCompare(session.APDU(c, data), apdu) != 1 {
		return c, nil, fmt.Errorf("%w: the MAC of an issuer script", crypt.ErrMismatch)
	}
	if len(data) == 0 {
		return c, nil, nil
	}
	sk = sessionKey(smc, arqc)
	plain := make([]byte, block)
	crypt.DoubleKey(&sk).Decrypt(plain, data) // CBC of one block, the IV is zero
	return c, plain, nil
}

func transactionBound(atc uint16, arqc [8]byte) []byte {
	return append([]byte{byte(atc >> 8), byte(atc & 0xFF)}, arqc[:]...)
}
