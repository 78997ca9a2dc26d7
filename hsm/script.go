package hsm

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"sceau/lifecycle"
)

// ScriptRequest is a live card at a terminal that is to take an issuer script.
type ScriptRequest struct {
	PAN     lifecycle.PAN
	PSN     int
	Profile string
	ATC     int    // as the card says at the terminal
	ARQC    []byte // the cryptogram that the card made for it: 8 bytes
	Scripts []int  // how many issuer scripts the card may have taken
	// What the cryptogram is over, for a card of another kind than M/Chip with
	// common session keys: the data of GENERATE AC and the card's 9F10.
	Data, IAD []byte
}

type scriptRequest struct {
	PAN     string   `json:"pan"`
	PSN     string   `json:"psn"`
	Profile string   `json:"profile"`
	ATC     number   `json:"atc"`
	ARQC    string   `json:"arqc"`
	Scripts []number `json:"scripts,omitempty"`
	Data    string   `json:"data,omitempty"`
	IAD     string   `json:"iad,omitempty"`
	// Of some commands:
	Command    ScriptCommand       `json:"command,omitempty"`
	Attempt    lifecycle.AttemptID `json:"attempt,omitempty"`
	Card       lifecycle.CardID    `json:"card,omitempty"`
	PINVersion string              `json:"pin_version,omitempty"`
}

func (r ScriptRequest) request() scriptRequest {
	return scriptRequest{
		PAN: r.PAN.Reveal(), PSN: psnText(r.PSN), Profile: r.Profile, ATC: number(r.ATC), ARQC: hexText(r.ARQC), Scripts: numbers(r.Scripts),
		Data: hexText(r.Data), IAD: hexText(r.IAD),
	}
}

func hexText(data []byte) string { return strings.ToUpper(hex.EncodeToString(data)) }

func numbers(values []int) []number {
	out := make([]number, len(values))
	for i, v := range values {
		out[i] = number(v)
	}
	return out
}

// ScriptCommand is what an issuer script does to a card or its application.
type ScriptCommand string

// The commands of BlockScript (EMV Book 3 §6.5.1 to §6.5.3).
const (
	BlockApplication   ScriptCommand = "application-block"
	UnblockApplication ScriptCommand = "application-unblock"
	BlockCard          ScriptCommand = "card-block" // for good
)

// PINUnblockScript makes the PIN CHANGE/UNBLOCK command (EMV Book 3 §6.5.10)
// with its MAC, for this card and this transaction only. The engine checks the
// card's cryptogram first.
func (c *Client) PINUnblockScript(ctx context.Context, r ScriptRequest) (apdu []byte, err error) {
	return c.script(ctx, "make a PIN unblock script", "script/pin-unblock", r.request())
}

// BlockScript makes a command that blocks or unblocks, as PINUnblockScript does.
func (c *Client) BlockScript(ctx context.Context, r ScriptRequest, command ScriptCommand) (apdu []byte, err error) {
	request := r.request()
	request.Command = command
	return c.script(ctx, "make an issuer script of "+string(command), "script/block", request)
}

// PINChangeScript makes the command that gives the card a new PIN. The engine
// draws it under card and version, for the card and for its letter; the same
// attempt gets the same, another is [lifecycle.Conflict].
func (c *Client) PINChangeScript(ctx context.Context, r ScriptRequest, attempt lifecycle.AttemptID, card lifecycle.CardID, pinVersion int) (apdu []byte, err error) {
	request := r.request()
	request.Attempt, request.Card, request.PINVersion = attempt, card, fmt.Sprint(pinVersion)
	return c.script(ctx, fmt.Sprintf("make a script with PIN %d of card %s", pinVersion, card), "script/pin-change", request)
}

func (c *Client) script(ctx context.Context, doing, path string, request scriptRequest) ([]byte, error) {
	var answer struct {
		APDU string `json:"apdu"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/"+path, request, &answer); err != nil {
		return nil, err
	}
	apdu, err := hex.DecodeString(answer.APDU)
	if err != nil || len(apdu) == 0 {
		return nil, fmt.Errorf("%s: the engine's answer is no command", doing)
	}
	return apdu, nil
}

// ARQCCheck is a cryptogram that a card made at a terminal, and the issuer's
// response to which an answer is asked, if one is.
type ARQCCheck struct {
	PAN     lifecycle.PAN
	PSN     int
	Profile string
	ATC     int
	ARQC    []byte
	Data    []byte // of GENERATE AC, as the profile's CDOL1 lists it
	IAD     []byte // the card's 9F10; empty takes the expected CVR
	ARC     []byte // authorisation response code, for method 1
	CSU     []byte // card status update, for method 2
}

// VerifyARQC tells whether the card made the cryptogram, and answers it (ARPC) when
// a response is given.
func (c *Client) VerifyARQC(ctx context.Context, k ARQCCheck) (valid bool, arpc []byte, err error) {
	const doing = "verify a cryptogram"
	request := struct {
		PAN     string `json:"pan"`
		PSN     string `json:"psn"`
		Profile string `json:"profile"`
		ATC     number `json:"atc"`
		ARQC    string `json:"arqc"`
		Data    string `json:"data"`
		IAD     string `json:"iad,omitempty"`
		ARC     string `json:"arc,omitempty"`
		CSU     string `json:"csu,omitempty"`
	}{
		k.PAN.Reveal(), psnText(k.PSN), k.Profile, number(k.ATC), hexText(k.ARQC), hexText(k.Data), hexText(k.IAD), hexText(k.ARC), hexText(k.CSU),
	}
	var answer struct {
		Valid bool   `json:"valid"`
		ARPC  string `json:"arpc"`
	}
	if err := c.post(ctx, doing, c.config.CardMount+"/arqc/verify", request, &answer); err != nil {
		return false, nil, err
	}
	arpc, err = hex.DecodeString(answer.ARPC)
	asked := len(k.ARC)+len(k.CSU) > 0
	if err != nil || (len(arpc) > 0) != (answer.Valid && asked) {
		return false, nil, fmt.Errorf("%s: the engine's answer is not what its contract has", doing)
	}
	return answer.Valid, arpc, nil
}
