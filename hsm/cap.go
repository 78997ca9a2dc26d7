package hsm

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sceau/lifecycle"
)

// maxChecksPerCall is the engine's limit.
const maxChecksPerCall = 200

// CAPMode is the key that the holder presses on the reader.
type CAPMode string

// The modes of the Chip Authentication Program.
const (
	Mode1    CAPMode = "1"     // challenge, amount, currency
	Mode2    CAPMode = "2"     // a code alone
	Mode2TDS CAPMode = "2+tds" // a code over transaction data
	Mode3    CAPMode = "3"     // challenge
)

// CAPCheck is one code that a holder typed, with what the reader signed.
type CAPCheck struct {
	PAN       lifecycle.PAN
	PSN       int // PAN sequence number
	Profile   string
	Mode      CAPMode
	Code      string // as typed; a malformed one is simply not valid
	Challenge string
	Amount    string // digits, in the currency's minor unit as the reader shows it
	Currency  string // ISO 4217 numeric
	TDS       []string
	LastATC   int   // application transaction counter of the last accepted code, 0 before the first
	Window    int   // how many counters after it are tried, at most 256
	Scripts   []int // how many issuer scripts the card may have taken
}

// CAPAnswer tells whether a code is right, and never what is wrong with it.
type CAPAnswer struct {
	Valid   bool
	ATC     int // of a valid code: store it before accepting, so that the code counts once
	Scripts int // of a valid code: issuer scripts the card has taken
	// Err is set when this check could not be made: unknown profile, malformed
	// number. Other checks of the call stand.
	Err error
}

type capItem struct {
	ID        string   `json:"id"`
	PAN       string   `json:"pan"`
	PSN       string   `json:"psn"`
	Profile   string   `json:"profile"`
	Mode      CAPMode  `json:"mode"`
	Code      string   `json:"code"`
	Challenge string   `json:"challenge,omitempty"`
	Amount    string   `json:"amount,omitempty"`
	Currency  string   `json:"currency,omitempty"`
	TDS       []string `json:"tds,omitempty"`
	LastATC   number   `json:"last_atc"`
	Window    number   `json:"window"`
	Scripts   []number `json:"scripts,omitempty"`
}

type capResult struct {
	ID      string  `json:"id"`
	Valid   bool    `json:"valid"`
	ATC     *number `json:"atc"`
	Scripts *number `json:"scripts"`
	Error   string  `json:"error"`
}

// VerifyCAP checks codes inside the engine, in calls of at most 200. The
// answers are in the order of the checks. It keeps no counter: the caller
// throttles and remembers.
func (c *Client) VerifyCAP(ctx context.Context, checks []CAPCheck) ([]CAPAnswer, error) {
	answers := make([]CAPAnswer, 0, len(checks))
	for chunk := range slices.Chunk(checks, maxChecksPerCall) {
		part, err := c.checks.Ask(ctx, chunk...)
		if err != nil {
			return nil, err
		}
		answers = append(answers, part...)
	}
	return answers, nil
}

const verifying = "verify CAP codes"

// verifyTogether makes one call, for one caller or several.
func (c *Client) verifyTogether(ctx context.Context, checks []CAPCheck) ([]CAPAnswer, error) {
	items := make([]capItem, len(checks))
	for i, check := range checks {
		items[i] = check.item(i)
	}
	text, err := json.Marshal(items)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: a check has no JSON form", verifying, lifecycle.Invalid) // err may quote a value
	}
	var answer struct {
		Batch string `json:"batch"`
	}
	// One text a call: Vault's audit log hashes each text by itself.
	if err := c.post(ctx, verifying, c.config.CardMount+"/cap/verify", map[string]string{"batch": string(text)}, &answer); err != nil {
		return nil, err
	}
	var results []capResult
	if json.Unmarshal([]byte(answer.Batch), &results) != nil {
		return nil, fmt.Errorf("%s: the engine's answer is no list of answers", verifying)
	}
	answers := make([]CAPAnswer, len(checks))
	seen := make([]bool, len(checks))
	for _, item := range results {
		i, err := strconv.Atoi(item.ID)
		if err != nil || i < 0 || i >= len(checks) || seen[i] {
			return nil, fmt.Errorf("%s: the engine answered a check that was not asked", verifying)
		}
		seen[i] = true
		answers[i] = item.answer()
	}
	if slices.Contains(seen, false) {
		return nil, fmt.Errorf("%s: the engine left a check without an answer", verifying)
	}
	return answers, nil
}

func (k CAPCheck) item(i int) capItem {
	item := capItem{
		ID: strconv.Itoa(i), PAN: k.PAN.Reveal(), PSN: psnText(k.PSN), Profile: k.Profile, Mode: k.Mode,
		Code: k.Code, Challenge: k.Challenge, Amount: k.Amount, Currency: k.Currency, TDS: k.TDS,
		LastATC: number(k.LastATC), Window: number(k.Window),
	}
	item.Scripts = numbers(k.Scripts)
	return item
}

func numbers(values []int) []number {
	out := make([]number, len(values))
	for i, v := range values {
		out[i] = number(v)
	}
	return out
}

func (r capResult) answer() CAPAnswer {
	if strings.HasPrefix(r.Error, "malformed_code: ") { // a holder's slip of the finger
		return CAPAnswer{}
	}
	if r.Error != "" {
		kind, ok := kindOfWords(r.Error)
		if !ok {
			kind = lifecycle.Invalid
		}
		return CAPAnswer{Err: fmt.Errorf("verify a CAP code: %w: %s", kind, harmless(r.Error))}
	}
	if !r.Valid {
		return CAPAnswer{}
	}
	if r.ATC == nil { // a code without its counter could be used twice
		return CAPAnswer{Err: errors.New("verify a CAP code: the engine gave no counter")}
	}
	answer := CAPAnswer{Valid: true, ATC: int(*r.ATC)}
	if r.Scripts != nil {
		answer.Scripts = int(*r.Scripts)
	}
	return answer
}

// ScriptRequest asks for the command that resets a card's PIN try counter.
type ScriptRequest struct {
	PAN     lifecycle.PAN
	PSN     int
	Profile string
	ATC     int    // as the card says at the terminal
	ARQC    []byte // the cryptogram that the card made for it: 8 bytes
	Scripts []int  // how many issuer scripts the card may have taken
}

// PINUnblockScript makes the PIN CHANGE/UNBLOCK command (EMV Book 3 §6.5.10)
// with its MAC, for this card and this transaction only. The engine checks the
// card's cryptogram first.
func (c *Client) PINUnblockScript(ctx context.Context, r ScriptRequest) (apdu []byte, err error) {
	const doing = "make a PIN unblock script"
	request := struct {
		PAN     string   `json:"pan"`
		PSN     string   `json:"psn"`
		Profile string   `json:"profile"`
		ATC     number   `json:"atc"`
		ARQC    string   `json:"arqc"`
		Scripts []number `json:"scripts"`
	}{
		r.PAN.Reveal(), psnText(r.PSN), r.Profile, number(r.ATC), strings.ToUpper(hex.EncodeToString(r.ARQC)), numbers(r.Scripts),
	}
	var answer struct {
		APDU string `json:"apdu"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/script/pin-unblock", request, &answer); err != nil {
		return nil, err
	}
	apdu, err = hex.DecodeString(answer.APDU)
	if err != nil || len(apdu) == 0 {
		return nil, fmt.Errorf("%s: the engine's answer is no command", doing)
	}
	return apdu, nil
}
