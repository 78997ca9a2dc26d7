package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

// pinRule is how an issuer tells a right PIN without keeping it: by a Visa PVV or
// an IBM 3624 offset, under a key that the profile names. It is written with the
// profile and never part of a request: who may choose the decimalisation table or
// the validation data finds a PIN in a few guesses (Bond and Zieliński, Technical
// Report UCAM-CL-TR-560, 2003).
type pinRule struct {
	Key            string `json:"key"`            // of usage pvk-visa or pvk-ibm, which is the method
	Index          string `json:"index"`          // PVV: the key's index, a digit
	Decimalisation string `json:"decimalisation"` // IBM 3624: a digit for each hexadecimal one
	Start          int    `json:"start"`          // IBM 3624: where in the card number its validation data begin
	Length         int    `json:"length"`         // and how many digits they are
	Pad            string `json:"pad"`            // what fills them up, a hexadecimal digit
}

// Bounds of a decimalisation table: the fewer digits it knows, the fewer PINs
// there are.
const (
	tableDigits  = 16
	tableMinimum = 8 // different digits
	tableRepeats = 4 // times that one digit may stand there
)

func pinRuleFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"pvk":               {Type: framework.TypeString, Description: "Name of the key of usage pvk-visa (PVV) or pvk-ibm (IBM 3624 offset) by which PINs are judged; empty: by none."},
		"pvki":              {Type: framework.TypeString, Description: "PVV: index of that key, a digit; default 1."},
		"decimalisation":    {Type: framework.TypeString, Description: "IBM 3624: decimalisation table, 16 digits; default 0123456789012345."},
		"validation_start":  {Type: framework.TypeString, Description: "IBM 3624: how many digits of the card number stand before the validation data; default 0."},
		"validation_length": {Type: framework.TypeString, Description: "IBM 3624: how many digits they are, 1 to 19; default 16."},
		"validation_pad":    {Type: framework.TypeString, Description: "IBM 3624: hexadecimal digit that fills them up; default F."},
	}
}

// pinRuleOf reads a profile's rule; nil when it names no key.
func pinRuleOf(data *framework.FieldData) (*pinRule, error) {
	if text(data, "pvk") == "" {
		return nil, nil //nolint:nilnil // a profile without
	}
	r := &pinRule{
		Key: text(data, "pvk"), Index: orElse(text(data, "pvki"), "1"), Pad: strings.ToUpper(orElse(text(data, "validation_pad"), "F")),
		Decimalisation: orElse(text(data, "decimalisation"), "0123456789012345"),
	}
	var err error
	if r.Start, err = bounded("validation_start", orElse(text(data, "validation_start"), "0"), 0, 18); err != nil {
		return nil, err
	}
	r.Length, err = bounded("validation_length", orElse(text(data, "validation_length"), "16"), 1, 19)
	return r, err
}

func (r *pinRule) check() error {
	if r == nil {
		return nil
	}
	if err := checkKeyName(r.Key); err != nil {
		return err
	}
	different := 0
	for digit := range byte(10) {
		n := strings.Count(r.Decimalisation, string('0'+rune(digit)))
		if n > 0 {
			different++
		}
		if n > tableRepeats {
			return refuse("invalid", "a decimalisation table has each digit %d times at most", tableRepeats)
		}
	}
	switch {
	case !crypt.IsDigits(r.Index, 1, 1):
		return refuse("invalid", "pvki is one digit")
	case !crypt.IsDigits(r.Decimalisation, tableDigits, tableDigits) || different < tableMinimum:
		return refuse("invalid", "a decimalisation table has %d digits, %d or more of them different", tableDigits, tableMinimum)
	case len(r.Pad) != 1 || !strings.Contains("0123456789ABCDEF", r.Pad):
		return refuse("invalid", "validation_pad is one hexadecimal digit")
	case r.Start < 0 || r.Length < 1 || r.Start+r.Length > 19:
		return refuse("invalid", "the validation data are digits of the card number: validation_start and validation_length are at most 19 together")
	}
	return nil
}

// judge is a profile's rule with its key.
type judge struct {
	*storedKey

	rule pinRule
}

// Methods by which PINs are judged.
const (
	methodPVV = "visa-pvv"
	methodIBM = "ibm-3624"
)

