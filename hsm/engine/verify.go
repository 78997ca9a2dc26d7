package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

const (
	maxChecks   = 200 // in one call
	maxScripts  = 16
	maxWindow   = 256
	maxATC      = 65535
	arqcLength  = 8
	maxItemText = 64
)

// checkRequest is one code of a call.
type checkRequest struct {
	ID        string   `json:"id"`
	PAN       string   `json:"pan"`
	PSN       string   `json:"psn"`
	Profile   string   `json:"profile"`
	Mode      string   `json:"mode"`
	Code      string   `json:"code"`
	Challenge string   `json:"challenge"`
	Amount    string   `json:"amount"`
	Currency  string   `json:"currency"`
	TDS       []string `json:"tds"`
	LastATC   string   `json:"last_atc"`
	Window    string   `json:"window"`
	Scripts   []string `json:"scripts"`
}

func (b *backend) pathVerify() *framework.Path {
	return &framework.Path{
		Pattern: "cap/verify",
		Fields: map[string]*framework.FieldSchema{
			"items": {Type: framework.TypeSlice, Required: true, Description: "1 to 200 codes with what the reader signed."},
		},
		Operations:   write("Verify CAP codes.", b.verify),
		HelpSynopsis: "Tell whether codes of the Chip Authentication Program are right. Counters are the caller's.",
	}
}

func (b *backend) verify(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	var items []checkRequest
	if err := decode(data.Get("items"), &items, "items"); err != nil {
		return nil, err
	}
	if len(items) == 0 || len(items) > maxChecks {
		return nil, refuse("invalid", "a call has 1 to %d items", maxChecks)
	}
	results := make([]map[string]any, len(items))
	for i, item := range items {
		if len(item.ID) > maxItemText {
			return nil, refuse("invalid", "an item's id has at most %d characters", maxItemText)
		}
		result, err := b.verifyOne(ctx, r.Storage, item)
		if err != nil {
			if result, err = itemError(err); err != nil {
				return nil, err
			}
		}
		result["id"] = item.ID
		results[i] = result
	}
	return &logical.Response{Data: map[string]any{"items": results}}, nil
}

// itemError is the answer for one malformed check; other checks of the call
// stand. A failure of the storage is everybody's.
func itemError(err error) (map[string]any, error) {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return map[string]any{"valid": false, "error": refused.Error()}, nil
	case errors.Is(err, crypt.ErrMalformed):
		return map[string]any{"valid": false, "error": "invalid: " + err.Error()}, nil
	}
	return nil, err
}

func (b *backend) verifyOne(ctx context.Context, s logical.Storage, item checkRequest) (map[string]any, error) {
	keys, err := b.profileKeys(ctx, s, item.Profile)
	if err != nil {
		return nil, err
	}
	q := emv.Query{PAN: item.PAN, PSN: item.PSN, Code: item.Code, Transaction: emv.Transaction{
		Challenge: item.Challenge, Amount: item.Amount, Currency: item.Currency, TDS: item.TDS,
	}}
	if q.Transaction.Mode, err = emv.ParseMode(item.Mode); err != nil {
		return nil, err
	}
	last, err := bounded("last_atc", item.LastATC, 0, maxATC)
	if err != nil {
		return nil, err
	}
	q.LastATC = uint16(last) //nolint:gosec // bounded
	if q.Window, err = bounded("window", item.Window, 1, maxWindow); err != nil {
		return nil, err
	}
	if q.Scripts, err = scriptNumbers(item.Scripts); err != nil {
		return nil, err
	}
	if err := keys.profile.Signs(q.Transaction); err != nil {
		return nil, err
	}
	match, valid, err := keys.verifier.Verify(q)
	if err != nil {
		return nil, err
	}
	if !valid {
		return map[string]any{"valid": false}, nil
	}
	return map[string]any{"valid": true, "atc": strconv.Itoa(int(match.ATC)), "scripts": strconv.Itoa(match.Scripts)}, nil
}

func bounded(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, refuse("invalid", "%s is %d to %d", name, low, high)
	}
	return n, nil
}

func scriptNumbers(values []string) ([]int, error) {
	if len(values) > maxScripts {
		return nil, refuse("invalid", "scripts has at most %d numbers", maxScripts)
	}
	numbers := make([]int, len(values))
	for i, v := range values {
		var err error
		if numbers[i], err = bounded("scripts", v, 0, maxScripts-1); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

func (b *backend) pathUnblock() *framework.Path {
	return &framework.Path{
		Pattern: "script/pin-unblock",
		Fields: map[string]*framework.FieldSchema{
			"pan":     {Type: framework.TypeString, Required: true, Description: "Card number."},
			"psn":     {Type: framework.TypeString, Required: true, Description: "Its sequence number."},
			"profile": {Type: framework.TypeString, Required: true, Description: "Card profile."},
			"atc":     {Type: framework.TypeString, Required: true, Description: "Transaction counter that the card gave."},
			"arqc":    {Type: framework.TypeString, Required: true, Description: "Cryptogram that the card gave, 16 hexadecimal digits."},
			"scripts": {Type: framework.TypeCommaStringSlice, Description: "Numbers of issuer scripts that the card may have taken."},
		},
		Operations:   write("Make a PIN CHANGE/UNBLOCK command.", b.unblock),
		HelpSynopsis: "Make the issuer script that resets a card's PIN try counter (EMV Book 3 §6.5.10).",
	}
}

// unblock makes a script for the card that asks, proved by its cryptogram.
func (b *backend) unblock(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	keys, err := b.profileKeys(ctx, r.Storage, text(data, "profile"))
	if err != nil {
		return nil, err
	}
	pan, psn := text(data, "pan"), text(data, "psn")
	counter, err := bounded("atc", text(data, "atc"), 1, maxATC)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text(data, "arqc"))
	if err != nil || len(raw) != arqcLength {
		return nil, refuse("invalid", "arqc has %d hexadecimal digits", 2*arqcLength)
	}
	numbers, _ := data.Get("scripts").([]string)
	scripts, err := scriptNumbers(numbers)
	if err != nil {
		return nil, err
	}
	atc, arqc := uint16(counter), [arqcLength]byte(raw) //nolint:gosec // bounded
	if _, ok, err := keys.verifier.VerifyUnblock(pan, psn, atc, [4]byte{}, arqc, scripts); err != nil {
		return nil, err
	} else if !ok {
		return nil, refuse("wrong_arqc", "the card did not make this cryptogram for this counter")
	}
	mk, err := emv.CardMasterKey(keys.smi, keys.profile.Option, pan, psn)
	if err != nil {
		return nil, err
	}
	smi, err := crypt.NewTDES(mk)
	if err != nil {
		return nil, err
	}
	apdu := emv.PINUnblock(smi, atc, arqc)
	return &logical.Response{Data: map[string]any{"apdu": crypt.Hex(apdu[:]).String()}}, nil
}
