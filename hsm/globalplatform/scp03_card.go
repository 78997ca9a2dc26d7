package globalplatform

import (
	"crypto/cipher"
	"fmt"

	"sceau/hsm/crypt"
)

// CardSCP03 is an open channel as the card keeps it.
type CardSCP03 struct {
	channel       *SCP03
	authenticated bool
}

// AnswerSCP03 is the card's answer to INITIALIZE UPDATE: key diversification
// data, key version, 03 for the protocol, 00 for random challenges, challenge and
// cryptogram.
func AnswerSCP03(static Keys, diversification [10]byte, keyVersion byte, hostChallenge, cardChallenge [8]byte) (*CardSCP03, []byte, error) {
	s, err := newSCP03(static, hostChallenge, cardChallenge)
	if err != nil {
		return nil, nil, err
	}
	answer := append(append([]byte{}, diversification[:]...), keyVersion, 3, 0)
	answer = append(append(answer, cardChallenge[:]...), s.Card[:]...)
	return &CardSCP03{channel: s}, answer, nil
}

// Open proves a command of the host and takes its protection off: the MAC, the
// encipherment where the level has it. The first must be EXTERNAL AUTHENTICATE,
// which proves the host and sets the level. After an error the channel is closed.
func (c *CardSCP03) Open(apdu []byte) (data []byte, err error) {
	s := c.channel
	if s == nil {
		return nil, fmt.Errorf("%w: the secure channel is closed", crypt.ErrMismatch)
	}
	defer func() {
		if err != nil {
			c.channel = nil
		}
	}()
	cmd, err := parseCommand(apdu)
	if err != nil {
		return nil, err
	}
	if cmd.header[0]&0x04 == 0 || len(cmd.data) < 8 {
		return nil, fmt.Errorf("%w: a command without MAC", crypt.ErrMismatch)
	}
	data, mac := cmd.data[:len(cmd.data)-8], cmd.data[len(cmd.data)-8:]
	s.chain = [16]byte(crypt.CMAC(s.mac, append(s.chain[:], cmd.secured(data, nil)...)))
	if !crypt.Equal(s.chain[:8], mac) {
		return nil, fmt.Errorf("%w: the MAC of a command", crypt.ErrMismatch)
	}
	if !c.authenticated {
		return nil, c.authenticate(cmd, data)
	}
	s.counter++
	if s.level&levelCENC == 0 || len(data) == 0 {
		return data, nil
	}
	if len(data)%16 != 0 {
		return nil, fmt.Errorf("%w: an enciphered command is not whole blocks", crypt.ErrMalformed)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(s.enc, s.iv(0)).CryptBlocks(plain, data)
	return unpad(plain)
}

// authenticate is EXTERNAL AUTHENTICATE (amendment D §7.1.2). The card asks for
// MAC and encipherment of commands, and protects no answer.
func (c *CardSCP03) authenticate(cmd command, data []byte) error {
	const instruction = 0x82
	level := cmd.header[2]
	switch {
	case cmd.header[1] != instruction || !crypt.Equal(data, c.channel.Host[:]):
		return fmt.Errorf("%w: the host cryptogram", crypt.ErrMismatch)
	case level != levelCMAC|levelCENC:
		return fmt.Errorf("%w: the security level is 03, not %02X", crypt.ErrMismatch, level)
	}
	c.channel.level, c.authenticated = level, true
	return nil
}
