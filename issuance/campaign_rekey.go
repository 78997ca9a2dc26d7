package issuance

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// rekey is a certificate of a campaign that is renewed, and what is made of it.
type rekey struct {
	old      db.CertificatesInCampaignRow
	order    db.Order
	cert     db.Certificate // the new one
	approved bool           // with the campaign; else an approver looks at it by itself
	version  int32          // of the profile, when it is approved
	dossier  *DossierContent
}

// rekeys are the certificates of a chunk, judged: those that are renewed, and what is
// noted of each.
type rekeys struct {
	of       db.Campaign
	criteria CertificateCriteria
	profiles []campaignProfile
	live     map[string]CertificateProfile // of what is ordered, by profile and system
	wrong    map[string]string             // why nothing of it can be ordered, likewise
	holders  map[lifecycle.HolderID]db.Holder
	relied   map[[2]string]bool // holder and profile of which this chunk approves one
	all      []rekey
	result   db.SetCampaignCertificatesParams
}

// rekeyChunkTx orders the certificates that can be renewed, and approves those orders that
// the campaign's approver has seen all of: the others are left to one who looks at
// each. Of the rest it notes why not.
func (s *Service) rekeyChunkTx(ctx context.Context, tx store.Tx, c db.Campaign, ids []lifecycle.CertificateID) error {
	r := rekeys{
		of: c, live: map[string]CertificateProfile{}, wrong: map[string]string{}, holders: map[lifecycle.HolderID]db.Holder{}, relied: map[[2]string]bool{},
		result: db.SetCampaignCertificatesParams{At: s.now(), CampaignID: c.ID},
	}
	if err := errors.Join(json.Unmarshal([]byte(c.Criteria), &r.criteria), json.Unmarshal([]byte(c.Profiles), &r.profiles)); err != nil {
		return fmt.Errorf("campaign %s: %w", c.ID, err)
	}
	rows, err := tx.CertificatesInCampaign(ctx, c.CreatedAt, texts(ids, func(id lifecycle.CertificateID) lifecycle.CertificateID { return id }))
	if err != nil {
		return fmt.Errorf("next certificates of campaign %s: %w", c.ID, err)
	}
	if err := r.lockTx(ctx, tx, rows); err != nil {
		return err
	}
	orderIDs, certIDs := s.newIDs(lifecycle.PrefixOrder, len(rows)), s.newIDs(lifecycle.PrefixCertificate, len(rows))
	for i, row := range rows {
		one := rekey{
			old: row, version: -1,
			order: db.Order{ID: lifecycle.OrderID(orderIDs[i]), Kind: lifecycle.OrderNewCertificate, State: lifecycle.OrderSubmitted, RequestedBy: c.RequestedBy},
			cert:  db.Certificate{ID: lifecycle.CertificateID(certIDs[i]), State: lifecycle.CertOrdered},
		}
		if err := s.judgeRekeyTx(ctx, tx, &r, one); err != nil {
			return fmt.Errorf("campaign %s: certificate %s: %w", c.ID, row.ID, err)
		}
	}
	if len(r.all) > 0 {
		if err := s.writeRekeysTx(ctx, tx, r); err != nil {
			return err
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), RemindArgs{}); err != nil { // their holders are told
			return fmt.Errorf("campaign %s: %w", c.ID, err)
		}
	}
	if err := tx.SetCampaignCertificates(ctx, r.result); err != nil {
		return fmt.Errorf("certificates of campaign %s: %w", c.ID, err)
	}
	return nil
}

// lockTx keeps holders and evidence as they are until the chunk is committed.
func (r *rekeys) lockTx(ctx context.Context, tx store.Tx, rows []db.CertificatesInCampaignRow) error {
	ids := texts(rows, func(c db.CertificatesInCampaignRow) lifecycle.HolderID { return c.HolderID })
	holders, err := tx.LockHoldersForShare(ctx, ids)
	if err == nil {
		_, err = tx.LockLiveDossiers(ctx, ids)
	}
	if err != nil {
		return fmt.Errorf("holders of campaign %s: %w", r.of.ID, err)
	}
	for _, h := range holders {
		r.holders[h.ID] = h
	}
	return nil
}

// judgeRekeyTx decides what becomes of a certificate.
func (s *Service) judgeRekeyTx(ctx context.Context, tx store.Tx, r *rekeys, one rekey) error {
	row := one.old
	if why := s.wentOn(row); why != "" {
		r.note(row.ID, isSkipped, "", why, false)
		return nil
	}
	profile, wrong, err := r.profileTx(ctx, tx, row)
	if err != nil {
		return err
	}
	if wrong != "" {
		r.note(row.ID, hasFailed, "", wrong, false)
		return nil
	}
	why, needsDossier, err := s.leftToApproverTx(ctx, tx, r, &one, profile)
	if err != nil {
		return err
	}
	if one.approved = why == ""; one.approved {
		one.version = int32(profile.Version) //nolint:gosec // of a row
		r.relied[[2]string{string(row.HolderID), row.Profile}] = true
	}
	r.all = append(r.all, one)
	r.note(row.ID, isOrdered, string(one.order.ID), why, needsDossier)
	return nil
}

