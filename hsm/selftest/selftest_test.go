package selftest_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sceau/hsm/selftest"
)

func vectors(t testing.TB) fs.FS {
	t.Helper()
	folder, err := selftest.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestEveryPublishedVectorComesOut(t *testing.T) {
	t.Parallel()
	report, err := selftest.Run(vectors(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Failures {
		t.Error(f)
	}
	if got := report.String(); got != "201 passed, 0 failed" {
		t.Error(got)
	}
}

// expected are the fields of each file that a row states as results. What a row
// puts in may be changed without effect: a check digit that a PIN block leaves
// out, a bit that a bitmap does not select.
var expected = map[string][]string{
	"cap_codes.json":        {"code_8", "code_decimal", "bits_selected", "generate_ac_apdus"},
	"cap_end_to_end.json":   {"icc_mk_ac", "sk_ac", "cvr", "cid", "ac_input", "arqc", "ac_used", "bits_selected", "code_decimal", "code_8", "accepted_atc", "all_matching_atcs_in_window", "expect"},
	"cap_reader_trace.json": {"reader_shows", "apdus"},
	"cps_dgi.json":          {"k_dek", "skudek", "enciphered", "dgi_record"},
	"emv_ac_arpc.json":      {"ac", "arpc", "tag91"},
	"emv_cvn_profiles.json": {"icc_mk_ac", "icc_mk_smi", "icc_mk_smc", "sk_ac", "inputs", "arqc", "arpc", "ac", "ac_padding_00", "pin_unblock_apdu", "pin_change_apdu_p2_01", "pin_change_apdu_p2_02"},
	"emv_icc_mk.json":       {"icc_mk", "icc_mk_kcv", "imk_kcv", "hsm_kcv", "y"},
	"emv_session_keys.json": {"sk", "sk_kcv", "sk_with_odd_parity"},
	"gp_keys.json":          {"enc", "mac", "kcv", "s_enc", "s_mac", "s_rmac", "s_dek", "value", "kcv_enc", "kcv_mac", "kcv_dek", "ext_auth_cmd", "wrapped", "card_cryptogram", "host_cryptogram", "get_eid_cmd", "get_eid_rsp", "case_1_apdu", "case_2_apdu", "case_3_apdu", "case_4_apdu", "plain"},
	"issuer_scripts.json":   {"sk_smi", "sk_smc", "pin_block", "enciphered", "mac_input", "mac", "apdu"},
	"kcv.json":              {"kcv6", "kcv_cmac_16x00_5bytes"},
	"mac_primitives.json":   {"mac"},
	"pin_blocks.json":       {"pin", "block", "pan_field", "fixed_prefix"},
	"pin_verification.json": {"pin", "pvv", "offset"},
	"tr31_key_blocks.json":  {"key", "block", "version", "key_usage", "algorithm", "mode_of_use", "exportability"},
}

func TestEveryExpectedValueOfEveryRowIsCompared(t *testing.T) {
	t.Parallel()
	folder := vectors(t)
	names, err := fs.Glob(folder, "*.json")
	if err != nil || len(names) != len(expected) {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := fs.ReadFile(folder, name)
			if err != nil {
				t.Fatal(err)
			}
			changeEachResult(t, name, text)
		})
	}
}

func changeEachResult(t *testing.T, name string, text []byte) {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	rows, _ := f["vectors"].([]any)
	for _, r := range rows {
		row, _ := r.(map[string]any)
		changed := 0
		for _, field := range expected[name] {
			others(row[field], func(other any) {
				changed++
				f["vectors"] = []any{with(row, field, other)}
				if report := run(t, name, f); len(report.Failures) != 1 || report.Passed != 0 {
					t.Errorf("%v passes with another %s: %v", row["id"], field, other)
				}
			})
		}
		if changed == 0 {
			t.Errorf("%v has no result", row["id"])
		}
	}
}

func with(row map[string]any, field string, value any) map[string]any {
	out := maps.Clone(row)
	out[field] = value
	return out
}

// others gives a value changed by as little as its type allows, once for each of
// its leaves; never by a parity bit alone.
func others(value any, use func(any)) {
	switch v := value.(type) {
	case string:
		if v != "" {
			use(anotherText(v))
		}
	case float64:
		use(v + 1)
	case []any:
		for i := range v {
			others(v[i], func(other any) {
				changed := slices.Clone(v)
				changed[i] = other
				use(changed)
			})
		}
	case map[string]any:
		for key := range v {
			others(v[key], func(other any) { use(with(v, key, other)) })
		}
	}
}

func anotherText(v string) string {
	last := v[len(v)-1]
	switch i := strings.IndexByte("0123456789ABCDEF", last); {
	case i < 0:
		return v + "X"
	case last == '8' || last == '9':
		return v[:len(v)-1] + string("01"[i-8]) // stays decimal
	default:
		return v[:len(v)-1] + string("23016745--89EFCD"[i]) // the digit with its second bit turned
	}
}

func run(t *testing.T, name string, f map[string]any) selftest.Report {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	report, err := selftest.Run(fstest.MapFS{name: {Data: text}})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestWhatIsNotKnownFails(t *testing.T) {
	t.Parallel()
	good := `{"id":"kcv","alg":"TDES-ECB 8x00","key":"0123456789ABCDEFFEDCBA9876543210","kcv6":"08D7B4"}`
	for _, test := range []struct{ name, file, text, want string }{
		{"a good row under any file name", "ours.json", `{"title":"","vectors":[` + good + `]}`, "1 passed, 0 failed"},
		{"a file that is not JSON", "kcv.json", `vectors`, "0 passed, 1 failed"},
		{"a file of another name", "kcv.txt", `{"vectors":[` + good + `]}`, "0 passed, 1 failed"},
		{"a file without rows", "kcv.json", `{"title":"","vectors":[]}`, "0 passed, 1 failed"},
		{"an unknown field of the file", "kcv.json", `{"more":1,"vectors":[` + good + `]}`, "0 passed, 1 failed"},
		{"two JSON values", "kcv.json", `{"vectors":[` + good + `]} {}`, "0 passed, 1 failed"},
		{"an unknown field of a row", "kcv.json", `{"vectors":[{"more":1,` + good[1:] + `]}`, "0 passed, 1 failed"},
		{"a row of no kind", "kcv.json", `{"vectors":[{"id":"a","colour":"red"},` + good + `]}`, "1 passed, 1 failed"},
		{"a row without identifier", "kcv.json", `{"vectors":[{"alg":"AES"}]}`, "0 passed, 1 failed"},
		{"a row that is no object", "kcv.json", `{"vectors":[7]}`, "0 passed, 1 failed"},
		{"a row without an expected value", "kcv.json", `{"vectors":[{"id":"a","method":"CSK","icc_mk":"0123456789ABCDEFFEDCBA9876543210","diversifier_r":"0001000000000000"}]}`, "0 passed, 1 failed"},
		{"a key that is cut", "kcv.json", `{"vectors":[{"id":"a","alg":"AES","key":"00","kcv_cmac_16x00_5bytes":"00"}]}`, "0 passed, 1 failed"},
		{"hexadecimal that is none", "kcv.json", `{"vectors":[{"id":"a","alg":"AES","key":"XY"}]}`, "0 passed, 1 failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report, err := selftest.Run(fstest.MapFS{test.file: {Data: []byte(test.text)}})
			if err != nil || report.String() != test.want {
				t.Errorf("%s (%v %v), want %s", report, report.Failures, err, test.want)
			}
		})
	}
}

func TestAnEmptyFolderProvesNothing(t *testing.T) {
	t.Parallel()
	report, err := selftest.Run(fstest.MapFS{})
	if err != nil || len(report.Failures) != 1 {
		t.Error(report, err)
	}
	report, err = selftest.Run(fstest.MapFS{"more/kcv.json": {Data: []byte(`{}`)}})
	if err != nil || len(report.Failures) != 1 {
		t.Error(report, err)
	}
}

func TestAReportRepeatsNothingOfARow(t *testing.T) {
	t.Parallel()
	const secret = "0123456789ABCDEFFEDCBA9876543210"
	for _, row := range []string{
		`{"id":"a","alg":"TDES-ECB 8x00","key":"` + secret + `","kcv6":"000000"}`,
		`{"id":"a","alg":"TDES-ECB 8x00","key":"` + secret + `X"}`,
		`{"id":"a","alg":"TDES-ECB 8x00","key":["` + secret + `"]}`,
		`{"id":"a","op":"` + secret + `"}`,
	} {
		report, err := selftest.Run(fstest.MapFS{"kcv.json": {Data: []byte(`{"vectors":[` + row + `]}`)}})
		if err != nil || len(report.Failures) != 1 || strings.Contains(report.Failures[0].String(), secret) {
			t.Error(report, report.Failures, err)
		}
	}
}

func FuzzRun(f *testing.F) {
	folder := vectors(f)
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			f.Fatal(err)
		}
		var one struct {
			Card    json.RawMessage   `json:"card,omitempty"`
			Vectors []json.RawMessage `json:"vectors"`
		}
		if err := json.Unmarshal(text, &one); err != nil {
			f.Fatal(err)
		}
		one.Vectors = one.Vectors[:1] // small inputs change faster
		if text, err = json.Marshal(one); err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		report, err := selftest.Run(fstest.MapFS{"f.json": {Data: text}})
		if err != nil || report.Passed+len(report.Failures) == 0 {
			t.Error(report, err)
		}
	})
}
