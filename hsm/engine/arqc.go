package engine

import (
	"context"
	"encoding/hex"

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
			"iad":         {Type: framework.TypeString, Description: "Issuer application data that the card gave (9F10), hexadecimal; empty takes the profile's expected ones."},
			"arc":         {Type: framework.TypeString, Description: "Authorisation response code, 4 hexadecimal digits: also answer the ARPC by method 1."},
			"csu":         {Type: framework.TypeString, Description: "Card status update, 8 hexadecimal digits: also answer the ARPC by method 2."},
			"key_version": {Type: framework.TypeString, Description: "Version of the master key that the card was made under; empty tries all that are not retired."},
		},
		Operations:   operations{logical.UpdateOperation: b.quick("Verify an application cryptogram.", b.verifyARQC)},
		HelpSynopsis: "Tell whether a card made this cryptogram over these data, and make the issuer's answer to it.",
		HelpDescription: "Answers valid and, of a right cryptogram when arc or csu asks for it, arpc (EMV Book 2 §8.2.1 and §8.2.2), by the method and under the key of the profile's cryptogram version. " +
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
	iad, err := iadOf(data, keys.profile)
	if err != nil {
		return nil, err
	}
	for _, set := range sets {
		card, err := keys.card(set, given)
		if err != nil {
			return nil, err
		}
		defer wipeCard(card)
		want, err := keys.profile.ARQC(card, terminal, given.atc, iad)
		if err != nil {
			return nil, err
		}
		if crypt.Equal(want[:], given.arqc[:]) {
			return arpc(data, keys.profile, card, terminal, given)
		}
	}
	return &logical.Response{Data: map[string]any{"valid": false}}, nil
}

// card derives a card's own keys under a generation of master keys.
func (p *profileKeys) card(set *keySet, given proof) (emv.SchemeCard, error) {
	scheme, err := p.profile.Scheme()
	if err != nil {
		return emv.SchemeCard{}, err
	}
	return scheme.Card(set.ac, set.smi, set.smc, given.pan, given.psn)
}

func wipeCard(card emv.SchemeCard) {
	for _, key := range []crypt.Key{card.AC, card.SMI, card.SMC} {
		clear(key)
	}
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

// iadOf is the issuer application data that the card gave, or the expected ones.
func iadOf(data *framework.FieldData, p emv.CAPProfile) (crypt.Hex, error) {
	iad, err := hexField(data, "iad", 1, 32)
	if err != nil || iad == nil {
		return p.ExpectedIAD(), err
	}
	return iad, p.CheckIAD(iad)
}

// arpc answers a right cryptogram.
func arpc(data *framework.FieldData, p emv.CAPProfile, card emv.SchemeCard, terminal []byte, given proof) (*logical.Response, error) {
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
	if response := append(arc, csu...); len(response) > 0 {
		made, err := p.Answer(card, terminal, given.atc, given.arqc, response)
		if err != nil {
			return nil, err
		}
		answer["arpc"] = crypt.Hex(made).String()
	}
	return &logical.Response{Data: answer}, nil
}
