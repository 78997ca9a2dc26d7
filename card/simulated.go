package card

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/lifecycle"
)

// Simulated is a card that answers like the chip of an authentication card with
// the CAP application of [emv.SecurAccess]. Its methods are safe for concurrent
// use, one command at a time, as a chip's are.
type Simulated struct {
	ID lifecycle.CardID // for people; the chip does not know it

	mu      sync.Mutex
	image   emv.CardImage // with the PIN try counter; guarded by mu, like all below
	atc     uint16        // application transaction counter
	scripts int           // issuer scripts carried out
	block   block         // by an issuer's script
	blank   *blank        // a card that waits for its personalisation; nil once it is made
	session session       // of the transaction under way; a removed card forgets it
	path    string        // where it keeps itself; empty: nowhere
}

// block is what an issuer's script took from a card.
type block byte

const (
	notBlocked         block = iota
	applicationBlocked       // declines everything, until the script that unblocks it
	cardBlocked              // answers nothing any more
)

// session is what the card remembers of a transaction.
type session struct {
	selected, initiated bool
	pin                 emv.PINOutcome
	arqc                [8]byte
	asked               bool // the first GENERATE AC was answered
	scriptSeen          bool
	finished            bool
}

// New makes a card from what the chip was personalised with.
func New(id lifecycle.CardID, image emv.CardImage) *Simulated {
	return &Simulated{ID: id, image: image, session: session{pin: emv.PINNotPerformed}}
}

// FromDGIs personalises a card as a bureau does: it opens the data groupings
// with the transport key.
func FromDGIs(id lifecycle.CardID, dgis []byte, transport *crypt.TDES) (*Simulated, error) {
	image, err := emv.OpenDGIs(dgis, transport)
	if err != nil {
		return nil, err
	}
	return New(id, image), nil
}

// Transmit answers one command.
func (s *Simulated) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.lasting()
	data, status := s.answer(command)
	if status != swOK && status != swInvalidated {
		data = nil
	}
	// As a chip does: what is counted is kept before the answer is given.
	if s.path != "" && s.lasting() != before {
		if err := s.save(s.path); err != nil {
			return nil, err
		}
	}
	return binary.BigEndian.AppendUint16(bytes.Clone(data), status), nil
}

// Keep has the card write itself to its file, at once and whole, after each
// command that changed what outlasts a session and before its answer: a reader
// or process that dies leaves no card that counted less than it said.
func (s *Simulated) Keep(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path = path
}

// lasting is what a command can change for longer than a session.
type lasting struct {
	atc     uint16
	tries   byte
	scripts int
	block   block
	blank   bool
	pin     [8]byte
}

func (s *Simulated) lasting() lasting {
	now := lasting{atc: s.atc, tries: s.image.TryCounter, scripts: s.scripts, block: s.block, blank: s.blank != nil}
	copy(now.pin[:], s.image.PINBlock)
	return now
}

// Remove pulls the card out of the reader: the transaction is forgotten.
func (s *Simulated) Remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = session{pin: emv.PINNotPerformed}
	if s.blank != nil {
		s.blank.close()
	}
}

// Status is what a person can find out about a card.
type Status struct {
	Last4     string
	ATC       int
	TriesLeft int
	Scripts   int
	Blocked   bool // application or card
	Blank     bool // not personalised yet
}

// Status tells it.
func (s *Simulated) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{
		Last4: s.image.PAN[max(0, len(s.image.PAN)-4):], ATC: int(s.atc), TriesLeft: int(s.image.TryCounter), Scripts: s.scripts,
		Blocked: s.block != notBlocked, Blank: s.blank != nil,
	}
}

// command is a parsed command APDU (ISO/IEC 7816-4 §5.1).
type command struct {
	class, instruction, p1, p2 byte
	data                       []byte
	raw                        []byte // header, Lc and data as they came, without Le
}

