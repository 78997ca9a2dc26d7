package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// meansRoutes are a user's means of authentication.
func (d *door) meansRoutes() []func() {
	change := func(on lifecycle.Event, path, summary, description string) func() {
		return route(d, authn.ScopeWriteMeans, huma.Operation{
			OperationID: path + "-means", Method: http.MethodPost, Path: userPath + "/means/{id}/" + path, Tags: []string{"means"},
			Summary: summary, Description: description, DefaultStatus: http.StatusNoContent,
		}, func(ctx context.Context, in *ChangeMeansIn) (*struct{}, error) {
			return nil, d.Service.ChangeMeans(ctx, caller(ctx), issuance.MeansChange{
				ID: in.ID, On: on, ClientID: in.ClientID, UserNumber: in.UserNumber,
			})
		})
	}
	return []func(){
		route(d, authn.ScopeReadMeans, huma.Operation{
			OperationID: "list-means", Method: http.MethodGet, Path: userPath + "/means", Tags: []string{"means"},
			Summary: "List all means of a user", Description: "Cards, certificates and what the user added, those that have ended too, oldest first.",
		}, d.listMeans),
		route(d, authn.ScopeWriteMeans, huma.Operation{
			OperationID: "set-code", Method: http.MethodPost, Path: userPath + "/means/code", Tags: []string{"means"},
			Summary: "Set a user's secret code", DefaultStatus: http.StatusCreated,
			Description: "The code before ends, and a block with it. By a code that staff handed over, or by an accepted operation of function change_setting that the user signed with a strong means: setting means.code, new add. It works once, for ten minutes.",
		}, d.setCode),
		route(d, authn.ScopeWriteMeans, huma.Operation{
			OperationID: "begin-passkey", Method: http.MethodPost, Path: userPath + "/means/passkey/registrations", Tags: []string{"means"},
			Summary: "Begin to add a passkey", DefaultStatus: http.StatusCreated,
			Description: "By a code that staff handed over, or by an accepted operation of function change_setting: setting means.passkey, new add. Either is spent when the passkey is there.",
		}, d.beginPasskey),
		route(d, authn.ScopeWriteMeans, huma.Operation{
			OperationID: "finish-passkey", Method: http.MethodPost, Path: userPath + "/means/passkey/registrations/{registration}", Tags: []string{"means"},
			Summary: "Add the passkey that the user's browser made", DefaultStatus: http.StatusCreated,
		}, d.finishPasskey),
		change(lifecycle.Suspend, "suspend", "Suspend a means that the user added",
			"At once, and without a signature: it comes back by one. Cards and certificates have operations of their own."),
		change(lifecycle.End, "end", "End a means that the user added, for ever", "At once, and without a signature."),
		route(d, authn.ScopeWriteMeans, huma.Operation{
			OperationID: "resume-means", Method: http.MethodPost, Path: userPath + "/means/{id}/resume", Tags: []string{"means"},
			Summary: "Bring back a means that the user suspended", DefaultStatus: http.StatusNoContent,
			Description: "By an accepted operation of function change_setting that the user signed with a strong means: setting means.KIND, scope the means, new resume. One that staff suspended comes back by staff.",
		}, d.resumeMeans),
	}
}

const userPath = "/v1/holders/{client_id}/{user_number}"

// UserIn is a user, in a path.
type UserIn struct {
	ClientID   string `path:"client_id" pattern:"^[0-9]{8}$"`
	UserNumber string `path:"user_number" pattern:"^[0-9]{4}$"`
}

// MeansBody is one means of a user.
type MeansBody struct {
	ID       string              `json:"id"`
	Kind     lifecycle.MeansKind `json:"kind"`
	State    string              `json:"state" doc:"Of its own life cycle; a card's, a certificate's"`
	Usable   bool                `json:"usable" doc:"Whether it is accepted now, where the bank's policy takes it"`
	Strong   bool                `json:"strong" doc:"Whether it alone is strong customer authentication"`
	Label    string              `json:"label"`
	Created  time.Time           `json:"created"`
	LastUsed time.Time           `json:"last_used,omitzero"`
}

type listMeansOut struct {
	Body struct {
		Means []MeansBody `json:"means"`
	}
}

func (d *door) listMeans(ctx context.Context, in *UserIn) (*listMeansOut, error) {
	list, err := d.Service.MeansOf(ctx, in.ClientID, in.UserNumber)
	if err != nil {
		return nil, err
	}
	out := &listMeansOut{}
	out.Body.Means = make([]MeansBody, len(list))
	for i, m := range list {
		out.Body.Means[i] = MeansBody{
			ID: m.ID, Kind: m.Kind, State: m.State, Usable: m.Usable, Strong: m.Kind.Strong(), Label: m.Label, Created: m.Created, LastUsed: m.LastUsed,
		}
	}
	return out, nil
}

// ChangeMeansIn is a means of a user, in a path.
type ChangeMeansIn struct {
	UserIn

	ID lifecycle.MeansID `path:"id" maxLength:"32" doc:"The means, M-…"`
}

func (d *door) resumeMeans(ctx context.Context, in *struct {
	ChangeMeansIn

	Body struct {
		Authentication lifecycle.AuthenticationID `json:"authentication" maxLength:"32" doc:"The operation that the user signed"`
	}
},
) (*struct{}, error) {
	return nil, d.Service.ChangeMeans(ctx, caller(ctx), issuance.MeansChange{
		ID: in.ID, On: lifecycle.Resume, ClientID: in.ClientID, UserNumber: in.UserNumber,
		Consent: issuance.Consent{Authentication: in.Body.Authentication},
	})
}

// ConsentBody is by what a user adds a means.
type ConsentBody struct {
	Authentication lifecycle.AuthenticationID `json:"authentication,omitempty" maxLength:"32" doc:"The operation that the user signed"`
	Invitation     string                     `json:"invitation,omitempty" maxLength:"100" doc:"Or the code that staff handed over"`
}

func (b ConsentBody) consent() (issuance.Consent, error) {
	c := issuance.Consent{Authentication: b.Authentication}
	if b.Invitation == "" {
		return c, nil
	}
	code, err := lifecycle.ParseInvitationCode(b.Invitation)
	c.Code = &code
	return c, err
}

type addedMeansOut struct {
	Body struct {
		ID lifecycle.MeansID `json:"id"`
	}
}

func (d *door) setCode(ctx context.Context, in *struct {
	UserIn

	Body struct {
		ConsentBody

		Code string `json:"code" maxLength:"64" doc:"6 to 64 printable characters of ASCII"`
	}
},
) (*addedMeansOut, error) {
	consent, err := in.Body.consent()
	if err != nil {
		return nil, err
	}
	code, err := lifecycle.NewSecretCode(in.Body.Code, in.ClientID, in.UserNumber)
	if err != nil {
		return nil, err
	}
	out := &addedMeansOut{}
	out.Body.ID, err = d.Service.SetSecretCode(ctx, caller(ctx), in.ClientID, in.UserNumber, code, consent)
	return out, err
}
