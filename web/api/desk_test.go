package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// elsewhere is the key of another branch's terminal.
func (d *door) elsewhere(scope authn.Scope) string {
	d.t.Helper()
	_, secret, err := d.authn.NewAPIKey(d.t.Context(), officer, "Eupen", []authn.Scope{scope}, "BE02", time.Hour)
	if err != nil {
		d.t.Fatal(err)
	}
	return secret.Reveal()
}

// refused wants a terminal refused, at which somebody stands.
func (d *door) refused(name, key, path, operator, says string) {
	d.t.Helper()
	was := d.operator
	d.operator = operator
	defer func() { d.operator = was }()
	a := d.call("POST", path, key, `{"taken":true,"tries_left":3}`)
	a.want(d.t, http.StatusForbidden, map[string]any{"code": "forbidden"})
	if !strings.Contains(a.text, says) {
		d.t.Errorf("%s: %s", name, a.text)
	}
}

func TestATerminalActsForItsBranchAndWhoStandsThereIsOfIt(t *testing.T) {
	t.Parallel()
	d, path, id := openTerminals(t) // for FR01
	d.approve(id)
	here, there := d.key(authn.ScopePersonalise), d.elsewhere(authn.ScopePersonalise)
	d.refused("another branch's terminal", there, path, manager.ID, "another branch")
	d.refused("nobody at it", here, path, "", "who stands there")
	d.refused("a stranger", here, path, "mallory", "of this terminal's branch")
	d.refused("an approver", here, path, approver.ID, "of this terminal's branch")
	d.operator = strings.Repeat("m", 65)
	d.call("POST", path, here, "").want(t, http.StatusUnprocessableEntity, nil)
	d.operator = manager.ID
	d.call("POST", "/v1/orders/O-0000000000000000/chip", here, "").want(t, http.StatusNotFound, nil)
	d.call("POST", "/v1/orders/x/chip", here, "").want(t, http.StatusUnprocessableEntity, nil)

	trail, err := d.service.AuditOf(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, e := range trail {
		if e.Thing == "terminal" && e.Event == "refuse_terminal" && strings.Contains(string(e.Detail), "why") {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d refusals are on record of 4", kept)
	}
	d.call("POST", path, here, "").want(t, http.StatusOK, nil)
	d.call("POST", path+"/commands", here, `{"answer":"`+"01"+strings.Repeat("00", 28)+`"}`).want(t, http.StatusOK, nil)
	card := must[issuance.OrderView](t)(d.service.Order(t.Context(), id)).Card.ID
	trail, err = d.service.AuditOf(t.Context(), string(card))
	if err != nil {
		t.Fatal(err)
	}
	if last := trail[len(trail)-1]; !strings.Contains(string(last.Detail), `"operator": "`+manager.ID+`"`) {
		t.Errorf("who stood there is not on record: %s %s", last.Event, last.Detail)
	}

}

// The card's company is of FR01, which counts until the order names a branch.
func TestAScriptIsGivenAtTheBranchOfTheOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, blocked := d.postedCard(2)
	reset := func(branch string) string {
		order := must[lifecycle.OrderID](t)(d.service.Submit(t.Context(), manager, issuance.OrderRequest{
			Kind: lifecycle.OrderPINReset, TargetCard: blocked, Identity: "passport 12AB", BranchCode: branch,
		}))
		d.approve(order)
		return "/v1/orders/" + string(order) + "/script/result"
	}
	script := d.elsewhere(authn.ScopeResetPIN)
	d.refused("a script elsewhere", script, reset(""), manager.ID, "another branch")
	d.refused("a script that is ordered elsewhere", d.key(authn.ScopeResetPIN), reset("BE02"), manager.ID, "another branch")
	_, err := d.service.Submit(t.Context(), manager, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, TargetCard: blocked, Identity: "passport 12AB", BranchCode: "XX"})
	if err == nil || !strings.Contains(err.Error(), "branch") {
		t.Errorf("a branch that is none: %v", err)
	}
}
