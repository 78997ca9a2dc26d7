package card

import (
	"errors"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
)

// script carries out an issuer's command: PIN CHANGE/UNBLOCK, APPLICATION BLOCK
// and UNBLOCK, CARD BLOCK (EMV Book 3 §6.5.1, 2, 4 and 10). A transaction takes
// one, proved by its MAC under the transaction's cryptogram.
func (s *Simulated) script(c command) ([]byte, uint16) {
	want := 8
	if c.instruction == emv.PINChangeWithoutOld[0] && c.p2 == emv.PINChangeWithoutOld[2] {
		want = 16
	}
	known := map[emv.Command]bool{
		emv.PINUnblockCommand: true, emv.PINChangeWithoutOld: true,
		emv.ApplicationBlock: true, emv.ApplicationUnblock: true, emv.CardBlock: true,
	}
	switch {
	case !known[emv.Command{c.instruction, c.p1, c.p2}]:
		return nil, swWrongParameters
	case len(c.data) != want:
		return nil, swWrongLength
	case !s.session.asked || s.session.scriptSeen:
		return nil, swConditions
	}
	s.session.scriptSeen = true
	smi, err := crypt.NewTDES(s.image.SMI)
	smc, err2 := crypt.NewTDES(s.image.SMC)
	if errors.Join(err, err2) != nil {
		return nil, swNothingDiagnosed
	}
	command, data, err := emv.OpenScript(smi, smc, s.atc, s.session.arqc, c.raw)
	if err != nil {
		return nil, swSecureMessaging
	}
	switch command {
	case emv.PINChangeWithoutOld:
		if _, err := pinblock.DecodeISO2(data); err != nil {
			return nil, swWrongData
		}
		s.image.PINBlock, s.image.TryCounter = data, s.image.TryLimit
	case emv.PINUnblockCommand:
		s.image.TryCounter = s.image.TryLimit
	case emv.ApplicationBlock:
		s.block = applicationBlocked
	case emv.ApplicationUnblock:
		s.block = notBlocked
	case emv.CardBlock:
		s.block = cardBlocked
	}
	s.scripts = min(s.scripts+1, emv.MaxScripts)
	return nil, swOK
}
