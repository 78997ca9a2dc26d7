package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	relying "sceau/client"
	"sceau/hsm/emv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/signing"
)

// instructed is what online banking is answered when it asks a user to prove
// something.
type instructed struct {
	ID          string            `json:"id"`
	State       string            `json:"state"`
	Result      string            `json:"result"`
	Mode        string            `json:"mode"`
	Linked      bool              `json:"linked"`
	Content     map[string]string `json:"content"`
	Statement   string            `json:"statement"`
	Instruction struct {
		Key       string   `json:"key"`
		Challenge string   `json:"challenge"`
		Data      []string `json:"data"`
	} `json:"instruction"`
}

const (
	signIns    = "/v1/authentications"
	operations = "/v1/operations"
)

// signOnline has a user of online banking sign in and sign each sensitive function
// with the reader; a bank switches its CODE key on for batches; a stop ends it all.
func (d *demonstration) signOnline(ctx context.Context) error {
	h, err := d.activeCard(ctx, 7)
	if err != nil {
		return err
	}
	if err := d.entitle(ctx, h); err != nil {
		return err
	}
	begun, err := d.begin(ctx, h, signIns, nil)
	if err != nil {
		return err
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	done, err := d.prove(ctx, signIns, begun.ID, code)
	d.screen.check("sign-in: press CODE, type 8 digits", errors.Join(err, equal(begun.Instruction.Key, "CODE"), equal(done.Result, "accepted")))
	_, err = d.prove(ctx, signIns, begun.ID, code)
	d.screen.check("the same sign-in is proved once", refused(err, lifecycle.Conflict))
	if err := d.signEach(ctx, h); err != nil {
		return err
	}
	if err := d.signByCodeKey(ctx, h); err != nil {
		return err
	}
	if err := d.decideOnline(ctx, h); err != nil {
		return err
	}
	return d.stopAll(ctx, h)
}

// begin asks the user for a sign-in or an operation.
func (d *demonstration) begin(ctx context.Context, h *hand, path string, operation map[string]any) (instructed, error) {
	body := map[string]any{"client_id": h.holder.ClientID, "user_number": h.holder.UserNumber, "means": "cap"}
	for name, value := range operation {
		body[name] = value
	}
	var begun instructed
	return begun, d.online.Post(ctx, path, body, &begun)
}

func (d *demonstration) prove(ctx context.Context, path, id, code string) (instructed, error) {
	var done instructed
	return done, d.online.Post(ctx, path+"/"+id+"/verify", map[string]any{"code": code}, &done)
}

// signEach signs one of each sensitive function over its own data.
func (d *demonstration) signEach(ctx context.Context, h *hand) error {
	const payee = "FR7630006000011234567890189"
	var last instructed
	for _, one := range []struct {
		function signing.Function
		content  map[string]string
	}{
		{signing.AddBeneficiary, map[string]string{"payee_account": payee, "payee_name": "Fournitures Lemaire"}},
		{signing.OrderChequebook, map[string]string{"account": payee, "count": "2"}},
		{signing.ManageEntitlements, map[string]string{"user_number": "0002", "entitlements": "sign_payment"}},
		{signing.ChangeSetting, map[string]string{"setting": "foreign_transfers", "old": "domestic", "new": "sepa"}},
		{signing.SignPaymentBatch, map[string]string{"total": "9900000", "currency": "EUR", "count": "212", "sha256": strings.Repeat("ab", 32)}},
		{signing.SignPayment, map[string]string{"amount": "1250075", "currency": "EUR", "payee_account": payee, "payee_name": "Fournitures Lemaire"}},
	} {
		begun, err := d.begin(ctx, h, operations, map[string]any{"function": one.function, "content": one.content})
		if err != nil {
			return err
		}
		code, err := h.typed(ctx, emv.Transaction{Mode: emv.Mode2TDS, TDS: begun.Instruction.Data})
		if err != nil {
			return err
		}
		if last, err = d.prove(ctx, operations, begun.ID, code); err != nil {
			return err
		}
		d.screen.check(fmt.Sprintf("%s: the reader signs %s", one.function, strings.Join(begun.Instruction.Data, " · ")),
			errors.Join(equal(last.Result, "accepted"), equal(last.Linked, true)))
	}
	stated, err := d.stated(ctx, last.ID)
	d.screen.check("online banking keeps a statement of it that the public keys verify, amount and payee in it", errors.Join(err,
		equal(stated.Content["amount"], "1250075"), equal(stated.Content["payee_account"], payee)))
	begun, err := d.begin(ctx, h, operations, map[string]any{"function": signing.SignPayment, "content": last.Content})
	if err != nil {
		return err
	}
	other := slices.Clone(begun.Instruction.Data)
	other[0] = "9250075"
	code, err := h.typed(ctx, emv.Transaction{Mode: emv.Mode2TDS, TDS: other})
	if err != nil {
		return err
	}
	done, err := d.prove(ctx, operations, begun.ID, code)
	d.screen.check("a code for another amount is refused", errors.Join(err, equal(done.Result, "refused")))
	return nil
}

// stated reads an operation again and checks its statement by the published keys, with
// the package that relying services written in Go use.
func (d *demonstration) stated(ctx context.Context, id string) (relying.Claims, error) {
	online := relying.New(d.doors.api, d.bankKey, nil)
	operation, err := online.Operation(ctx, id)
	if err != nil {
		return relying.Claims{}, err
	}
	return online.Check(ctx, operation)
}

// signByCodeKey has the bank switch the CODE key on for batches, as its customers
// know it: two people decide, and the answer says that it is not linked.
func (d *demonstration) signByCodeKey(ctx context.Context, h *hand) error {
	batch := map[string]any{
		"function": signing.SignPaymentBatch, "mode": signing.CodeKey,
		"content": map[string]string{"total": "9900000", "currency": "EUR", "count": "212", "sha256": strings.Repeat("cd", 32)},
	}
	_, err := d.begin(ctx, h, operations, batch)
	d.screen.check("the CODE key signs nothing until the bank's policy says so", refused(err, lifecycle.Invalid))
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	policy, err := signing.Parse([]byte("sign_payment_batch: {proofs: [{means: cap, mode: '2'}, {means: cap, mode: 2+tds}], seconds: 120}"))
	if err != nil {
		return err
	}
	version, err := d.house.Service.ProposeSigningPolicy(ctx, officer, policy)
	if err != nil {
		return err
	}
	if err := d.house.Service.ApproveSigningPolicy(ctx, approver, version, policy.Sum()); err != nil {
		return err
	}
	first, err := d.begin(ctx, h, operations, batch)
	if err != nil {
		return err
	}
	second, err := d.begin(ctx, h, operations, batch)
	if err != nil {
		return err
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	_, err = d.prove(ctx, operations, first.ID, code)
	d.screen.check("the CODE key confirms the one batch that was shown last", refused(err, lifecycle.Conflict))
	done, err := d.prove(ctx, operations, second.ID, code)
	d.screen.check("and the evidence says that it is not linked to its data", errors.Join(err, equal(done.Result, "accepted"), equal(done.Linked, false)))
	return nil
}

// stopAll reports a suspicious call and stops everything of the user, until two
// people lift it.
func (d *demonstration) stopAll(ctx context.Context, h *hand) error {
	var report, stop struct {
		ID string `json:"id"`
	}
	user := map[string]any{"client_id": h.holder.ClientID, "user_number": h.holder.UserNumber}
	told := map[string]any{"kind": "call", "told": "On m'a demandé mon code 1234 5678 au téléphone.", "client_id": h.holder.ClientID}
	if err := d.online.Post(ctx, "/v1/fraud-reports", told, &report); err != nil {
		return err
	}
	kept, err := d.house.Service.FraudReport(ctx, lifecycle.FraudReportID(report.ID))
	d.screen.check("a suspicious call is on record with a receipt, without the code that the holder wrote", errors.Join(err, equal(strings.Contains(kept.Told, "1234"), false)))
	user["reason"] = "phished"
	if err := d.online.Post(ctx, "/v1/stops", user, &stop); err != nil {
		return err
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, h.holder, code)
	d.screen.check("one call stops all means of a user: the next right code is refused", errors.Join(err, equal(result, "refused")))
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	service, id := d.house.Service, lifecycle.StopID(stop.ID)
	if err := errors.Join(service.AskToLift(ctx, officer, id, "recognised at the desk"), service.Lift(ctx, approver, id)); err != nil {
		return err
	}
	var lifted issuance.Stop
	lifted, err = service.Stop(ctx, id)
	if result, errVerify := d.verify(ctx, h.holder, code); errVerify != nil || result != "accepted" {
		err = errors.Join(err, errVerify, equal(result, "accepted"))
	}
	d.screen.check("lifted by two people, it is as before", errors.Join(err, equal(lifted.State, lifecycle.StopLifted)))
	return nil
}
