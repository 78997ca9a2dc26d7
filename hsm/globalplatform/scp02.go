package globalplatform

import (
	"crypto/cipher"
	"crypto/des" //nolint:gosec // SCP02 enciphers the MAC chain with single DES (annex E.3.4)
	"fmt"

	"sceau/hsm/crypt"
)

// SCP02Constant names what a session key is for (annex E.4.1 table E-2).
type SCP02Constant [2]byte

// The constants.
var (
	SCP02MAC  = SCP02Constant{0x01, 0x01}
	SCP02RMAC = SCP02Constant{0x01, 0x02}
	SCP02DEK  = SCP02Constant{0x01, 0x81}
	SCP02ENC  = SCP02Constant{0x01, 0x82}
)

// SCP02SessionKey derives a session key: TDES-CBC with a zero IV over constant,
// sequence counter and zeros (annex E.4.1). In EMV CPS the session key of the
// data encryption key is called SKUDEK.
func SCP02SessionKey(key crypt.Key, constant SCP02Constant, sequence [2]byte) (crypt.Key, error) {
	t, err := crypt.NewTDES(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 16)
	copy(out, constant[:])
	copy(out[2:], sequence[:])
	cipher.NewCBCEncrypter(t, make([]byte, 8)).CryptBlocks(out, out) // #nosec G407 -- the IV is zero by annex E.4.1
	return out, nil
}

// SCP02 is an open channel as the host keeps it.
type SCP02 struct {
	Keys       Keys // session keys
	mac        *crypt.TDES
	chained    bool    // a command went before
	icv        [8]byte // its MAC
	host, card [8]byte // cryptograms
}

// OpenSCP02 takes the card's answer to INITIALIZE UPDATE (28 bytes: key
// diversification data, key information, sequence counter, card challenge, card
// cryptogram) and proves it: [crypt.ErrMismatch] when the card has other keys.
func OpenSCP02(static Keys, hostChallenge [8]byte, answer []byte) (*SCP02, error) {
	if len(answer) != 28 || answer[11] != 2 {
		return nil, fmt.Errorf("%w: the answer that opens SCP02 has 28 bytes", crypt.ErrMalformed)
	}
	sequence, challenge, got := [2]byte(answer[12:14]), answer[12:20], answer[20:28]
	var s SCP02
	for _, k := range []struct {
		into     *crypt.Key
		static   crypt.Key
		constant SCP02Constant
	}{{&s.Keys.ENC, static.ENC, SCP02ENC}, {&s.Keys.MAC, static.MAC, SCP02MAC}, {&s.Keys.DEK, static.DEK, SCP02DEK}} {
		key, err := SCP02SessionKey(k.static, k.constant, sequence)
		if err != nil {
			return nil, err
		}
		*k.into = key
	}
	enc, err := crypt.NewTDES(s.Keys.ENC)
	if err != nil {
		return nil, err
	}
	if s.mac, err = crypt.NewTDES(s.Keys.MAC); err != nil {
		return nil, err
	}
	s.card = scp02Cryptogram(enc, hostChallenge[:], challenge)
	s.host = scp02Cryptogram(enc, challenge, hostChallenge[:])
	if !crypt.Equal(s.card[:], got) {
		return nil, fmt.Errorf("%w: the card cryptogram", crypt.ErrMismatch)
	}
	return &s, nil
}

// scp02Cryptogram is a full triple DES MAC (annex E.4.2).
func scp02Cryptogram(enc *crypt.TDES, first, second []byte) [8]byte {
	data := append(append([]byte{}, first...), second...)
	return [8]byte(crypt.CBCMAC(enc, crypt.PadOne.Apply(data, 8)))
}

// ExternalAuthenticate is the command that proves the host and sets the level:
// 01 asks for a MAC on each command.
func (s *SCP02) ExternalAuthenticate(level byte) ([]byte, error) {
	return s.Wrap(append([]byte{0x80, 0x82, level, 0x00, 0x08}, s.host[:]...))
}

// Wrap adds the MAC to a command: a retail MAC over the modified command,
// chained through the MAC before, which is enciphered with single DES first
// (annex E.4.4, i bit 5).
func (s *SCP02) Wrap(apdu []byte) ([]byte, error) {
	c, err := parseCommand(apdu)
	if err != nil {
		return nil, err
	}
	if len(c.data) > maxSecuredData {
		return nil, errTooLong
	}
	if s.chained {
		single, err := des.NewCipher(s.Keys.MAC[:8])
		if err != nil {
			return nil, fmt.Errorf("schedule the MAC key: %w", err)
		}
		single.Encrypt(s.icv[:], s.icv[:])
	}
	s.chained = true
	s.icv = crypt.RetailMACFrom(s.mac, s.icv, c.secured(c.data, nil), crypt.PadOne)
	return c.secured(c.data, s.icv[:]), nil
}

// EncipherDGI enciphers the value of a key or PIN data grouping under the session
// key of the data encryption key (EMV CPS §4.4: TDES-ECB, no padding).
func EncipherDGI(skuDEK crypt.Key, value []byte) ([]byte, error) {
	t, err := crypt.NewTDES(skuDEK)
	if err != nil {
		return nil, err
	}
	return t.EncryptECB(value)
}
