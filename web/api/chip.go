package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// chipRoutes are the operations of the door for terminals that personalise. It
// has a Vault policy of its own, hence a process of its own.
func (d *door) chipRoutes() []func() {
	return []func(){
		route(d, authn.ScopePersonalise, huma.Operation{
			OperationID: "begin-chip", Method: http.MethodPost, Path: "/v1/orders/{id}/chip", Tags: []string{"terminals"},
			Summary:     "Begin to make an order's card in a blank chip",
			Description: "For a branch terminal, under an approved order for a card that is made at the branch. A terminal that begins again is given the same.",
		}, d.beginChip),
		route(d, authn.ScopePersonalise, huma.Operation{
			OperationID: "write-chip", Method: http.MethodPost, Path: "/v1/orders/{id}/chip/commands", Tags: []string{"terminals"},
			Summary:     "Make the commands for the chip that answered the challenge",
			Description: "They are good for this chip in this session only (GlobalPlatform SCP03). The first chip is the order's: another is refused until the first is reported as spoiled.",
		}, d.writeChip),
		route(d, authn.ScopePersonalise, huma.Operation{
			OperationID: "prove-chip", Method: http.MethodPost, Path: "/v1/orders/{id}/chip/made", Tags: []string{"terminals"},
			Summary: "Record that the card is made, by its first cryptogram",
		}, d.chipMade),
		route(d, authn.ScopePersonalise, huma.Operation{
			OperationID: "spoil-chip", Method: http.MethodPost, Path: "/v1/orders/{id}/chip/spoiled", Tags: []string{"terminals"},
			Summary:     "Give a chip up",
			Description: "Its serial is kept, its PIN erased; the card may be made in another chip, three an order.",
		}, d.chipSpoiled),
	}
}

// ChipOrder is the order in the path. It is exported because huma reads embedded
// fields of exported types only.
type ChipOrder struct {
	ID lifecycle.OrderID `path:"id" maxLength:"32" doc:"The approved order"`
}

type beginChipOut struct {
	Body struct {
		Card      lifecycle.CardID `json:"card"`
		Challenge string           `json:"challenge" doc:"For INITIALIZE UPDATE, hexadecimal"`
		Serial    string           `json:"serial,omitempty" doc:"Of the chip that was given the card's data already: put that one in"`
	}
}

func (d *door) beginChip(ctx context.Context, in *ChipOrder) (*beginChipOut, error) {
	plan, err := d.Service.PlanChip(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	challenge, err := d.Chips.Challenge(ctx, plan)
	if err != nil {
		return nil, err
	}
	out := &beginChipOut{}
	out.Body.Card, out.Body.Challenge, out.Body.Serial = plan.Card, hex.EncodeToString(challenge), plan.Serial
	return out, nil
}

type writeChipIn struct {
	ChipOrder

	Body struct {
		Answer string `json:"answer" pattern:"^([0-9A-Fa-f]{58}|[0-9A-Fa-f]{64})$" doc:"What the chip answered to INITIALIZE UPDATE, hexadecimal without status word"`
	}
}

type writeChipOut struct {
	Body struct {
		Serial   string   `json:"serial" doc:"The chip's"`
		Commands []string `json:"commands" doc:"For the chip, in their order, hexadecimal"`
	}
}

// writeChip has the engine make the commands, records which chip they are for,
// and only then gives them away.
func (d *door) writeChip(ctx context.Context, in *writeChipIn) (*writeChipOut, error) {
	answer, err := hex.DecodeString(in.Body.Answer)
	if err != nil || len(answer) < 10 {
		return nil, &lifecycle.FieldError{Field: "body.answer", Why: "has 58 or 64 hexadecimal digits"}
	}
	plan, err := d.Service.PlanChip(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	const serial = 10 // bytes of key diversification data, with which an answer begins
	if err := d.Service.AdmitChip(ctx, plan, strings.ToUpper(hex.EncodeToString(answer[:serial]))); err != nil {
		return nil, err
	}
	data, err := d.Chips.Open(ctx, plan, answer)
	if err != nil {
		return nil, err
	}
	if err := d.Service.GiveChip(ctx, caller(ctx), plan, data); err != nil {
		return nil, err
	}
	out := &writeChipOut{}
	out.Body.Serial = data.Serial
	for _, command := range data.Commands {
		out.Body.Commands = append(out.Body.Commands, hex.EncodeToString(command))
	}
	return out, nil
}

type chipMadeIn struct {
	ChipOrder

	Body struct {
		ATC  int    `json:"atc" minimum:"1" maximum:"65535" doc:"Transaction counter that the card gave"`
		ARQC string `json:"arqc" pattern:"^[0-9A-Fa-f]{16}$" doc:"Cryptogram that the card gave for it"`
		Data string `json:"data" pattern:"^([0-9A-Fa-f]{2}){1,252}$" doc:"What GENERATE AC brought"`
		IAD  string `json:"iad" pattern:"^([0-9A-Fa-f]{2}){1,32}$" doc:"Issuer application data that the card gave (9F10)"`
	}
}

type chipStateOut struct {
	Body struct {
		Card  lifecycle.CardID     `json:"card"`
		State lifecycle.CardState  `json:"state" doc:"Of the card"`
		Order lifecycle.OrderState `json:"order" doc:"State of the order"`
	}
}

// chipMade believes the card, not the terminal.
func (d *door) chipMade(ctx context.Context, in *chipMadeIn) (*chipStateOut, error) {
	proof := issuance.ChipProof{ATC: in.Body.ATC}
	for _, member := range []struct {
		name, text string
		into       *[]byte
	}{{"arqc", in.Body.ARQC, &proof.ARQC}, {"data", in.Body.Data, &proof.Data}, {"iad", in.Body.IAD, &proof.IAD}} {
		value, err := hex.DecodeString(member.text)
		if err != nil {
			return nil, &lifecycle.FieldError{Field: "body." + member.name, Why: "is hexadecimal"}
		}
		*member.into = value
	}
	plan, err := d.Service.PlanChip(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	valid, err := d.Chips.Prove(ctx, plan, proof)
	if err != nil {
		return nil, err
	}
	if !valid {
		return nil, fmt.Errorf("order %s: %w: the card in the terminal is not this order's", in.ID, lifecycle.Conflict)
	}
	if err := d.Service.ChipMade(ctx, caller(ctx), plan, proof); err != nil {
		return nil, err
	}
	return d.chipState(ctx, in.ID)
}

type chipSpoiledIn struct {
	ChipOrder

	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"What is wrong with it; it is kept"`
	}
}

func (d *door) chipSpoiled(ctx context.Context, in *chipSpoiledIn) (*chipStateOut, error) {
	if err := d.Service.ChipSpoiled(ctx, caller(ctx), in.ID, in.Body.Reason); err != nil {
		return nil, err
	}
	return d.chipState(ctx, in.ID)
}

func (d *door) chipState(ctx context.Context, id lifecycle.OrderID) (*chipStateOut, error) {
	o, err := d.Service.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &chipStateOut{}
	out.Body.Card, out.Body.State, out.Body.Order = o.Card.ID, o.Card.State, o.State
	return out, nil
}
