package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/signing"
)

// authenticationRoutes are sign-ins and operations: a question, then its proof.
func (d *door) authenticationRoutes() []func() {
	return []func(){
		route(d, authn.ScopeAuthenticate, huma.Operation{
			OperationID: "begin-authentication", Method: http.MethodPost, Path: "/v1/authentications", Tags: []string{"authentication"},
			Summary: "Ask a user to sign in", DefaultStatus: http.StatusCreated,
			Description: "Answers what the user does with their means. A user whom nobody knows is asked like any other.",
		}, d.beginSignIn),
		route(d, authn.ScopeAuthenticate, huma.Operation{
			OperationID: "get-authentication", Method: http.MethodGet, Path: "/v1/authentications/{id}", Tags: []string{"authentication"},
			Summary: "Read a sign-in of the caller's",
		}, d.getAuthentication),
		route(d, authn.ScopeAuthenticate, huma.Operation{
			OperationID: "verify-authentication", Method: http.MethodPost, Path: "/v1/authentications/{id}/verify", Tags: []string{"authentication"},
			Summary:     "Prove a sign-in",
			Description: "A sign-in takes three proofs, right or wrong. The answer never says what was wrong with one.",
		}, d.prove),
		route(d, authn.ScopeAuthenticate, huma.Operation{
			OperationID: "cancel-authentication", Method: http.MethodPost, Path: "/v1/authentications/{id}/cancel", Tags: []string{"authentication"},
			Summary: "Give a sign-in up",
		}, d.cancelAuthentication),
		route(d, authn.ScopeOperate, huma.Operation{
			OperationID: "begin-operation", Method: http.MethodPost, Path: "/v1/operations", Tags: []string{"operations"},
			Summary: "Ask a user to sign an operation", DefaultStatus: http.StatusCreated,
			Description: "Amount, payee or a batch's totals go into what the user signs (RTS article 5), unless the bank's policy has the CODE key confirm: `linked` says which.",
		}, d.beginOperation),
		route(d, authn.ScopeOperate, huma.Operation{
			OperationID: "get-operation", Method: http.MethodGet, Path: "/v1/operations/{id}", Tags: []string{"operations"},
			Summary: "Read an operation of the caller's",
		}, d.getAuthentication),
		route(d, authn.ScopeOperate, huma.Operation{
			OperationID: "verify-operation", Method: http.MethodPost, Path: "/v1/operations/{id}/verify", Tags: []string{"operations"},
			Summary:     "Prove that the user signed the operation",
			Description: "Only what was shown when it began is signed: the data cannot be changed any more.",
		}, d.prove),
		route(d, authn.ScopeOperate, huma.Operation{
			OperationID: "cancel-operation", Method: http.MethodPost, Path: "/v1/operations/{id}/cancel", Tags: []string{"operations"},
			Summary: "Give an operation up",
		}, d.cancelAuthentication),
	}
}

// Whose is a user, and the means that they chose.
type Whose struct {
	ClientID   string              `json:"client_id" pattern:"^[0-9]{8}$"`
	UserNumber string              `json:"user_number" pattern:"^[0-9]{4}$"`
	Means      lifecycle.MeansKind `json:"means" enum:"code,cap,certificate,foreign_certificate,passkey,identity_provider" doc:"By which the user proves it"`
	Mode       string              `json:"mode,omitempty" enum:"1,2,2+tds,3" doc:"Of the CAP reader; left out, the bank's policy chooses"`
}

func (w Whose) ask(by lifecycle.Actor, of signing.Operation) authn.Ask {
	return authn.Ask{By: by, ClientID: w.ClientID, UserNumber: w.UserNumber, Proof: signing.Proof{Means: w.Means, Mode: w.Mode}, Operation: of}
}

type beginSignInIn struct {
	Body struct{ Whose }
}

type beginOperationIn struct {
	Body struct {
		Whose

		Function signing.Function  `json:"function" enum:"sign_payment,sign_payment_batch,add_beneficiary,order_chequebook,manage_entitlements,change_setting"`
		Content  map[string]string `json:"content" maxProperties:"10" doc:"What the user is shown and signs; its members are the function's"`
	}
}

// Instruction is what the user does with their means.
type Instruction struct {
	Key       string   `json:"key,omitempty" doc:"Of the CAP reader: the key to press first"`
	Challenge string   `json:"challenge,omitempty" doc:"Digits to type"`
	Amount    string   `json:"amount,omitempty" doc:"Cents to type"`
	Data      []string `json:"data,omitempty" doc:"Fields of digits to type, one after the other"`
}

// authenticationBody is a question with what became of it.
type authenticationBody struct {
	ID          lifecycle.AuthenticationID    `json:"id"`
	State       lifecycle.AuthenticationState `json:"state"`
	Result      string                        `json:"result,omitempty" enum:"accepted,refused,locked" doc:"Of the proof that was given now; refused does not say why"`
	Function    signing.Function              `json:"function"`
	Content     map[string]string             `json:"content,omitempty"`
	Means       lifecycle.MeansKind           `json:"means"`
	Mode        string                        `json:"mode,omitempty"`
	Linked      bool                          `json:"linked" doc:"Whether the proof is over the operation's data (RTS article 5)"`
	Strong      bool                          `json:"strong" doc:"Whether the means alone is strong customer authentication"`
	Text        string                        `json:"text" doc:"What is signed; its SHA-256 is the digest"`
	Instruction *Instruction                  `json:"instruction,omitempty" doc:"While it is pending"`
	TriesLeft   int                           `json:"tries_left"`
	Policy      int                           `json:"policy" doc:"Version of the bank's signing policy"`
	Expires     time.Time                     `json:"expires"`
	Decided     time.Time                     `json:"decided,omitzero"`
	Holder      lifecycle.HolderID            `json:"holder,omitempty" doc:"Of an accepted one"`
	Evidence    map[string]string             `json:"evidence,omitempty" doc:"Of an accepted one: what made the proof"`
	Statement   string                        `json:"statement,omitempty" doc:"Of an accepted one: all of it as a signed JWS, to keep as evidence; /.well-known/jwks.json has the keys. While the key store is away it is missing: read it later."`
}

