package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/settings"
	"sceau/signing"
)

// settingsRoutes are what users may sign and how they are protected.
func (d *door) settingsRoutes() []func() {
	return []func(){
		route(d, authn.ScopeEntitlements, huma.Operation{
			OperationID: "get-entitlements", Method: http.MethodGet, Path: "/v1/holders/{client_id}/{user_number}/entitlements", Tags: []string{"settings"},
			Summary: "What a user may sign",
		}, d.getEntitlements),
		route(d, authn.ScopeEntitlements, huma.Operation{
			OperationID: "put-entitlements", Method: http.MethodPut, Path: "/v1/holders/{client_id}/{user_number}/entitlements", Tags: []string{"settings"},
			Summary: "Give a user what the company's principal user has signed",
			Description: "Takes an accepted operation `manage_entitlements` of a principal user, not 15 minutes old and used for nothing else, over exactly this: " +
				"`text` of the answer without an authentication is what its `entitlements` must say.",
		}, d.putEntitlements),
		route(d, authn.ScopeSettings, huma.Operation{
			OperationID: "get-settings", Method: http.MethodGet, Path: "/v1/holders/{client_id}/{user_number}/settings", Tags: []string{"settings"},
			Summary: "The security settings that concern a user, with their history",
		}, d.getSettings),
		route(d, authn.ScopeSettings, huma.Operation{
			OperationID: "put-setting", Method: http.MethodPut, Path: "/v1/holders/{client_id}/{user_number}/settings", Tags: []string{"settings"},
			Summary: "Change a security setting",
			Description: "What tightens takes effect at once, with a sign-in of the user that is not an hour old. What loosens needs the user's signature over old and new " +
				"(without one the answer says what to sign), takes effect after the bank's delay, is announced by e-mail, and can be stopped until then.",
		}, d.putSetting),
		route(d, authn.ScopeSettings, huma.Operation{
			OperationID: "stop-setting", Method: http.MethodPost, Path: "/v1/settings/{change}/stop", Tags: []string{"settings"},
			Summary: "Stop a change before it takes effect: it was not the user",
		}, d.stopSetting),
	}
}

// User is whose it is.
type User struct {
	ClientID   string `path:"client_id" pattern:"^[0-9]{8}$" doc:"Of the company"`
	UserNumber string `path:"user_number" pattern:"^[0-9]{4}$" doc:"Of the user"`
}

// GrantBody is a function that a user has.
type GrantBody struct {
	Function signing.Function `json:"function" enum:"sign_payment,sign_payment_batch,add_beneficiary,order_chequebook,manage_entitlements,change_setting" doc:"manage_entitlements makes a principal user"`
	Account  string           `json:"account,omitempty" maxLength:"34" doc:"Left out: every account"`
	From     int64            `json:"from,omitempty" minimum:"0" doc:"Cents"`
	To       int64            `json:"to,omitempty" minimum:"0" doc:"Cents; 0 is no bound"`
	Currency string           `json:"currency,omitempty" maxLength:"3" doc:"Of a band of amounts"`
}

type entitlementsOut struct {
	Body struct {
		Entitlements   []GrantBody                `json:"entitlements"`
		Text           string                     `json:"text" doc:"All of it in one line, as a principal user signs it"`
		InForce        bool                       `json:"in_force" doc:"Whether the user has a strong means of their own: without one nothing has effect"`
		Version        lifecycle.EntitlementID    `json:"version,omitempty"`
		Given          time.Time                  `json:"given,omitzero"`
		Authentication lifecycle.AuthenticationID `json:"authentication,omitempty" doc:"By which a principal user gave it; missing: staff, under four eyes"`
		Proposed       string                     `json:"proposed,omitempty" doc:"What staff propose and an approver has not decided on"`
		Sign           *ToSign                    `json:"sign,omitempty" doc:"Nothing was changed: a principal user signs this first"`
	}
}

// ToSign is an operation that a user signs, by POST /v1/operations.
type ToSign struct {
	Function signing.Function  `json:"function"`
	Content  map[string]string `json:"content"`
}

func (d *door) getEntitlements(ctx context.Context, in *struct{ User }) (*entitlementsOut, error) {
	all, err := d.Service.UserEntitlements(ctx, in.ClientID, in.UserNumber)
	if err != nil {
		return nil, err
	}
	out := &entitlementsOut{}
	live, _ := all.Live()
	out.fill(live)
	out.Body.InForce = all.Strong
	if p, ok := all.Proposed(); ok {
		out.Body.Proposed = p.Grants.Text()
	}
	return out, nil
}

func (o *entitlementsOut) fill(e issuance.Entitlement) {
	b := &o.Body
	b.Entitlements = []GrantBody{}
	for _, g := range e.Grants {
		b.Entitlements = append(b.Entitlements, GrantBody(g))
	}
	b.Text, b.Version, b.Given, b.Authentication = e.Grants.Text(), e.ID, e.Created, e.Authentication
}

type putEntitlementsIn struct {
	User

	Body struct {
		Entitlements   []GrantBody                `json:"entitlements" maxItems:"30" doc:"As a whole: what is left out the user has no more"`
		Authentication lifecycle.AuthenticationID `json:"authentication,omitempty" maxLength:"32" doc:"The operation that a principal user signed"`
	}
}

