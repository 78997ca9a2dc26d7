package signing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/lifecycle"
	"sceau/signing"
)

var payment = map[string]string{
	"amount": "1250075", "currency": "EUR", "payee_account": "FR7630006000011234567890189", "payee_name": "Fournitures Lemaire & Fils",
}

func operation(t *testing.T, f signing.Function, content map[string]string) signing.Operation {
	t.Helper()
	o, err := signing.NewOperation(f, content)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func with(m map[string]string, name, value string) map[string]string {
	m = maps.Clone(m)
	m[name] = value
	return m
}

func TestEveryWrongFieldOfAnOperationIsNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		f       signing.Function
		content map[string]string
		want    string
	}{
		{"an unknown function", "open_safe", nil, "function"},
		{"nothing at all", signing.SignPayment, nil, "content.amount content.currency content.payee_account content.payee_name"},
		{"an amount with a comma", signing.SignPayment, with(payment, "amount", "12500,75"), "content.amount"},
		{"an amount that begins with zero", signing.SignPayment, with(payment, "amount", "01"), "content.amount"},
		{"a negative amount", signing.SignPayment, with(payment, "amount", "-1"), "content.amount"},
		{"a currency in small letters", signing.SignPayment, with(payment, "currency", "eur"), "content.currency"},
		{"an account with spaces", signing.SignPayment, with(payment, "payee_account", "FR76 3000"), "content.payee_account"},
		{"a name with a line feed", signing.SignPayment, with(payment, "payee_name", "Lemaire\nfils"), "content.payee_name"},
		{"a name that turns the text around", signing.SignPayment, with(payment, "payee_name", "Lemaire\u202esliF"), "content.payee_name"},
		{"a name too long", signing.SignPayment, with(payment, "payee_name", strings.Repeat("é", 141)), "content.payee_name"},
		{"a field of nobody's", signing.SignPayment, with(payment, "bonus\x00", "1"), "content.bonus?"},
		{"a batch without its hash", signing.SignPaymentBatch, map[string]string{"total": "1", "currency": "EUR", "count": "1"}, "content.sha256"},
		{"a sign-in about something", signing.SignIn, map[string]string{"amount": "1"}, "content.amount"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := signing.NewOperation(test.f, test.content)
			var fields lifecycle.FieldErrors
			fields.Merge(err)
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.Field
			}
			if got := strings.Join(names, " "); got != test.want || !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("wrong fields %q, want %q: %v", got, test.want, err)
			}
		})
	}
}

// What the reader is given must change with whatever a thief would change.
func TestWhatIsTypedIntoTheReaderDependsOnEachField(t *testing.T) {
	t.Parallel()
	contents := map[signing.Function]map[string]string{
		signing.SignPayment: payment,
		signing.SignPaymentBatch: {
			"total": "9900000", "currency": "EUR", "count": "212", "sha256": strings.Repeat("0a", 32),
		},
		signing.AddBeneficiary:     {"payee_account": "BE68539007547034", "payee_name": "Lemaire"},
		signing.OrderChequebook:    {"account": "FR7630006000011234567890189", "count": "2"},
		signing.ManageEntitlements: {"user_number": "0002", "entitlements": "sign_payment"},
		signing.ChangeSetting:      {"setting": "foreign_transfers", "old": "domestic", "new": "sepa"},
	}
	other := map[string]string{
		"amount": "1250076", "currency": "USD", "payee_account": "FR7630006000011234567890188", "payee_name": "Lemaire et fils", "total": "9900001",
		"count": "3", "sha256": strings.Repeat("0b", 32), "account": "FR7630006000011234567890180", "user_number": "0003", "entitlements": "order_chequebook",
		"setting": "direct_debits", "old": "world", "new": "world",
	}
	nonce := [16]byte{1}
	for f, content := range contents {
		o := operation(t, f, content)
		typed := o.Data(signing.Digest(o.Text("20304050/0001", nonce)))
		for _, d := range typed {
			if d == "" || len(d) > 12 || strings.Trim(d, "0123456789") != "" {
				t.Errorf("%s: %q cannot be typed", f, d)
			}
		}
		for name := range content {
			changed := operation(t, f, with(content, name, other[name]))
			if slices.Equal(changed.Data(signing.Digest(changed.Text("20304050/0001", nonce))), typed) {
				t.Errorf("%s: another %s is typed alike: %v", f, name, typed)
			}
		}
		for what, text := range map[string][]byte{
			"another user": o.Text("20304050/0002", nonce), "another time": o.Text("20304050/0001", [16]byte{2}),
		} {
			if slices.Equal(o.Data(signing.Digest(text)), typed) {
				t.Errorf("%s: %s types alike", f, what)
			}
		}
	}
	if got := operation(t, signing.SignPayment, payment).Data([32]byte{}); got[0] != "1250075" || got[1] != "4567890189" {
		t.Errorf("a payment types %v: want its amount, then the end of the payee's account", got)
	}
}

func TestTheNumberIsNeverZero(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		digest := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		if n := signing.Number(digest); len(n) != 8 || strings.Trim(n, "0") == "" || strings.Trim(n, "0123456789") != "" {
			t.Fatalf("the number is %q", n)
		}
	})
	if signing.Number([32]byte{}) != "00000001" {
		t.Error("a digest of zeros is typed as nothing")
	}
}

