package authn_test

import (
	"errors"
	"testing"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/signing"
)

// begin asks the user to sign.
func (h *house) begin(t *testing.T, number string, of signing.Operation) (authn.Authentication, error) {
	t.Helper()
	return h.Begin(t.Context(), authn.Ask{By: service, ClientID: clientID, UserNumber: number, Proof: signing.Proof{Means: lifecycle.MeansCAP}, Operation: of})
}

func TestWhoIsNotEntitledIsRefusedLikeNobody(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	h.user(t, "0002") // entitled to everything, without a means of their own
	card := h.card(t, holder, lifecycle.CardActive)
	const account = "FR7630006000011234567890189"
	pay := func(cents, currency, from string) signing.Operation {
		content := map[string]string{"amount": cents, "currency": currency, "payee_account": "BE68539007547034", "payee_name": "Lemaire"}
		if from != "" {
			content["debtor_account"] = from
		}
		return operationOf(t, signing.SignPayment, content)
	}
	h.entitle(t, holder, signing.Grant{Function: signing.SignPayment, Account: account, From: 100, To: 5000, Currency: "EUR"})
	if _, err := h.begin(t, userNumber, pay("5000", "EUR", account)); err != nil {
		t.Fatal(err)
	}
	_, nobody := h.begin(t, "9999", pay("5000", "EUR", account))
	for name, test := range map[string]struct {
		user string
		of   signing.Operation
	}{
		"nobody":             {"9999", pay("5000", "EUR", account)},
		"above the band":     {userNumber, pay("5001", "EUR", account)},
		"below the band":     {userNumber, pay("99", "EUR", account)},
		"another currency":   {userNumber, pay("5000", "USD", account)},
		"another account":    {userNumber, pay("5000", "EUR", "BE68539007547034")},
		"an account unnamed": {userNumber, pay("5000", "EUR", "")},
		"another function":   {userNumber, operationOf(t, signing.SignPaymentBatch, batch)},
		"no means":           {"0002", pay("5000", "EUR", account)},
	} {
		if _, err := h.begin(t, test.user, test.of); !errors.Is(err, lifecycle.Forbidden) || err.Error() != nobody.Error() {
			t.Errorf("%s: %v, want %v", name, err, nobody)
		}
	}
	// What ends meanwhile is not signed any more, and the answer does not say why.
	a, err := h.begin(t, userNumber, pay("5000", "EUR", account))
	check(t, err)
	h.entitle(t, holder, signing.Grant{Function: signing.OrderChequebook})
	if got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 1)}); !errors.Is(err, authn.ErrRefused) || got.State != lifecycle.AuthenticationPending {
		t.Errorf("signed without the entitlement: %+v, %v", got, err)
	}
}
