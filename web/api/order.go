package api

import (
	"context"
	"encoding/hex"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

type getOrderIn struct {
	ID lifecycle.OrderID `path:"id" maxLength:"32" doc:"The order"`
}

type getOrderOut struct {
	Body orderBody
}

type orderBody struct {
	ID          lifecycle.OrderID    `json:"id"`
	Kind        lifecycle.OrderKind  `json:"kind"`
	State       lifecycle.OrderState `json:"state"`
	Reference   string               `json:"reference,omitempty" doc:"The caller's own, as it was ordered"`
	Failure     string               `json:"failure,omitempty" doc:"Why it failed"`
	ClientID    string               `json:"client_id"`
	UserNumber  string               `json:"user_number"`
	Delivery    lifecycle.Delivery   `json:"delivery,omitempty"`
	FeeCents    int64                `json:"fee_cents"`
	Currency    string               `json:"currency"`
	Card        *orderCard           `json:"card,omitempty"`
	Certificate *orderCertificate    `json:"certificate,omitempty"`
	Created     time.Time            `json:"created"`
	Updated     time.Time            `json:"updated"`
}

type orderCard struct {
	ID       lifecycle.CardID    `json:"id"`
	State    lifecycle.CardState `json:"state"`
	Last4    string              `json:"last4" doc:"End of the card's number"`
	Expiry   string              `json:"expiry" format:"date"`
	Replaces lifecycle.CardID    `json:"replaces,omitempty"`
}

type orderCertificate struct {
	ID        lifecycle.CertificateID    `json:"id"`
	State     lifecycle.CertificateState `json:"state"`
	Serial    string                     `json:"serial,omitempty"`
	Rejection string                     `json:"rejection,omitempty" doc:"Why the last request was given back"`
}

func (d *door) getOrder(ctx context.Context, in *getOrderIn) (*getOrderOut, error) {
	o, err := d.Service.Order(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body := orderBody{
		ID: o.ID, Kind: o.Kind, State: o.State, Reference: o.Reference, Failure: o.Failure, ClientID: o.ClientID,
		UserNumber: o.UserNumber, Delivery: o.Delivery, FeeCents: o.FeeCents, Currency: o.Currency, Created: o.Created, Updated: o.Updated,
	}
	if c := o.Card; c != nil {
		body.Card = &orderCard{ID: c.ID, State: c.State, Last4: c.Last4, Expiry: c.Expiry.Format(time.DateOnly), Replaces: c.Replaces}
	}
	if c := o.Certificate; c != nil {
		body.Certificate = &orderCertificate{ID: c.ID, State: c.State, Serial: c.Serial, Rejection: c.Rejection}
	}
	return &getOrderOut{Body: body}, nil
}

type ordersIn struct {
	State    lifecycle.OrderState `query:"state" enum:"submitted,approved,in_progress,completed,failed,refused,cancelled"`
	ClientID string               `query:"client_id" pattern:"^[0-9]{8}$" doc:"Of one company"`
	After    lifecycle.OrderID    `query:"after" maxLength:"32" doc:"Identifier of the last order of the page before"`
	Limit    int                  `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type orderLine struct {
	ID         lifecycle.OrderID    `json:"id"`
	Kind       lifecycle.OrderKind  `json:"kind"`
	State      lifecycle.OrderState `json:"state"`
	Reference  string               `json:"reference,omitempty" doc:"The caller's own, as it was ordered"`
	Failure    string               `json:"failure,omitempty" doc:"Why it failed"`
	ClientID   string               `json:"client_id"`
	UserNumber string               `json:"user_number"`
	Created    time.Time            `json:"created"`
	Updated    time.Time            `json:"updated"`
}

type ordersOut struct {
	Body struct {
		Orders  []orderLine `json:"orders"`
		HasMore bool        `json:"has_more" doc:"There are others after the last of these"`
	}
}

// orders pages through orders: by the identifier of the last one, never by a number.
func (d *door) orders(ctx context.Context, in *ordersIn) (*ordersOut, error) {
	page, more, err := d.Service.OrdersPage(ctx, issuance.OrderFilter{State: in.State, ClientID: in.ClientID, After: in.After, Most: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &ordersOut{}
	out.Body.Orders, out.Body.HasMore = make([]orderLine, len(page)), more
	for i, o := range page {
		out.Body.Orders[i] = orderLine(o)
	}
	return out, nil
}

type makeScriptIn struct {
	ID   lifecycle.OrderID `path:"id" maxLength:"32" doc:"The approved order"`
	Body struct {
		ATC  int    `json:"atc" minimum:"1" maximum:"65535" doc:"Transaction counter that the card gave"`
		ARQC string `json:"arqc" pattern:"^[0-9A-Fa-f]{16}$" doc:"Cryptogram that the card gave for it"`
	}
}

type makeScriptOut struct {
	Body struct {
		Card lifecycle.CardID `json:"card"`
		APDU string           `json:"apdu" doc:"The command for the card, hexadecimal; good for this card transaction only"`
	}
}

// makeScript has the engine check the card's cryptogram and make the script,
// records it, and only then gives it away.
func (d *door) makeScript(ctx context.Context, in *makeScriptIn) (*makeScriptOut, error) {
	arqc, err := hex.DecodeString(in.Body.ARQC)
	if err != nil {
		return nil, &lifecycle.FieldError{Field: "body.arqc", Why: "has 16 hexadecimal digits"}
	}
	plan, err := d.Service.PlanScript(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	apdu, err := d.Scripts.Script(ctx, plan, in.Body.ATC, arqc)
	if err != nil {
		return nil, err
	}
	if err := d.Service.IssueScript(ctx, caller(ctx), plan, in.Body.ATC); err != nil {
		return nil, err
	}
	out := &makeScriptOut{}
	out.Body.Card, out.Body.APDU = plan.Card, hex.EncodeToString(apdu)
	return out, nil
}

type scriptResultIn struct {
	ID   lifecycle.OrderID `path:"id" maxLength:"32" doc:"The order"`
	Body struct {
		Taken     bool `json:"taken" doc:"Whether the card carried the script out"`
		TriesLeft int  `json:"tries_left" minimum:"0" maximum:"15" doc:"PIN try counter, read back from the card"`
	}
}

// scriptResult takes the terminal's word on what became of the script.
func (d *door) scriptResult(ctx context.Context, in *scriptResultIn) (*getOrderOut, error) {
	if err := d.Service.FinishScript(ctx, caller(ctx), in.ID, issuance.ScriptResult(in.Body)); err != nil {
		return nil, err
	}
	return d.getOrder(ctx, &getOrderIn{ID: in.ID})
}
