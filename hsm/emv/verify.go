package emv

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/bits"

	"sceau/hsm/crypt"
)

// Verifier checks the codes and cryptograms of one profile's cards under one
// issuer master key. It computes the profile's layout once, keeps no state and
// is safe for concurrent use.
type Verifier struct {
	profile CAPProfile
	scheme  Scheme
	imk     *crypt.TDES
	dol     []DOLEntry
	shift   []int          // by byte of the code's data: how far left its bits stand
	counter [2][256]uint64 // the bits of the counter's high and low byte in the code
	acBits  uint64         // where the code shows cryptogram
}

// NewVerifier prepares a profile that passes [CAPProfile.Check].
func NewVerifier(p CAPProfile, imkAC *crypt.TDES) (*Verifier, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	dol, err := ParseDOL(p.CDOL1)
	if err != nil {
		return nil, fmt.Errorf("cdol1: %w", err)
	}
	scheme, err := p.Scheme()
	if err != nil {
		return nil, err
	}
	v := &Verifier{profile: p, scheme: scheme, imk: imkAC, dol: dol, shift: make([]int, len(p.IPB))}
	for i, left := len(p.IPB)-1, 0; i >= 0; i-- {
		v.shift[i] = left
		left += bits.OnesCount8(p.IPB[i])
	}
	first := 1 + p.psnBytes()
	for half := range v.counter {
		for b := range v.counter[half] {
			v.counter[half][b] = v.bits(first+half, byte(b))
		}
	}
	for i := range 8 {
		v.acBits |= v.bits(first+2+i, 0xFF)
	}
	return v, nil
}

// bits places one byte of the code's data into the code.
func (v *Verifier) bits(i int, b byte) uint64 {
	if i >= len(v.profile.IPB) {
		return 0
	}
	return extract(b, v.profile.IPB[i]) << v.shift[i]
}

// Query is one code to check.
type Query struct {
	PAN, PSN    string
	Transaction Transaction
	Code        string
	LastATC     uint16 // the last counter accepted; only higher ones match
	Window      int    // how many counters above it are tried
	Scripts     []int  // the numbers of issuer scripts that the card may have seen; empty means none
}

// Match is where a code was found.
type Match struct {
	ATC     uint16
	Scripts int
}

// Verify looks for the counter in LastATC+1 … LastATC+Window for which the
// card would have shown the code. A code that is not 8 digits, is wrong, or is
// old answers false; an error means that the question itself is malformed.
// Cryptograms are computed only for counters that the code's own bits allow,
// and at least one always is, so that a wrong code costs what a right one does.
func (v *Verifier) Verify(q Query) (Match, bool, error) {
	if err := q.Transaction.Check(); err != nil {
		return Match{}, false, err
	}
	mk, err := cardMasterKey(v.imk, v.profile.Option, q.PAN, q.PSN)
	if err != nil {
		return Match{}, false, err
	}
	code, ok := parseCode(q.Code)
	s := search{v: v, mk: crypt.DoubleKey(&mk), raw: mk, q: q, code: code}
	s.input = appendTerminalData(make([]byte, 0, 272), v.dol, v.profile.IAF[0], q.Transaction)
	match, found, err := s.run()
	if err != nil || !found || !ok {
		return Match{}, false, err
	}
	return match, true, nil
}

// parseCode reads 8 digits; anything else is a number that no code has.
func parseCode(code string) (uint64, bool) {
	if !crypt.IsDigits(code, 8, 8) {
		return 1 << 63, false
	}
	var n uint64
	for i := range len(code) {
		n = n*10 + uint64(code[i]-'0')
	}
	return n, true
}

type search struct {
	v     *Verifier
	mk    *crypt.TDES
	q     Query
	code  uint64
	raw   [16]byte // mk as bytes, for the session keys that need them
	input []byte   // terminal data; the card's part is appended for each try
}

func (s *search) run() (Match, bool, error) {
	scripts := s.q.Scripts
	if len(scripts) == 0 {
		scripts = []int{0}
	}
	fixed := make([]uint64, len(scripts)) // the bits that do not depend on counter or cryptogram
	for i, n := range scripts {
		fixed[i] = s.v.fixedBits(s.q.PSN, n)
	}
	last := int(s.q.LastATC)
	tried := false
	for next := last + 1; next <= min(last+s.q.Window, 0xFFFF); next++ {
		atc := uint16(next) //nolint:gosec // at most 0xFFFF
		counter := s.v.counter[0][atc>>8] | s.v.counter[1][atc&0xFF]
		for i, n := range scripts {
			if (fixed[i]|counter^s.code)&^s.v.acBits != 0 {
				continue
			}
			tried = true
			same, err := s.try(atc, n)
			if err != nil {
				return Match{}, false, err
			}
			if same {
				return Match{ATC: atc, Scripts: n}, true, nil
			}
		}
	}
	if !tried {
		_, err := s.try(s.q.LastATC, scripts[0])
		return Match{}, false, err
	}
	return Match{}, false, nil
}