func (j judge) method() string {
	if j.Usage == usagePVV {
		return methodPVV
	}
	return methodIBM
}

// judgeOf reads a profile's rule and its key, which the caller wipes.
func judgeOf(ctx context.Context, s logical.Storage, profile string, need byte) (judge, error) {
	p, err := readProfile(ctx, s, profile)
	if err != nil {
		return judge{}, err
	}
	if p.PIN == nil {
		return judge{}, refuse("invalid", "profile %s names no key by which PINs are judged (pvk)", shown(profile))
	}
	k, err := readKey(ctx, s, p.PIN.Key)
	if err != nil {
		return judge{}, err
	}
	usage := usageIBM
	if k != nil && k.Usage == usagePVV {
		usage = usagePVV
	}
	return judge{storedKey: k, rule: *p.PIN}, k.usable(p.PIN.Key, usage, need)
}

// data is what a PIN is judged by, under a version of the key.
func (j judge) data(v keyVersion, pin, pan string) (string, error) {
	key, err := crypt.NewTDES(v.Value)
	if err != nil {
		return "", err
	}
	if j.Usage == usagePVV {
		return pinblock.PVV(key, j.rule.Index[0], pin, pan)
	}
	return j.ibm().PINOffset(key, pan, pin)
}

func (j judge) ibm() pinblock.IBM3624 {
	return pinblock.IBM3624{Decimalisation: j.rule.Decimalisation, Offset: j.rule.Start, Length: j.rule.Length, Pad: j.rule.Pad[0]}
}

// right tells whether a PIN is the one of the data, under any of the versions.
func (j judge) right(versions []keyVersion, pin, pan, data string) (bool, error) {
	for _, v := range versions {
		made, err := j.data(v, pin, pan)
		if err != nil {
			return false, err
		}
		if crypt.Equal([]byte(made), []byte(data)) {
			return true, nil
		}
	}
	return false, nil
}

// versions are those that a request asks for: one, or all that are not retired.
func (j judge) versions(given string) ([]keyVersion, error) {
	n, err := versionOf(given)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		v, err := j.version(j.rule.Key, n)
		return []keyVersion{v}, err
	}
	var all []keyVersion
	for _, v := range j.Versions {
		if !v.Retired {
			all = append(all, v)
		}
	}
	return all, nil
}

func (b *backend) pathPINData() *framework.Path {
	return &framework.Path{
		Pattern: "pin/verify-data",
		Fields: map[string]*framework.FieldSchema{
			"profile":     {Type: framework.TypeString, Required: true, Description: "Card profile that names the key and the rule (pvk)."},
			"pan":         {Type: framework.TypeString, Required: true, Description: "Card number."},
			"card":        {Type: framework.TypeString, Description: "Card whose PIN is kept here, with pin_version; or a PIN block in its place."},
			"pin_version": {Type: framework.TypeString, Description: "Version of its PIN."},
			"key":         {Type: framework.TypeString, Description: "Key of usage pin that the block is under."},
			"format":      {Type: framework.TypeString, Description: "ISO 9564-1 format of the block: 0, 3 or 4."},
			"pin_block":   {Type: framework.TypeString, Description: "The enciphered PIN block, hexadecimal: 8 bytes, 16 in format 4."},
		},
		Operations:   operations{logical.UpdateOperation: b.command("Make what a PIN is judged by.", b.makePINData)},
		HelpSynopsis: "Make the Visa PVV or the IBM 3624 offset of a PIN, by which pin/verify judges it later.",
		HelpDescription: "The PIN is one that is kept here or one in an enciphered block; it is not answered. The profile names the key, whose usage is the method and whose mode is C or G. " +
			"Answers verify_data (4 digits of a PVV, or an offset as long as the PIN), method (visa-pvv or ibm-3624) and key_version.",
	}
}

func (b *backend) makePINData(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	by, err := judgeOf(ctx, r.Storage, text(data, "profile"), toGenerate)
	defer by.wipe()
	if err != nil {
		return nil, err
	}
	pin, environment, err := b.pinGiven(ctx, r.Storage, data)
	if err != nil {
		return nil, err
	}
	if environment != by.Environment {
		return nil, refuse("mixed_environment", "the PIN is for %s, key %s for %s", environment, by.rule.Key, by.Environment)
	}
	v, err := by.version(by.rule.Key, 0)
	if err != nil {
		return nil, err
	}
	made, err := by.data(v, pin, text(data, "pan"))
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"verify_data": made, "method": by.method(), "key_version": strconv.Itoa(by.latest())}}, nil
}

