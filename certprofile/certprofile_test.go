package certprofile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sceau/lifecycle"
)

// an author's file, with the least that it can say.
func author(more ...string) string {
	return strings.Join(append([]string{`name: ours`, `kind: person_authentication`, `level: "*"`, `years: 2`, `policies: [1.3.6.1.4.1.32473.1.9]`}, more...), "\n")
}

func TestALevelFillsWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	for level, want := range map[Level]Profile{
		LevelNone:  {},
		LevelOne:   {RetentionYears: 5, RevocationQuestions: 2},
		LevelTwo:   {Device: true, RetentionYears: 7, RevocationQuestions: 4},
		LevelThree: {Device: true, FaceToFace: true, RetentionYears: 10, RevocationQuestions: 5},
	} {
		p, err := Parse([]byte(strings.Replace(author(), `"*"`, `"`+string(level)+`"`, 1)))
		if err != nil {
			t.Fatalf("level %s: %v", level, err)
		}
		if p.Device != want.Device || p.FaceToFace != want.FaceToFace || p.RetentionYears != want.RetentionYears || p.RevocationQuestions != want.RevocationQuestions || p.Hold {
			t.Errorf("level %s gives %+v", level, p)
		}
	}
}

func TestWhatNoProfileMaySayIsRefusedByField(t *testing.T) {
	t.Parallel()
	swap := func(old, instead string) string { return strings.Replace(author(), old, instead, 1) }
	two, three := swap(`"*"`, `"**"`), swap(`"*"`, `"***"`)
	signature := swap("person_authentication", "person_signature")
	service := strings.NewReplacer("person_authentication", "service_client", `"*"`, "none").Replace(author())
	both := "\nkey_usage: [digital_signature, non_repudiation]"
	for name, test := range map[string]struct{ file, field string }{
		"nothing":                                    {"", "profile"},
		"a word":                                     {"hello", "profile"},
		"a list":                                     {"[1]", "profile"},
		"two documents":                              {author() + "\n---\n" + author(), "profile"},
		"a member that is not known":                 {author("colour: red"), "profile"},
		"a member twice":                             {author("years: 1"), "profile"},
		"stars without quotes":                       {swap(`"*"`, `**`), "profile"},
		"an anchor":                                  {author("days: &a 1"), "profile"},
		"a number in words":                          {swap("years: 2", "years: two"), "profile"},
		"nothing for a switch":                       {author("hold: null"), "profile"},
		"more than it may have":                      {author("# " + strings.Repeat("x", MaxFile)), "profile"},
		"a name in capitals":                         {swap("ours", "Ours"), "name"},
		"an unknown kind":                            {swap("person_authentication", "robot"), "kind"},
		"an unknown level":                           {swap(`"*"`, `"****"`), "level"},
		"a level for a system":                       {strings.Replace(service, "none", `"*"`, 1), "level"},
		"level ** without a device":                  {two + "\ndevice: false", "device"},
		"level *** without a device":                 {three + "\ndevice: false", "device"},
		"level *** without meeting":                  {three + "\nface_to_face: false", "face_to_face"},
		"a dossier thrown away early":                {two + "\nretention_years: 5", "retention_years"},
		"one question at level **":                   {two + "\nrevocation_questions: 1", "revocation_questions"},
		"no question at level *":                     {author("revocation_questions: 0"), "revocation_questions"},
		"no life":                                    {swap("years: 2", "years: 0"), "years"},
		"a life of four years":                       {swap("years: 2", "years: 4"), "years"},
		"a life of three years and a day":            {swap("years: 2", "years: 3\ndays: 1"), "years"},
		"a life of 1096 days":                        {swap("years: 2", "days: 1096"), "years"},
		"a life before its birth":                    {swap("years: 2", "years: -1\ndays: 400"), "years"},
		"a short key":                                {author("keys: [RSA-2048]"), "keys"},
		"no key":                                     {author("keys: []"), "keys"},
		"no use":                                     {author("key_usage: []"), "key_usage"},
		"a use twice":                                {author("key_usage: [digital_signature, digital_signature]"), "key_usage"},
		"both uses at level ***":                     {three + both, "key_usage"},
		"both uses without a level":                  {swap(`"*"`, "none") + both, "key_usage"},
		"both uses of a signature":                   {signature + both, "key_usage"},
		"a signature that authenticates":             {signature + "\nkey_usage: [digital_signature]", "key_usage"},
		"an authentication that signs":               {author("key_usage: [non_repudiation]"), "key_usage"},
		"a system that signs":                        {service + both, "key_usage"},
		"a signature for TLS":                        {signature + "\nextended_key_usage: [client_auth]", "extended_key_usage"},
		"a system for mail":                          {service + "\nextended_key_usage: [email_protection]", "extended_key_usage"},
		"a purpose of a responder":                   {author("extended_key_usage: [ocsp_signing]"), "extended_key_usage"},
		"no policy":                                  {swap("[1.3.6.1.4.1.32473.1.9]", "[]"), "policies"},
		"a policy in words":                          {swap("1.3.6.1.4.1.32473.1.9", "best"), "policies"},
		"a policy twice":                             {swap("1.3.6.1.4.1.32473.1.9", "1.2.3, 1.2.3"), "policies"},
		"a person of whom no responder answers":      {author("ocsp: false"), "ocsp"},
		"a policy that the text of a template makes": {swap("1.3.6.1.4.1.32473.1.9", `"{{.}}"`), "policies"},
	} {
		_, err := Parse([]byte(test.file))
		var list lifecycle.FieldErrors
		list.Merge(err)
		if !errors.Is(err, lifecycle.Invalid) || len(list) == 0 || list[0].Field != test.field {
			t.Errorf("%s: %v, want one of field %s", name, err, test.field)
		}
	}
	for name, file := range map[string]string{
		"both uses at level *": author() + both, "both uses at level **": two + both, "a signature": signature, "a system": service,
		"three years": swap("years: 2", "years: 3"), "no purpose": signature + "\nextended_key_usage: []",
	} {
		if _, err := Parse([]byte(file)); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

func TestOneFormIsKept(t *testing.T) {
	t.Parallel()
	for _, p := range BuiltIns() {
		again, err := Read(p.Canonical())
		if err != nil || again.Sum() != p.Sum() {
			t.Errorf("%s is read as %+v: %v", p.Name, again, err)
		}
		written, err := Parse(p.YAML())
		if err != nil || written.Sum() != p.Sum() {
			t.Errorf("%s is written as\n%s: %v", p.Name, p.YAML(), err)
		}
		for name, other := range map[string][]byte{
			"a space": append(p.Canonical(), ' '), "a member more": bytes.Replace(p.Canonical(), []byte("{"), []byte(`{"x":1,`), 1),
			"a life of nine years": bytes.Replace(p.Canonical(), []byte(`"years":`), []byte(`"years":9`), 1), "nothing": nil,
		} {
			if _, err := Read(other); !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("%s with %s is read: %v", p.Name, name, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(author()))
	for _, p := range BuiltIns() {
		f.Add(p.YAML())
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := Parse(file)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if again, err := Read(p.Canonical()); err != nil || again.Sum() != p.Sum() {
			t.Errorf("%q is kept as %+v: %v", file, again, err)
		}
	})
}
