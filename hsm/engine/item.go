package engine

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"

	"sceau/hsm/emv"
)

const (
	maxChecks   = 200       // in one call
	maxBatch    = 256 << 10 // bytes of them as one text
	maxScripts  = 16
	maxWindow   = 256
	maxResync   = 4096 // counters that two codes in a row are looked for in
	maxATC      = 65535
	maxItemText = 64
	codeLength  = 8
)

// checkRequest is one code of a call, with what the reader signed. Every member
// is text; a number is taken for one.
type checkRequest struct {
	ID, PAN, PSN, Profile, Mode, Code, Challenge, Amount, Currency, LastATC, Window, KeyVersion string

	TDS, Scripts []string
}

// checkFields are the members of one code, at the top of a request. In items
// each has the same.
func checkFields() map[string]*framework.FieldSchema {
	list := framework.TypeCommaStringSlice
	return map[string]*framework.FieldSchema{
		"pan":         {Type: framework.TypeString, Description: "Card number."},
		"psn":         {Type: framework.TypeString, Description: "Its sequence number, 2 digits."},
		"profile":     {Type: framework.TypeString, Description: "Card profile."},
		"mode":        {Type: framework.TypeString, Description: "CAP mode: 1, 2, 2+tds or 3."},
		"code":        {Type: framework.TypeString, Description: "The 8 digits that the reader showed."},
		"challenge":   {Type: framework.TypeString, Description: "Challenge that was typed, up to 8 digits."},
		"amount":      {Type: framework.TypeString, Description: "Amount that was typed, digits in the currency's minor unit."},
		"currency":    {Type: framework.TypeString, Description: "ISO 4217 numeric code."},
		"tds":         {Type: list, Description: "Mode 2+tds: 1 to 10 fields that were typed."},
		"last_atc":    {Type: framework.TypeString, Default: "0", Description: "Counter of the last accepted code; 0 before the first."},
		"window":      {Type: framework.TypeString, Default: "64", Description: "How many counters after it are tried."},
		"scripts":     {Type: list, Description: "Numbers of issuer scripts that the card may have taken."},
		"key_version": {Type: framework.TypeString, Description: "Version of the master key that the card was made under; empty tries all that are not retired."},
	}
}

// checkOf reads the one code at the top of a request.
func checkOf(data *framework.FieldData) checkRequest {
	list := func(name string) []string {
		values, _ := data.Get(name).([]string)
		return values
	}
	return checkRequest{
		PAN: text(data, "pan"), PSN: text(data, "psn"), Profile: text(data, "profile"), Mode: text(data, "mode"), Code: text(data, "code"),
		Challenge: text(data, "challenge"), Amount: text(data, "amount"), Currency: text(data, "currency"), TDS: list("tds"),
		LastATC: text(data, "last_atc"), Window: text(data, "window"), Scripts: list("scripts"), KeyVersion: text(data, "key_version"),
	}
}

// checksOf reads the list of codes of a call, without a detour through JSON.
func checksOf(value any) ([]checkRequest, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, refuse("invalid", "items is a list of objects")
	}
	if len(list) == 0 {
		return nil, refuse("invalid", "a call has 1 to %d items", maxChecks)
	}
	if len(list) > maxChecks {
		return nil, refuse("batch_too_large", "a call has 1 to %d items", maxChecks)
	}
	checks := make([]checkRequest, len(list))
	for i, item := range list {
		members, ok := item.(map[string]any)
		if !ok {
			return nil, refuse("invalid", "items is a list of objects")
		}
		for name, value := range members {
			if err := checks[i].set(name, value); err != nil {
				return nil, err
			}
		}
		if len(checks[i].ID) > maxItemText {
			return nil, refuse("invalid", "an item's id has at most %d characters", maxItemText)
		}
	}
	return checks, nil
}

// batchColumns are the members of a line of a batch, in their order.
var batchColumns = []string{
	"pan", "psn", "profile", "mode", "code", "last_atc", "window", "scripts", "key_version", "challenge", "amount", "currency", "tds",
}

