package engine

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

const arqcLength = 8

func (b *backend) pathARQC() *framework.Path {
	return &framework.Path{
		Pattern: "arqc/verify",
		Fields: map[string]*framework.FieldSchema{
			"pan":         {Type: framework.TypeString, Required: true, Description: "Card number."},
			"psn":         {Type: framework.TypeString, Required: true, Description: "Its sequence number, 2 digits."},
			"profile":     {Type: framework.TypeString, Required: true, Description: "Card profile."},
			"atc":         {Type: framework.TypeString, Required: true, Description: "Transaction counter that the card gave (9F36), decimal."},
			"arqc":        {Type: framework.TypeString, Required: true, Description: "Cryptogram that the card gave (9F26), 16 hexadecimal digits."},
			"data":        {Type: framework.TypeString, Required: true, Description: "What GENERATE AC brought, as the profile's CDOL1 lists it, hexadecimal."},
			"iad":         {Type: framework.TypeString, Description: "Issuer application data that the card gave (9F10), hexadecimal; empty takes the expected CVR."},
			"arc":         {Type: framework.TypeString, Description: "Authorisation response code, 4 hexadecimal digits: also answer the ARPC by method 1."},
			"csu":         {Type: framework.TypeString, Description: "Card status update, 8 hexadecimal digits: also answer the ARPC by method 2."},
			"key_version": {Type: framework.TypeString, Description: "Version of the master key that the card was made under; empty tries all that are not retired."},
		},
		Operations:   operations{logical.UpdateOperation: b.quick("Verify an application cryptogram.", b.verifyARQC)},
		HelpSynopsis: "Tell whether a card made this cryptogram over these data, and make the issuer's answer to it.",
		HelpDescription: "Answers valid and, of a right cryptogram when arc or csu asks for it, arpc (EMV Book 2 §8.2.1 and §8.2.2) under the session key of the transaction. " +
			"The cryptogram that would have been right is never answered.",
	}
}

// proof is what a card gave at GENERATE AC.
type proof struct {
	pan, psn string
	atc      uint16
	arqc     [arqcLength]byte
}

func proofOf(data *framework.FieldData) (proof, error) {
	p := proof{pan: text(data, "pan"), psn: text(data, "psn")}
	if err := emv.CheckCard(p.pan, p.psn); err != nil {
		return p, err
	}
	counter, err := bounded("atc", text(data, "atc"), 1, maxATC)
	if err != nil {
		return p, err
	}
	p.atc = uint16(counter) //nolint:gosec // bounded
	raw, err := hex.DecodeString(text(data, "arqc"))
	if err != nil || len(raw) != arqcLength {
		return p, refuse("invalid", "arqc has %d hexadecimal digits", 2*arqcLength)
	}
	p.arqc = [arqcLength]byte(raw)
	return p, nil
}

// hexField reads an optional member of so many bytes.
func hexField(data *framework.FieldData, name string, low, high int) (crypt.Hex, error) {
	given := text(data, name)
	if given == "" {
		return nil, nil
	}
	raw, err := crypt.ParseHex(given)
	if err != nil || len(raw) < low || len(raw) > high {
		return nil, refuse("invalid", "%s is hexadecimal, of %d to %d bytes", name, low, high)
	}
	return raw, nil
}

func (b *backend) verifyARQC(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	keys, sets, err := b.setsOf(ctx, r.Storage, text(data, "profile"), text(data, "key_version"))
	if err != nil {
		return nil, err
	}
	given, err := proofOf(data)
	if err != nil {
		return nil, err
	}
	terminal, err := terminalData(data, keys.profile)
	if err != nil {
		return nil, err
	}
	cvr, err := cvrOf(data, keys.profile)
	if err != nil {
		return nil, err
	}
	for _, set := range sets {
		mk, err := cardKey(set.ac, keys.profile.Option, given)
		if err != nil {
			return nil, err
		}
		want := keys.profile.CardCryptogram(mk, terminal, given.atc, cvr)
		if crypt.Equal(want[:], given.arqc[:]) {
			return arpc(data, mk, given)
		}
	}
	return &logical.Response{Data: map[string]any{"valid": false}}, nil
}

// cardKey derives a card's own key, ready to compute.
func cardKey(imk *crypt.TDES, option emv.Option, p proof) (*crypt.TDES, error) {
	value, err := emv.CardMasterKey(imk, option, p.pan, p.psn)
	if err != nil {
		return nil, err
	}
	defer clear(value)
	return crypt.NewTDES(value)
}

func terminalData(data *framework.FieldData, p emv.CAPProfile) ([]byte, error) {
	terminal, err := hexField(data, "data", 1, 252)
	if err != nil {
		return nil, err
	}
	entries, err := emv.ParseDOL(p.CDOL1)
	if err != nil {
		return nil, err
	}
	length := 0
	for _, e := range entries {
		length += e.Length
	}
	if len(terminal) != length {
		return nil, refuse("invalid", "data has %d bytes, as the profile's CDOL1 asks", length)
	}
	return terminal, nil
}

// cvrOf is the CVR inside the issuer application data, or the expected one.
func cvrOf(data *framework.FieldData, p emv.CAPProfile) (emv.CVR, error) {
	iad, err := hexField(data, "iad", 1, 32)
	if err != nil || iad == nil {
		return p.ExpectedCVR(0), err
	}
	var cvr emv.CVR
	start := len(p.IADPrefix)
	if len(iad) < start+len(cvr) || !slices.Equal(iad[:start], p.IADPrefix) {
		return cvr, refuse("invalid", "iad is not of a card of this profile")
	}
	copy(cvr[:], iad[start:])
	return cvr, nil
}

// arpc answers a right cryptogram.
func arpc(data *framework.FieldData, mk *crypt.TDES, p proof) (*logical.Response, error) {
	answer := map[string]any{"valid": true}
	arc, err := hexField(data, "arc", 2, 2)
	if err != nil {
		return nil, err
	}
	csu, err := hexField(data, "csu", 4, 4)
	if err != nil {
		return nil, err
	}
	if arc != nil && csu != nil {
		return nil, refuse("invalid", "arc asks for method 1, csu for method 2: give one")
	}
	session, err := crypt.NewTDES(emv.SessionKey(mk, emv.ATCDiversifier(p.atc)))
	if err != nil {
		return nil, err
	}
	switch {
	case arc != nil:
		made := emv.ARPC1(session, p.arqc, [2]byte(arc))
		answer["arpc"] = crypt.Hex(made[:]).String()
	case csu != nil:
		made := emv.ARPC2(session, p.arqc, [4]byte(csu), nil)
		answer["arpc"] = crypt.Hex(made[:]).String()
	}
	return &logical.Response{Data: answer}, nil
}
