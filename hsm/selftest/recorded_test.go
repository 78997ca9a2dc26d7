package selftest_test

import (
	"context"
	"testing"

	"sceau/card"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// recorder stands between our reader and our card and writes down what they say,
// as rows of a trace do.
type recorder struct {
	card  *card.Simulated
	apdus []any
}

func (r *recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := r.card.Transmit(ctx, command)
	r.apdus = append(r.apdus, map[string]any{"c": crypt.Hex(command).String(), "r": crypt.Hex(answer).String()})
	return answer, err
}

const (
	recordedPAN, recordedPSN = "9250004123456789", "01"
	recordedIMK              = "0123456789ABCDEFFEDCBA9876543210"
)

// newRecorder personalises a card as the bureau does.
func newRecorder(t *testing.T) *recorder {
	t.Helper()
	raw, err := crypt.ParseHex(recordedIMK)
	if err != nil {
		t.Fatal(err)
	}
	imk, err := crypt.NewTDES(raw)
	if err != nil {
		t.Fatal(err)
	}
	mk, err := emv.CardMasterKey(imk, emv.OptionA, recordedPAN, recordedPSN)
	if err != nil {
		t.Fatal(err)
	}
	block, err := pinblock.EncodeISO2("4821")
	if err != nil {
		t.Fatal(err)
	}
	dgis, err := emv.BuildDGIs(emv.SecurAccess(), emv.CardData{
		PAN: recordedPAN, PSN: recordedPSN, Expiry: "2911", AC: mk, SMI: mk, SMC: mk, PINBlock: block[:],
	}, imk)
	if err != nil {
		t.Fatal(err)
	}
	data, err := emv.EncodeDGIs(dgis)
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.FromDGIs("C-0000000000000001", data, imk)
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{card: c}
}

// TestTracesOfOtherReadersAndCardsAreComputedToo records our own reader and card in
// modes that the published traces do not show, and has the runner judge them.
func TestTracesOfOtherReadersAndCardsAreComputedToo(t *testing.T) {
	t.Parallel()
	p := emv.SecurAccess()
	for _, test := range []struct {
		what string
		tx   emv.Transaction
	}{
		{"mode 2", emv.Transaction{Mode: emv.Mode2}},
		{"mode 1, challenge 24661140", emv.Transaction{Mode: emv.Mode1, Challenge: "24661140"}},
		{"mode 3, challenge 0007", emv.Transaction{Mode: emv.Mode3, Challenge: "0007"}},
		{"mode 2+TDS: 1000 and 3101234567", emv.Transaction{Mode: emv.Mode2TDS, TDS: []string{"1000", "3101234567"}}},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			pin, err := lifecycle.NewPIN("4821")
			if err != nil {
				t.Fatal(err)
			}
			shows, err := card.NewReader(r).Code(t.Context(), pin, test.tx)
			if err != nil {
				t.Fatal(err)
			}
			file := func(shows, imk string) map[string]any {
				return map[string]any{
					"card": map[string]any{
						"aid": p.AID, "pan": recordedPAN, "psn": recordedPSN, "pin": "4821", "imk_ac": imk,
						"iaf_9f55": p.IAF, "ipb_9f56": p.IPB, "atc_before_first_run": "0000",
					},
					"vectors": []any{map[string]any{"id": "ours", "what": test.what, "pin_typed": "4821", "reader_shows": shows, "apdus": r.apdus}},
				}
			}
			if report := run(t, "cap_reader_trace.json", file(shows, recordedIMK)); report.Passed != 1 {
				t.Error(report.Failures)
			}
			if report := run(t, "cap_reader_trace.json", file(anotherText(shows), recordedIMK)); report.Passed != 0 {
				t.Error("another code passes")
			}
			if report := run(t, "cap_reader_trace.json", file(shows, "1123456789ABCDEFFEDCBA9876543210")); report.Passed != 0 {
				t.Error("another issuer key passes")
			}
		})
	}
}
