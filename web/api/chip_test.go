package api_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/api"
)

func (e *engine) Challenge(context.Context, issuance.ChipPlan) ([]byte, error) {
	return []byte{1, 2, 3, 4, 5, 6, 7, 8}, e.gone()
}

// Open takes every chip but those whose serial begins with FF.
func (e *engine) Open(_ context.Context, plan issuance.ChipPlan, answer []byte) (issuance.ChipData, error) {
	if answer[0] == 0xFF {
		return issuance.ChipData{}, fmt.Errorf("%w: a strange chip", lifecycle.Invalid)
	}
	return issuance.ChipData{Serial: strings.ToUpper(hex.EncodeToString(answer[:10])), Commands: [][]byte{{0x84, 0x82, 3, 0, 0}, {0x84, 0xE2, 0x80, byte(plan.PINVersion), 0}}}, e.gone()
}

func (e *engine) Prove(_ context.Context, _ issuance.ChipPlan, proof issuance.ChipProof) (bool, error) {
	return bytes.Equal(proof.ARQC, goodARQC), e.gone()
}

// openTerminals is the door for terminals that personalise, and an approved order
// for a card that is made at a branch.
func openTerminals(t *testing.T) (d *door, path string, id lifecycle.OrderID) {
	t.Helper()
	d = openWith(t, func(c *api.Config, e *engine) { c.Chips = e })
	_, card := d.postedCard(1)
	holder := must[issuance.CardView](t)(d.service.Card(t.Context(), card)).Holder
	id = must[lifecycle.OrderID](t)(d.service.Submit(t.Context(), manager, issuance.OrderRequest{
		Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: lifecycle.DeliverBranch, BranchCode: "FR01", InHouse: true,
	}))
	return d, "/v1/orders/" + string(id) + "/chip", id
}

func TestACardIsMadeInAChipUnderAnApprovedOrder(t *testing.T) {
	t.Parallel()
	d, path, id := openTerminals(t)
	key := d.key(authn.ScopePersonalise)
	answer := func(serial string) string { return `{"answer":"` + serial + strings.Repeat("00", 28) + `"}` }
	proof := func(arqc string) string {
		return `{"atc":1,"arqc":"` + arqc + `","data":"00","iad":"0102"}`
	}
	d.call("POST", path, key, "").want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
	d.approve(id)
	d.call("POST", path+"/spoiled", key, `{"reason":"cracked"}`).want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
	d.call("POST", path, key, "").want(t, http.StatusOK, map[string]any{"challenge": "0102030405060708", "serial": nil})
	d.call("POST", path+"/commands", key, `{"answer":"01"}`).want(t, http.StatusUnprocessableEntity, nil)
	d.call("POST", path+"/commands", key, answer("FF")).want(t, http.StatusUnprocessableEntity, map[string]any{"code": "invalid"})
	d.call("POST", path+"/made", key, proof("0102030405060708")).want(t, http.StatusConflict, nil) // no chip had its data
	d.engine.leave(true)
	d.call("POST", path+"/commands", key, answer("01")).want(t, http.StatusServiceUnavailable, nil)
	d.engine.leave(false)
	given := d.call("POST", path+"/commands", key, answer("01"))
	given.want(t, http.StatusOK, map[string]any{"serial": "01000000000000000000"})
	if !strings.Contains(given.text, `"8482030000","84e2800100"`) {
		t.Error(given.text)
	}
	d.call("POST", path, key, "").want(t, http.StatusOK, map[string]any{"serial": "01000000000000000000"})
	d.call("POST", path+"/commands", key, answer("02")).want(t, http.StatusConflict, map[string]any{"code": "conflict"})
	d.call("POST", path+"/spoiled", key, `{"reason":""}`).want(t, http.StatusUnprocessableEntity, nil)
	d.call("POST", path+"/spoiled", key, `{"reason":"cracked"}`).want(t, http.StatusOK, map[string]any{"state": "in_house", "order": "in_progress"})
	d.call("POST", path+"/commands", key, answer("01")).want(t, http.StatusConflict, nil) // begun by nobody, and that chip is spoiled
	d.call("POST", path+"/commands", key, answer("02")).want(t, http.StatusOK, nil)
	d.call("POST", path+"/made", key, proof("FFFFFFFFFFFFFFFF")).want(t, http.StatusConflict, map[string]any{"code": "conflict"})
	d.call("POST", path+"/made", key, proof("0102030405060708")).want(t, http.StatusOK, map[string]any{"state": "at_branch", "order": "in_progress"})
	d.call("POST", path, key, "").want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
	d.call("POST", "/v1/cap/verify", d.key(), `{"code":"12345678"}`).want(t, http.StatusNotFound, nil) // another door's
}

func TestEveryOperationOfTheTerminalsWantsItsScope(t *testing.T) { //nolint:tparallel // as of the API
	t.Parallel()
	d, _, _ := openTerminals(t)
	wantScopes(t, d, 4)
}
