package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

var errScope = fmt.Errorf("%w: the API key has not the scope of this operation", lifecycle.Forbidden)

// Typed is a code with what the holder typed into the reader. It is exported
// because huma reads embedded fields of exported types only.
type Typed struct {
	Mode      string   `json:"mode,omitempty" enum:"1,2,2+tds,3" default:"2" doc:"2 is the CODE key, which takes no input"`
	Code      string   `json:"code" minLength:"1" maxLength:"16" doc:"The 8 digits that the reader shows"`
	Challenge string   `json:"challenge,omitempty" maxLength:"8" doc:"Digits typed in modes 1 and 3"`
	Amount    string   `json:"amount,omitempty" maxLength:"12" doc:"Cents, typed in mode 1"`
	Currency  string   `json:"currency,omitempty" maxLength:"4" doc:"ISO 4217 number, mode 1"`
	TDS       []string `json:"tds,omitempty" maxItems:"10" doc:"Data typed in mode 2+tds"`
}

func (c Typed) operation() authn.Operation {
	return authn.Operation{Mode: c.Mode, Code: c.Code, Challenge: c.Challenge, Amount: c.Amount, Currency: c.Currency, TDS: c.TDS}
}

// Claim is a code, with who is said to have made it and what it is for.
type Claim struct {
	Typed

	Card       string `json:"card,omitempty" maxLength:"32" doc:"The card, if it is known"`
	ClientID   string `json:"client_id,omitempty" maxLength:"8" doc:"With user_number, when no card is named: any usable card of this user"`
	UserNumber string `json:"user_number,omitempty" maxLength:"4"`
	Purpose    string `json:"purpose,omitempty" enum:"sign_in,sign" default:"sign_in" doc:"What the code is for"`
}

func (c Claim) attempt(by lifecycle.Actor) authn.Attempt {
	return authn.Attempt{
		By: by, Purpose: authn.Purpose(c.Purpose), Card: lifecycle.CardID(c.Card), ClientID: c.ClientID, UserNumber: c.UserNumber,
		Operation: c.operation(),
	}
}

type verifyCAPIn struct {
	Body struct{ Claim }
}

type verifyCAPOut struct {
	Body struct {
		Result string             `json:"result" enum:"accepted,refused,locked" doc:"refused does not say why; locked stays so until the bank opens it"`
		Card   lifecycle.CardID   `json:"card,omitempty" doc:"The card that made the code"`
		Holder lifecycle.HolderID `json:"holder,omitempty"`
	}
}

// verifyCAP answers a decision: a refused code is no error of the caller's.
func (d *door) verifyCAP(ctx context.Context, in *verifyCAPIn) (*verifyCAPOut, error) {
	return d.decided(ctx, in.Body.attempt(caller(ctx)), d.Authn.VerifyCode)
}

type resyncCAPIn struct {
	Body struct {
		Claim

		NextCode string `json:"next_code" maxLength:"8" doc:"What the reader showed right after code, in the same mode with the same data"`
	}
}

// resyncCAP answers as verifyCAP.
func (d *door) resyncCAP(ctx context.Context, in *resyncCAPIn) (*verifyCAPOut, error) {
	return d.decided(ctx, in.Body.attempt(caller(ctx)), func(ctx context.Context, a authn.Attempt) (authn.Accepted, error) {
		return d.Authn.Resynchronise(ctx, a, in.Body.NextCode)
	})
}

// judged has a code judged unless too many were wrong.
func (d *door) judged(ctx context.Context, a authn.Attempt, judge func(context.Context, authn.Attempt) (authn.Accepted, error)) (accepted authn.Accepted, err error) {
	of := a.ClientID + "/" + a.UserNumber
	if a.Card != "" {
		of = string(a.Card)
	}
	err = d.Authn.Guarded(ctx, a.By, of, func() (err error) {
		accepted, err = judge(ctx, a)
		return err
	})
	return accepted, err
}

func (d *door) decided(ctx context.Context, a authn.Attempt, judge func(context.Context, authn.Attempt) (authn.Accepted, error)) (*verifyCAPOut, error) {
	accepted, err := d.judged(ctx, a, judge)
	out := &verifyCAPOut{}
	switch {
	case errors.Is(err, authn.ErrRefused):
		out.Body.Result = "refused"
	case errors.Is(err, lifecycle.Locked):
		out.Body.Result = "locked"
	case err != nil:
		return nil, err
	default:
		out.Body.Result, out.Body.Card, out.Body.Holder = "accepted", accepted.Card, accepted.Holder
	}
	return out, nil
}