// parseCommand reads the short forms: header, header Le, header Lc data, header
// Lc data Le.
func parseCommand(raw []byte) (command, bool) {
	if len(raw) < 4 || len(raw) > maxCommand {
		return command{}, false
	}
	c := command{class: raw[0], instruction: raw[1], p1: raw[2], p2: raw[3], raw: raw[:4]}
	body := raw[4:]
	if len(body) <= 1 {
		return c, true
	}
	n := int(body[0])
	if n == 0 || len(body) != 1+n && len(body) != 2+n {
		return command{}, false
	}
	c.data, c.raw = body[1:1+n], raw[:5+n]
	return c, true
}

// answer carries a command out.
func (s *Simulated) answer(raw []byte) ([]byte, uint16) {
	c, ok := parseCommand(raw)
	if !ok {
		return nil, swWrongLength
	}
	if s.block == cardBlocked {
		return nil, swNotSupported
	}
	handlers := map[[2]byte]func(command) ([]byte, uint16){
		{0x00, 0xA4}: s.selectApplication,
		{0x80, 0xA8}: s.initiate,
		{0x00, 0xB2}: s.readRecord,
		{0x80, 0xCA}: s.getData,
		{0x00, 0x20}: s.verify,
		{0x80, 0xAE}: s.generate,
		{0x84, 0x24}: s.script,
		{0x84, 0x1E}: s.script,
		{0x84, 0x18}: s.script,
		{0x84, 0x16}: s.script,
	}
	if s.blank != nil {
		handlers = s.blankHandlers()
	}
	handler := handlers[[2]byte{c.class, c.instruction}]
	switch {
	case handler != nil:
		return handler(c)
	case c.class != 0x00 && c.class != 0x80 && c.class != 0x84:
		return nil, swUnknownClass
	}
	return nil, swUnknownCommand
}

// selectApplication is SELECT by name (EMV Book 1 §11.3).
func (s *Simulated) selectApplication(c command) ([]byte, uint16) {
	if c.p1 != 0x04 || c.p2 != 0x00 {
		return nil, swWrongParameters
	}
	s.session = session{pin: emv.PINNotPerformed}
	aid := emv.SecurAccess().AID
	if !bytes.Equal(c.data, aid) {
		return nil, swFileNotFound
	}
	s.session.selected = true
	status := uint16(swOK)
	if s.block == applicationBlocked {
		status = swInvalidated // EMV Book 1 §12.3.1: blocked, yet it shows itself
	}
	return emv.AppendTLV(nil, 0x6F, append(emv.AppendTLV(nil, 0x84, aid), s.image.FCI...)), status
}

// initiate is GET PROCESSING OPTIONS (EMV Book 3 §6.5.8): a transaction begins
// and the counter rises.
func (s *Simulated) initiate(c command) ([]byte, uint16) {
	switch {
	case c.p1 != 0 || c.p2 != 0:
		return nil, swWrongParameters
	case !bytes.Equal(c.data, []byte{0x83, 0x00}):
		return nil, swWrongLength
	case !s.session.selected || s.session.initiated:
		return nil, swConditions
	case s.atc == 0xFFFF:
		return nil, swConditions // worn out (EMV Book 3 §10.8)
	}
	s.atc++
	s.session.initiated = true
	return emv.AppendTLV(nil, 0x77, append(emv.AppendTLV(nil, 0x82, s.image.AIP), emv.AppendTLV(nil, 0x94, s.image.AFL)...)), swOK
}

// readRecord is READ RECORD (EMV Book 3 §6.5.11).
func (s *Simulated) readRecord(c command) ([]byte, uint16) {
	switch {
	case !s.session.selected:
		return nil, swConditions
	case c.p2&0x07 != 0x04:
		return nil, swWrongParameters
	case c.p2>>3 != s.image.SFI:
		return nil, swFileNotFound
	case c.p1 != 1:
		return nil, swRecordNotFound
	}
	return s.image.Record, swOK
}

