package hsm

import (
	"context"
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

// ResyncCAP finds a card's counter by two codes in a row, the second in next: in a
// window of up to 4096 they are as hard to guess as one code in a small one. The
// answer has the counter of the second.
func (c *Client) ResyncCAP(ctx context.Context, k CAPCheck, next string) (CAPAnswer, error) {
	const doing = "find a card's counter"
	request := struct {
		PAN       string   `json:"pan"`
		PSN       string   `json:"psn"`
		Profile   string   `json:"profile"`
		Mode      CAPMode  `json:"mode"`
		Code      string   `json:"code"`
		NextCode  string   `json:"next_code"`
		Challenge string   `json:"challenge,omitempty"`
		Amount    string   `json:"amount,omitempty"`
		Currency  string   `json:"currency,omitempty"`
		TDS       []string `json:"tds,omitempty"`
		LastATC   number   `json:"last_atc"`
		Window    number   `json:"window"`
		Scripts   []number `json:"scripts,omitempty"`
	}{
		k.PAN.Reveal(), psnText(k.PSN), k.Profile, k.Mode, k.Code, next, k.Challenge, k.Amount, k.Currency, k.TDS,
		number(k.LastATC), number(k.Window), numbers(k.Scripts),
	}
	var answer struct {
		Valid   bool   `json:"valid"`
		ATC     number `json:"atc"`
		Scripts number `json:"scripts"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/cap/resync", request, &answer); err != nil {
		return CAPAnswer{}, err
	}
	if answer.Valid != (answer.ATC > 0) { // a code without its counter could be used twice
		return CAPAnswer{}, fmt.Errorf("%s: the engine gave no counter", doing)
	}
	return CAPAnswer{Valid: answer.Valid, ATC: int(answer.ATC), Scripts: int(answer.Scripts)}, nil
}