// pinGiven is the PIN of a request: one that is kept here, or one in a block.
func (b *backend) pinGiven(ctx context.Context, s logical.Storage, data *framework.FieldData) (pin, environment string, err error) {
	if text(data, "card") != "" {
		if text(data, "pin_block") != "" {
			return "", "", refuse("invalid", "give card and pin_version, or a PIN block")
		}
		return b.pinKept(ctx, s, data)
	}
	key, err := openPINKey(ctx, s, text(data, "key"), text(data, "format"), toDecipher)
	if err != nil {
		return "", "", err
	}
	defer key.wipe()
	pin, err = key.open(text(data, "pin_block"), text(data, "pan"))
	return pin, key.Environment, err
}

func (b *backend) pinKept(ctx context.Context, s logical.Storage, data *framework.FieldData) (pin, environment string, err error) {
	pins, err := b.pinCipher(ctx, s)
	if err != nil {
		return "", "", err
	}
	err = b.lookAtPIN(ctx, s, data, func(p *storedPIN, path string) error {
		card := text(data, "card")
		switch {
		case p.Destroyed:
			return refuse("pin_destroyed", "this PIN was destroyed")
		case p.Number != "" && p.Number != numberTag(card, text(data, "pan")):
			return refuse("invalid", "this is not the number of card %s", card)
		}
		environment = orElse(p.Environment, environmentTest)
		block, err := pins.open(p.Block, path)
		if err != nil {
			return err
		}
		defer clear(block)
		pin, err = pinblock.DecodeISO2(block)
		return err
	})
	return pin, environment, err
}

// judgePIN tells whether the PIN in a block is the one of the data that the caller
// keeps. Guesses are counted for each card number and key.
func (b *backend) judgePIN(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if text(data, "card") != "" || text(data, "pin_version") != "" {
		return nil, refuse("invalid", "give card and pin_version for the PIN that is kept here, or verify_data and profile")
	}
	given, pan := text(data, "verify_data"), text(data, "pan")
	if !crypt.IsDigits(given, 4, 12) || !crypt.IsDigits(pan, 13, 19) {
		return nil, refuse("invalid", "verify_data has 4 to 12 digits, pan has 13 to 19")
	}
	by, err := judgeOf(ctx, r.Storage, text(data, "profile"), toVerify)
	defer by.wipe()
	if err != nil {
		return nil, err
	}
	versions, err := by.versions(text(data, "key_version"))
	if err != nil {
		return nil, err
	}
	key, err := openPINKey(ctx, r.Storage, text(data, "key"), text(data, "format"), toDecipher)
	if err != nil {
		return nil, err
	}
	defer key.wipe()
	if key.Environment != by.Environment {
		return nil, refuse("mixed_environment", "key %s is for %s, key %s for %s", key.name, key.Environment, by.rule.Key, by.Environment)
	}
	if by.Usage == usageIBM && by.rule.Start+by.rule.Length > len(pan) {
		return nil, refuse("invalid", "the validation data of profile %s lie outside this card number", text(data, "profile"))
	}
	path := guessPath(by.rule.Key, pan)
	defer b.lock(path)()
	var g guesses
	if _, err := get(ctx, r.Storage, path, &g); err != nil {
		return nil, err
	}
	if err := g.count(b.now()); err != nil {
		return nil, err
	}
	if err := put(ctx, r.Storage, path, g); err != nil {
		return nil, err
	}
	pin, err := key.open(text(data, "pin_block"), pan)
	right := false
	if err == nil {
		right, err = by.right(versions, pin, pan, given)
	}
	if _, ours := refused(err); err != nil && !ours {
		return nil, err
	}
	if right { // a block that does not open was a wrong guess
		err = r.Storage.Delete(ctx, path)
	} else {
		err = nil
	}
	return &logical.Response{Data: map[string]any{"valid": right}}, err
}

// guessPath is where the guesses at a card number are counted, without the number.
func guessPath(key, pan string) string {
	sum := sha256.Sum256([]byte("guess|" + key + "|" + pan))
	return guessPrefix + hex.EncodeToString(sum[:16])
}