// fixedBits places sequence number, CID and issuer application data.
func (v *Verifier) fixedBits(psn string, scripts int) uint64 {
	var out uint64
	i := 0
	if v.profile.psnBytes() == 1 {
		out |= v.bits(0, crypt.PackBCD(psn, 1)[0])
		i = 1
	}
	out |= v.bits(i, cidARQC)
	for j, b := range v.profile.expectedIAD(scripts) {
		out |= v.bits(i+11+j, b)
	}
	return out
}

// cidARQC is the cryptogram information data of an online request (9F27).
const cidARQC = 0x80

// try computes the cryptogram for one counter and compares the code's bits.
func (s *search) try(atc uint16, scripts int) (bool, error) {
	v := s.v
	ac, err := s.cryptogram(atc, scripts)
	if err != nil {
		return false, err
	}
	if s.q.Transaction.Mode == Mode2TDS {
		if ac, err = MixTDS(ac, s.q.Transaction.TDS); err != nil {
			return false, err
		}
	}
	var want uint64
	first := 3 + v.profile.psnBytes()
	for i, b := range ac {
		want |= v.bits(first+i, b)
	}
	var a, b [8]byte
	binary.BigEndian.PutUint64(a[:], want)
	binary.BigEndian.PutUint64(b[:], s.code&v.acBits)
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1, nil
}

// cryptogram appends the card's part to the terminal data, whose spare capacity
// it uses.
func (s *search) cryptogram(atc uint16, scripts int) ([8]byte, error) {
	v := s.v
	input := append(s.input, v.profile.AIP...)
	input = append(input, byte(atc>>8), byte(atc&0xFF))
	if v.scheme.Session == SessionCSK && v.scheme.CardData == DataCVR { // the usual one, without a detour
		sk, c := sessionKey(s.mk, ATCDiversifier(atc)), v.profile.ExpectedCVR(scripts)
		return Cryptogram(crypt.DoubleKey(&sk), append(input, c[:]...), v.scheme.Padding), nil
	}
	sk, err := SchemeCard{scheme: v.scheme, AC: s.raw[:]}.CryptogramKey(atc, unpredictable(v.dol, s.input))
	if err != nil {
		return [8]byte{}, err
	}
	key, err := crypt.NewTDES(sk)
	if err != nil {
		return [8]byte{}, err
	}
	input = append(input, v.profile.cardPart(v.scheme.CardData, v.profile.expectedIAD(scripts))...)
	return Cryptogram(key, input, v.scheme.Padding), nil
}

// VerifyUnblock tells whether arqc is the cryptogram of a card that asks for
// its PIN try counter to be reset: first GENERATE AC with no typed data but the
// unpredictable number un, PIN not entered or entered wrong, and one of the
// numbers of issuer scripts. It answers the number of scripts that fitted.
func (v *Verifier) VerifyUnblock(pan, psn string, atc uint16, un [4]byte, arqc [8]byte, scripts []int) (int, bool, error) {
	mk, err := cardMasterKey(v.imk, v.profile.Option, pan, psn)
	if err != nil {
		return 0, false, err
	}
	key := crypt.DoubleKey(&mk)
	sk := sessionKey(key, ATCDiversifier(atc))
	session := crypt.DoubleKey(&sk)
	terminal := appendTerminalData(nil, v.dol, v.profile.IAF[0], Transaction{Mode: Mode2})
	offset := 0
	for _, e := range v.dol {
		if e.Tag == 0x9F37 {
			copy(terminal[offset:offset+e.Length], un[:])
		}
		offset += e.Length
	}
	if len(scripts) == 0 {
		scripts = []int{0}
	}
	for _, n := range scripts {
		for _, c := range unblockForms(v.profile.ExpectedCVR(0), n, v.profile.PTL) {
			ac := Cryptogram(session, v.profile.CryptogramInput(terminal, atc, c), crypt.PadOne)
			if subtle.ConstantTimeCompare(ac[:], arqc[:]) == 1 {
				return n, true, nil
			}
		}
	}
	return 0, false, nil
}