type cardOut struct {
	Body struct {
		Card    lifecycle.CardID    `json:"card"`
		State   lifecycle.CardState `json:"state"`
		Receipt string              `json:"receipt,omitempty" doc:"Proof of the report: keep it"`
	}
}

type activateCardIn struct {
	ID   lifecycle.CardID `path:"id" maxLength:"32" doc:"The card"`
	Body struct{ Typed }
}

// activateCard spends the code, then activates. A process that dies in between
// has lost one code: the holder makes another.
func (d *door) activateCard(ctx context.Context, in *activateCardIn) (*cardOut, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(in.ID)); err != nil {
		return nil, err
	}
	_, err := d.judged(ctx, authn.Attempt{
		By: caller(ctx), Purpose: authn.Activate, Card: in.ID, Operation: in.Body.operation(),
	}, d.Authn.VerifyCode)
	if err != nil {
		return nil, err
	}
	if err := d.Service.Activate(ctx, caller(ctx), in.ID); err != nil {
		return nil, err
	}
	return d.card(ctx, in.ID)
}

type blockCardIn struct {
	ID   lifecycle.CardID `path:"id" maxLength:"32" doc:"The card"`
	Body struct {
		Reason    lifecycle.CardReason `json:"reason,omitempty" enum:"lost,stolen,fraud,not_received,death,end_of_contract" doc:"Blocks for ever"`
		Temporary bool                 `json:"temporary,omitempty" doc:"Blocks for a while, without a reason"`
	}
}

func (d *door) blockCard(ctx context.Context, in *blockCardIn) (*cardOut, error) {
	if in.Body.Temporary != (in.Body.Reason == "") {
		return nil, &lifecycle.FieldError{Field: "body.reason", Why: "give a reason to block for ever, or temporary: true to block for a while"}
	}
	if in.Body.Temporary {
		if err := d.Service.Suspend(ctx, caller(ctx), in.ID); err != nil {
			return nil, err
		}
	} else if _, err := d.Service.Oppose(ctx, caller(ctx), in.ID, in.Body.Reason); err != nil {
		return nil, err
	}
	return d.card(ctx, in.ID)
}

func (d *door) card(ctx context.Context, id lifecycle.CardID) (*cardOut, error) {
	card, err := d.Service.Card(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &cardOut{}
	out.Body.Card, out.Body.State, out.Body.Receipt = card.ID, card.State, card.Receipt
	return out, nil
}

type revokeCertificateIn struct {
	Serial string `path:"serial" maxLength:"64" doc:"Serial number in hexadecimal; colons and capitals do not matter"`
	Body   struct {
		Reason         string    `json:"reason" enum:"unspecified,keyCompromise,affiliationChanged,superseded,cessationOfOperation,privilegeWithdrawn" doc:"CRLReason (RFC 5280 §5.3.1)"`
		InvalidityDate time.Time `json:"invalidity_date,omitzero" doc:"Since when the key is not to be trusted (RFC 5280 §5.3.2)"`
	}
}

type certificateOut struct {
	Body struct {
		Serial string                     `json:"serial"`
		State  lifecycle.CertificateState `json:"state"`
	}
}

func (d *door) revokeCertificate(ctx context.Context, in *revokeCertificateIn) (*certificateOut, error) {
	serial, err := parseSerial(in.Serial)
	if err != nil {
		return nil, err
	}
	reason, err := lifecycle.ParseRevocationReason(in.Body.Reason)
	if err != nil {
		return nil, err
	}
	id, err := d.Service.CertificateBySerial(ctx, serial)
	if err != nil {
		return nil, err
	}
	err = d.Service.Revoke(ctx, caller(ctx), id, issuance.Revocation{Reason: reason, InvalidityDate: in.Body.InvalidityDate})
	if err != nil {
		return nil, err
	}
	certificate, err := d.Service.Certificate(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &certificateOut{}
	out.Body.Serial, out.Body.State = certificate.Serial, certificate.State
	return out, nil
}

// parseSerial reads the serial number of a path.
func parseSerial(s string) (lifecycle.Serial, error) {
	serial, err := lifecycle.ParseSerial(s)
	if err != nil {
		return serial, &lifecycle.FieldError{Field: "path.serial", Why: "a serial number has 32 hexadecimal digits"}
	}
	return serial, nil
}
