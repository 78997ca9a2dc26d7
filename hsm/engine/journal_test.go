package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/emv"
)

func imageOf(t *testing.T, answer map[string]any, transport []byte) emv.CardImage {
	t.Helper()
	image, err := emv.OpenDGIs(hexBytes(t, dgis(t, answer)), newTDES(t, transport))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// entries are the journal after an entry.
func (h house) entries(t *testing.T, after string) []map[string]any {
	t.Helper()
	data, refused := h.request(t, "auditor", logical.ReadOperation, "audit", map[string]any{"after": after, "limit": "1000"})
	if refused != "" {
		t.Fatal(refused)
	}
	entries, _ := data["entries"].([]map[string]any)
	return entries
}

func TestTheJournalTellsWhoDidWhatWithWhichKeysAndHowItEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if _, refused := h.call(t, "ANN", "keys/imk-ac", map[string]any{"usage": "imk-ac"}); refused != "" {
		t.Fatal(refused)
	}
	h.must(t, "keys/imk-smi", map[string]any{"usage": "imk-smi"})
	h.must(t, "keys/imk-smc", map[string]any{"usage": "imk-smc"})
	_, _ = h.call(t, "mallory", "keys/imk-ac/export", map[string]any{"kbpk": "imk-smi"})
	for range 3 {
		h.must(t, "cap/verify", question("12345678"))
	}
	_, _ = h.call(t, "ann", "keys/9250000000000017secret/rotate", nil)
	entries := h.entries(t, "0")
	if len(entries) != 6 {
		t.Fatalf("%d entries: %v", len(entries), entries)
	}
	for i, want := range []string{
		"1 ANN entity of ANN keys imk-ac ok ", "2 officer <nil> keys imk-smi ok ", "3 officer <nil> keys imk-smc ok ",
		"4 mallory <nil> keys/export imk-ac,imk-smi key_usage ", "5 ann <nil> keys/rotate 9250000000000017secret unknown_key ", "6 officer <nil> cap/verify securaccess ok 3",
	} {
		e := entries[i]
		count, _ := e["count"].(string)
		if got := fmt.Sprint(e["number"], " ", e["by"], " ", e["entity"], " ", e["command"], " ", e["keys"], " ", e["outcome"], " ", count); got != want {
			t.Errorf("entry %d: %q, want %q", i+1, got, want)
		}
	}
	h = h.restarted(t)
	h.must(t, "keys/imk-ac/rotate", nil)
	if later := h.entries(t, "6"); len(later) != 1 || later[0]["number"] != "7" || later[0]["command"] != "keys/rotate" {
		t.Errorf("after a restart: %v", later)
	}
}

func TestTheJournalHoldsNoCardNumberPINOrKey(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	enterKey(t, h, "t", "transport", one, two, false)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	pin := pinOf(t, h)
	_, _ = h.call(t, pin, "pin/letter", map[string]any{"card": number, "pin_version": pin, "letter": one})
	_, _ = h.call(t, "ann", "pin/verify", map[string]any{"card": one, "pan": number, "key": pin + one, "pin_block": one})
	text := fmt.Sprint(h.entries(t, "0"))
	if !strings.Contains(text, "C-0000000000000001,P-0000000000000001") {
		t.Fatal("the journal does not tell of the release, so this test shows nothing")
	}
	for what, secret := range map[string]string{"a card number": number, "a component": one} {
		if strings.Contains(text, secret) {
			t.Errorf("the journal has %s", what)
		}
	}
}

// Without its entry no answer leaves.
func TestACommandWhoseEntryCannotBeWrittenAnswersNothing(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	h.storage.(*logical.InmemStorage).Underlying().FailPut(true)
	response, err := h.backend.HandleRequest(t.Context(), &logical.Request{
		Operation: logical.UpdateOperation, Path: "keys/transport/export", Storage: h.storage, Data: map[string]any{"kbpk": "absent"}, ClientTokenAccessor: "x", DisplayName: "x",
	})
	if err == nil {
		t.Errorf("answered %v", response)
	}
}

// The framework's OpenAPI document is made of these declarations.
func TestEveryPathFieldAndOperationIsExplained(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	response, err := h.backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: "", Storage: h.storage})
	if err != nil {
		t.Fatal(err)
	}
	document, ok := response.Data["openapi"].(*framework.OASDocument)
	if !ok {
		t.Fatalf("no OpenAPI document: %T", response.Data["openapi"])
	}
	for _, contract := range []string{
		"/keys/", "/keys/{name}", "/keys/{name}/components", "/keys/{name}/import", "/keys/{name}/export", "/keys/{name}/rotate", "/keys/{name}/retire",
		"/keys/{name}/disable", "/keys/{name}/enable", "/card/personalise", "/card/rekey", "/pin/letter", "/pin/close", "/pin/destroy", "/pin/translate",
		"/pin/verify", "/cap/verify", "/cap/resync", "/arqc/verify", "/script/pin-unblock", "/script/pin-change", "/script/block", "/profiles/",
		"/profiles/{name}", "/activities/{name}", "/selftest", "/audit",
	} {
		if document.Paths[contract] == nil {
			t.Errorf("no path %s", contract)
		}
	}
	for path, item := range document.Paths {
		if item.Description == "" {
			t.Errorf("%s has no synopsis", path)
		}
		for _, parameter := range item.Parameters {
			if parameter.Description == "" {
				t.Errorf("%s: parameter %s is not explained", path, parameter.Name)
			}
		}
		for method, operation := range map[string]*framework.OASOperation{"GET": item.Get, "POST": item.Post, "DELETE": item.Delete} {
			if operation != nil && operation.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
		}
	}
	for name, schema := range document.Components.Schemas {
		if strings.HasPrefix(name, "Standard") { // the framework's own
			continue
		}
		for field, property := range schema.Properties {
			if property.Description == "" {
				t.Errorf("%s: field %s is not explained", name, field)
			}
		}
	}
	for _, path := range strings.Fields("keys/x keys/x/components keys/x/import keys/x/export keys/x/rotate keys/x/retire keys/x/disable keys/x/enable card/personalise " +
		"card/rekey pin/letter pin/close pin/destroy pin/translate pin/verify cap/verify cap/resync arqc/verify script/pin-unblock script/pin-change script/block " +
		"profiles/x activities/x selftest audit") {
		help, err := h.backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: path, Storage: h.storage})
		if err != nil || help == nil {
			t.Errorf("%s has no help: %v", path, err)
			continue
		}
		if text, _ := help.Data["help"].(string); !strings.Contains(text, "## DESCRIPTION") || strings.Contains(text, "<no description>") || strings.Contains(text, "<no synopsis>") {
			t.Errorf("%s: help lacks its description:\n%s", path, text)
		}
	}
}

func TestTheEngineComputesThePublishedVectors(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	answer, refused := h.request(t, "officer", logical.ReadOperation, "selftest", nil)
	passed, _ := answer["passed"].(string)
	if refused != "" || answer["failed"] != "0" || len(passed) < 3 {
		t.Errorf("%v %s", answer, refused)
	}
}