func (r *rekeys) note(id lifecycle.CertificateID, state, order, why string, needsDossier bool) {
	p := &r.result
	p.Certificates, p.States, p.OrderIDs = append(p.Certificates, string(id)), append(p.States, state), append(p.OrderIDs, order)
	p.Whys, p.NeedsDossier = append(p.Whys, why), append(p.NeedsDossier, needsDossier)
}

// wentOn tells what became of a certificate since it was picked; "" when it can be
// renewed.
func (s *Service) wentOn(row db.CertificatesInCampaignRow) string {
	switch {
	case !expires(row.State):
		return fmt.Sprintf("it is %s", row.State)
	case !s.now().Before(deref(row.NotAfter)):
		return "it has ended"
	case row.RenewedBy != "":
		return row.RenewedBy + " renews it already"
	case row.OrderedAnew != "":
		return row.OrderedAnew + " was ordered in its place"
	}
	return ""
}

// profileTx is the live version of a certificate's profile, or what is wrong with it.
func (r *rekeys) profileTx(ctx context.Context, tx store.Tx, row db.CertificatesInCampaignRow) (p CertificateProfile, wrong string, err error) {
	key := row.Profile + "\x00" + row.Service
	if p, known := r.live[key]; known {
		return p, r.wrong[key], nil
	}
	err = checkProfileTx(ctx, tx, OrderRequest{Profile: row.Profile, Service: row.Service})
	switch {
	case errors.Is(err, lifecycle.Invalid):
		r.wrong[key] = err.Error()
	case err != nil:
		return p, "", err
	default:
		if p, err = liveProfile(ctx, tx.Queries, row.Profile); err != nil {
			return p, "", err
		}
	}
	r.live[key] = p
	return p, r.wrong[key], nil
}

// leftToApproverTx tells why the campaign's approval does not do for a certificate: an
// approver has to look at its order. Its first re-key relies on the dossier that an
// approver has seen, if nothing is missing there and nothing flags it.
func (s *Service) leftToApproverTx(ctx context.Context, tx store.Tx, r *rekeys, one *rekey, p CertificateProfile) (why string, needsDossier bool, err error) {
	row := one.old
	if !slices.Contains(r.profiles, campaignProfile{p.Name, p.Version, hex.EncodeToString(p.SHA256[:])}) {
		return fmt.Sprintf("%s says something else than when the campaign was approved", p.Name), false, nil
	}
	d, flags, err := s.dossierContent(ctx, tx.Queries, db.Certificate{HolderID: row.HolderID, Profile: row.Profile}, r.holders[row.HolderID], p.Profile)
	if err != nil || d == nil {
		return "", false, err
	}
	if err := d.Missing.Err(); err != nil {
		return err.Error(), true, nil
	}
	one.dossier = d
	switch {
	case !d.ReKey:
		return "no approver has relied on its holder's dossier yet", false, nil
	case len(flags) > 0:
		return fmt.Sprintf("its holder's dossier is flagged: %v", flags), false, nil
	case r.relied[[2]string{string(row.HolderID), row.Profile}]:
		return "another certificate of its holder relies on the dossier in this campaign", false, nil
	}
	had, err := tx.HadAHand(ctx, string(d.ID), r.of.ApprovedBy)
	if err != nil {
		return "", false, fmt.Errorf("dossier %s: who brought it about: %w", d.ID, err)
	}
	if had {
		return fmt.Sprintf("%s approved the campaign, and had a hand in its holder's dossier", r.of.ApprovedBy), false, nil
	}
	return "", false, nil
}

