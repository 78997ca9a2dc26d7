package card

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/lifecycle"
)

// maxFile bounds a card file, in bytes.
const maxFile = 64 << 10

// cardFile is a simulated card on disk. It holds what a chip holds, keys and
// PIN among it: for demonstrations and tests only.
type cardFile struct {
	Note       string           `json:"note"`
	Card       lifecycle.CardID `json:"card"`
	PAN        string           `json:"pan"`
	PSN        string           `json:"psn"`
	Expiry     string           `json:"expiry"`
	SFI        byte             `json:"sfi"`
	Record     crypt.Hex        `json:"record"`
	FCI        crypt.Hex        `json:"fci"`
	AIP        crypt.Hex        `json:"aip"`
	AFL        crypt.Hex        `json:"afl"`
	IAF        byte             `json:"iaf"`
	IPB        crypt.Hex        `json:"ipb"`
	CDOL1      crypt.Hex        `json:"cdol1"`
	CDOL2      crypt.Hex        `json:"cdol2"`
	AC         crypt.Hex        `json:"ac"`
	SMI        crypt.Hex        `json:"smi"`
	SMC        crypt.Hex        `json:"smc"`
	PINBlock   crypt.Hex        `json:"pin_block"`
	TryCounter byte             `json:"try_counter"`
	TryLimit   byte             `json:"try_limit"`
	ATC        uint16           `json:"atc"`
	Scripts    int              `json:"scripts"`
	Block      block            `json:"block,omitempty"`
	Blank      *blankFile       `json:"blank,omitempty"` // instead of all of the above
}

// blankFile is the chip as its maker delivers it: the keys of its secure channel.
type blankFile struct {
	Diversification crypt.Hex `json:"diversification"`
	KeyVersion      byte      `json:"key_version"`
	ENC             crypt.Hex `json:"enc"`
	MAC             crypt.Hex `json:"mac"`
	DEK             crypt.Hex `json:"dek"`
}

const fileNote = "a simulated card, for demonstrations and tests: it holds this card's keys as a chip would"

// Save writes the card to a file, at once and whole, for its owner's eyes.
func (s *Simulated) Save(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(path)
}

func (s *Simulated) save(path string) error {
	i := s.image
	f := cardFile{
		Note: fileNote, Card: s.ID, PAN: i.PAN, PSN: i.PSN, Expiry: i.Expiry, SFI: i.SFI, Record: i.Record, FCI: i.FCI,
		AIP: i.AIP, AFL: i.AFL, IAF: i.IAF, IPB: i.IPB, CDOL1: i.CDOL1, CDOL2: i.CDOL2, AC: crypt.Hex(i.AC), SMI: crypt.Hex(i.SMI),
		SMC: crypt.Hex(i.SMC), PINBlock: crypt.Hex(i.PINBlock), TryCounter: i.TryCounter, TryLimit: i.TryLimit, ATC: s.atc,
		Scripts: s.scripts, Block: s.block,
	}
	if s.blank != nil {
		f = cardFile{Note: fileNote, Card: s.ID, Blank: s.blank.file()}
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write card %s: %w", s.ID, err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".card-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write card %s: %w", s.ID, err)
	}
	_, err = temporary.Write(append(text, '\n'))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write card %s: %w", s.ID, err), os.Remove(temporary.Name()))
	}
	return nil
}

// Open reads a card from its file.
func Open(path string) (*Simulated, error) {
	f, err := os.Open(path) //nolint:gosec // named by the caller
	if err != nil {
		return nil, fmt.Errorf("%w: open the card: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("open the card: %w", err)
	}
	return Parse(text)
}

// Parse reads a card from the bytes of its file.
func Parse(text []byte) (*Simulated, error) {
	var f cardFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if len(text) > maxFile || decoder.Decode(&f) != nil { // its error may quote a key
		return nil, fmt.Errorf("%w: this is not a simulated card's file", lifecycle.Invalid)
	}
	if f.Blank != nil {
		return f.Blank.card()
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	s := New(f.Card, emv.CardImage{
		PAN: f.PAN, PSN: f.PSN, Expiry: f.Expiry, SFI: f.SFI, Record: f.Record, FCI: f.FCI, AIP: f.AIP, AFL: f.AFL, IAF: f.IAF,
		IPB: f.IPB, CDOL1: f.CDOL1, CDOL2: f.CDOL2, AC: crypt.Key(f.AC), SMI: crypt.Key(f.SMI), SMC: crypt.Key(f.SMC),
		PINBlock: crypt.Key(f.PINBlock), TryCounter: f.TryCounter, TryLimit: f.TryLimit,
	})
	s.atc, s.scripts, s.block = f.ATC, f.Scripts, f.Block
	return s, nil
}

func (f cardFile) check() error {
	const key, block, limit = 16, 8, 15
	switch {
	case emv.CheckCard(f.PAN, f.PSN) != nil:
		return &lifecycle.FieldError{Field: "pan", Why: "is not a card number with its sequence number"}
	case len(f.AC) != key || len(f.SMI) != key || len(f.SMC) != key || len(f.PINBlock) != block:
		return &lifecycle.FieldError{Field: "ac", Why: "keys have 16 bytes each, the PIN block 8"}
	case len(f.AIP) != 2 || len(f.AFL) != 4 || len(f.Record) == 0 || len(f.Record) > 250 || len(f.FCI) > 200:
		return &lifecycle.FieldError{Field: "record", Why: "record, aip, afl or fci is missing or too long"}
	case dolLength(f.CDOL1) < 1 || dolLength(f.CDOL2) < 1 || dolLength(f.CDOL1) > 250 || dolLength(f.CDOL2) > 250:
		return &lifecycle.FieldError{Field: "cdol1", Why: "is not a data object list of at most 250 bytes"}
	case f.TryLimit > limit || f.TryCounter > f.TryLimit || f.Scripts < 0 || f.Scripts > emv.MaxScripts || f.Block > cardBlocked:
		return &lifecycle.FieldError{Field: "try_counter", Why: "counters are beyond their limits"}
	}
	return nil
}
