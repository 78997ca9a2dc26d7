package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

// storedProfile is a card profile with the names of its master keys.
type storedProfile struct {
	emv.CAPProfile

	AC  string `json:"imk_ac"`
	SMI string `json:"imk_smi"`
	SMC string `json:"imk_smc"`

	PIN *pinRule `json:"pvk,omitempty"` // how PINs of its cards are judged
}

const (
	maxProfile = 8 << 10
	cvnCSK     = "14"
)

// sessionKeys are the methods by which cards derive the key of a cryptogram.
var sessionKeys = map[emv.SessionMethod]string{emv.SessionNone: "none", emv.SessionCSK: "csk", emv.SessionMChip: "skd", emv.SessionTree: "tree"}

// profileFields say a profile member by member; what is left out is as in the
// built-in profile securaccess.
func profileFields() map[string]*framework.FieldSchema {
	hexadecimal := func(what string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Description: what + ", hexadecimal."}
	}
	fields := map[string]*framework.FieldSchema{
		"name":                nameField(),
		"profile":             {Type: framework.TypeString, Description: "The whole profile as one JSON text, in the place of the members below."},
		"ipb":                 hexadecimal("Issuer proprietary bitmap (9F56): at most 26 bits, 16 or more of them of the cryptogram"),
		"iaf":                 hexadecimal("Internet authentication flags (9F55), 1 byte"),
		"cvn":                 {Type: framework.TypeString, Description: "Cryptogram version number, hexadecimal: 10, 11, 14, 15 (M/Chip), 0A, 0E, 12, 22 (Visa) or 85 (Interac); 14 when left out. Cards of others than 14 are not made here."},
		"session_key":         {Type: framework.TypeString, Description: "Session-key method; empty, or the one of the cryptogram version: csk (EMV Book 2 A1.3.1) of 12, 14, 15, 22; skd (M/Chip) of 10, 11, 85; tree (EMV2000) of 0E; none of 0A."},
		"dki":                 hexadecimal("Derivation key index in the issuer application data, 1 byte"),
		"ptl":                 {Type: framework.TypeString, Description: "PIN try limit, 1 to 15; also in byte 3 of the CVR."},
		"cvr":                 hexadecimal("Card verification results that a card with a right PIN and no script has: 6 bytes of M/Chip, others 4 to 8 with their length first"),
		"iad_suffix":          hexadecimal("What follows the CVR in the issuer application data; of cryptogram versions 11 and 15 10 bytes, the last 8 the card's counters"),
		"aip":                 hexadecimal("Application interchange profile (82), 2 bytes"),
		"padding":             {Type: framework.TypeString, Description: "Of the cryptogram's input: 80 or 00, for cryptogram version 0E, of which public texts do not fix it."},
		"script_key":          {Type: framework.TypeString, Description: "Session keys of scripts from the counter or the cryptogram: atc or arqc. As the next three, empty takes what the cryptogram version has."},
		"script_mac":          {Type: framework.TypeString, Description: "Whether the MAC of scripts covers counter and cryptogram: bound or unbound."},
		"script_encipherment": {Type: framework.TypeString, Description: "Of script data: visa (length in front), mchip (padded if needed) or ccd (padded always)."},
		"script_pin":          {Type: framework.TypeString, Description: "PIN block of a new PIN: iso2, vis, or vis-with-old (vis with the current PIN, iso2 without)."},
		"option":              {Type: framework.TypeString, Description: "Derivation of card keys: A or B (EMV Book 2 A1.4); empty takes that of the cryptogram version."},
		"pin_length":          {Type: framework.TypeString, Description: "Digits of a PIN: 4 to 12."},
		"aid":                 hexadecimal("Application identifier"),
		"label":               {Type: framework.TypeString, Description: "Application label, up to 16 characters."},
		"cdol1":               hexadecimal("What the first GENERATE AC is given (8C)"),
		"cdol2":               hexadecimal("What the second is given (8D)"),
		"imk_ac":              {Type: framework.TypeString, Description: "Name of the master key of usage imk-ac; default imk-ac."},
		"imk_smi":             {Type: framework.TypeString, Description: "Name of the master key of usage imk-smi; default imk-smi."},
		"imk_smc":             {Type: framework.TypeString, Description: "Name of the master key of usage imk-smc; default imk-smc."},
	}
	maps.Copy(fields, pinRuleFields())
	return fields
}

