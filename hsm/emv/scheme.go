package emv

import (
	"encoding/binary"
	"fmt"
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

// Scheme is a cryptogram version: which keys, data and padding a card of it
// uses, how its issuer answers and how issuer scripts are protected.
type Scheme struct {
	Name       string
	CVN        byte          // cryptogram version number, as the card's issuer application data have it
	Option     Option        // master key derivation; B equals A for card numbers of up to 16 digits
	Session    SessionMethod // key of the cryptogram
	Padding    crypt.Padding // of the cryptogram's input
	CardData   CardDataKind  // what of the card ends the cryptogram's input
	ARPCMethod int           // 1 or 2 (Book 2 §8.2); 0: not fixed in public texts
	ARPCMaster bool          // the answer is under the master key although cryptograms have session keys
	// Issuer scripts:
	MessagingATC bool // session keys from the counter (VIS), else from the cryptogram
	Unbound      bool // the MAC leaves out counter and cryptogram
	Encipherment Encipherment
	PINForm      PINForm
}

// SessionMethod is how the key of the application cryptogram is derived.
type SessionMethod int

// The session key methods.
const (
	SessionNone  SessionMethod = iota // the card master key itself
	SessionCSK                        // EMV common session key (Book 2 A1.3.1)
	SessionMChip                      // M/Chip: counter and unpredictable number
	SessionTree                       // EMV2000 tree, height 16, branch factor 2, IV zero
)

// CardDataKind is what of the card ends the cryptogram's input.
type CardDataKind int

// The kinds of card data.
const (
	DataCVR         CardDataKind = iota // card verification results
	DataCVRCounters                     // and the card's counters, 8 bytes
	DataIAD                             // the whole issuer application data
)

// PINForm is the PIN block of PIN CHANGE.
type PINForm int

// The forms.
const (
	PINFormISO2       PINForm = iota // ISO 9564-1 format 2; never with the current PIN
	PINFormVIS                       // the block of VIS, with and without the current PIN
	PINFormVISWithOld                // the block of VIS with the current PIN, format 2 without
)

// The schemes that are computed, by the names of their vectors. Numbers of M/Chip
// are decimal: 16, 17, 20 and 21 are hexadecimal 10, 11, 14 and 15.
var schemes = map[string]Scheme{
	"VisaCVN10":       {CVN: 0x0A, Option: OptionA, Padding: crypt.PadZeros, ARPCMethod: 1, MessagingATC: true, Encipherment: EncipherVisa, PINForm: PINFormVIS},
	"VisaCVN14":       {CVN: 0x0E, Option: OptionA, Session: SessionTree, Padding: crypt.PadOne, MessagingATC: true, Encipherment: EncipherVisa, PINForm: PINFormVIS},
	"VisaCVN18":       {CVN: 0x12, Option: OptionB, Session: SessionCSK, Padding: crypt.PadOne, CardData: DataIAD, ARPCMethod: 2, MessagingATC: true, Encipherment: EncipherVisa, PINForm: PINFormVIS},
	"VisaCVN22":       {CVN: 0x22, Option: OptionB, Session: SessionCSK, Padding: crypt.PadOne, CardData: DataIAD, ARPCMethod: 2, Encipherment: EncipherVisa, PINForm: PINFormVISWithOld},
	"MasterCardCVN16": {CVN: 0x10, Option: OptionA, Session: SessionMChip, Padding: crypt.PadOne, ARPCMethod: 1, ARPCMaster: true, Encipherment: EncipherMChip},
	"MasterCardCVN17": {CVN: 0x11, Option: OptionA, Session: SessionMChip, Padding: crypt.PadOne, CardData: DataCVRCounters, ARPCMethod: 1, ARPCMaster: true, Encipherment: EncipherMChip},
	"MasterCardCVN20": {CVN: CVNMChipCSK, Option: OptionA, Session: SessionCSK, Padding: crypt.PadOne, ARPCMethod: 1, Encipherment: EncipherMChip},
	"MasterCardCVN21": {CVN: 0x15, Option: OptionA, Session: SessionCSK, Padding: crypt.PadOne, CardData: DataCVRCounters, ARPCMethod: 1, Encipherment: EncipherMChip},
	"InteracCVN133":   {CVN: 0x85, Option: OptionA, Session: SessionMChip, Padding: crypt.PadOne, CardData: DataIAD, ARPCMethod: 1, Unbound: true, Encipherment: EncipherMChip},
}

// SchemeByName answers a scheme: VisaCVN10, 14, 18, 22; MasterCardCVN16, 17, 20,
// 21; InteracCVN133.
func SchemeByName(name string) (Scheme, error) {
	s, ok := schemes[name]
	if !ok {
		return Scheme{}, fmt.Errorf("%w: no such cryptogram version", crypt.ErrMalformed)
	}
	s.Name = name
	return s, nil
}

// SchemeByCVN answers the scheme of a cryptogram version number.
func SchemeByCVN(cvn byte) (Scheme, error) {
	for name, s := range schemes {
		if s.CVN == cvn {
			return SchemeByName(name)
		}
	}
	return Scheme{}, fmt.Errorf("%w: no such cryptogram version", crypt.ErrMalformed)
}

// MChip tells whether the cards have the CVR of M/Chip, whose bits are known here.
func (s Scheme) MChip() bool { return strings.HasPrefix(s.Name, "MasterCard") }

// IADPrefix is what stands before the CVR in issuer application data: derivation
// key index and cryptogram version, and but for M/Chip a length: of what VIS has
// the issuer write, or of all that follows.
func (s Scheme) IADPrefix(dki byte, cvr, suffix int) crypt.Hex {
	switch length := 2 + cvr; {
	case s.MChip():
		return crypt.Hex{dki, s.CVN}
	case strings.HasPrefix(s.Name, "Visa"):
		return crypt.Hex{byte(length & 0xFF), dki, s.CVN}
	default:
		return crypt.Hex{byte((length + suffix) & 0xFF), dki, s.CVN}
	}
}

// SchemeTransaction is the data of one transaction, each as its tag holds it.
type SchemeTransaction struct {
	Amount9F02, Other9F03, Country9F1A, TVR95   crypt.Hex // 6, 6, 2, 5 bytes
	Currency5F2A, Date9A, Type9C, UN9F37, AIP82 crypt.Hex // 2, 3, 1, 4, 2 bytes
	ATC9F36, CVR, Counters, IAD9F10             crypt.Hex // 2, 4 to 8, 8, up to 32 bytes
}

// input is the cryptogram's input in the order of Book 2 §8.1.1 table 26.
func (s Scheme) input(t SchemeTransaction) ([]byte, error) {
	var out []byte
	for _, f := range []struct {
		tag   string
		value crypt.Hex
		size  int
	}{
		{"9F02", t.Amount9F02, 6},
		{"9F03", t.Other9F03, 6},
		{"9F1A", t.Country9F1A, 2},
		{"95", t.TVR95, 5},
		{"5F2A", t.Currency5F2A, 2},
		{"9A", t.Date9A, 3},
		{"9C", t.Type9C, 1},
		{"9F37", t.UN9F37, 4},
		{"82", t.AIP82, 2},
		{"9F36", t.ATC9F36, 2},
	} {
		if len(f.value) != f.size {
			return nil, fmt.Errorf("%w: tag %s has %d bytes, not %d", crypt.ErrMalformed, f.tag, len(f.value), f.size)
		}
		out = append(out, f.value...)
	}
	counters, iad := s.CardData == DataCVRCounters, s.CardData == DataIAD
	switch {
	case iad != (len(t.IAD9F10) > 0) || len(t.IAD9F10) > 32:
		return nil, fmt.Errorf("%w: 9F10 is missing, too long or not asked for", crypt.ErrMalformed)
	case iad != (len(t.CVR) == 0) || len(t.CVR) > 8:
		return nil, fmt.Errorf("%w: the CVR is missing, too long or not asked for", crypt.ErrMalformed)
	case counters != (len(t.Counters) == 8) || !counters && len(t.Counters) > 0:
		return nil, fmt.Errorf("%w: the counters have 8 bytes, where the scheme asks for them", crypt.ErrMalformed)
	}
	out = append(out, t.CVR...)
	out = append(out, t.Counters...)
	return append(out, t.IAD9F10...), nil
}

// SchemeCard is one card's master keys under a scheme.
type SchemeCard struct {
	scheme       Scheme
	AC, SMI, SMC crypt.Key
}

// Card derives the master keys of a card.
func (s Scheme) Card(imkAC, imkSMI, imkSMC *crypt.TDES, pan, psn string) (SchemeCard, error) {
	c := SchemeCard{scheme: s}
	for _, k := range []struct {
		into *crypt.Key
		imk  *crypt.TDES
	}{{&c.AC, imkAC}, {&c.SMI, imkSMI}, {&c.SMC, imkSMC}} {
		mk, err := CardMasterKey(k.imk, s.Option, pan, psn)
		if err != nil {
			return SchemeCard{}, err
		}
		*k.into = mk
	}
	return c, nil
}

// CryptogramKey is the key of the card's cryptogram for one transaction.
func (c SchemeCard) CryptogramKey(atc uint16, un [4]byte) (crypt.Key, error) {
	if c.scheme.Session == SessionTree {
		return SessionKeyTree(c.AC, atc, 16, 2, [16]byte{})
	}
	mk, err := crypt.NewTDES(c.AC)
	if err != nil {
		return nil, err
	}
	switch c.scheme.Session {
	case SessionCSK:
		return SessionKey(mk, ATCDiversifier(atc)), nil
	case SessionMChip:
		return SessionKey(mk, MChipDiversifier(atc, un)), nil
	case SessionNone, SessionTree:
	}
	return c.AC, nil
}

// Cryptogram is the card's application cryptogram (ARQC, TC or AAC).
func (c SchemeCard) Cryptogram(t SchemeTransaction) ([8]byte, error) {
	input, err := c.scheme.input(t)
	if err != nil {
		return [8]byte{}, err
	}
	key, err := c.key(t, false)
	if err != nil {
		return [8]byte{}, err
	}
	return Cryptogram(key, input, c.scheme.Padding), nil
}

func (c SchemeCard) key(t SchemeTransaction, answer bool) (*crypt.TDES, error) {
	if answer && c.scheme.ARPCMaster {
		return crypt.NewTDES(c.AC)
	}
	if len(t.ATC9F36) != 2 || len(t.UN9F37) != 4 {
		return nil, fmt.Errorf("%w: 9F36 has 2 bytes, 9F37 has 4", crypt.ErrMalformed)
	}
	key, err := c.CryptogramKey(binary.BigEndian.Uint16(t.ATC9F36), [4]byte(t.UN9F37))
	if err != nil {
		return nil, err
	}
	return crypt.NewTDES(key)
}

// ARPC is the issuer's answer to a cryptogram. response is the authorisation
// response code (method 1, 2 bytes) or the card status update (method 2, 4 bytes).
func (c SchemeCard) ARPC(t SchemeTransaction, arqc [8]byte, response []byte) ([]byte, error) {
	key, err := c.key(t, true)
	if err != nil {
		return nil, err
	}
	switch {
	case c.scheme.ARPCMethod == 1 && len(response) == 2:
		out := ARPC1(key, arqc, [2]byte(response))
		return out[:], nil
	case c.scheme.ARPCMethod == 2 && len(response) == 4:
		out := ARPC2(key, arqc, [4]byte(response), nil)
		return out[:], nil
	}
	return nil, fmt.Errorf("%w: %s has no issuer answer with %d bytes of response", crypt.ErrMalformed, c.scheme.Name, len(response))
}

// Scripts is what protects the n-th script command, counted from zero, of a
// transaction. Where session keys come from the cryptogram, it is raised by one
// for each further command, in keys and MAC (M/Chip); no public vector has n > 0.
func (c SchemeCard) Scripts(atc uint16, arqc [8]byte, n uint64) (ScriptSession, error) {
	var keys [2]*crypt.TDES
	r := arqc
	if !c.scheme.MessagingATC {
		binary.BigEndian.PutUint64(r[:], binary.BigEndian.Uint64(arqc[:])+n)
	}
	for i, mk := range []crypt.Key{c.SMI, c.SMC} {
		sk, err := SessionKeyVisa(mk, atc)
		if err == nil && !c.scheme.MessagingATC {
			var block *crypt.TDES
			if block, err = crypt.NewTDES(mk); err == nil {
				sk = SessionKey(block, r)
			}
		}
		if err != nil {
			return ScriptSession{}, err
		}
		if keys[i], err = crypt.NewTDES(sk); err != nil {
			return ScriptSession{}, err
		}
	}
	session := ScriptSession{SMI: keys[0], SMC: keys[1]}
	if !c.scheme.Unbound {
		session.Bound = transactionBound(atc, r)
	}
	return session, nil
}

// PINChange is the whole APDU that gives the card a new PIN. A VIS card may ask
// for the current PIN too; without it currentPIN is empty.
func (c SchemeCard) PINChange(session ScriptSession, newPIN, currentPIN string) ([]byte, error) {
	command := PINChangeWithoutOld
	if currentPIN != "" {
		command = PINChangeWithOld
	}
	var block [8]byte
	var err error
	switch {
	case c.scheme.PINForm == PINFormVIS, c.scheme.PINForm == PINFormVISWithOld && currentPIN != "":
		block, err = VISPINBlock(c.AC, newPIN, currentPIN)
	case currentPIN != "":
		err = fmt.Errorf("%w: only a VIS card takes the current PIN", crypt.ErrMalformed)
	default:
		block, err = pinblock.EncodeISO2(newPIN)
	}
	if err != nil {
		return nil, err
	}
	data, err := EncipherScript(session.SMC, c.scheme.Encipherment, block[:])
	clear(block[:])
	if err != nil {
		return nil, err
	}
	return session.APDU(command, data), nil
}
