package emv

import (
	"bytes"
	"fmt"
	"math/bits"

	"sceau/hsm/crypt"
)

// CVNMChipCSK is the cryptogram version number of M/Chip with EMV common
// session keys (hexadecimal 14).
const CVNMChipCSK = 0x14

// CAPProfile is everything that the cards of one kind have in common. It holds
// no secret. Its JSON form is what the secrets engine and a simulated card read.
type CAPProfile struct {
	Name      string    `json:"name"`
	AID       crypt.Hex `json:"aid"`        // application identifier, 5 to 16 bytes
	Label     string    `json:"label"`      // application label (50), up to 16 characters
	Option    Option    `json:"option"`     // master key derivation: A or B
	IAF       crypt.Hex `json:"iaf"`        // 9F55, 1 byte
	IPB       crypt.Hex `json:"ipb"`        // 9F56: at most 26 bits, so that the code has 8 digits
	IADPrefix crypt.Hex `json:"iad_prefix"` // before the CVR in 9F10: derivation key index, then cryptogram version; a length first but for M/Chip
	IADSuffix crypt.Hex `json:"iad_suffix"` // after it
	CVR       crypt.Hex `json:"cvr"`        // expected with a right PIN and no script: 6 bytes of M/Chip
	CDOL1     crypt.Hex `json:"cdol1"`      // what the first GENERATE AC is given (8C)
	CDOL2     crypt.Hex `json:"cdol2"`      // what the second is given (8D)
	AIP       crypt.Hex `json:"aip"`        // 82, 2 bytes
	AFL       crypt.Hex `json:"afl"`        // 94, one record: SFI||01||01||00
	PTL       int       `json:"ptl"`        // PIN try limit, 1 to 15
	PINLength int       `json:"pin_length"` // 4 to 12

	Variant
}

// SecurAccess is the profile of the bank's authentication card. Its bitmap
// shows one bit of the CID, so that a code never begins with zero, 8 of the
// counter and 17 of the cryptogram.
func SecurAccess() CAPProfile {
	dol := crypt.Hex{0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4}
	return CAPProfile{
		Name:      "securaccess",
		AID:       crypt.Hex{0xA0, 0, 0, 0, 0x04, 0x80, 0x02},
		Label:     "SECURACCES",
		Option:    OptionA,
		IAF:       crypt.Hex{0x00},
		IPB:       crypt.Hex{0x80, 0x00, 0xFF, 0, 0, 0, 0, 0, 0x01, 0xFF, 0xFF},
		IADPrefix: crypt.Hex{0x01, CVNMChipCSK},
		IADSuffix: crypt.Hex{0, 0},
		CVR:       crypt.Hex{0xA5, 0, 0x03, 0x04, 0, 0},
		CDOL1:     dol,
		CDOL2:     append(crypt.Hex{0x8A, 2}, dol...),
		AIP:       crypt.Hex{0x10, 0},
		AFL:       crypt.Hex{0x08, 1, 1, 0},
		PTL:       3,
		PINLength: 4,
	}
}

const (
	minACBits   = 16 // fewer cryptogram bits are guessed too easily
	maxCodeBits = 26 // more do not fit 8 digits
)

// Check tells whether the profile is complete and safe to issue cards with.
func (p CAPProfile) Check() error {
	for _, f := range []struct {
		name     string
		value    crypt.Hex
		min, max int
	}{
		{"aid", p.AID, 5, 16},
		{"iaf", p.IAF, 1, 1},
		{"ipb", p.IPB, 3, 32},
		{"iad_prefix", p.IADPrefix, 2, 3},
		{"iad_suffix", p.IADSuffix, 0, 24},
		{"cvr", p.CVR, 4, 8},
		{"cdol1", p.CDOL1, 2, 64},
		{"cdol2", p.CDOL2, 2, 64},
		{"aip", p.AIP, 2, 2},
		{"afl", p.AFL, 4, 4},
	} {
		if len(f.value) < f.min || len(f.value) > f.max {
			return fmt.Errorf("%w: profile field %s has %d bytes, not %d to %d", crypt.ErrMalformed, f.name, len(f.value), f.min, f.max)
		}
	}
	if err := p.checkRules(); err != nil {
		return err
	}
	return p.checkBitmap()
}

