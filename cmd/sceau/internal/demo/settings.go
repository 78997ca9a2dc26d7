package demo

import (
	"context"
	"errors"

	"sceau/hsm/emv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/settings"
	"sceau/signing"
)

// entitle has two of the staff name the company's first principal user, who may sign
// everything.
func (d *demonstration) entitle(ctx context.Context, h *hand) error {
	chequebook := map[string]any{"function": signing.OrderChequebook, "content": map[string]string{"account": "FR7630006000011234567890189", "count": "1"}}
	_, err := d.begin(ctx, h, operations, chequebook)
	d.screen.check("a user to whom nobody gave it may sign nothing", refused(err, lifecycle.Forbidden))
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	var grants []signing.Grant
	for _, f := range signing.Functions() {
		if f.Sensitive() {
			grants = append(grants, signing.Grant{Function: f})
		}
	}
	made, err := d.house.Service.ProposeEntitlements(ctx, officer, issuance.EntitlementRequest{
		ClientID: h.holder.ClientID, UserNumber: h.holder.UserNumber, Grants: grants,
	})
	if err != nil {
		return err
	}
	return d.house.Service.ApproveEntitlements(ctx, approver, made.ID, made.Grants.Sum(h.holder.ClientID+"/"+h.holder.UserNumber))
}

// decideOnline has a setting tightened at once, and payments decided by it.
func (d *demonstration) decideOnline(ctx context.Context, h *hand) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	limit := issuance.SettingRequest{
		ClientID: h.holder.ClientID, UserNumber: h.holder.UserNumber, Setting: settings.Limits, Level: settings.OfUser,
		Value: []byte(`{"limits":[{"per_transaction":500000}]}`), Note: "asked for by telephone, called back",
	}
	if _, err := d.house.Service.StaffSetting(ctx, operator, limit, false); err != nil {
		return err
	}
	limit.Value = []byte(`{"limits":[]}`)
	_, err = d.house.Service.StaffSetting(ctx, operator, limit, false)
	d.screen.check("staff tighten a limit at once, and loosen none alone", refused(err, lifecycle.Forbidden))
	var answer struct {
		Result settings.Result `json:"result"`
		Rule   string          `json:"rule"`
		Again  bool            `json:"again"`
	}
	const account, payee = "FR7630006000011234567890189", "BE68539007547034"
	ask := func(operation string, cents int64, signatures ...string) error {
		answer.Again = false
		return d.online.Post(ctx, "/v1/decisions", map[string]any{
			"operation": operation, "client_id": h.holder.ClientID, "user_number": h.holder.UserNumber, "kind": settings.Transfer, "account": account,
			"amount": cents, "currency": "EUR", "payee_account": payee, "payee_countries": []string{"BE"}, "channel": "online", "signatures": append([]string{}, signatures...),
		}, &answer)
	}
	err = ask("demo-1", 500_001)
	d.screen.check("a payment above the limit is refused, by its rule", errors.Join(err, equal(answer.Rule, settings.RuleTransaction)))
	err = ask("demo-2", 499_900)
	d.screen.check("one below it needs a signature", errors.Join(err, equal(answer.Result, settings.Needs)))
	begun, err := d.begin(ctx, h, operations, map[string]any{"function": signing.SignPayment, "content": map[string]string{
		"amount": "499900", "currency": "EUR", "payee_account": payee, "payee_name": "Lemaire", "debtor_account": account,
	}})
	if err != nil {
		return err
	}
	code, err := h.typed(ctx, emv.Transaction{Mode: emv.Mode2TDS, TDS: begun.Instruction.Data})
	if err != nil {
		return err
	}
	if _, err := d.prove(ctx, operations, begun.ID, code); err != nil {
		return err
	}
	err = ask("demo-2", 499_900, begun.ID)
	d.screen.check("signed over exactly these facts it is allowed", errors.Join(err, equal(answer.Result, settings.Allow)))
	err = ask("demo-3", 499_900, begun.ID)
	d.screen.check("the signature is used once", errors.Join(err, equal(answer.Rule, settings.RuleProof)))
	return nil
}