func (b *backend) pathProfiles() *framework.Path {
	return &framework.Path{
		Pattern: "profiles/?$",
		Operations: operations{logical.ListOperation: b.quick("List profiles.", func(ctx context.Context, r *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
			names, err := r.Storage.List(ctx, profilePrefix)
			if err != nil {
				return nil, fmt.Errorf("list profiles: %w", err)
			}
			return logical.ListResponse(append(names, emv.SecurAccess().Name)), nil
		})},
		HelpSynopsis:    "List the names of card profiles.",
		HelpDescription: "securaccess is built in.",
	}
}

func (b *backend) pathProfile() *framework.Path {
	return &framework.Path{
		Pattern: "profiles/" + framework.GenericNameRegex("name"), Fields: profileFields(),
		Operations: operations{
			logical.UpdateOperation: b.command("Write a card profile, once.", b.writeProfile),
			logical.ReadOperation:   b.quick("Read a card profile.", b.readProfile),
		},
		HelpSynopsis: "What the cards of one kind have in common. securaccess is built in.",
		HelpDescription: "A profile is validated, then written once: cards made under it must stay verifiable. " +
			"Members that are left out are those of securaccess. It holds no secret.",
	}
}

// profileOf reads a profile from a request: one JSON text, or members.
func profileOf(data *framework.FieldData) (storedProfile, error) {
	if body := text(data, "profile"); body != "" {
		var p storedProfile
		if len(body) > maxProfile || strict([]byte(body), &p) != nil {
			return p, refuse("invalid", "the profile is not the JSON of a card profile, of at most 8 KiB")
		}
		return p, nil
	}
	p := storedProfile{CAPProfile: emv.SecurAccess(), AC: text(data, "imk_ac"), SMI: text(data, "imk_smi"), SMC: text(data, "imk_smc")}
	version, err := crypt.ParseHex(orElse(text(data, "cvn"), cvnCSK))
	if err != nil || len(version) != 1 {
		return p, refuse("invalid", "cvn is one byte, hexadecimal")
	}
	scheme, err := emv.SchemeByCVN(version[0])
	if err != nil {
		return p, refuse("invalid", "cvn is none of the cryptogram versions that are computed")
	}
	if method := strings.ToLower(text(data, "session_key")); method != "" && method != sessionKeys[scheme.Session] {
		return p, refuse("invalid", "the session-key method of cryptogram version %s is %s", version, sessionKeys[scheme.Session])
	}
	if !scheme.MChip() {
		p.IADSuffix = nil
	}
	p.Option = scheme.Option
	dki := p.IADPrefix[:1]
	for field, into := range map[string]*crypt.Hex{
		"ipb": &p.IPB, "iaf": &p.IAF, "cvr": &p.CVR, "aid": &p.AID, "cdol1": &p.CDOL1, "cdol2": &p.CDOL2, "dki": &dki,
		"iad_suffix": &p.IADSuffix, "aip": &p.AIP,
	} {
		if given := text(data, field); given != "" {
			value, err := crypt.ParseHex(given)
			if err != nil {
				return p, refuse("invalid", "%s is hexadecimal", field)
			}
			*into = value
		}
	}
	if len(dki) != 1 {
		return p, refuse("invalid", "dki is one byte, hexadecimal")
	}
	p.IADPrefix = scheme.IADPrefix(dki[0], len(p.CVR), len(p.IADSuffix))
	p.Variant = emv.Variant{
		Padding: text(data, "padding"), ScriptKey: text(data, "script_key"), ScriptMAC: text(data, "script_mac"),
		Encipherment: text(data, "script_encipherment"), PINBlock: text(data, "script_pin"),
	}
	p.Label, p.Option = orElse(text(data, "label"), p.Label), emv.Option(orElse(text(data, "option"), string(p.Option)))
	for field, into := range map[string]*int{"ptl": &p.PTL, "pin_length": &p.PINLength} {
		if given := text(data, field); given != "" {
			if *into, err = bounded(field, given, 1, 15); err != nil {
				return p, err
			}
		}
	}
	if text(data, "cvr") == "" {
		p.CVR[2] = byte(p.PTL) //nolint:gosec // 1 to 15
	}
	p.PIN, err = pinRuleOf(data)
	return p, err
}

