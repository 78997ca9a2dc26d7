package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/decision"
	"sceau/lifecycle"
	"sceau/settings"
)

func (d *door) decisionRoutes() []func() {
	return []func(){
		route(d, authn.ScopeDecide, huma.Operation{
			OperationID: "decide", Method: http.MethodPost, Path: "/v1/decisions", Tags: []string{"decisions"},
			Summary: "Ask whether an operation goes through",
			Description: "allow and refuse are final: they are counted, and the same reference gets the same answer; with other facts it is a conflict. " +
				"needs_strong_authentication counts nothing: have the user sign exactly these facts by POST /v1/operations, then ask again with the signature.",
		}, d.decide),
	}
}

type decideIn struct {
	Body struct {
		Operation  string        `json:"operation" minLength:"1" maxLength:"64" doc:"The caller's own reference"`
		ClientID   string        `json:"client_id" pattern:"^[0-9]{8}$"`
		UserNumber string        `json:"user_number,omitempty" pattern:"^[0-9]{4}$" doc:"Who asks; a direct debit or a card may leave it out"`
		Kind       settings.Kind `json:"kind" enum:"transfer,batch,direct_debit,card,add_beneficiary,order_chequebook"`
		Account    string        `json:"account" maxLength:"34" doc:"Of the customer"`
		Amount     int64         `json:"amount,omitempty" minimum:"0" doc:"Cents; of a batch, in all"`
		Currency   string        `json:"currency,omitempty" maxLength:"3"`
		AmountEUR  int64         `json:"amount_eur,omitempty" minimum:"0" doc:"What an amount in another currency is worth, in cents: limits count it"`

		Payee      string    `json:"payee_account,omitempty" maxLength:"34"`
		Countries  []string  `json:"payee_countries,omitempty" maxItems:"60" doc:"Of the payees' accounts, or where the card is used"`
		Channel    string    `json:"channel,omitempty" enum:"online,mobile,hub,phone,branch"`
		Instant    bool      `json:"instant,omitempty"`
		OwnAccount bool      `json:"own_account,omitempty" doc:"The payee's account is the same customer's, here (RTS article 15)"`
		PayeeSince time.Time `json:"payee_since,omitzero" doc:"Since when the customer has the payee in their register"`
		Count      int       `json:"count,omitempty" minimum:"0" doc:"Payments of a batch, chequebooks"`
		SHA256     string    `json:"sha256,omitempty" maxLength:"64" doc:"Of a batch's file"`
		Creditor   string    `json:"creditor,omitempty" maxLength:"35" doc:"Creditor identifier of a direct debit"`
		Mandate    string    `json:"mandate,omitempty" maxLength:"35"`
		Internet   bool      `json:"internet,omitempty" doc:"Of a card"`
		Contact    bool      `json:"contactless,omitempty" doc:"Of a card"`

		Signatures []lifecycle.AuthenticationID `json:"signatures,omitempty" maxItems:"5" doc:"Accepted operations over exactly these facts: each is used once"`
	}
}

type decideOut struct {
	Body struct {
		Result     settings.Result  `json:"result" enum:"allow,needs_strong_authentication,refuse"`
		Rule       string           `json:"rule" doc:"Stable word for programs"`
		Setting    settings.Name    `json:"setting,omitempty" doc:"That decided"`
		Level      settings.Level   `json:"level,omitempty"`
		Version    int              `json:"version,omitempty" doc:"Of the setting's value; missing: the bank's own"`
		Signatures int              `json:"signatures,omitempty" doc:"That it takes in all"`
		Tell       []settings.Alert `json:"tell,omitempty" doc:"What the user wants to be told of it, and how; not of an answer that is given again"`
		Again      bool             `json:"again,omitempty" doc:"It was decided before"`
		Decided    time.Time        `json:"decided"`
	}
}

func (d *door) decide(ctx context.Context, in *decideIn) (*decideOut, error) {
	b := in.Body
	a, err := d.Decisions.Decide(ctx, decision.Question{
		By: caller(ctx), Operation: b.Operation, ClientID: b.ClientID, UserNumber: b.UserNumber, Signatures: b.Signatures,
		Facts: settings.Facts{
			Kind: b.Kind, Account: b.Account, Amount: b.Amount, Currency: b.Currency, AmountEUR: b.AmountEUR, Payee: b.Payee, Countries: b.Countries,
			Channel: b.Channel, Instant: b.Instant, OwnAccount: b.OwnAccount, PayeeSince: b.PayeeSince, Count: b.Count, SHA256: b.SHA256,
			Creditor: b.Creditor, Mandate: b.Mandate, Internet: b.Internet, Contactless: b.Contact,
		},
	})
	if err != nil {
		return nil, err
	}
	out := &decideOut{}
	o := &out.Body
	o.Result, o.Rule, o.Setting, o.Level, o.Version = a.Result, a.Rule, a.By.Name, a.By.Level, a.By.Version
	o.Signatures, o.Tell, o.Again, o.Decided = a.Signatures, a.Tell, a.Again, a.Decided
	return out, nil
}
