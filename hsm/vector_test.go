package hsm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/hsm/emv"
	"sceau/internal/testenv"
)

type vectorRow struct {
	ID, Profile, PAN, PSN, ARQC, ARPC, AC, Data, Mode string

	Unblock   string            `json:"pin_unblock_apdu"`
	Response  string            `json:"arc_or_csu"`
	Inputs    map[string]string `json:"inputs"`
	ATC       string            `json:"atc"`
	Zeros     string            `json:"ac_padding_00"`
	IMKAC     string            `json:"imk_ac"`
	IAD       string            `json:"iad"`
	IPB       string            `json:"ipb_9f56"`
	IAF       string            `json:"iaf_9f55"`
	Challenge string            `json:"challenge"`
	Amount    string            `json:"amount"`
	Currency  string            `json:"currency"`
	TDS       []string          `json:"tds_fields"`
	Eight     string            `json:"code_8"`
}

func vectorRows(t *testing.T, file string) []vectorRow {
	t.Helper()
	text, err := os.ReadFile("selftest/vectors/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct{ Vectors []vectorRow }
	if err := json.Unmarshal(text, &whole); err != nil || len(whole.Vectors) == 0 {
		t.Fatalf("%s: %d rows, %v", file, len(whole.Vectors), err)
	}
	return whole.Vectors
}

// vectorHouse is a Vault whose master keys are those of the vectors, entered by two
// custodians.
func vectorHouse(t *testing.T) func(path string, request map[string]any) map[string]any {
	t.Helper()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	custodians := []*hsm.Client{custodian(t, vault, admin, "custodian 1"), custodian(t, vault, admin, "custodian 2")}
	for usage, value := range map[hsm.KeyUsage]string{
		hsm.UsageIMKAC: "0123456789ABCDEFFEDCBA9876543210", hsm.UsageIMKSMI: "FEDCBA98765432100123456789ABCDEF", hsm.UsageIMKSMC: "89ABCDEF0123456776543210FEDCBA98",
	} {
		// The last bit of each byte is parity: XOR with 1 there changes nothing.
		for i, component := range []string{value, strings.Repeat("01", 16)} {
			if _, _, err := custodians[i].EnterComponent(t.Context(), hsm.KeyComponent{
				Key: string(usage), Usage: usage, Index: i + 1, Total: 2, Component: component, KCV: kcvOf(t, component),
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func(path string, request map[string]any) map[string]any {
		t.Helper()
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		status, text := vaultCall(t, vault, vault.RootToken, http.MethodPost, "hsm/"+path, string(body))
		var answer struct{ Data map[string]any }
		if status >= http.StatusBadRequest || len(text) > 0 && json.Unmarshal(text, &answer) != nil {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		return answer.Data
	}
}

// schemeCVN are the cryptogram versions by the vectors' names. VisaCVN22 is not
// among them: its row has the issuer application data of a card of version 12.
var schemeCVN = map[string]string{
	"VisaCVN10": "0A", "VisaCVN18": "12", "MasterCardCVN16": "10", "MasterCardCVN17": "11", "MasterCardCVN20": "14", "MasterCardCVN21": "15",
	"InteracCVN133": "85", "VIS CVN14 (EMV2000 tree)": "0E",
}

func TestTheProfilesOfThePublishedVectorsOnALiveMount(t *testing.T) {
	t.Parallel()
	ask := vectorHouse(t)
	ran := map[string]bool{}
	for _, row := range vectorRows(t, "emv_cvn_profiles.json") {
		cvn, ok := schemeCVN[row.Profile]
		if !ok {
			continue
		}
		ran[row.Profile] = true
		terminal := map[string]any{"pan": row.PAN, "psn": row.PSN, "profile": row.ID}
		profile := map[string]any{"cvn": cvn}
		if cvn == "0E" {
			profile["aip"], profile["cvr"] = row.Data[58:62], row.Data[66:]
			terminal["data"], terminal["arqc"], terminal["atc"] = row.Data[:58], row.AC, decimal(t, row.ATC)
		} else {
			fillFromInputs(t, row, cvn, profile, terminal)
		}
		ask("profiles/"+row.ID, profile)
		answer := ask("arqc/verify", terminal)
		if answer["valid"] != true || row.ARPC != "" && answer["arpc"] != row.ARPC {
			t.Errorf("%s: %v, want the answer %s", row.ID, answer, row.ARPC)
		}
		if cvn == "0E" { // public texts do not fix its padding
			profile["padding"], terminal["profile"], terminal["arqc"] = "00", row.ID+"-zeros", row.Zeros
			ask("profiles/"+row.ID+"-zeros", profile)
			if answer := ask("arqc/verify", terminal); answer["valid"] != true {
				t.Errorf("%s padded with zeros: %v", row.ID, answer)
			}
			continue
		}
		provesRight := strings.HasPrefix(row.Profile, "MasterCard") && row.Inputs["cvr"][:2] == "A5"
		if provesRight { // the engine makes no script for such a card
			continue
		}
		delete(terminal, "arc")
		delete(terminal, "csu")
		if answer := ask("script/pin-unblock", terminal); answer["apdu"] != row.Unblock {
			t.Errorf("%s: %v, want the script %s", row.ID, answer, row.Unblock)
		}
	}
	if len(ran) != len(schemeCVN) {
		t.Errorf("rows of %d cryptogram versions ran, not of %d", len(ran), len(schemeCVN))
	}
}

func fillFromInputs(t *testing.T, row vectorRow, cvn string, profile, terminal map[string]any) {
	t.Helper()
	in := row.Inputs
	cvr, suffix := in["cvr"], ""
	switch {
	case in["counters"] != "":
		suffix = "0000" + in["counters"]
	case cvn == "12":
		cvr = in["tag_9f10"][6:]
	case cvn == "85":
		cvr, suffix = in["tag_9f10"][6:16], in["tag_9f10"][16:]
	}
	profile["aip"], profile["cvr"] = in["tag_82"], cvr
	if suffix != "" {
		profile["iad_suffix"] = suffix
	}
	terminal["atc"], terminal["arqc"] = decimal(t, in["tag_9f36"]), row.ARQC
	terminal["data"] = in["tag_9f02"] + in["tag_9f03"] + in["tag_9f1a"] + in["tag_95"] + in["tag_5f2a"] + in["tag_9a"] + in["tag_9c"] + in["tag_9f37"]
	if iad := in["tag_9f10"]; iad != "" {
		terminal["iad"] = iad
	}
	terminal[map[int]string{4: "arc", 8: "csu"}[len(row.Response)]] = row.Response
}

func decimal(t *testing.T, hexadecimal string) string {
	t.Helper()
	n, err := strconv.ParseUint(hexadecimal, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(int(n))
}

func TestTheCodesOfThePublishedVectorsOnALiveMount(t *testing.T) {
	t.Parallel()
	ask := vectorHouse(t)
	profiles := map[string]string{}
	var lines, want []string
	for _, row := range vectorRows(t, "cap_end_to_end.json") {
		if row.Mode == "" || row.IMKAC != "0123456789ABCDEFFEDCBA9876543210" {
			continue
		}
		cvr := unhex(t, row.IAD[4:16])
		scripts := int(cvr[2] >> 4)
		name, known := profiles[row.IPB+row.IAF]
		if !known {
			name = fmt.Sprintf("vector-%d", len(profiles))
			profiles[row.IPB+row.IAF] = name
			ask("profiles/"+name, map[string]any{"ipb": row.IPB, "iaf": row.IAF})
		}
		mode, err := emv.ParseMode(strings.TrimSuffix(row.Mode, " after script"))
		if err != nil {
			t.Fatal(err)
		}
		if row.Amount != "" && row.IAF != "80" {
			continue // its card signs no amount, and the engine says so
		}
		atc, err := strconv.Atoi(decimal(t, row.ATC))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Join([]string{
			row.PAN, row.PSN, name, string(mode), row.Eight, strconv.Itoa(atc - 1), "3", strconv.Itoa(scripts), "",
			row.Challenge, row.Amount, row.Currency, strings.Join(row.TDS, " "),
		}, ","))
		want = append(want, fmt.Sprintf("valid,%d,%d", atc, scripts))
	}
	answer, _ := ask("cap/verify", map[string]any{"batch": strings.Join(lines, "\n")})["batch"].(string)
	got := strings.Split(answer, "\n")
	if len(got) != len(want) || len(want) < 20 {
		t.Fatalf("%d codes were answered of %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: %s, want %s", i, got[i], want[i])
		}
	}
}
