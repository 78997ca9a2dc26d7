package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sceau/evidence"
	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// keepDossiers brings the evidence for all orders of certificates; for the first of
// them part by part, with what is refused.
func (d *demonstration) keepDossiers(ctx context.Context) error {
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	waiting, err := d.ordersIn(ctx, lifecycle.OrderSubmitted)
	if err != nil {
		return err
	}
	first := true
	for _, o := range waiting {
		if o.Dossier == nil {
			continue
		}
		if first {
			first = false
			if err := d.firstDossier(ctx, manager, o.ID); err != nil {
				return err
			}
			continue
		}
		if err := demodata.Prove(ctx, d.house.Service, manager, o.ID, d.clock.Now()); err != nil {
			return fmt.Errorf("evidence for order %s: %w", o.ID, err)
		}
	}
	return nil
}

func (d *demonstration) firstDossier(ctx context.Context, manager lifecycle.Actor, order lifecycle.OrderID) error {
	service := d.house.Service
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	approve := func() error {
		content, err := service.ShowOrder(ctx, order)
		if err != nil {
			return err
		}
		return service.Approve(ctx, approver, order, content.Hash())
	}
	d.screen.check("a certificate is not approved without a dossier of its holder", refused(approve(), lifecycle.Invalid))
	view, err := service.Order(ctx, order)
	if err != nil {
		return err
	}
	subject, err := service.SubjectOf(ctx, view.Certificate.ID)
	if err != nil {
		return err
	}
	e, err := demodata.EvidenceOf(view.GivenName, view.Surname, subject.RegistryNumber, d.clock.Now())
	if err != nil {
		return err
	}
	d.documentNumber = e.Identity.Number.Reveal()
	id, err := service.OpenDossier(ctx, manager, view.Certificate.Holder, issuance.Paperwork{Terms: &e.Terms, Extract: &e.Extract})
	if err != nil {
		return err
	}
	if err := d.tryBadEvidence(ctx, manager, id, e); err != nil {
		return err
	}
	err = service.AddEvidence(ctx, manager, id, issuance.Paperwork{
		Identity: &e.Identity, Scans: []issuance.ScanFile{{Kind: evidence.IdentityScan, Content: e.Scan}},
	})
	if err != nil {
		return err
	}
	err = approve()
	d.screen.note("%s is refused: %s", order, err)
	d.screen.check("an incomplete dossier is refused with the list of what is missing", refused(err, lifecycle.Invalid))
	if err := service.AddEvidence(ctx, manager, id, issuance.Paperwork{Mandate: &e.Mandate}); err != nil {
		return err
	}
	dossier, err := service.Dossier(ctx, manager, id, "")
	if err != nil {
		return err
	}
	d.screen.note("%s: %s; seen %s; mandate %s", id, dossier.Document, dossier.Seen, dossier.Mandate)
	d.screen.check("with the mandate nothing is missing, and the order can be approved", equal(len(dossier.Missing), 0))
	return d.openScan(ctx, dossier.Scans[0].ID, e.Scan)
}

// tryBadEvidence brings what must be refused.
func (d *demonstration) tryBadEvidence(ctx context.Context, manager lifecycle.Actor, id lifecycle.DossierID, e demodata.Evidence) error {
	expired, old, foreign := e.Identity, e.Mandate, e.Extract
	expired.Expires = d.clock.Now().AddDate(0, -1, 0)
	old.SignedOn = d.clock.Now().AddDate(0, -4, 0)
	foreign.RegistryNumber = "552100554"
	var errs []error
	for _, p := range []issuance.Paperwork{
		{Identity: &expired},
		{Mandate: &old},
		{Extract: &foreign},
		{Scans: []issuance.ScanFile{{Kind: evidence.IdentityScan, Content: append(bytes.Clone(e.Scan), "<script>"...)}}},
		{Scans: []issuance.ScanFile{{Kind: evidence.IdentityScan, Content: make([]byte, evidence.MaxScan+1)}}},
	} {
		errs = append(errs, refused(d.house.Service.AddEvidence(ctx, manager, id, p), lifecycle.Invalid))
	}
	d.screen.check("an expired document, an old mandate, another company's extract, a scan with a page behind it are refused", errors.Join(errs...))
	return nil
}

// openScan has a security officer look at a scan.
func (d *demonstration) openScan(ctx context.Context, id lifecycle.ScanID, want []byte) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	_, _, err = d.house.Service.ShowScan(ctx, operator, id, "curiosity")
	d.screen.check("a scan is not shown to an operator", refused(err, lifecycle.Forbidden))
	content, _, err := d.house.Service.ShowScan(ctx, officer, id, "the auditor's sample")
	if err == nil && !bytes.Equal(content, want) {
		err = errors.New("the scan is another")
	}
	d.screen.check("a security officer opens it from the safe, on record", err)
	return nil
}