func TestTheTextIsOneForEachOperation(t *testing.T) {
	t.Parallel()
	o := operation(t, signing.AddBeneficiary, map[string]string{"payee_name": `"Lemaire"`, "payee_account": "BE68539007547034"})
	got := string(o.Text("20304050/0001", [16]byte{0xAB}))
	want := `{"content":{"payee_account":"BE68539007547034","payee_name":"\"Lemaire\""},"function":"add_beneficiary","nonce":"ab000000000000000000000000000000","user":"20304050/0001"}`
	if got != want {
		t.Errorf("the text is\n%s\nwant\n%s", got, want)
	}
}

func TestTheBuiltInPolicyAsksForLinkedDataWhereverItIsSensitive(t *testing.T) {
	t.Parallel()
	p := signing.BuiltIn()
	again, err := signing.Read(p.Canonical())
	if err != nil || again.Sum() != p.Sum() {
		t.Fatalf("it does not read its own canonical form: %v", err)
	}
	if fromYAML, err := signing.Parse(p.YAML()); err != nil || fromYAML.Sum() != p.Sum() {
		t.Errorf("as an author would write it, it is another: %v", err)
	}
	for _, f := range signing.Functions() {
		for _, proof := range p[f].Proofs {
			if f.Sensitive() && (!proof.Linked() || !proof.Means.Strong()) {
				t.Errorf("%s takes %+v", f, proof)
			}
		}
	}
	if !p[signing.SignIn].Allows(signing.Proof{Means: lifecycle.MeansCAP, Mode: signing.CodeKey}) {
		t.Error("the CODE key opens no session")
	}
}

func TestABankMaySwitchTheCodeKeyOn(t *testing.T) {
	t.Parallel()
	p, err := signing.Parse([]byte(`
sign_payment_batch:
  proofs:
    - {means: cap, mode: "2"}
    - {means: certificate}
`))
	if err != nil {
		t.Fatal(err)
	}
	key := signing.Proof{Means: lifecycle.MeansCAP, Mode: signing.CodeKey}
	if !p[signing.SignPaymentBatch].Allows(key) || p[signing.SignPayment].Allows(key) || key.Linked() {
		t.Errorf("batches %+v, payments %+v", p[signing.SignPaymentBatch], p[signing.SignPayment])
	}
}

func TestAWrongPolicyIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"no YAML":                    {"\t", "policy"},
		"a list":                     {"- a", "policy"},
		"two documents":              {"{}\n---\n{}", "policy"},
		"an unknown member":          {"sign_in: {proof: []}", "policy"},
		"an unknown function":        {"fly: {proofs: [{means: cap, mode: '2'}], seconds: 60}", "fly"},
		"no proof":                   {"sign_in: {proofs: []}", "sign_in.proofs"},
		"a mode that is none":        {"sign_in: {proofs: [{means: cap, mode: '4'}]}", "sign_in.proofs"},
		"a mode of a passkey":        {"sign_in: {proofs: [{means: passkey, mode: '2'}]}", "sign_in.proofs"},
		"a proof twice":              {"sign_in: {proofs: [{means: passkey}, {means: passkey}]}", "sign_in.proofs"},
		"a code that signs":          {"sign_payment: {proofs: [{means: code}]}", "sign_payment.proofs"},
		"an hour":                    {"sign_in: {proofs: [{means: passkey}], seconds: 3600}", "sign_in.seconds"},
		"a CODE key that lives long": {"sign_payment: {proofs: [{means: cap, mode: '2'}], seconds: 600}", "sign_payment.seconds"},
		"a file too long":            {strings.Repeat("#", signing.MaxFile+1), "policy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := signing.Parse([]byte(test.file))
			var fields lifecycle.FieldErrors
			fields.Merge(err)
			if !errors.Is(err, lifecycle.Invalid) || !slices.ContainsFunc(fields, func(f *lifecycle.FieldError) bool { return f.Field == test.want }) {
				t.Errorf("error %v, want field %s", err, test.want)
			}
		})
	}
	if _, err := signing.Read([]byte(`{"sign_in":{}}`)); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("half a policy on record: %v", err)
	}
}

func FuzzNewOperation(f *testing.F) {
	f.Add("sign_payment", `{"amount":"1","currency":"EUR","payee_account":"FR76","payee_name":"x"}`)
	f.Add("change_setting", `{"setting":"a","old":"\u202e","new":"b"}`)
	f.Fuzz(func(t *testing.T, function, content string) {
		var m map[string]string
		if json.Unmarshal([]byte(content), &m) != nil {
			return
		}
		o, err := signing.NewOperation(signing.Function(function), m)
		if err != nil {
			return
		}
		text := o.Text("20304050/0001", [16]byte{})
		if !json.Valid(text) || bytes.ContainsAny(text, "\n\x00") {
			t.Errorf("%q", text)
		}
		for _, d := range o.Data(signing.Digest(text)) {
			if d == "" || len(d) > 12 || strings.Trim(d, "0123456789") != "" {
				t.Errorf("%q cannot be typed", d)
			}
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(signing.BuiltIn().YAML())
	f.Add([]byte("sign_in: {proofs: [{means: cap, mode: '2'}]}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := signing.Parse(file)
		if err != nil {
			return
		}
		if again, err := signing.Read(p.Canonical()); err != nil || again.Sum() != p.Sum() {
			t.Errorf("what was taken is not read again: %v", err)
		}
	})
}