type authenticationOut struct {
	Body authenticationBody
}

func (d *door) authenticationOut(a authn.Authentication) *authenticationOut {
	body := authenticationBody{
		ID: a.ID, State: a.State, Function: a.Operation.Function, Content: a.Operation.Content, Means: a.Proof.Means, Mode: a.Proof.Mode,
		Linked: a.Linked, Strong: a.Proof.Means.Strong(), Text: string(a.Text), TriesLeft: a.TriesLeft, Policy: a.Policy, Expires: a.Expires,
		Decided: a.Decided, Holder: a.Holder, Evidence: a.Evidence,
	}
	if a.State == lifecycle.AuthenticationPending {
		body.Instruction = d.instruction(a)
	}
	return &authenticationOut{Body: body}
}

// instruction says what the user does.
func (d *door) instruction(a authn.Authentication) *Instruction {
	if a.Proof.Means != lifecycle.MeansCAP {
		return nil
	}
	typed := d.Authn.Typed(a)
	return &Instruction{
		Key: readerKeys[a.Proof.Mode], Challenge: typed.Challenge, Amount: typed.Amount, Data: typed.TDS,
	}
}

// readerKeys are the keys of a CAP reader, as it names them.
var readerKeys = map[string]string{"1": "M1", signing.CodeKey: "CODE", "2+tds": "SIGN", "3": "M3"}

func (d *door) beginSignIn(ctx context.Context, in *beginSignInIn) (*authenticationOut, error) {
	return d.begin(ctx, in.Body.Whose, signing.SignIn, nil)
}

func (d *door) beginOperation(ctx context.Context, in *beginOperationIn) (*authenticationOut, error) {
	return d.begin(ctx, in.Body.Whose, in.Body.Function, in.Body.Content)
}

func (d *door) begin(ctx context.Context, whose Whose, f signing.Function, content map[string]string) (*authenticationOut, error) {
	operation, err := signing.NewOperation(f, content)
	if err != nil {
		return nil, err
	}
	a, err := d.Authn.Begin(ctx, whose.ask(caller(ctx), operation))
	if err != nil {
		return nil, err
	}
	return d.authenticationOut(a), nil
}

type authenticationIn struct {
	ID lifecycle.AuthenticationID `path:"id" maxLength:"32" doc:"As it was answered when it began"`
}

func (d *door) getAuthentication(ctx context.Context, in *authenticationIn) (*authenticationOut, error) {
	a, err := d.Authn.Authentication(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return d.stated(ctx, a), nil
}

func (d *door) cancelAuthentication(ctx context.Context, in *authenticationIn) (*authenticationOut, error) {
	a, err := d.Authn.Cancel(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return d.authenticationOut(a), nil
}

type proveIn struct {
	ID   lifecycle.AuthenticationID `path:"id" maxLength:"32" doc:"As it was answered when it began"`
	Body struct {
		Code      string `json:"code,omitempty" maxLength:"16" doc:"Of the CAP reader: the 8 digits that it shows"`
		Signature []byte `json:"signature,omitempty" doc:"Of a certificate's key over the text, with SHA-256: ECDSA in DER, or RSA by PKCS #1 v1.5; in base64"`
	}
}

// prove answers a decision: a refused proof is no error of the caller's.
func (d *door) prove(ctx context.Context, in *proveIn) (*authenticationOut, error) {
	a, err := d.Authn.Prove(ctx, caller(ctx), in.ID, authn.Given{Code: in.Body.Code, Signature: in.Body.Signature})
	result := "accepted"
	switch {
	case errors.Is(err, authn.ErrRefused):
		result = "refused"
	case errors.Is(err, lifecycle.Locked):
		result = "locked"
	case err != nil:
		return nil, err
	}
	out := d.stated(ctx, a)
	out.Body.Result = result
	return out, nil
}

// stated adds the statement of an accepted authentication. It was accepted whether
// or not the key store can sign now.
func (d *door) stated(ctx context.Context, a authn.Authentication) *authenticationOut {
	out := d.authenticationOut(a)
	if a.State != lifecycle.AuthenticationAccepted {
		return out
	}
	text, err := d.Authn.Statement(ctx, caller(ctx), a.ID)
	if err != nil {
		d.Logger.ErrorContext(ctx, "no statement", slog.String("request", requestID(ctx)), slog.String("error", err.Error()))
	}
	out.Body.Statement = text
	return out
}

// keySet is the set of keys by which statements are checked. It is public.
func (d *door) keySet(w http.ResponseWriter, r *http.Request) {
	set, err := d.Authn.StatementKeys(r.Context())
	if err != nil {
		d.Logger.ErrorContext(r.Context(), "no key set", slog.String("error", err.Error()))
		writeProblem(w, newProblem(codeOf(err), "", ""))
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(set) // the caller has left
}
