package globalplatform

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"sceau/hsm/crypt"
)

// Derivation constants of SCP03 (amendment D §4.1.5 table 4-1).
const (
	scp03CardCryptogram = 0x00
	scp03HostCryptogram = 0x01
	scp03ENC            = 0x04
	scp03MAC            = 0x06
	scp03RMAC           = 0x07
)

// Bits of the security level in EXTERNAL AUTHENTICATE.
const (
	levelCMAC = 0x01
	levelCENC = 0x02
	levelRMAC = 0x10
	levelRENC = 0x20
)

// SCP03SessionKeys derives S-ENC, S-MAC and S-RMAC (amendment D §6.2.1). Each is
// as long as the key it comes from.
func SCP03SessionKeys(enc, mac crypt.Key, hostChallenge, cardChallenge [8]byte) (sENC, sMAC, sRMAC crypt.Key, err error) {
	e, err := newAES(enc)
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := newAES(mac)
	if err != nil {
		return nil, nil, nil, err
	}
	context := append(append([]byte{}, hostChallenge[:]...), cardChallenge[:]...)
	return scp03Derive(e, scp03ENC, context, len(enc)), scp03Derive(m, scp03MAC, context, len(mac)), scp03Derive(m, scp03RMAC, context, len(mac)), nil
}

// scp03Derive is the KDF of amendment D §4.1.5: label, separator and length in
// bits stand before the counter, the challenges after it.
func scp03Derive(block cipher.Block, constant byte, context []byte, size int) crypt.Key {
	before := make([]byte, 15)
	before[11] = constant
	binary.BigEndian.PutUint16(before[13:], uint16(size*8)) //nolint:gosec // at most 32 bytes
	return counterKDF(block, before, context, size)
}

// SCP03 is an open channel as the host keeps it.
type SCP03 struct {
	ENC, MAC, RMAC crypt.Key // session keys
	Card, Host     [8]byte   // cryptograms
	enc            cipher.Block
	mac, rmac      cipher.Block
	chain          [16]byte // the MAC of the command before, in full
	counter        uint64   // commands since EXTERNAL AUTHENTICATE
	level          byte
}

// OpenSCP03 takes the card's answer to INITIALIZE UPDATE (29 bytes, 32 with a
// sequence counter: key diversification data, key information, card challenge,
// card cryptogram) and proves it: [crypt.ErrMismatch] when the card has other keys.
func OpenSCP03(static Keys, hostChallenge [8]byte, answer []byte) (*SCP03, error) {
	if len(answer) != 29 && len(answer) != 32 || answer[11] != 3 {
		return nil, fmt.Errorf("%w: the answer that opens SCP03 has 29 or 32 bytes", crypt.ErrMalformed)
	}
	s, err := newSCP03(static, hostChallenge, [8]byte(answer[13:21]))
	if err != nil {
		return nil, err
	}
	if !crypt.Equal(s.Card[:], answer[21:29]) {
		return nil, fmt.Errorf("%w: the card cryptogram", crypt.ErrMismatch)
	}
	return s, nil
}

// newSCP03 derives the session keys and both cryptograms.
func newSCP03(static Keys, hostChallenge, cardChallenge [8]byte) (*SCP03, error) {
	var s SCP03
	var err error
	if s.ENC, s.MAC, s.RMAC, err = SCP03SessionKeys(static.ENC, static.MAC, hostChallenge, cardChallenge); err != nil {
		return nil, err
	}
	for _, k := range []struct {
		into *cipher.Block
		key  crypt.Key
	}{{&s.enc, s.ENC}, {&s.mac, s.MAC}, {&s.rmac, s.RMAC}} {
		if *k.into, err = newAES(k.key); err != nil {
			return nil, err
		}
	}
	context := append(append([]byte{}, hostChallenge[:]...), cardChallenge[:]...)
	s.Card = [8]byte(scp03Derive(s.mac, scp03CardCryptogram, context, 8))
	s.Host = [8]byte(scp03Derive(s.mac, scp03HostCryptogram, context, 8))
	return &s, nil
}

// ExternalAuthenticate is the command that proves the host and sets the level: 01
// a MAC on commands, 02 their encipherment, 10 and 20 the same for answers.
func (s *SCP03) ExternalAuthenticate(level byte) ([]byte, error) {
	out, err := s.Wrap(append([]byte{0x80, 0x82, level, 0x00, 0x08}, s.Host[:]...))
	s.level = level
	return out, err
}

// Wrap enciphers a command's data where the level asks for it (amendment D
// §6.2.6: CBC, padded with one bit and zeros, the IV an enciphered counter) and
// adds the MAC (§6.2.4: CMAC over the chain value and the modified command).
func (s *SCP03) Wrap(apdu []byte) ([]byte, error) {
	c, err := parseCommand(apdu)
	if err != nil {
		return nil, err
	}
	data := c.data
	encipher := s.level&levelCENC != 0 && len(data) > 0
	if encipher {
		data = crypt.PadOne.Apply(data, 16)
	}
	if len(data) > maxSecuredData {
		return nil, errTooLong // nothing was sent: the channel stays as it was
	}
	if s.level != 0 { // counts every command after EXTERNAL AUTHENTICATE
		s.counter++
	}
	if encipher {
		cipher.NewCBCEncrypter(s.enc, s.iv(0)).CryptBlocks(data, data) // #nosec G407 -- the IV is an enciphered counter, §6.2.6
	}
	s.chain = [16]byte(crypt.CMAC(s.mac, append(s.chain[:], c.secured(data, nil)...)))
	return c.secured(data, s.chain[:8]), nil
}

func (s *SCP03) iv(direction byte) []byte {
	iv := make([]byte, 16)
	binary.BigEndian.PutUint64(iv[8:], s.counter)
	iv[0] = direction
	s.enc.Encrypt(iv, iv)
	return iv
}

// Unwrap proves and deciphers the data of the card's answer to the command that
// was wrapped last; status is its SW1 SW2 (amendment D §6.2.5, §6.2.7).
func (s *SCP03) Unwrap(answer []byte, status [2]byte) ([]byte, error) {
	if s.level&levelRMAC == 0 {
		return answer, nil
	}
	if len(answer) < 8 {
		return nil, fmt.Errorf("%w: an answer without MAC", crypt.ErrMalformed)
	}
	data, mac := answer[:len(answer)-8], answer[len(answer)-8:]
	input := append(append(append([]byte{}, s.chain[:]...), data...), status[:]...)
	if !crypt.Equal(crypt.CMAC(s.rmac, input)[:8], mac) {
		return nil, fmt.Errorf("%w: the answer's MAC", crypt.ErrMismatch)
	}
	if s.level&levelRENC == 0 || len(data) == 0 {
		return data, nil
	}
	if len(data)%16 != 0 {
		return nil, fmt.Errorf("%w: an enciphered answer is not whole blocks", crypt.ErrMalformed)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(s.enc, s.iv(0x80)).CryptBlocks(plain, data)
	return unpad(plain)
}

// unpad takes off one bit and zeros.
func unpad(plain []byte) ([]byte, error) {
	unpadded := bytes.TrimRight(plain, "\x00")
	if n := len(unpadded) - 1; n >= 0 && unpadded[n] == 0x80 {
		return unpadded[:n], nil
	}
	return nil, fmt.Errorf("%w: the padding of enciphered data", crypt.ErrMismatch)
}
