package emv

import (
	"crypto/des" //nolint:gosec // CAP mixes transaction data with single DES
	"crypto/subtle"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"sceau/hsm/crypt"
)

// Mode is the CAP mode: which of the typed data enter the code.
type Mode string

// The modes. A key without input gives the same code in modes 1 and 2.
const (
	Mode1    Mode = "1"     // challenge optional; amount and currency if the card's IAF asks
	Mode2    Mode = "2"     // no data: a one-time code
	Mode2TDS Mode = "2+tds" // no data to the card; up to ten fields mixed into its cryptogram
	Mode3    Mode = "3"     // challenge mandatory, no amount
)

// ParseMode reads a mode, in either case.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(strings.ToLower(s)); m {
	case Mode1, Mode2, Mode2TDS, Mode3:
		return m, nil
	}
	return "", fmt.Errorf("%w: the CAP mode is 1, 2, 2+tds or 3", crypt.ErrMalformed)
}

// Limits of the data that a holder types.
const (
	maxTDSFields = 10
	maxTDSDigits = 32
)

// Bits of the Internet authentication flags (IAF, tag 9F55).
const (
	iafAmount     = 0x80 // amount, and currency unless iafAmountOnly
	iafPSN        = 0x40 // the card sequence number is part of the code's data
	iafAmountOnly = 0x20 // no currency
)

// Transaction is what the holder typed, all decimal digits.
type Transaction struct {
	Mode      Mode
	Challenge string   // up to 8 digits
	Amount    string   // up to 12 digits, in the currency's minor unit as the reader shows it
	Currency  string   // up to 4 digits, ISO 4217 numeric
	TDS       []string // mode 2+tds: 1 to 10 fields of up to 32 digits
}

// Check tells whether the data fit the mode.
func (t Transaction) Check() error {
	switch {
	case t.Challenge != "" && !crypt.IsDigits(t.Challenge, 1, 8):
		return fmt.Errorf("%w: a challenge has 1 to 8 digits", crypt.ErrMalformed)
	case t.Amount != "" && !crypt.IsDigits(t.Amount, 1, 12):
		return fmt.Errorf("%w: an amount has 1 to 12 digits", crypt.ErrMalformed)
	case t.Currency != "" && !crypt.IsDigits(t.Currency, 1, 4):
		return fmt.Errorf("%w: a currency code has 1 to 4 digits", crypt.ErrMalformed)
	case t.Mode != Mode1 && (t.Amount != "" || t.Currency != ""):
		return fmt.Errorf("%w: only mode 1 takes an amount", crypt.ErrMalformed)
	case t.Mode != Mode2TDS && len(t.TDS) > 0:
		return fmt.Errorf("%w: only mode 2+tds takes data fields", crypt.ErrMalformed)
	}
	switch t.Mode {
	case Mode1:
		return nil
	case Mode2:
		if t.Challenge != "" {
			return fmt.Errorf("%w: mode 2 takes no challenge", crypt.ErrMalformed)
		}
		return nil
	case Mode2TDS:
		if t.Challenge != "" {
			return fmt.Errorf("%w: mode 2+tds takes no challenge", crypt.ErrMalformed)
		}
		return checkTDS(t.TDS)
	case Mode3:
		if t.Challenge == "" {
			return fmt.Errorf("%w: mode 3 needs a challenge", crypt.ErrMalformed)
		}
		return nil
	}
	return fmt.Errorf("%w: the CAP mode is 1, 2, 2+tds or 3", crypt.ErrMalformed)
}

func checkTDS(fields []string) error {
	if len(fields) < 1 || len(fields) > maxTDSFields {
		return fmt.Errorf("%w: mode 2+tds takes 1 to %d data fields", crypt.ErrMalformed, maxTDSFields)
	}
	for _, f := range fields {
		if !crypt.IsDigits(f, 1, maxTDSDigits) {
			return fmt.Errorf("%w: a data field has 1 to %d digits", crypt.ErrMalformed, maxTDSDigits)
		}
	}
	return nil
}

// TerminalData fills a data object list as a CAP reader does: the typed data
// as decimal digits right-aligned (9F37 challenge, 9F02 and 5F2A where the
// IAF asks for an amount), 95 = 8000000000, 8A = 5A33 and zeros for the rest.
func TerminalData(dol []byte, iaf byte, t Transaction) ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	entries, err := ParseDOL(dol)
	if err != nil {
		return nil, err
	}
	return appendTerminalData(nil, entries, iaf, t), nil
}

func appendTerminalData(dst []byte, entries []DOLEntry, iaf byte, t Transaction) []byte {
	for _, e := range entries {
		var field []byte
		switch {
		case e.Tag == 0x9F37 && t.Challenge != "":
			field = crypt.PackBCD(t.Challenge, e.Length)
		case e.Tag == 0x9F02 && t.Amount != "" && iaf&iafAmount != 0:
			field = crypt.PackBCD(t.Amount, e.Length)
		case e.Tag == 0x5F2A && t.Currency != "" && iaf&iafAmount != 0 && iaf&iafAmountOnly == 0:
			field = crypt.PackBCD(t.Currency, e.Length)
		default:
			start := len(dst)
			dst = append(dst, make([]byte, e.Length)...)
			copy(dst[start:], terminalConstant(e.Tag))
			continue
		}
		dst = append(dst, field...)
	}
	return dst
}

