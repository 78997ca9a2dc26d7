package hsm

import (
	"context"
	"encoding/hex"
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

// verifyTogether makes one call, for one caller or several. The checks travel as
// one text, a line each: Vault's audit log hashes each text of a request by itself.
func (c *Client) verifyTogether(ctx context.Context, checks []CAPCheck) ([]CAPAnswer, error) {
	answers := make([]CAPAnswer, len(checks))
	lines := make([]string, 0, len(checks))
	asked := make([]int, 0, len(checks)) // by line: which check
	for i, check := range checks {
		if strings.Trim(check.Code, "0123456789") != "" {
			continue // a malformed code is simply not valid, and would not stay in its line
		}
		line, ok := check.line()
		if !ok {
			answers[i].Err = fmt.Errorf("%s: %w: what the reader signed is digits", verifying, lifecycle.Invalid)
			continue
		}
		lines, asked = append(lines, line), append(asked, i)
	}
	if len(lines) == 0 {
		return answers, nil
	}
	var answer struct {
		Batch string `json:"batch"`
	}
	request := map[string]string{"batch": strings.Join(lines, "\n")}
	if err := c.post(ctx, verifying, c.config.CardMount+"/cap/verify", request, &answer); err != nil {
		return nil, err
	}
	verdicts := strings.Split(answer.Batch, "\n")
	if len(verdicts) != len(lines) {
		return nil, fmt.Errorf("%s: the engine answered %d checks of %d", verifying, len(verdicts), len(lines))
	}
	for i, verdict := range verdicts {
		answers[asked[i]] = capAnswer(verdict)
	}
	return answers, nil
}

// line is a check as the engine's batch has it; false for one that would not stay
// in its line.
func (k CAPCheck) line() (string, bool) {
	columns := [...]string{
		k.PAN.Reveal(), psnText(k.PSN), k.Profile, string(k.Mode), k.Code, strconv.Itoa(k.LastATC), strconv.Itoa(k.Window),
		strings.Join(texts(k.Scripts), " "), "", k.Challenge, k.Amount, k.Currency, strings.Join(k.TDS, " "),
	}
	for _, field := range k.TDS {
		if field == "" || strings.Contains(field, " ") {
			return "", false
		}
	}
	for _, column := range columns {
		if strings.ContainsAny(column, ",\r\n") {
			return "", false
		}
	}
	return strings.TrimRight(strings.Join(columns[:], ","), ","), true
}

func texts(numbers []int) []string {
	out := make([]string, len(numbers))
	for i, n := range numbers {
		out[i] = strconv.Itoa(n)
	}
	return out
}

func numbers(values []int) []number {
	out := make([]number, len(values))
	for i, v := range values {
		out[i] = number(v)
	}
	return out
}

// capAnswer reads the engine's word about one check.
func capAnswer(verdict string) CAPAnswer {
	const undecided = "verify a CAP code"
	switch words := strings.Split(verdict, ","); {
	case verdict == "wrong", strings.HasPrefix(verdict, "malformed_code: "): // a holder's slip of the finger
		return CAPAnswer{}
	case words[0] == "valid" && len(words) == 3:
		atc, err1 := strconv.Atoi(words[1])
		scripts, err2 := strconv.Atoi(words[2])
		if err1 == nil && err2 == nil {
			return CAPAnswer{Valid: true, ATC: atc, Scripts: scripts}
		}
	}
	kind, ok := kindOfWords(verdict)
	if !ok { // a code without its counter could be used twice
		return CAPAnswer{Err: errors.New(undecided + ": the engine gave no answer that its contract has")}
	}
	return CAPAnswer{Err: fmt.Errorf("%s: %w: %s", undecided, kind, harmless(verdict))}
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