func orElse(given, otherwise string) string {
	if given == "" {
		return otherwise
	}
	return given
}

// writeProfile stores a profile once: cards made under it must stay verifiable.
func (b *backend) writeProfile(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	if !keyName.MatchString(name) {
		return nil, refuse("invalid", "a profile's name has lower-case letters, digits and dashes, at most 48")
	}
	p, err := profileOf(data)
	if err != nil {
		return nil, err
	}
	p.Name = name
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := p.PIN.check(); err != nil {
		return nil, err
	}
	p = p.withKeys()
	for _, key := range []string{p.AC, p.SMI, p.SMC} {
		if err := checkKeyName(key); err != nil {
			return nil, err
		}
	}
	defer b.lock(profilePrefix + name)()
	var there storedProfile
	found, err := get(ctx, r.Storage, profilePrefix+name, &there)
	if err != nil {
		return nil, err
	}
	if found || name == emv.SecurAccess().Name {
		return nil, refuse("conflict", "profile %s is there: cards were made under it; write another", name)
	}
	if err := put(ctx, r.Storage, profilePrefix+name, p); err != nil {
		return nil, err
	}
	b.forget()
	return nil, nil //nolint:nilnil // Vault's 204
}

// withKeys fills the usual names of the master keys in.
func (p storedProfile) withKeys() storedProfile {
	for into, name := range map[*string]string{&p.AC: usageIMKAC, &p.SMI: usageIMKSMI, &p.SMC: usageIMKSMC} {
		if *into == "" {
			*into = name
		}
	}
	return p
}

func (b *backend) readProfile(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	p, err := readProfile(ctx, r.Storage, text(data, "name"))
	if err != nil {
		return nil, err
	}
	whole, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write profile %s as JSON: %w", p.Name, err)
	}
	scheme, err := p.Scheme()
	if err != nil {
		return nil, err
	}
	dki, cvn := p.IADPrefix[len(p.IADPrefix)-2:len(p.IADPrefix)-1], p.IADPrefix[len(p.IADPrefix)-1:]
	described := map[string]any{
		"name": p.Name, "profile": string(whole), "ipb": p.IPB.String(), "iaf": p.IAF.String(), "cvr": p.CVR.String(),
		"dki": dki.String(), "cvn": cvn.String(), "session_key": sessionKeys[scheme.Session], "iad_suffix": p.IADSuffix.String(), "aip": p.AIP.String(),
		"padding": p.Variant.Padding, "script_key": p.Variant.ScriptKey, "script_mac": p.Variant.ScriptMAC,
		"script_encipherment": p.Variant.Encipherment, "script_pin": p.Variant.PINBlock, "ptl": strconv.Itoa(p.PTL),
		"option": string(p.Option), "pin_length": strconv.Itoa(p.PINLength), "aid": p.AID.String(), "label": p.Label,
		"cdol1": p.CDOL1.String(), "cdol2": p.CDOL2.String(), "imk_ac": p.AC, "imk_smi": p.SMI, "imk_smc": p.SMC,
	}
	if p.PIN != nil {
		maps.Copy(described, map[string]any{
			"pvk": p.PIN.Key, "pvki": p.PIN.Index, "decimalisation": p.PIN.Decimalisation, "validation_start": strconv.Itoa(p.PIN.Start),
			"validation_length": strconv.Itoa(p.PIN.Length), "validation_pad": p.PIN.Pad,
		})
	}
	return &logical.Response{Data: described}, nil
}

func readProfile(ctx context.Context, s logical.Storage, name string) (storedProfile, error) {
	var p storedProfile
	if !keyName.MatchString(name) {
		return p, refuse("unknown_profile", "%s", shown(name))
	}
	found, err := get(ctx, s, profilePrefix+name, &p)
	if err != nil || found {
		return p, err
	}
	if name == emv.SecurAccess().Name {
		return storedProfile{CAPProfile: emv.SecurAccess()}.withKeys(), nil
	}
	return p, refuse("unknown_profile", "%s", shown(name))
}
