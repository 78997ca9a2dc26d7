package emv

import (
	"fmt"
	"slices"

	"sceau/hsm/crypt"
)

// Variant is what a profile has otherwise than its scheme: where public texts leave
// a choice, and for cards whose scripts follow other rules than their cryptograms.
// Empty members are the scheme's own.
type Variant struct {
	Padding      string `json:"padding,omitempty"`             // of the cryptogram's input, where the scheme leaves it open: 80 or 00
	ScriptKey    string `json:"script_key,omitempty"`          // session keys of scripts from the counter or the cryptogram: atc, arqc
	ScriptMAC    string `json:"script_mac,omitempty"`          // covers counter and cryptogram, or does not: bound, unbound
	Encipherment string `json:"script_encipherment,omitempty"` // of script data: visa, mchip, ccd
	PINBlock     string `json:"script_pin,omitempty"`          // of a new PIN: iso2, vis, vis-with-old
}

// choice reads a word of a variant.
func choice[T any](field, word string, into *T, words map[string]T) error {
	if word == "" {
		return nil
	}
	value, ok := words[word]
	if !ok {
		return fmt.Errorf("%w: profile field %s does not know this word", crypt.ErrMalformed, field)
	}
	*into = value
	return nil
}

// Scheme is the profile's cryptogram version with its variant.
func (p CAPProfile) Scheme() (Scheme, error) {
	if len(p.IADPrefix) == 0 {
		return Scheme{}, fmt.Errorf("%w: iad_prefix holds the cryptogram version", crypt.ErrMalformed)
	}
	s, err := SchemeByCVN(p.IADPrefix[len(p.IADPrefix)-1])
	if err != nil {
		return s, err
	}
	if p.Variant.Padding != "" && s.Session != SessionTree {
		return s, fmt.Errorf("%w: only cryptogram version 0E leaves the padding open", crypt.ErrMalformed)
	}
	s.Option = p.Option
	for _, err := range []error{
		choice("padding", p.Variant.Padding, &s.Padding, map[string]crypt.Padding{"80": crypt.PadOne, "00": crypt.PadZeros}),
		choice("script_key", p.Variant.ScriptKey, &s.MessagingATC, map[string]bool{"atc": true, "arqc": false}),
		choice("script_mac", p.Variant.ScriptMAC, &s.Unbound, map[string]bool{"bound": false, "unbound": true}),
		choice("script_encipherment", p.Variant.Encipherment, &s.Encipherment,
			map[string]Encipherment{"visa": EncipherVisa, "mchip": EncipherMChip, "ccd": EncipherCCD}),
		choice("script_pin", p.Variant.PINBlock, &s.PINForm,
			map[string]PINForm{"iso2": PINFormISO2, "vis": PINFormVIS, "vis-with-old": PINFormVISWithOld}),
	} {
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// Lengths of what M/Chip cards put into their issuer application data.
const (
	mchipPrefix   = 2  // derivation key index, cryptogram version
	mchipCounters = 8  // at the end
	mchipSuffix   = 10 // offline authentication code and counters
	lengthPrefix  = 3  // others begin with a length
)

// checkScheme refuses what the profile's cryptogram version cannot have.
func (p CAPProfile) checkScheme() error {
	s, err := p.Scheme()
	switch {
	case err != nil:
		return err
	case s.MChip() && (len(p.IADPrefix) != mchipPrefix || len(p.CVR) != len(CVR{})):
		return fmt.Errorf("%w: M/Chip cards have 2 bytes before a CVR of 6", crypt.ErrMalformed)
	case s.MChip() && p.CVR[2] != byte(p.PTL):
		return fmt.Errorf("%w: byte 3 of the expected CVR holds the PIN try limit", crypt.ErrMalformed)
	case s.CardData == DataCVRCounters && len(p.IADSuffix) != mchipSuffix:
		return fmt.Errorf("%w: cryptogram version %02X is over the card's counters: iad_suffix has 10 bytes", crypt.ErrMalformed, s.CVN)
	case !s.MChip() && (len(p.IADPrefix) != lengthPrefix || len(p.CVR) < 4 || int(p.CVR[0]) != len(p.CVR)-1):
		return fmt.Errorf("%w: cards of cryptogram version %02X have a length, the key index and the version before a CVR that begins with its own length", crypt.ErrMalformed, s.CVN)
	}
	return nil
}

// Simulated tells whether cards of the profile are made here: M/Chip with common
// session keys and nothing else. Codes and cryptograms of others are verified.
func (p CAPProfile) Simulated() bool {
	return p.AsksForUnblock() && p.Variant == Variant{}
}

// CountsScripts tells whether the CVR of the profile's cards counts issuer scripts
// in a way that is known here.
func (p CAPProfile) CountsScripts() bool {
	s, err := p.Scheme()
	return err == nil && s.MChip()
}

// AsksForUnblock tells whether a card of the profile can prove itself over no data:
// M/Chip with common session keys, see [Verifier.VerifyUnblock].
func (p CAPProfile) AsksForUnblock() bool {
	return len(p.IADPrefix) == mchipPrefix && p.IADPrefix[1] == CVNMChipCSK
}

// ProvesRightPIN tells whether issuer application data say that a right PIN was
// entered, for cards whose CVR is known here.
func (p CAPProfile) ProvesRightPIN(iad []byte) bool {
	return p.CountsScripts() && len(iad) > mchipPrefix && iad[mchipPrefix]&cvrPINSuccessful != 0
}

// CheckIAD refuses issuer application data that no card of the profile has.
func (p CAPProfile) CheckIAD(iad []byte) error {
	if len(iad) != p.iadLength() && (len(iad) < len(p.IADPrefix)+len(p.CVR) || !p.CountsScripts() || p.needsWhole()) || !slices.Equal(iad[:len(p.IADPrefix)], p.IADPrefix) {
		return fmt.Errorf("%w: iad is not of a card of this profile", crypt.ErrMalformed)
	}
	return nil
}

// needsWhole tells whether the cryptogram is over more than the CVR.
func (p CAPProfile) needsWhole() bool {
	s, err := p.Scheme()
	return err != nil || s.CardData != DataCVR
}

// cardPart is what of the issuer application data ends the cryptogram's input.
func (p CAPProfile) cardPart(kind CardDataKind, iad []byte) []byte {
	end := len(p.IADPrefix) + len(p.CVR)
	switch kind {
	case DataIAD:
		return iad
	case DataCVRCounters:
		return append(slices.Clone(iad[len(p.IADPrefix):end]), iad[len(iad)-mchipCounters:]...)
	case DataCVR:
	}
	return iad[len(p.IADPrefix):end]
}

// expectedIAD is the issuer application data after n issuer scripts.
func (p CAPProfile) expectedIAD(scripts int) crypt.Hex {
	cvr := p.CVR
	if len(cvr) == len(CVR{}) && p.CountsScripts() {
		c := p.ExpectedCVR(scripts)
		cvr = c[:]
	}
	return slices.Concat(p.IADPrefix, cvr, p.IADSuffix)
}

// ExpectedIAD is what a card with a right PIN and no script gives as 9F10.
func (p CAPProfile) ExpectedIAD() crypt.Hex { return p.expectedIAD(0) }

// unpredictable is the unpredictable number in terminal data.
func unpredictable(dol []DOLEntry, terminalData []byte) (un [4]byte) {
	offset := 0
	for _, e := range dol {
		if e.Tag == 0x9F37 && e.Length == len(un) {
			copy(un[:], terminalData[offset:offset+e.Length])
		}
		offset += e.Length
	}
	return un
}

// ARQC is the cryptogram of a card of the profile over terminal data and its issuer
// application data, which passed CheckIAD.
func (p CAPProfile) ARQC(card SchemeCard, terminalData []byte, atc uint16, iad []byte) ([8]byte, error) {
	dol, err := ParseDOL(p.CDOL1)
	if err != nil {
		return [8]byte{}, fmt.Errorf("cdol1: %w", err)
	}
	sk, err := card.CryptogramKey(atc, unpredictable(dol, terminalData))
	if err != nil {
		return [8]byte{}, err
	}
	key, err := crypt.NewTDES(sk)
	if err != nil {
		return [8]byte{}, err
	}
	input := slices.Concat(terminalData, p.AIP, []byte{byte(atc >> 8), byte(atc & 0xFF)}, p.cardPart(card.scheme.CardData, iad))
	return Cryptogram(key, input, card.scheme.Padding), nil
}

// Answer is the issuer's answer (ARPC) to a cryptogram of the card.
func (p CAPProfile) Answer(card SchemeCard, terminalData []byte, atc uint16, arqc [8]byte, response []byte) ([]byte, error) {
	dol, err := ParseDOL(p.CDOL1)
	if err != nil {
		return nil, fmt.Errorf("cdol1: %w", err)
	}
	if card.scheme.ARPCMethod == 0 || p.AsksForUnblock() { // not fixed: as the caller asks
		card.scheme.ARPCMethod = map[int]int{2: 1, 4: 2}[len(response)]
	}
	un := unpredictable(dol, terminalData)
	return card.ARPC(SchemeTransaction{ATC9F36: crypt.Hex{byte(atc >> 8), byte(atc & 0xFF)}, UN9F37: un[:]}, arqc, response)
}