func (d *door) putEntitlements(ctx context.Context, in *putEntitlementsIn) (*entitlementsOut, error) {
	grants := make([]signing.Grant, len(in.Body.Entitlements))
	for i, g := range in.Body.Entitlements {
		grants[i] = signing.Grant(g)
	}
	out := &entitlementsOut{}
	if in.Body.Authentication == "" {
		wanted, err := signing.NewEntitlements(grants)
		if err != nil {
			return nil, err
		}
		if out, err = d.getEntitlements(ctx, &struct{ User }{in.User}); err != nil {
			return nil, err
		}
		out.Body.Sign = &ToSign{signing.ManageEntitlements, map[string]string{"user_number": in.UserNumber, "entitlements": wanted.Text()}}
		return out, nil
	}
	made, err := d.Service.GiveEntitlements(ctx, caller(ctx), issuance.EntitlementRequest{ClientID: in.ClientID, UserNumber: in.UserNumber, Grants: grants}, in.Body.Authentication)
	if err != nil {
		return nil, err
	}
	out.fill(made)
	out.Body.InForce = true
	return out, nil
}

// ChangeBody is a change of a setting with what became of it.
type ChangeBody struct {
	ID             lifecycle.SettingID        `json:"id"`
	Setting        settings.Name              `json:"setting"`
	Level          settings.Level             `json:"level"`
	Account        string                     `json:"account,omitempty"`
	Version        int                        `json:"version"`
	State          lifecycle.SettingState     `json:"state" enum:"proposed,accepted,stopped,refused"`
	InForce        bool                       `json:"in_force"`
	Loosens        bool                       `json:"loosens"`
	Old            json.RawMessage            `json:"old"`
	New            json.RawMessage            `json:"new"`
	From           time.Time                  `json:"from,omitzero" doc:"Until then it can be stopped"`
	Until          time.Time                  `json:"until,omitzero" doc:"Of an opening: then the value before holds again"`
	Made           time.Time                  `json:"made"`
	Authentication lifecycle.AuthenticationID `json:"authentication,omitempty" doc:"Missing: staff"`
}

func changeBody(c issuance.SettingChange, inForce bool) ChangeBody {
	return ChangeBody{
		ID: c.ID, Setting: c.Setting, Level: c.Level, Account: c.Account, Version: c.Version, State: c.State, InForce: inForce, Loosens: c.Loosens,
		Old: json.RawMessage(c.Old), New: json.RawMessage(c.New), From: c.From, Until: c.Until, Made: c.Created, Authentication: c.Authentication,
	}
}

type settingsOut struct {
	Body struct {
		Changes  []ChangeBody                      `json:"changes" doc:"Newest first in each place; those in force hold together"`
		Defaults map[settings.Name]json.RawMessage `json:"defaults" doc:"The bank's values, where nothing is set"`
		SEPA     []string                          `json:"sepa" doc:"Countries of the scope sepa"`
		Europe   []string                          `json:"europe" doc:"Countries of the scope europe of cards"`
	}
}

func (d *door) getSettings(ctx context.Context, in *struct{ User }) (*settingsOut, error) {
	changes, err := d.Service.Settings(ctx, in.ClientID, in.UserNumber)
	if err != nil {
		return nil, err
	}
	out := &settingsOut{}
	out.Body.Changes, out.Body.Defaults = []ChangeBody{}, map[settings.Name]json.RawMessage{}
	for i, inForce := range issuance.InForce(changes, d.Now()) {
		out.Body.Changes = append(out.Body.Changes, changeBody(changes[i], inForce))
	}
	for _, n := range settings.Names() {
		out.Body.Defaults[n] = json.RawMessage(settings.Canonical(settings.Default(n)))
	}
	out.Body.SEPA, out.Body.Europe = settings.SEPA(), settings.Europe()
	return out, nil
}

type putSettingIn struct {
	User

	Body struct {
		Setting        settings.Name              `json:"setting" enum:"foreign_transfers,card_use,direct_debits,unsigned_payments,limits,new_beneficiary,alerts,dual_signature"`
		Level          settings.Level             `json:"level" enum:"company,user,account"`
		Account        string                     `json:"account,omitempty" maxLength:"34"`
		Value          map[string]any             `json:"value" doc:"The setting's own form; see the page on relying services"`
		Until          time.Time                  `json:"until,omitzero" doc:"Of an opening: when it ends by itself"`
		Authentication lifecycle.AuthenticationID `json:"authentication,omitempty" maxLength:"32" doc:"A sign-in to tighten, a signed operation to loosen"`
	}
}

type putSettingOut struct {
	Body struct {
		Change *ChangeBody `json:"change,omitempty"`
		Sign   *ToSign     `json:"sign,omitempty" doc:"Nothing was changed: this loosens, and the user signs it first"`
	}
}

func (d *door) putSetting(ctx context.Context, in *putSettingIn) (*putSettingOut, error) {
	value, err := json.Marshal(in.Body.Value)
	if err != nil {
		return nil, &lifecycle.FieldError{Field: "value", Why: "is an object"}
	}
	answer, err := d.Service.ChangeSetting(ctx, caller(ctx), issuance.SettingRequest{
		ClientID: in.ClientID, UserNumber: in.UserNumber, Setting: in.Body.Setting, Level: in.Body.Level, Account: in.Body.Account, Value: value, Until: in.Body.Until,
	}, in.Body.Authentication)
	if err != nil {
		return nil, err
	}
	out := &putSettingOut{}
	if answer.Sign != nil {
		out.Body.Sign = &ToSign{answer.Sign.Function, answer.Sign.Content}
		return out, nil
	}
	change := changeBody(answer.Change, answer.Change.Holds(d.Now()))
	out.Body.Change = &change
	return out, nil
}

type stopSettingOut struct {
	Body ChangeBody
}

func (d *door) stopSetting(ctx context.Context, in *struct {
	Change lifecycle.SettingID `path:"change" maxLength:"32" doc:"As the notice names it"`
},
) (*stopSettingOut, error) {
	stopped, err := d.Service.StopSetting(ctx, caller(ctx), in.Change, "")
	if err != nil {
		return nil, err
	}
	return &stopSettingOut{changeBody(stopped, false)}, nil
}
