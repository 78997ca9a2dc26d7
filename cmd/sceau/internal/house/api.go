package house

import (
	"context"
	"errors"
	"net/http"

	"sceau/authn"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/api"
)

// Authn opens strong authentication over the card engine.
func (h *House) Authn(vault *hsm.Client) (*authn.Service, error) {
	return authn.New(h.Store, h.safe, capVerifier{vault}, authn.DefaultPolicy(), h.config.Now)
}

// CodesDesk opens what staff do about codes and API keys, which asks no engine.
func (h *House) CodesDesk() (*authn.Service, error) {
	return authn.New(h.Store, h.safe, capVerifier{}, authn.DefaultPolicy(), h.config.Now)
}

// API opens the door for relying services.
func (h *House) API(vault *hsm.Client, version string) (http.Handler, error) {
	service, err := h.Authn(vault)
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Service: h.Service, Authn: service, Scripts: scripter{vault}, Now: h.config.Now, Logger: h.config.Logger, Version: version,
		Ready: func(ctx context.Context) error { return errors.Join(h.Store.Ping(ctx), vault.Ping(ctx)) },
	})
}

// capVerifier asks the card engine about codes.
type capVerifier struct{ vault *hsm.Client }

// VerifyCAP answers each check, in order.
func (v capVerifier) VerifyCAP(ctx context.Context, checks []authn.Check) ([]authn.Answer, error) {
	asked := make([]hsm.CAPCheck, len(checks))
	for i, c := range checks {
		asked[i] = checkOf(c)
	}
	got, err := v.vault.VerifyCAP(ctx, asked)
	if err != nil {
		return nil, err
	}
	answers := make([]authn.Answer, len(got))
	for i, a := range got {
		answers[i] = authn.Answer(a)
	}
	return answers, nil
}

// ResyncCAP finds two codes in a row.
func (v capVerifier) ResyncCAP(ctx context.Context, c authn.Check, next string) (authn.Answer, error) {
	got, err := v.vault.ResyncCAP(ctx, checkOf(c), next)
	return authn.Answer(got), err
}

func checkOf(c authn.Check) hsm.CAPCheck {
	return hsm.CAPCheck{
		PAN: c.PAN, PSN: c.PSN, Profile: c.Profile, Mode: hsm.CAPMode(c.Mode), Code: c.Code, Challenge: c.Challenge,
		Amount: c.Amount, Currency: c.Currency, TDS: c.TDS, LastATC: c.LastATC, Window: c.Window, Scripts: c.Scripts,
	}
}

// scripter asks the card engine for issuer scripts.
type scripter struct{ vault *hsm.Client }

// Script makes the script for the card's transaction atc.
func (p scripter) Script(ctx context.Context, plan issuance.ScriptPlan, atc int, arqc []byte) ([]byte, error) {
	r := hsm.ScriptRequest{PAN: plan.PAN, PSN: plan.PSN, Profile: plan.Profile, ATC: atc, ARQC: arqc, Scripts: plan.Scripts}
	if plan.Kind == lifecycle.OrderPINChange {
		return p.vault.PINChangeScript(ctx, r, plan.Attempt, plan.Card, plan.PINVersion)
	}
	return p.vault.PINUnblockScript(ctx, r)
}
