package issuance_test

import (
	"fmt"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/signing"
)

// company has users with an active certificate each, as client ID.
func (h *house) users(t tb, numbers ...string) (client string) {
	t.Helper()
	h.authority(t, 1)
	var company string
	for _, number := range numbers {
		id := h.certificate(t, lifecycle.CertActive)
		first, _ := h.userOf(t, id)
		holder := h.certificateRow(t, id).HolderID
		if client == "" {
			client = first
			if err := h.pool.QueryRow(t.Context(), `SELECT company_id FROM holder WHERE id = $1`, holder).Scan(&company); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.pool.Exec(t.Context(), `UPDATE holder SET company_id = $1, user_number = $2 WHERE id = $3`, company, number, holder); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

// entitle has two of the staff give a user what they may sign.
func (h *house) entitle(t tb, client, user string, grants ...signing.Grant) {
	t.Helper()
	made := must[issuance.Entitlement](t)(h.ProposeEntitlements(t.Context(), alix, issuance.EntitlementRequest{ClientID: client, UserNumber: user, Grants: grants}))
	if err := h.ApproveEntitlements(t.Context(), irene, made.ID, made.Grants.Sum(client+"/"+user)); err != nil {
		t.Fatal(err)
	}
}

// signed is an operation that a user has signed, as authn leaves it.
func (h *house) signed(t tb, client, user string, f signing.Function, content map[string]string) lifecycle.AuthenticationID {
	t.Helper()
	if _, err := signing.NewOperation(f, content); err != nil {
		t.Fatal(err)
	}
	if content == nil {
		content = map[string]string{}
	}
	h.mu.Lock()
	h.people++
	id := lifecycle.AuthenticationID(fmt.Sprintf("AU-%016d", h.people))
	h.mu.Unlock()
	now := h.clock.now()
	_, err := h.pool.Exec(t.Context(), `INSERT INTO authentication (id, service, client_id, user_number, holder_id, state, function, content, means, mode, linked,
			nonce, policy_version, created_at, expires_at, decided_at)
		SELECT $1, $2, o.client_id, h.user_number, h.id, 'accepted', $5, $6, 'cap', '3', true, '\x000102030405060708090a0b0c0d0e0f', 0, $7, $7, $7
		FROM holder h JOIN company o ON o.id = h.company_id WHERE o.client_id = $3 AND h.user_number = $4`, id, online.ID, client, user, f, content, now)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAPrincipalUserGivesWhatTheySign(t *testing.T) {
	t.Parallel()
	h := setup(t)
	client := h.users(t, "0001", "0002")
	manage := signing.Grant{Function: signing.ManageEntitlements}
	pay := signing.Grant{Function: signing.SignPayment, To: 500_000, Currency: "EUR"}
	ask := func(user string, grants ...signing.Grant) issuance.EntitlementRequest {
		return issuance.EntitlementRequest{ClientID: client, UserNumber: user, Grants: grants}
	}
	over := func(user string, grants ...signing.Grant) map[string]string {
		return map[string]string{"user_number": user, "entitlements": must[signing.Entitlements](t)(signing.NewEntitlements(grants)).Text()}
	}
	give := func(r issuance.EntitlementRequest, signed lifecycle.AuthenticationID) error {
		_, err := h.GiveEntitlements(t.Context(), online, r, signed)
		return err
	}
	// Nobody is a principal user until the bank says so, by two people.
	wantKind(t, give(ask("0002", pay), h.signed(t, client, "0001", signing.ManageEntitlements, over("0002", pay))), lifecycle.Forbidden)
	made := must[issuance.Entitlement](t)(h.ProposeEntitlements(t.Context(), come, ask("0001", manage)))
	sum := made.Grants.Sum(client + "/0001")
	wantKind(t, h.ApproveEntitlements(t.Context(), comeToo, made.ID, sum), lifecycle.Forbidden)
	wantKind(t, h.ApproveEntitlements(t.Context(), irene, made.ID, made.Grants.Sum(client+"/0002")), lifecycle.Conflict)
	if err := h.ApproveEntitlements(t.Context(), irene, made.ID, sum); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.ApproveEntitlements(t.Context(), irene, made.ID, sum), lifecycle.Illegal)

	// From now on the user gives, over exactly what they sign, once.
	signed := h.signed(t, client, "0001", signing.ManageEntitlements, over("0002", pay))
	wantKind(t, give(ask("0002", pay, manage), signed), lifecycle.Invalid)
	wantKind(t, give(ask("0001", pay), signed), lifecycle.Invalid)
	if err := give(ask("0002", pay), signed); err != nil {
		t.Fatal(err)
	}
	wantKind(t, give(ask("0002", pay), signed), lifecycle.Conflict)
	has := must[issuance.UserEntitlements](t)(h.UserEntitlements(t.Context(), client, "0002"))
	if live, ok := has.Live(); !ok || !has.Strong || live.Grants.Text() != "sign_payment from 0 to 500000 cents EUR" || live.Authentication != signed {
		t.Errorf("the user has %+v", has)
	}
	// Not by who may only pay, by a signature that is old, or over something else.
	wantKind(t, give(ask("0001", pay), h.signed(t, client, "0002", signing.ManageEntitlements, over("0001", pay))), lifecycle.Forbidden)
	old := h.signed(t, client, "0001", signing.ManageEntitlements, over("0002"))
	h.clock.advance(16 * time.Minute)
	wantKind(t, give(ask("0002"), old), lifecycle.Invalid)
	wantKind(t, give(ask("0002"), h.signed(t, client, "0001", signing.SignIn, nil)), lifecycle.Invalid)

	// The last principal user stays, until there is another with a means of their own.
	wantKind(t, give(ask("0001", pay), h.signed(t, client, "0001", signing.ManageEntitlements, over("0001", pay))), lifecycle.Conflict)
	if err := give(ask("0002", pay, manage), h.signed(t, client, "0001", signing.ManageEntitlements, over("0002", pay, manage))); err != nil {
		t.Fatal(err)
	}
	if err := give(ask("0001"), h.signed(t, client, "0001", signing.ManageEntitlements, over("0001"))); err != nil {
		t.Fatal(err)
	}
	wantKind(t, give(ask("0001", manage), h.signed(t, client, "0001", signing.ManageEntitlements, over("0001", manage))), lifecycle.Forbidden)

	// Without a means of their own nobody is given anything, and what they had has no effect.
	h.clock.advance(5 * 366 * 24 * time.Hour)
	_, err := h.ProposeEntitlements(t.Context(), alix, ask("0001", pay))
	wantKind(t, err, lifecycle.Invalid)
	wantKind(t, give(ask("0001"), h.signed(t, client, "0002", signing.ManageEntitlements, over("0001"))), lifecycle.Forbidden)
	for _, who := range []lifecycle.Actor{leonie, owen, irene, helene, online} {
		_, err := h.ProposeEntitlements(t.Context(), who, ask("0001"))
		wantKind(t, err, lifecycle.Forbidden)
	}
}