// checksOfText reads codes that came as one text.
func checksOfText(batch string) ([]checkRequest, error) {
	lines, err := linesOf(batch, maxChecks)
	if err != nil {
		return nil, err
	}
	checks := make([]checkRequest, len(lines))
	for i, line := range lines {
		c := &checks[i]
		columns := [...]*string{
			&c.PAN, &c.PSN, &c.Profile, &c.Mode, &c.Code, &c.LastATC, &c.Window, nil, &c.KeyVersion, &c.Challenge, &c.Amount, &c.Currency, nil,
		}
		n := 0
		for more := true; more; n++ {
			if n == len(columns) {
				return nil, refuse("invalid", "a line of batch has %d columns at most", len(columns))
			}
			var value string
			value, line, more = strings.Cut(line, ",")
			switch {
			case columns[n] != nil:
				*columns[n] = value
			case n == len(columns)-1:
				c.TDS = strings.Fields(value)
			default:
				c.Scripts = strings.Fields(value)
			}
		}
	}
	return checks, nil
}

// set takes one member. A name that is none is refused, but not repeated: it may
// be anything.
func (c *checkRequest) set(name string, value any) error {
	if name == "tds" || name == "scripts" {
		values, err := textsOf(value)
		if err != nil {
			return err
		}
		if name == "tds" {
			c.TDS = values
		} else {
			c.Scripts = values
		}
		return nil
	}
	var into *string
	switch name {
	case "id":
		into = &c.ID
	case "pan":
		into = &c.PAN
	case "psn":
		into = &c.PSN
	case "profile":
		into = &c.Profile
	case "mode":
		into = &c.Mode
	case "code":
		into = &c.Code
	case "challenge":
		into = &c.Challenge
	case "amount":
		into = &c.Amount
	case "currency":
		into = &c.Currency
	case "last_atc":
		into = &c.LastATC
	case "window":
		into = &c.Window
	case "key_version":
		into = &c.KeyVersion
	default:
		return refuse("invalid", "an item has a member that is none")
	}
	var err error
	*into, err = textOf(value)
	return err
}

func textsOf(value any) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, refuse("invalid", "tds and scripts are lists")
	}
	values := make([]string, len(list))
	for i, v := range list {
		var err error
		if values[i], err = textOf(v); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// textOf is a text, or a number for those who send one.
func textOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case float64:
		if v >= 0 && v < 1<<53 && v == float64(int64(v)) {
			return strconv.FormatInt(int64(v), 10), nil
		}
	case int:
		return strconv.Itoa(v), nil
	}
	return "", refuse("invalid", "the members of an item are text or whole numbers")
}

// query is the question about one code.
func (c *checkRequest) query(p emv.CAPProfile, maxWindow int) (emv.Query, error) {
	q := emv.Query{PAN: c.PAN, PSN: c.PSN, Code: c.Code}
	if err := checkCode(c.Code); err != nil {
		return q, err
	}
	mode, err := emv.ParseMode(c.Mode)
	if err != nil {
		return q, err
	}
	q.Transaction = emv.Transaction{Mode: mode, Challenge: c.Challenge, Amount: c.Amount, Currency: c.Currency, TDS: c.TDS}
	last, err := bounded("last_atc", orElse(c.LastATC, "0"), 0, maxATC)
	if err != nil {
		return q, err
	}
	q.LastATC = uint16(last) //nolint:gosec // bounded
	window, err := strconv.Atoi(c.Window)
	switch {
	case err != nil || window < 1:
		return q, refuse("invalid", "window is 1 to %d", maxWindow)
	case window > maxWindow:
		return q, refuse("window_too_large", "window is 1 to %d", maxWindow)
	}
	q.Window = window
	if q.Scripts, err = scriptNumbers(c.Scripts); err != nil {
		return q, err
	}
	if !p.CountsScripts() && slices.ContainsFunc(q.Scripts, func(n int) bool { return n > 0 }) {
		return q, refuse("invalid", "cards of profile %s count scripts in no way that is known here: give none", p.Name)
	}
	return q, p.Signs(q.Transaction)
}

// checkCode refuses what no reader shows.
func checkCode(code string) error {
	for _, r := range code {
		if r < '0' || r > '9' {
			return refuse("malformed_code", "a code has %d digits", codeLength)
		}
	}
	if len(code) != codeLength {
		return refuse("malformed_code", "a code has %d digits", codeLength)
	}
	return nil
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

// versionOf reads an optional version of the master key; 0 is none.
func versionOf(value string) (int, error) {
	if value == "" {
		return 0, nil
	}
	return bounded("key_version", value, 1, maxKeyVersions)
}
