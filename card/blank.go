package card

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/globalplatform"
	"sceau/lifecycle"
)

// blank is a chip before its personalisation: it takes data groupings over SCP03
// and becomes a card with the last of them, or keeps nothing.
type blank struct {
	diversification [10]byte
	keyVersion      byte
	keys            globalplatform.Keys
	channel         *globalplatform.CardSCP03
	groupings       []byte
	commands        int
}

// firstKeyVersion is that of a chip as its maker delivers it.
const firstKeyVersion = 1

// NewBlank is a chip as its maker delivers it, under keys derived from the
// issuer's AES master key of personalisation and the chip's own data.
func NewBlank(master crypt.Key, diversification [10]byte) (*Simulated, error) {
	keys, err := globalplatform.Diversify(master, globalplatform.TemplateKDF3, diversification)
	if err != nil {
		return nil, err
	}
	return &Simulated{blank: &blank{diversification: diversification, keyVersion: firstKeyVersion, keys: keys}}, nil
}

func (b *blank) file() *blankFile {
	return &blankFile{
		Diversification: b.diversification[:], KeyVersion: b.keyVersion,
		ENC: crypt.Hex(b.keys.ENC), MAC: crypt.Hex(b.keys.MAC), DEK: crypt.Hex(b.keys.DEK),
	}
}

func (f *blankFile) card() (*Simulated, error) {
	b := &blank{keyVersion: f.KeyVersion, keys: globalplatform.Keys{ENC: crypt.Key(f.ENC), MAC: crypt.Key(f.MAC), DEK: crypt.Key(f.DEK)}}
	if len(f.Diversification) != len(b.diversification) {
		return nil, &lifecycle.FieldError{Field: "diversification", Why: "has 10 bytes"}
	}
	b.diversification = [10]byte(f.Diversification)
	for _, key := range []crypt.Key{b.keys.ENC, b.keys.MAC, b.keys.DEK} {
		if _, err := globalplatform.CheckValue(key, true); err != nil {
			return nil, &lifecycle.FieldError{Field: "enc", Why: "the keys of a blank card are AES keys"}
		}
	}
	return &Simulated{blank: b}, nil
}

// close forgets a channel and what came over it.
func (b *blank) close() {
	clear(b.groupings)
	b.channel, b.groupings, b.commands = nil, nil, 0
}

// blankHandlers are the commands of a card without application.
func (s *Simulated) blankHandlers() map[[2]byte]func(command) ([]byte, uint16) {
	return map[[2]byte]func(command) ([]byte, uint16){
		{0x00, 0xA4}: s.selectBlank,
		{0x80, 0x50}: s.initializeUpdate,
		{0x84, 0x82}: s.externalAuthenticate,
		{0x84, 0xE2}: s.storeData,
	}
}

// selectBlank selects the application that waits for its data.
func (s *Simulated) selectBlank(c command) ([]byte, uint16) {
	aid := crypt.Hex(emv.SecurAccess().AID)
	switch {
	case c.p1 != 0x04 || c.p2 != 0x00:
		return nil, swWrongParameters
	case crypt.Hex(c.data).String() != aid.String():
		return nil, swFileNotFound
	}
	s.blank.close()
	s.session = session{pin: emv.PINNotPerformed, selected: true}
	return emv.AppendTLV(nil, 0x6F, emv.AppendTLV(nil, 0x84, aid)), swOK
}

// initializeUpdate is INITIALIZE UPDATE (GlobalPlatform amendment D §7.1.1).
func (s *Simulated) initializeUpdate(c command) ([]byte, uint16) {
	s.blank.close()
	switch {
	case len(c.data) != 8:
		return nil, swWrongLength
	case c.p1 != 0 && c.p1 != s.blank.keyVersion || c.p2 != 0:
		return nil, swDataNotFound
	case !s.session.selected:
		return nil, swConditions
	}
	var challenge [8]byte
	_, _ = rand.Read(challenge[:]) // never fails since Go 1.24
	channel, answer, err := globalplatform.AnswerSCP03(s.blank.keys, s.blank.diversification, s.blank.keyVersion, [8]byte(c.data), challenge)
	if err != nil {
		return nil, swNothingDiagnosed
	}
	s.blank.channel = channel
	return answer, swOK
}

// externalAuthenticate is EXTERNAL AUTHENTICATE (amendment D §7.1.2).
func (s *Simulated) externalAuthenticate(c command) ([]byte, uint16) {
	if s.blank.channel == nil {
		return nil, swConditions
	}
	if _, err := s.blank.channel.Open(c.raw); err != nil {
		s.blank.close()
		return nil, swAuthentication
	}
	return nil, swOK
}

// storeData is STORE DATA (EMV CPS v1.1 §2.3): the groupings in order, and with
// the last one the card is made, or stays as blank as it was.
func (s *Simulated) storeData(c command) ([]byte, uint16) {
	b := s.blank
	if b.channel == nil {
		return nil, swConditions
	}
	data, err := b.channel.Open(c.raw)
	switch {
	case err != nil:
		b.close()
		return nil, swSecureMessaging
	case int(c.p2) != b.commands || c.p1&^0xE0 != 0 || len(b.groupings)+len(data) > maxFile:
		b.close()
		return nil, swWrongParameters
	}
	b.commands++
	b.groupings = append(b.groupings, data...)
	if c.p1&0x80 == 0 {
		return nil, swOK
	}
	defer b.close()
	image, err := b.image()
	if err != nil {
		return nil, swWrongData
	}
	s.image, s.blank = image, nil
	s.session = session{pin: emv.PINNotPerformed}
	return nil, swOK
}

func (b *blank) image() (emv.CardImage, error) {
	dek, err := globalplatform.NewDataKey(b.keys.DEK)
	if err != nil {
		return emv.CardImage{}, err
	}
	image, err := emv.OpenDGIsUnder(bytes.Clone(b.groupings), dek.Decipher) // the image keeps parts of it
	if err != nil {
		return emv.CardImage{}, fmt.Errorf("personalise a blank card: %w", err)
	}
	return image, nil
}
