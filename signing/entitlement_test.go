package signing_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/lifecycle"
	"sceau/signing"
)

func TestWhatCannotBeGivenIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grants []signing.Grant
		want   string
	}{
		"a sign-in":                   {[]signing.Grant{{Function: signing.SignIn}}, "entitlements[sign_in]"},
		"what is no function":         {[]signing.Grant{{Function: "open_safe"}}, "entitlements[open_safe]"},
		"a setting of an account":     {[]signing.Grant{{Function: signing.ChangeSetting, Account: "BE68539007547034"}}, "entitlements[change_setting].account"},
		"an account with spaces":      {[]signing.Grant{{Function: signing.SignPayment, Account: "BE68 5390"}}, "entitlements[sign_payment].account"},
		"a band of chequebooks":       {[]signing.Grant{{Function: signing.OrderChequebook, To: 5, Currency: "EUR"}}, "entitlements[order_chequebook].from"},
		"a band upside down":          {[]signing.Grant{{Function: signing.SignPayment, From: 5, To: 4, Currency: "EUR"}}, "entitlements[sign_payment].to"},
		"a band of no currency":       {[]signing.Grant{{Function: signing.SignPayment, To: 4}}, "entitlements[sign_payment].currency"},
		"a currency without a band":   {[]signing.Grant{{Function: signing.SignPayment, Currency: "EUR"}}, "entitlements[sign_payment].currency"},
		"twice the same, other bands": {[]signing.Grant{{Function: signing.SignPayment, To: 4, Currency: "EUR"}, {Function: signing.SignPayment, To: 9, Currency: "EUR"}}, "entitlements[sign_payment]"},
		"too many":                    {make([]signing.Grant, 31), "entitlements"},
	} {
		_, err := signing.NewEntitlements(test.grants)
		var fields lifecycle.FieldErrors
		fields.Merge(err)
		if !errors.Is(err, lifecycle.Invalid) || len(fields) != 1 || fields[0].Field != test.want {
			t.Errorf("%s: %v, want field %s", name, err, test.want)
		}
	}
}

// What is signed is one text for one set, and no other set's.
func TestTheTextOfEntitlementsIsTheirOwn(t *testing.T) {
	t.Parallel()
	one := rapid.Custom(func(t *rapid.T) signing.Grant {
		g := signing.Grant{Function: rapid.SampledFrom(signing.Functions()[1:]).Draw(t, "function")}
		if g.Function.MovesMoney() {
			g.Account = rapid.SampledFrom([]string{"", "BE68539007547034", "FR7630006000011234567890189"}).Draw(t, "account")
			if g.To = rapid.Int64Range(0, 3).Draw(t, "to"); g.To > 0 {
				g.From, g.Currency = rapid.Int64Range(0, g.To).Draw(t, "from"), rapid.SampledFrom([]string{"EUR", "CHF"}).Draw(t, "currency")
			}
		}
		return g
	})
	sets := rapid.Custom(func(t *rapid.T) signing.Entitlements {
		grants := rapid.SliceOfNDistinct(one, 0, 6, func(g signing.Grant) string { return string(g.Function) + g.Account + g.Currency }).Draw(t, "grants")
		e, err := signing.NewEntitlements(grants)
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := sets.Draw(t, "a"), sets.Draw(t, "b")
		if (a.Text() == b.Text()) != (string(a.Canonical()) == string(b.Canonical())) {
			t.Fatalf("%s\n%s\nare both %q", a.Canonical(), b.Canonical(), a.Text())
		}
		again, err := signing.ReadEntitlements(a.Canonical())
		if err != nil || again.Text() != a.Text() {
			t.Fatalf("read again %q, %v", again.Text(), err)
		}
		// As much as can be given can be signed.
		if _, err := signing.NewOperation(signing.ManageEntitlements, map[string]string{"user_number": "0001", "entitlements": a.Text()}); err != nil {
			t.Fatal(err)
		}
	})
	long := make([]signing.Grant, 30)
	for i := range long {
		long[i] = signing.Grant{Function: signing.SignPaymentBatch, Account: strings.Repeat("A", 33) + string(rune('A'+i%26)), From: 99999999999, To: 999999999999, Currency: "E" + string(rune('A'+i/26)) + "R"}
	}
	e, err := signing.NewEntitlements(long)
	if err != nil || len(e.Text()) > signing.MaxValue {
		t.Errorf("%d characters, %v", len(e.Text()), err)
	}
}
