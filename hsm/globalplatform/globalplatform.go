// Package globalplatform is the arithmetic with which a card is opened for
// personalisation: diversified keys, secure channels SCP02 and SCP03, and the
// encipherment of key and PIN data groupings under their session keys.
//
// It never sends a command, does I/O or draws randomness: challenges and answers
// come in as bytes, commands go out as bytes.
//
// Clauses: GlobalPlatform Card Specification 2.3.1 annex E (SCP02, i = 15, 55),
// amendment D (SCP03), EMV CPS v1.1 §4.1 (derivation from KMC), NIST SP 800-108
// §5.1 (KDF in counter mode).
package globalplatform

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"sceau/hsm/crypt"
)

// Keys are the three keys of one key set.
type Keys struct{ ENC, MAC, DEK crypt.Key }

// Template is the way a card maker derives a card's keys from a master key and
// the ten bytes of key diversification data that INITIALIZE UPDATE answers.
type Template string

// The templates.
const (
	TemplateEMV   Template = "emv"   // EMV CPS: the last six bytes
	TemplateVisa2 Template = "visa2" // bytes 1, 2 and 5 to 8
	TemplateVisa  Template = "visa"  // bytes 1 to 4, 9 and 10
	TemplateKDF3  Template = "kdf3"  // AES: KDF in counter mode over all ten bytes
)

// Diversify derives a card's keys. The three older templates take a TDES master
// key: six bytes, F0 and the key's number, the same with 0F, in ECB.
func Diversify(master crypt.Key, t Template, data [10]byte) (Keys, error) {
	var part []byte
	switch t {
	case TemplateKDF3:
		return diversifyKDF3(master, data)
	case TemplateEMV:
		part = data[4:]
	case TemplateVisa2:
		part = append(append(part, data[:2]...), data[4:8]...)
	case TemplateVisa:
		part = append(append(part, data[:4]...), data[8:]...)
	default:
		return Keys{}, fmt.Errorf("%w: key diversification is emv, visa2, visa or kdf3", crypt.ErrMalformed)
	}
	kmc, err := crypt.NewTDES(master)
	if err != nil {
		return Keys{}, err
	}
	var out Keys
	for i, into := range []*crypt.Key{&out.ENC, &out.MAC, &out.DEK} {
		number := byte(i + 1)
		plain := append(append(append([]byte{}, part...), 0xF0, number), part...)
		if *into, err = kmc.EncryptECB(append(plain, 0x0F, number)); err != nil {
			return Keys{}, err
		}
	}
	return out, nil
}

func diversifyKDF3(master crypt.Key, data [10]byte) (Keys, error) {
	block, err := newAES(master)
	if err != nil {
		return Keys{}, err
	}
	var out Keys
	for i, into := range []*crypt.Key{&out.ENC, &out.MAC, &out.DEK} {
		label := []byte{0, 0, 0, byte(i + 1), 0}
		*into = counterKDF(block, nil, append(label, data[:]...), len(master))
	}
	return out, nil
}

// counterKDF is NIST SP 800-108 §5.1 with CMAC and a counter of one byte that
// stands between the two parts of the fixed input.
func counterKDF(block cipher.Block, before, after []byte, size int) crypt.Key {
	var out crypt.Key
	for i := byte(1); len(out) < size; i++ {
		input := append(append(append([]byte{}, before...), i), after...)
		out = append(out, crypt.CMAC(block, input)...)
	}
	return out[:size]
}

// HostChallenge derives the challenge of INITIALIZE UPDATE from an AES master key
// and the name of the attempt: the same attempt challenges alike, and nobody
// without the key knows how before. Its input begins unlike that of
// [TemplateKDF3], so that no challenge is part of a card's key.
func HostChallenge(master crypt.Key, attempt string) ([8]byte, error) {
	block, err := newAES(master)
	if err != nil {
		return [8]byte{}, err
	}
	return [8]byte(counterKDF(block, []byte("host challenge"), []byte(attempt), 8)), nil
}

func newAES(key crypt.Key) (cipher.Block, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes, not %d", crypt.ErrMalformed, len(key))
	}
	return block, nil
}

// CheckValue is the key check value by which GlobalPlatform names a key: the
// first three bytes of a zero block under TDES, of sixteen bytes 01 under AES
// (amendment D §4.1.4).
func CheckValue(key crypt.Key, isAES bool) ([3]byte, error) {
	if !isAES {
		t, err := crypt.NewTDES(key)
		if err != nil {
			return [3]byte{}, err
		}
		var block [8]byte
		t.Encrypt(block[:], block[:])
		return [3]byte(block[:3]), nil
	}
	c, err := newAES(key)
	if err != nil {
		return [3]byte{}, err
	}
	var block [16]byte
	for i := range block {
		block[i] = 1
	}
	c.Encrypt(block[:], block[:])
	return [3]byte(block[:3]), nil
}

// command is a short command as a secure channel sees it.
type command struct {
	header [4]byte
	data   []byte
	le     []byte // the expected length as it stands at the end, none or one byte
}

// parseCommand reads a short command of any of the four cases (ISO/IEC 7816-4
// §5.1). A body that ends before or after its length is malformed.
func parseCommand(apdu []byte) (command, error) {
	if len(apdu) < 4 || len(apdu) > 261 {
		return command{}, fmt.Errorf("%w: a short command has 4 to 261 bytes", crypt.ErrMalformed)
	}
	c := command{header: [4]byte(apdu)}
	switch body := apdu[4:]; {
	case len(body) <= 1:
		c.le = body
	case len(body) == 1+int(body[0]), len(body) == 2+int(body[0]):
		c.data, c.le = body[1:1+int(body[0])], body[1+int(body[0]):]
	default:
		return command{}, fmt.Errorf("%w: the length in a command is not that of its data", crypt.ErrMalformed)
	}
	return c, nil
}

// secured is the command with the secure messaging bit, its data and a MAC of
// eight bytes; without the MAC it is what the MAC covers.
func (c command) secured(data, mac []byte) []byte {
	out := append([]byte{}, c.header[:]...)
	out[0] |= 0x04
	out = append(out, byte(len(data)+8)) //nolint:gosec // wrap bounds the data
	out = append(out, data...)
	if mac == nil {
		return out
	}
	return append(append(out, mac...), c.le...)
}

const maxSecuredData = 255 - 8 // what fits beside a MAC

var errTooLong = fmt.Errorf("%w: the data do not fit a secured short command", crypt.ErrMalformed)
