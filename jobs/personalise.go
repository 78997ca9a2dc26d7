package jobs

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"sceau/bureau"
	"sceau/cms"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

// personalise makes a batch's keys and PINs in the engine. The attempt ID makes
// a second call answer what the first did.
func (t Tools) personalise(ctx context.Context, args issuance.PersonaliseArgs, done issuance.Done) error {
	plan, err := t.Service.BeginPersonalise(ctx, args.Batch)
	if err != nil {
		return err
	}
	agreed, err := t.bureau(plan.Bureau)
	if err != nil {
		return err
	}
	request := hsm.PersonaliseRequest{Attempt: plan.Attempt, Profile: plan.Profile, TransportKey: agreed.TransportKey}
	for _, c := range plan.Cards {
		request.Cards = append(request.Cards, hsm.CardToPersonalise{
			Card: c.Card, PINVersion: c.PINVersion, PAN: c.PAN, PSN: c.PSN, Expiry: c.Expiry,
		})
	}
	made, err := t.Engine.Personalise(ctx, request)
	if err != nil {
		return err
	}
	cards := make([]issuance.PersonalisedCard, len(made))
	for i, m := range made {
		cards[i] = issuance.PersonalisedCard{Card: m.Card, DGIs: m.DGIs, TransportKCV: m.TransportKCV, Keys: issuance.MasterKeyVersions(m.Keys)}
	}
	return t.Service.FinishPersonalise(ctx, plan, cards, done)
}

// bureauFile writes a batch's file, signs it and encrypts it for the bureau.
func (t Tools) bureauFile(ctx context.Context, args issuance.BureauFileArgs, done issuance.Done) error {
	plan, err := t.Service.BeginBureauFile(ctx, args.Batch)
	if err != nil {
		return err
	}
	if len(plan.Cards) == 0 { // each was stopped on its way
		return t.Service.FinishBureauFile(ctx, plan, nil, done)
	}
	agreed, err := t.bureau(plan.Bureau)
	if err != nil {
		return err
	}
	file := bureau.File{
		Format: bureau.Format, Batch: plan.Batch, Sequence: plan.Sequence, Bureau: plan.Bureau, Urgency: plan.Urgency,
		Created: plan.Created, TransportKey: agreed.TransportKey, TransportKCV: plan.TransportKCV,
	}
	for _, c := range plan.Cards {
		record, err := recordOf(c)
		if err != nil {
			return err
		}
		file.Cards = append(file.Cards, record)
	}
	clear, err := bureau.Encode(file)
	if err != nil {
		return err
	}
	certificate, signer, err := t.bureauSigner(ctx)
	if err != nil {
		return err
	}
	signed, err := cms.Sign(clear, certificate, signer)
	if err != nil {
		return err
	}
	sealed, err := cms.Seal(signed, agreed.Certificate)
	if err != nil {
		return err
	}
	return t.Service.FinishBureauFile(ctx, plan, sealed, done)
}

// bureauSigner is the key that signs the bureau's files, with its certificate. A
// file waits while there is none that is in time: a ceremony makes one.
func (t Tools) bureauSigner(ctx context.Context) (*x509.Certificate, crypto.Signer, error) {
	issuer, err := t.Service.SigningCA(ctx)
	if err != nil {
		return nil, nil, err
	}
	delegate, err := t.Service.NewestDelegate(ctx, issuer, issuance.DelegateBureau)
	if errors.Is(err, lifecycle.NotFound) || err == nil && !delegate.NotAfter.After(t.Now()) {
		return nil, nil, fmt.Errorf("%w: %s has no signer of bureau files that is in time: hold a key ceremony", lifecycle.Unavailable, issuer)
	}
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(delegate.Certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of the bureau files' signer: %w", err)
	}
	signer, err := t.Signers.Signer(ctx, delegate.Key, certificate.PublicKey)
	return certificate, signer, err
}

func recordOf(c issuance.CardToPersonalise) (bureau.Record, error) {
	name, err := party.EmbossName(c.GivenName, c.Surname)
	if err != nil {
		return bureau.Record{}, err
	}
	return bureau.Record{
		Card: c.Card, Product: c.Product, Expiry: c.Expiry.Format("0601"), EmbossName: name, EmbossLine2: party.EmbossCompany(c.Company), DGIs: c.DGIs,
	}, nil
}

// bureauReturn reconciles a return file. The same parser has read it when it
// was taken.
func (t Tools) bureauReturn(ctx context.Context, args issuance.BureauReturnArgs, done issuance.Done) error {
	content, _, err := t.Service.ReturnFile(ctx, args.File)
	if err != nil {
		return err
	}
	answers, _, err := ParseReturn(content)
	if err != nil {
		return err
	}
	return t.Service.ApplyReturn(ctx, args.File, answers, done)
}