func (p CAPProfile) checkRules() error {
	switch {
	case p.Name == "" || len(p.Label) > 16:
		return fmt.Errorf("%w: a profile has a name, and a label of up to 16 characters", crypt.ErrMalformed)
	case p.Option != OptionA && p.Option != OptionB:
		return fmt.Errorf("%w: profile field option is A or B", crypt.ErrMalformed)
	case p.AFL[0]&0x07 != 0 || p.AFL[0]>>3 < 1 || p.AFL[0]>>3 > 10 || !bytes.Equal(p.AFL[1:], []byte{1, 1, 0}):
		return fmt.Errorf("%w: the file locator names one record: SFI 1 to 10, record 1", crypt.ErrMalformed)
	case p.PTL < 1 || p.PTL > 15:
		return fmt.Errorf("%w: the PIN try limit is 1 to 15", crypt.ErrMalformed)
	case p.PINLength < 4 || p.PINLength > 12:
		return fmt.Errorf("%w: a PIN has 4 to 12 digits", crypt.ErrMalformed)
	}
	if err := p.checkScheme(); err != nil {
		return err
	}
	if _, err := ParseDOL(p.CDOL2); err != nil {
		return fmt.Errorf("cdol2: %w", err)
	}
	entries, err := ParseDOL(p.CDOL1)
	if err != nil {
		return fmt.Errorf("cdol1: %w", err)
	}
	for _, e := range entries {
		if e.Tag == 0x9F37 && e.Length == 4 {
			return nil
		}
	}
	return fmt.Errorf("%w: cdol1 does not ask for the unpredictable number (9F37, 4 bytes)", crypt.ErrMalformed)
}

func (p CAPProfile) checkBitmap() error {
	ac, all := 0, 0
	first := 3 + p.psnBytes()
	for i, b := range p.IPB {
		n := bits.OnesCount8(b)
		if i >= first+8+p.iadLength() && n > 0 {
			return fmt.Errorf("%w: the bitmap selects bits beyond the issuer application data", crypt.ErrMalformed)
		}
		all += n
		if i >= first && i < first+8 {
			ac += n
		}
	}
	if all > maxCodeBits || ac < minACBits {
		return fmt.Errorf("%w: the bitmap selects %d bits, %d of them cryptogram; a code has at most %d and at least %d",
			crypt.ErrMalformed, all, ac, maxCodeBits, minACBits)
	}
	return nil
}

func (p CAPProfile) psnBytes() int {
	if p.IAF[0]&iafPSN != 0 {
		return 1
	}
	return 0
}

func (p CAPProfile) iadLength() int { return len(p.IADPrefix) + len(p.CVR) + len(p.IADSuffix) }

// ExpectedCVR is the CVR of a card whose PIN was right, after n issuer scripts.
func (p CAPProfile) ExpectedCVR(scripts int) CVR {
	var c CVR
	copy(c[:], p.CVR)
	return c.WithScripts(scripts)
}

// IAD is the issuer application data (9F10) with the given CVR.
func (p CAPProfile) IAD(c CVR) crypt.Hex {
	iad := make(crypt.Hex, 0, p.iadLength())
	iad = append(iad, p.IADPrefix...)
	iad = append(iad, c[:]...)
	return append(iad, p.IADSuffix...)
}

// CryptogramInput is what the card computes its cryptogram over: terminal
// data, AIP, counter and CVR.
func (p CAPProfile) CryptogramInput(terminalData []byte, atc uint16, c CVR) []byte {
	input := make([]byte, 0, len(terminalData)+10)
	input = append(input, terminalData...)
	input = append(input, p.AIP...)
	input = append(input, byte(atc>>8), byte(atc&0xFF))
	return append(input, c[:]...)
}

// CardCryptogram is the card's own computation: the cryptogram under the card's
// master key ac, for the terminal data that GENERATE AC brought.
func (p CAPProfile) CardCryptogram(ac *crypt.TDES, terminalData []byte, atc uint16, c CVR) [8]byte {
	sk := sessionKey(ac, ATCDiversifier(atc))
	return Cryptogram(crypt.DoubleKey(&sk), p.CryptogramInput(terminalData, atc, c), crypt.PadOne)
}
