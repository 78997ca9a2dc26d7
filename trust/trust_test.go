package trust_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"sceau/internal/foreignca"
	"sceau/lifecycle"
	"sceau/trust"
)

var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

const file = `
name: autre
title: Autre Banque
level: "**"
policies: [1.2.250.1.99.1]
lists: ["http://autre.example/1.crl"]
until: 2028-12-31
`

func authority(t testing.TB) *foreignca.CA {
	t.Helper()
	c, err := foreignca.New(monday)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pems(ders ...[]byte) []byte {
	var text []byte
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

func TestAnAuthorsFileIsReadAndWrittenTheSame(t *testing.T) {
	t.Parallel()
	c := authority(t)
	e, err := trust.Parse([]byte(file), pems(c.Root.Raw), c.Issuing.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if e.Ask != trust.AskLists || len(e.CAs()) != 2 || !e.Names(c.Issuing.RawSubject) || e.Names([]byte("0")) {
		t.Errorf("read %+v", e)
	}
	again, err := trust.Parse(e.YAML())
	if err != nil || again.Sum() != e.Sum() {
		t.Errorf("as it is shown: %v", err)
	}
	kept, err := trust.Read(e.Canonical())
	if err != nil || !bytes.Equal(kept.Canonical(), e.Canonical()) {
		t.Errorf("as it is kept: %v", err)
	}
	if _, err := trust.Read(append(e.Canonical(), ' ')); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("not in its canonical form: %v", err)
	}
}

func TestWhatIsWrongWithAnEntryIsNamed(t *testing.T) {
	t.Parallel()
	c, other := authority(t), authority(t)
	right := pems(c.Root.Raw, c.Issuing.Raw)
	person, err := c.Issue("Lotte Peeters")
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, by string) string { return strings.Replace(file, old, by, 1) }
	for name, tc := range map[string]struct {
		file string
		more []byte
		want string
	}{
		"no certificate":           {file, nil, "certificates"},
		"no root":                  {file, pems(c.Issuing.Raw), "certificates"},
		"another's root":           {file, pems(other.Root.Raw, c.Issuing.Raw), "certificates"},
		"a person's":               {file, pems(c.Root.Raw, c.Issuing.Raw, person.Raw), "certificates"},
		"the same twice":           {file, pems(c.Root.Raw, c.Root.Raw), "certificates"},
		"a key":                    {file, []byte("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"), "certificates"},
		"noise":                    {file, []byte("0\x03abc"), "certificates"},
		"a strange member":         {file + "secret: 1\n", right, "file"},
		"two documents":            {file + "---\nname: x\n", right, "file"},
		"a name with a slash":      {change("name: autre", "name: a/b"), right, "name"},
		"no title":                 {change("title: Autre Banque", "title: ''"), right, "title"},
		"a level of nobody's":      {change(`"**"`, "gold"), right, "level"},
		"any policy":               {change("1.2.250.1.99.1", "2.5.29.32.0"), right, "policies"},
		"no policy":                {change("[1.2.250.1.99.1]", "[]"), right, "policies"},
		"a file's address":         {change("http://autre.example", "file:///etc"), right, "lists"},
		"an address that signs in": {change("http://", "http://a:b@"), right, "lists"},
		"no list":                  {change(`["http://autre.example/1.crl"]`, "[]"), right, "lists"},
		"no responder":             {file + "ask: responder\n", right, "responder"},
		"a way to ask":             {file + "ask: nobody\n", right, "ask"},
		"a grace of a month":       {file + "grace_hours: 720\n", right, "grace_hours"},
		"for ever":                 {change("2028-12-31", "never"), right, "until"},
		"too long":                 {file + strings.Repeat("#", trust.MaxFile), right, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := trust.Parse([]byte(tc.file), tc.more)
			var fields lifecycle.FieldErrors
			fields.Merge(err)
			if len(fields) == 0 || fields[0].Field != tc.want || !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("error %v, want one of %s", err, tc.want)
			}
		})
	}
}

func TestListsSpeakOfTheirOwnCertificates(t *testing.T) {
	t.Parallel()
	at := monday
	list := func(points ...string) trust.List {
		return trust.List{Address: "a", ThisUpdate: at.Add(-time.Hour), NextUpdate: at.Add(time.Hour), Points: points}
	}
	ended, revoked, held := list(), list(), list()
	ended.NextUpdate = at
	revoked.Revoked, revoked.NextUpdate = at, at.Add(-24*time.Hour)
	held.Revoked, held.Reason = at, 6
	mine := []string{"http://mine", trust.OnlyUsers}
	for name, tc := range map[string]struct {
		lists []trust.List
		grace time.Duration
		want  trust.Code
	}{
		"none":                          {nil, 0, trust.NoStatus},
		"of all":                        {[]trust.List{list()}, 0, ""},
		"of my point":                   {[]trust.List{list("http://mine")}, 0, ""},
		"of users":                      {[]trust.List{list(trust.OnlyUsers)}, 0, ""},
		"of another point":              {[]trust.List{list("http://other")}, 0, trust.NoStatus},
		"of CAs":                        {[]trust.List{list(trust.OnlyCAs)}, 0, trust.NoStatus},
		"ended":                         {[]trust.List{ended}, 0, trust.ListEnded},
		"ended, within the grace":       {[]trust.List{ended}, time.Second, ""},
		"ended, and another that holds": {[]trust.List{ended, list()}, 0, ""},
		"revoked by one that ended":     {[]trust.List{list(), revoked}, 0, trust.Revoked},
		"held":                          {[]trust.List{held}, 0, trust.OnHold},
	} {
		if got := trust.ByLists(tc.lists, mine, at, tc.grace).Code; got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// FuzzParse takes whatever file: what it accepts is kept and read again.
func FuzzParse(f *testing.F) {
	c := authority(f)
	f.Add([]byte(file))
	e, err := trust.Parse([]byte(file), pems(c.Root.Raw, c.Issuing.Raw))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.YAML())
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := trust.Parse(file)
		if err != nil {
			return
		}
		if kept, err := trust.Read(e.Canonical()); err != nil || kept.Sum() != e.Sum() {
			t.Errorf("accepted, and not read again: %v", err)
		}
	})
}