// getData is GET DATA (EMV Book 3 §6.5.7): try counter and transaction counter.
func (s *Simulated) getData(c command) ([]byte, uint16) {
	if !s.session.selected {
		return nil, swConditions
	}
	switch tag := uint32(c.p1)<<8 | uint32(c.p2); tag {
	case 0x9F17:
		return emv.AppendTLV(nil, tag, []byte{s.image.TryCounter}), swOK
	case 0x9F36:
		return emv.AppendTLV(nil, tag, binary.BigEndian.AppendUint16(nil, s.atc)), swOK
	}
	return nil, swDataNotFound
}

// verify is VERIFY with a PIN in clear (EMV Book 3 §6.5.12).
func (s *Simulated) verify(c command) ([]byte, uint16) {
	switch {
	case c.p1 != 0x00 || c.p2 != 0x80:
		return nil, swWrongParameters
	case len(c.data) != 8:
		return nil, swWrongLength
	case !s.session.initiated || s.session.asked:
		return nil, swConditions
	case s.image.TryCounter == 0:
		s.session.pin = emv.PINFailed
		return nil, swBlocked
	}
	s.image.TryCounter--
	if !crypt.Equal(s.image.PINBlock, c.data) {
		s.session.pin = emv.PINFailed
		return nil, swWrongPIN | uint16(s.image.TryCounter)
	}
	s.image.TryCounter = s.image.TryLimit
	s.session.pin = emv.PINVerified
	return nil, swOK
}

// generate is GENERATE AC (EMV Book 3 §6.5.5): first an ARQC, then an AAC.
func (s *Simulated) generate(c command) ([]byte, uint16) {
	profile := emv.SecurAccess()
	cvr := profile.ExpectedCVR(s.scripts).WithPIN(s.session.pin, int(s.image.TryCounter))
	dol, cid := s.image.CDOL1, byte(0x80)
	switch {
	case !s.session.initiated || s.session.finished:
		return nil, swConditions
	case c.p2 != 0 || c.p1 != 0x80 && c.p1 != 0x00:
		return nil, swWrongParameters
	case c.p1 == 0x80 && s.session.asked:
		return nil, swConditions
	case s.session.asked:
		dol, cid, cvr = s.image.CDOL2, 0, cvr.SecondAAC()
	case c.p1 == 0x00:
		cid = 0 // declined at once
	}
	if len(c.data) != dolLength(dol) {
		return nil, swWrongLength
	}
	key, err := crypt.NewTDES(s.image.AC)
	if err != nil {
		return nil, swNothingDiagnosed
	}
	profile.AIP = s.image.AIP
	// The response code (8A) that opens CDOL2's data is no part of a cryptogram's
	// input: the card of the recorded trace leaves it out too.
	input := c.data[max(0, len(c.data)-dolLength(s.image.CDOL1)):]
	ac := profile.CardCryptogram(key, input, s.atc, cvr)
	if c.p1 == 0x80 { // the cryptogram that proves a script
		s.session.arqc, s.session.asked = ac, true
	}
	if s.block == applicationBlocked {
		cid = 0 // EMV Book 3 §6.5.1: it only declines
	}
	s.session.finished = cid == 0
	var body []byte
	body = emv.AppendTLV(body, 0x9F27, []byte{cid})
	body = emv.AppendTLV(body, 0x9F36, binary.BigEndian.AppendUint16(nil, s.atc))
	body = emv.AppendTLV(body, 0x9F26, ac[:])
	body = emv.AppendTLV(body, 0x9F10, profile.IAD(cvr))
	return emv.AppendTLV(nil, 0x77, body), swOK
}

func dolLength(dol []byte) int {
	entries, err := emv.ParseDOL(dol)
	if err != nil {
		return -1
	}
	n := 0
	for _, e := range entries {
		n += e.Length
	}
	return n
}
