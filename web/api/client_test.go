package api_test

import (
	"errors"
	"net/http"
	"testing"

	"sceau/client"
	"sceau/lifecycle"
	"sceau/signing"
)

// What a relying service written in Go does, by the package that is made for it.
func TestARelyingServiceUsesTheClientPackage(t *testing.T) {
	t.Parallel()
	d := open(t)
	user := client.User{ClientID: d.activeUser(1), UserNumber: "0001"}
	d.entitle(user.ClientID, signing.Grant{Function: signing.SignPayment, Currency: "EUR", To: 2_000_000})
	c := client.New(d.url, d.key(), nil)
	asked := must[client.Authentication](t)(c.SignIn(t.Context(), user, "cap"))
	if asked.Instruction.Key != "CODE" || asked.Accepted() {
		t.Errorf("asked to sign in: %+v", asked)
	}
	if got := must[client.Authentication](t)(c.ProveSignIn(t.Context(), asked.ID, "99999999")); got.Result != "refused" || got.TriesLeft != 2 {
		t.Errorf("a wrong code: %+v", got)
	}
	if got := must[client.Authentication](t)(c.ProveSignIn(t.Context(), asked.ID, code(2))); !got.Accepted() || got.Holder == "" {
		t.Errorf("the right code: %+v", got)
	}
	_, err := c.ProveSignIn(t.Context(), asked.ID, code(3))
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != "conflict" || p.Status != http.StatusConflict || p.Instance == "" {
		t.Errorf("proved again: %v", err)
	}
	content := map[string]string{"amount": "1250075", "currency": "EUR", "payee_account": "FR7630006000011234567890189", "payee_name": "Lemaire"}
	asked = must[client.Authentication](t)(c.Sign(t.Context(), user, "cap", "sign_payment", content))
	if len(asked.Instruction.Data) != 3 || asked.Instruction.Data[0] != "1250075" || !asked.Linked {
		t.Errorf("asked to sign: %+v", asked)
	}
	if got := must[client.Authentication](t)(c.Prove(t.Context(), asked.ID, code(3))); !got.Accepted() || got.Statement == "" {
		t.Errorf("signed: %+v", got)
	}
	read := must[client.Authentication](t)(c.Operation(t.Context(), asked.ID))
	if read.Content["payee_name"] != "Lemaire" || read.Text != asked.Text {
		t.Errorf("read again: %+v", read)
	}
	if _, err := c.Check(t.Context(), read); !errors.Is(err, lifecycle.Invalid) { // this door's key is of a test
		t.Errorf("a statement that no key signed: %v", err)
	}
	if r := must[client.Receipt](t)(c.ReportFraud(t.Context(), "call", "On m'a demandé un code.")); r.ID == "" || r.State != "received" {
		t.Errorf("the report: %+v", r)
	}
	first := must[client.Receipt](t)(c.Stop(t.Context(), user, "phished"))
	if again := must[client.Receipt](t)(c.Stop(t.Context(), user, "lost")); again.ID != first.ID || first.State != "active" {
		t.Errorf("stops: %+v, %+v", first, again)
	}
	_, err = c.Sign(t.Context(), user, "cap", "sign_payment", map[string]string{"amount": "x"})
	if p, ok := errors.AsType[*client.Problem](err); !ok || len(p.Fields) == 0 {
		t.Errorf("wrong content: %v", err)
	}
	if page := must[client.Page](t)(c.Events(t.Context(), "", 10)); len(page.Events) > 10 {
		t.Errorf("%d events", len(page.Events))
	}
}
