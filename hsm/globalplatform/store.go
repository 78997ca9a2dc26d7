package globalplatform

import (
	"crypto/cipher"
	"fmt"

	"sceau/hsm/crypt"
)

// StoreData is an unprotected STORE DATA command (GlobalPlatform 2.3.1 §11.11,
// EMV CPS v1.1 §2.3): number counts the commands of a card from zero, last ends
// personalisation, enciphered says that the grouping is under the DEK.
func StoreData(number byte, last, enciphered bool, grouping []byte) []byte {
	p1 := byte(0)
	if last {
		p1 |= storeLast
	}
	if enciphered {
		p1 |= storeEnciphered
	}
	return append([]byte{0x80, 0xE2, p1, number, byte(len(grouping))}, grouping...) //nolint:gosec // Wrap bounds the data
}

// Bits of P1 of STORE DATA.
const (
	storeLast       = 0x80
	storeEnciphered = 0x60
)

// DataKey enciphers the groupings that hold keys and PIN, under the static DEK of
// an SCP03 card: AES-CBC with a zero IV (amendment D §6.2.8). What is not whole
// blocks is padded with one bit and zeros, which [DataKey.Decipher] takes off
// again from a single block: a PIN's.
type DataKey struct{ block cipher.Block }

// NewDataKey prepares a DEK.
func NewDataKey(dek crypt.Key) (DataKey, error) {
	block, err := newAES(dek)
	return DataKey{block}, err
}

// Encipher pads and enciphers.
func (k DataKey) Encipher(data []byte) ([]byte, error) {
	out := append([]byte{}, data...)
	if len(out)%16 != 0 {
		out = crypt.PadOne.Apply(out, 16)
	}
	cipher.NewCBCEncrypter(k.block, make([]byte, 16)).CryptBlocks(out, out) // #nosec G407 -- the IV is zero by amendment D
	return out, nil
}

// Decipher is the card's side.
func (k DataKey) Decipher(data []byte) ([]byte, error) {
	if len(data) == 0 || len(data)%16 != 0 {
		return nil, fmt.Errorf("%w: enciphered data are not whole blocks", crypt.ErrMalformed)
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(k.block, make([]byte, 16)).CryptBlocks(out, data)
	if len(out) > 16 {
		return out, nil
	}
	return unpad(out)
}