// terminalConstant is what a CAP reader puts into a field that nobody types.
func terminalConstant(tag uint32) []byte {
	switch tag {
	case 0x95: // terminal verification results: offline data authentication not performed
		return []byte{0x80, 0, 0, 0, 0}
	case 0x8A: // authorisation response code "Z3": unable to go online, declined
		return []byte{0x5A, 0x33}
	}
	return nil
}

// Signs tells whether the codes of the profile's cards depend on all the data of
// the transaction. A card whose IAF or object list asks for no amount shows the
// same code whatever was typed: to verify such a code is no proof of the amount.
func (p CAPProfile) Signs(t Transaction) error {
	dol, err := ParseDOL(p.CDOL1)
	if err != nil {
		return fmt.Errorf("cdol1: %w", err)
	}
	holds := func(tag uint32, digits string) bool {
		return slices.ContainsFunc(dol, func(e DOLEntry) bool { return e.Tag == tag && 2*e.Length >= len(digits) })
	}
	if t.Amount != "" && (p.IAF[0]&iafAmount == 0 || !holds(0x9F02, t.Amount)) {
		return fmt.Errorf("%w: cards of profile %s sign no such amount", crypt.ErrMalformed, p.Name)
	}
	if t.Currency != "" && (p.IAF[0]&(iafAmount|iafAmountOnly) != iafAmount || !holds(0x5F2A, t.Currency)) {
		return fmt.Errorf("%w: cards of profile %s sign no currency", crypt.ErrMalformed, p.Name)
	}
	return nil
}

// MixTDS mixes data fields into a cryptogram (mode 2+tds): DES-CBC under the
// cryptogram itself over the fields joined by nibble F; the last block replaces
// the cryptogram.
func MixTDS(ac [8]byte, fields []string) ([8]byte, error) {
	if err := checkTDS(fields); err != nil {
		return ac, err
	}
	text := strings.Join(fields, "F")
	if len(text)%2 == 1 {
		text += "F"
	}
	data, err := crypt.ParseHex(text)
	if err != nil {
		return ac, err
	}
	block, err := des.NewCipher(ac[:])
	if err != nil {
		return ac, fmt.Errorf("schedule the cryptogram as a key: %w", err)
	}
	return [8]byte(cbcLast(block.Encrypt, crypt.PadOne.Apply(data, 8))), nil
}

func cbcLast(encrypt func(dst, src []byte), data []byte) []byte {
	mac := make([]byte, 8)
	for ; len(data) > 0; data = data[8:] {
		subtle.XORBytes(mac, mac, data[:8])
		encrypt(mac, mac)
	}
	return mac
}

// ReaderData is what the reader takes from the card to make a code.
type ReaderData struct {
	IPB crypt.Hex // issuer proprietary bitmap, 9F56
	IAF byte      // Internet authentication flags, 9F55
	PSN string    // 5F34, used when the IAF says so
	CID byte      // 9F27: 80 for an ARQC
	ATC uint16    // 9F36
	AC  [8]byte
	IAD crypt.Hex // 9F10
}

// Code is the number that the reader shows: the bits that the IPB selects out
// of [PSN] CID ATC AC IAD, read as one binary number, in decimal, padded with
// zeros on the left to 8 digits. A bitmap of more than 26 bits may give more.
func (r ReaderData) Code() (string, error) {
	value, _, err := r.Select()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%08d", value), nil
}

// Select answers the selected bits as a number, and how many they are.
func (r ReaderData) Select() (value uint64, selected int, err error) {
	data := make([]byte, 0, 12+len(r.IAD))
	if r.IAF&iafPSN != 0 {
		if !crypt.IsDigits(r.PSN, 2, 2) {
			return 0, 0, fmt.Errorf("%w: the bitmap takes the card sequence number, 2 digits", crypt.ErrMalformed)
		}
		data = append(data, crypt.PackBCD(r.PSN, 1)...)
	}
	data = append(data, r.CID, byte(r.ATC>>8), byte(r.ATC&0xFF))
	data = append(data, r.AC[:]...)
	data = append(data, r.IAD...)
	for i := range min(len(data), len(r.IPB)) {
		n := bits.OnesCount8(r.IPB[i])
		if selected += n; selected > 63 {
			return 0, 0, fmt.Errorf("%w: the bitmap selects more than 63 bits", crypt.ErrMalformed)
		}
		value = value<<n | extract(data[i], r.IPB[i])
	}
	return value, selected, nil
}

// extract keeps the bits of b where mask is one, packed to the right.
func extract(b, mask byte) (out uint64) {
	for bit := byte(0x80); bit != 0; bit >>= 1 {
		if mask&bit == 0 {
			continue
		}
		out <<= 1
		if b&bit != 0 {
			out |= 1
		}
	}
	return out
}
