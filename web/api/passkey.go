package api

import (
	"context"
	"encoding/json"
	"time"

	"sceau/lifecycle"
	"sceau/passkey"
)

type beginPasskeyOut struct {
	Body struct {
		ID      lifecycle.RegistrationID `json:"id"`
		Passkey passkey.Creation         `json:"passkey" doc:"What navigator.credentials.create is given as publicKey, by parseCreationOptionsFromJSON"`
		Expires time.Time                `json:"expires"`
	}
}

func (d *door) beginPasskey(ctx context.Context, in *struct {
	UserIn

	Body struct {
		ConsentBody

		Label string `json:"label" minLength:"1" maxLength:"40" doc:"The user's own word for it"`
	}
},
) (*beginPasskeyOut, error) {
	party, err := d.Authn.Passkeys()
	if err != nil {
		return nil, err
	}
	consent, err := in.Body.consent()
	if err != nil {
		return nil, err
	}
	r, err := d.Service.BeginPasskey(ctx, caller(ctx), in.ClientID, in.UserNumber, in.Body.Label, consent)
	if err != nil {
		return nil, err
	}
	out := &beginPasskeyOut{}
	out.Body.ID, out.Body.Expires = r.ID, r.Expires
	out.Body.Passkey = party.Creation(r.Challenge, r.Handle, r.Name, r.Shown, r.Exclude, r.Expires.Sub(d.Now()))
	return out, nil
}

func (d *door) finishPasskey(ctx context.Context, in *struct {
	UserIn

	Registration lifecycle.RegistrationID `path:"registration" maxLength:"32" doc:"As it was answered when it began"`
	Body         struct {
		Passkey json.RawMessage `json:"passkey" doc:"Of navigator.credentials.create: the answer's toJSON()"`
	}
},
) (*addedMeansOut, error) {
	party, err := d.Authn.Passkeys()
	if err != nil {
		return nil, err
	}
	out := &addedMeansOut{}
	out.Body.ID, err = d.Service.FinishPasskey(ctx, caller(ctx), in.ClientID, in.UserNumber, in.Registration,
		func(challenge [32]byte) (passkey.Credential, error) { return party.Made(challenge, in.Body.Passkey) })
	return out, err
}
