package house

import (
	"context"
	"errors"
	"net/http"

	"sceau/authn"
	"sceau/decision"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/api"
)

// Authn opens strong authentication over the card engine.
func (h *House) Authn(vault *hsm.Client) (*authn.Service, error) {
	return authn.New(authn.Config{
		Store: h.Store, Safe: h.safe, Verifier: capVerifier{vault}, Sealer: sealer{h, hsm.NewKeyring(vault)}, Policy: authn.DefaultPolicy(), Now: h.config.Now,
		Certificates: newForeign(),
	})
}

// CodesDesk opens what staff do about codes, API keys and certificates, which asks no
// engine.
func (h *House) CodesDesk() (*authn.Service, error) {
	return authn.New(authn.Config{Store: h.Store, Safe: h.safe, Verifier: capVerifier{}, Policy: authn.DefaultPolicy(), Now: h.config.Now, Certificates: newForeign()})
}

// API opens the door for relying services.
func (h *House) API(vault *hsm.Client, version string) (http.Handler, error) {
	service, err := h.Authn(vault)
	if err != nil {
		return nil, err
	}
	decisions, err := decision.New(h.Store, h.config.Now)
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Service: h.Service, Authn: service, Decisions: decisions, Scripts: scripter{vault}, Now: h.config.Now, Logger: h.config.Logger, Version: version,
		Ready: func(ctx context.Context) error { return errors.Join(h.Store.Ping(ctx), vault.Ping(ctx)) },
	})
}

// Terminals opens the door for branch terminals that personalise. Vault is a
// client of its own role, which may make cards in chips and judges no code.
func (h *House) Terminals(vault *hsm.Client, version string) (http.Handler, error) {
	service, err := h.CodesDesk()
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Service: h.Service, Authn: service, Chips: chips{vault}, Now: h.config.Now, Logger: h.config.Logger, Version: version,
		Ready: func(ctx context.Context) error { return errors.Join(h.Store.Ping(ctx), vault.Ping(ctx)) },
	})
}

// DefaultPersoKey is the master key of blank chips, as the engine names it.
const DefaultPersoKey = "imk-perso"

// chips has the card engine make cards in blank chips.
type chips struct{ vault *hsm.Client }

// Challenge is the attempt's.
func (c chips) Challenge(ctx context.Context, plan issuance.ChipPlan) ([]byte, error) {
	return c.vault.HostChallenge(ctx, plan.Attempt, DefaultPersoKey)
}

// Open makes the card for the chip that gave the answer.
func (c chips) Open(ctx context.Context, plan issuance.ChipPlan, answer []byte) (issuance.ChipData, error) {
	made, err := c.vault.OpenChannel(ctx, hsm.ChannelRequest{
		Attempt: plan.Attempt, Profile: plan.Profile, PersoKey: DefaultPersoKey, Answer: answer,
		Card: hsm.CardToPersonalise{Card: plan.Card, PINVersion: plan.PINVersion, PAN: plan.PAN, PSN: plan.PSN, Expiry: plan.Expiry},
	})
	return issuance.ChipData{Serial: made.Serial, Commands: made.Commands, Keys: issuance.MasterKeyVersions(made.Keys)}, err
}

// Prove checks the card's cryptogram.
func (c chips) Prove(ctx context.Context, plan issuance.ChipPlan, proof issuance.ChipProof) (bool, error) {
	valid, _, err := c.vault.VerifyARQC(ctx, hsm.ARQCCheck{
		PAN: plan.PAN, PSN: plan.PSN, Profile: plan.Profile, ATC: proof.ATC, ARQC: proof.ARQC, Data: proof.Data, IAD: proof.IAD,
	})
	return valid, err
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