// writeRekeysTx writes orders and certificates, each where it ends, with the trail of how
// it got there.
func (s *Service) writeRekeysTx(ctx context.Context, tx store.Tx, r rekeys) error {
	c := r.of
	fee := db.InsertOrderParams{Kind: lifecycle.OrderNewCertificate}
	if err := s.chargeTx(ctx, tx, &fee, ""); err != nil {
		return err
	}
	orders := db.InsertCertificateOrdersParams{Fee: fee.FeeCents, Currency: fee.Currency, RequestedBy: c.RequestedBy, CreatedAt: s.now()}
	if fee.FeeCents > 0 {
		orders.Waiver = c.Waiver
	}
	certs := db.InsertRenewedCertificatesParams{CreatedAt: s.now()}
	var dossiers []string
	var years []int32
	for _, one := range r.all {
		states, dossier := [2]string{string(lifecycle.OrderSubmitted), string(lifecycle.CertOrdered)}, ""
		if one.approved {
			states = [2]string{string(lifecycle.OrderInProgress), string(lifecycle.CertAwaitingKey)}
			if one.dossier != nil {
				dossier = string(one.dossier.ID)
				dossiers, years = append(dossiers, dossier), append(years, int32(one.dossier.retention)) //nolint:gosec // of a profile
			}
		}
		orders.IDs, orders.States, orders.Holders = append(orders.IDs, string(one.order.ID)), append(orders.States, states[0]), append(orders.Holders, string(one.old.HolderID))
		certs.IDs, certs.OrderIDs, certs.Targets = append(certs.IDs, string(one.cert.ID)), append(certs.OrderIDs, string(one.order.ID)), append(certs.Targets, string(one.old.ID))
		certs.States, certs.Versions, certs.Dossiers = append(certs.States, states[1]), append(certs.Versions, one.version), append(certs.Dossiers, dossier)
	}
	if err := tx.InsertCertificateOrders(ctx, orders); err != nil {
		return fmt.Errorf("order %d certificates: %w", len(orders.IDs), err)
	}
	if err := tx.InsertRenewedCertificates(ctx, certs); err != nil {
		return fmt.Errorf("%d new certificates: %w", len(certs.IDs), err)
	}
	renewals := db.InsertCertificateRenewalsParams{
		IDs: certs.IDs, Targets: certs.Targets, Reason: string(r.criteria.Reason), OrderedBy: c.RequestedBy, OrderedAt: s.now(),
	}
	if err := tx.InsertCertificateRenewals(ctx, renewals); err != nil {
		return fmt.Errorf("%d renewals: %w", len(certs.IDs), err)
	}
	if err := tx.KeepDossiers(ctx, dossiers, years); err != nil {
		return fmt.Errorf("dossiers of campaign %s: %w", c.ID, err)
	}
	return s.trailOfRekeysTx(ctx, tx, r, orders.IDs, certs.IDs)
}

// trailOfRekeysTx takes what was written through its life: born by who proposed the
// campaign, approved by who approved it, invited as any other.
func (s *Service) trailOfRekeysTx(ctx context.Context, tx store.Tx, r rekeys, orderIDs, certIDs []string) error {
	named := map[string]string{"campaign": string(r.of.ID)}
	requester := lifecycle.Actor{ID: r.of.RequestedBy, Role: lifecycle.Role(r.of.RequesterAs)}
	of := func(int) map[string]string { return named }
	if err := s.bornMany(ctx, tx, "order", orderIDs, string(lifecycle.OrderSubmitted), requester, of); err != nil {
		return err
	}
	if err := s.bornMany(ctx, tx, "certificate", certIDs, string(lifecycle.CertOrdered), requester, of); err != nil {
		return err
	}
	var orders []db.Order
	var certs []db.Certificate
	approvals := db.InsertApprovalsParams{DecidedBy: r.of.ApprovedBy, DecidedAt: s.now(), Note: "campaign " + string(r.of.ID)}
	for _, one := range r.all {
		if one.approved {
			orders, certs = append(orders, one.order), append(certs, one.cert)
			approvals.IDs = append(approvals.IDs, string(one.order.ID))
			approvals.ContentHashes = append(approvals.ContentHashes, r.of.ContentHash) // of the campaign: that is what was shown
		}
	}
	if len(orders) == 0 {
		return nil
	}
	approver := lifecycle.Actor{ID: r.of.ApprovedBy, Role: lifecycle.RoleApprover}
	steps := append([]follow{{on: lifecycle.Approve, by: approver, order: true}}, follows(orders[0], lifecycle.Approve, approver)...)
	for _, f := range steps {
		var err error
		if f.order {
			err = s.moveOrders(ctx, tx, orders, severalOrders{on: f.on, by: f.by, set: writtenAlready[lifecycle.OrderState], detail: func(db.Order) map[string]string { return named }})
		} else {
			err = s.moveCertificates(ctx, tx, certs, severalCertificates{
				on: f.on, by: f.by, set: writtenAlready[lifecycle.CertificateState], requester: func(db.Certificate) string { return r.of.RequestedBy },
				detail: func(db.Certificate) map[string]string { return named },
			})
		}
		if err != nil {
			return err
		}
	}
	for i := range orders {
		if orders[i].State != lifecycle.OrderInProgress || certs[i].State != lifecycle.CertAwaitingKey {
			return fmt.Errorf("order %s is %s with certificate %s that is %s: %w", orders[i].ID, orders[i].State, certs[i].ID, certs[i].State, lifecycle.Illegal)
		}
	}
	if err := tx.InsertApprovals(ctx, approvals); err != nil {
		return fmt.Errorf("record %d approvals: %w", len(orders), err)
	}
	return nil
}
