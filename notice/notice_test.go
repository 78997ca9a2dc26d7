package notice_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sceau/lifecycle"
	"sceau/notice"
	"sceau/party"
)

var update = flag.Bool("update", false, "write the golden files again")

// sample is a notice that is right but for its kind.
func sample() notice.Notice {
	return notice.Notice{
		Language: party.French, GivenName: "Hélène", Surname: "Montclair", Organisation: "Ateliers Montclair & Fils",
		Serial: lifecycle.Serial{15: 0xA4, 14: 0x0F, 13: 0xC3, 12: 0x1B, 0: 0x77}, At: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
		Ends: time.Date(2029, 2, 28, 23, 59, 59, 0, time.UTC), Bank: "Banque Aubépine", Phone: "+33 2 61 91 00 00",
	}
}

// all are the notices that there are, by the names of their files.
func all() map[string]notice.Notice {
	notices := map[string]notice.Notice{}
	add := func(name string, adapt func(*notice.Notice)) {
		for _, l := range party.Languages() {
			n := sample()
			n.Language = l
			adapt(&n)
			notices[name+"."+string(l)+".txt"] = n
		}
	}
	for _, kind := range lifecycle.NoticeKinds() {
		if kind != lifecycle.NoticeExpiring && kind != lifecycle.NoticeRevoked && kind != lifecycle.NoticeCorrected && kind != lifecycle.NoticeSetting {
			add(string(kind), func(n *notice.Notice) { n.Kind = kind })
		}
	}
	const all = lifecycle.CorrectedName | lifecycle.CorrectedCompany | lifecycle.CorrectedLanguage | lifecycle.CorrectedEmail | lifecycle.CorrectedAddress
	for name, what := range map[string]lifecycle.Corrections{"corrected": all, "corrected-email": lifecycle.CorrectedEmail} {
		add(name, func(n *notice.Notice) {
			n.Kind, n.Corrected, n.Serial, n.Ends = lifecycle.NoticeCorrected, what, lifecycle.Serial{}, time.Time{}
		})
	}
	for i := range 8 {
		add(fmt.Sprintf("setting-%d", i+1), func(n *notice.Notice) {
			n.Kind, n.Setting, n.Change, n.Serial, n.Ends = lifecycle.NoticeSetting, i+1, "SG-06ABCDEFGHJKMNPQ", lifecycle.Serial{}, n.At.Add(4*time.Hour)
		})
	}
	for _, days := range lifecycle.ExpiryNotices() {
		add(fmt.Sprintf("expiring-%d", days), func(n *notice.Notice) { n.Kind, n.Days = lifecycle.NoticeExpiring, days })
	}
	for reason := lifecycle.ReasonUnspecified; reason <= lifecycle.ReasonAACompromise; reason++ {
		if strings.HasPrefix(reason.String(), "reason(") || reason == lifecycle.ReasonCertificateHold || reason == lifecycle.ReasonRemoveFromCRL {
			continue
		}
		add("revoked-"+reason.String(), func(n *notice.Notice) { n.Kind, n.Reason = lifecycle.NoticeRevoked, reason })
	}
	return notices
}

func TestEachNoticeSaysWhatItSaid(t *testing.T) {
	t.Parallel()
	for name, n := range all() {
		text, err := notice.Compose(n)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := "Subject: " + text.Subject + "\n\n" + text.Body
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is now\n%s", name, got)
		}
	}
}

// What no notice may hold, in any language: a link, a place to click, what
// somebody could sign in with.
var forbidden = regexp.MustCompile(`(?i)https?:|www\.|@|\.(fr|be|nl|de|com|example)\b|[{}<>]|\b77|click|cliquez|klik|klick`)

// asks is each language's sentence about codes.
var asks = map[party.Language]string{
	party.French: "Nous ne vous demandons jamais de code", party.Dutch: "Wij vragen u nooit naar een code",
	party.German: "Wir fragen Sie nie nach einem Code", party.English: "We never ask you for a code",
}

func TestEachNoticeAsksForNothingAndLeadsNowhere(t *testing.T) {
	t.Parallel()
	for name, n := range all() {
		text, err := notice.Compose(n)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if found := forbidden.FindString(text.Subject + "\n" + text.Body); found != "" {
			t.Errorf("%s has %q", name, found)
		}
		for _, must := range []string{asks[n.Language], "1BC30FA4", n.GivenName + " " + n.Surname, n.Organisation} {
			if of := n.Kind != lifecycle.NoticeCorrected && n.Kind != lifecycle.NoticeSetting; strings.Contains(text.Body, must) != (of || must != "1BC30FA4") {
				t.Errorf("%s lacks %q", name, must)
			}
		}
		if n.Kind != lifecycle.NoticeExpiring && !strings.Contains(text.Body, n.Phone) {
			t.Errorf("%s does not say where to call", name)
		}
		for line := range strings.SplitSeq(text.Body, "\n") {
			if utf8.RuneCountInString(line) > 72 {
				t.Errorf("%s has the long line %q", name, line)
			}
		}
	}
}

func TestDatesAreTheReadersWay(t *testing.T) {
	t.Parallel()
	for language, want := range map[party.Language]string{
		party.French: "28 février 2029", party.Dutch: "28 februari 2029", party.German: "28. Februar 2029", party.English: "28 February 2029",
	} {
		n := sample()
		n.Kind, n.Days, n.Language = lifecycle.NoticeExpiring, 7, language
		n.Ends = n.Ends.In(time.FixedZone("ahead", 3600)) // a day of UTC all the same
		text, err := notice.Compose(n)
		if err != nil || !strings.Contains(text.Subject, want) || !strings.Contains(strings.ReplaceAll(text.Body, "\n", " "), want) {
			t.Errorf("%s: %v\n%s\n%s", language, err, text.Subject, text.Body)
		}
	}
}

func TestWhatIsNoNoticeIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*notice.Notice){
		"no kind":                func(n *notice.Notice) { n.Kind = "" },
		"another day":            func(n *notice.Notice) { n.Kind, n.Days = lifecycle.NoticeExpiring, 8 },
		"another language":       func(n *notice.Notice) { n.Language = "it" },
		"no bank":                func(n *notice.Notice) { n.Bank = "" },
		"a bank of two lines":    func(n *notice.Notice) { n.Bank = "Banque\r\nBcc: all@bank.example" },
		"no telephone":           func(n *notice.Notice) { n.Phone = "" },
		"a telephone with words": func(n *notice.Notice) { n.Phone = "+33 2 call me" },
		"no date":                func(n *notice.Notice) { n.At = time.Time{} },
		"no end":                 func(n *notice.Notice) { n.Ends = time.Time{} },
	} {
		n := sample()
		n.Kind = lifecycle.NoticeIssued
		spoil(&n)
		if text, err := notice.Compose(n); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v\n%+v", name, err, text)
		}
	}
}

// Whatever a name is: it is refused, or subject and body have the lines that they
// have with any other name, and the name is in the body as it is.
func TestNoNameChangesWhatANoticeIs(t *testing.T) {
	t.Parallel()
	names := rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-zé' .\r\n:{}<>@/-]{0,30}`),
		rapid.SampledFrom([]string{"{serial}", "{phone}", "A\r\nBcc: x@y.example", "A\u2028B", "A\u202eB", "http://x.example", "{name}"}))
	rapid.Check(t, func(t *rapid.T) {
		n := sample()
		n.Kind, n.Language = lifecycle.NoticeHeld, rapid.SampledFrom(party.Languages()).Draw(t, "language")
		plain, err := notice.Compose(n)
		if err != nil {
			t.Fatal(err)
		}
		n.GivenName, n.Surname, n.Organisation = names.Draw(t, "given name"), names.Draw(t, "surname"), names.Draw(t, "organisation")
		text, err := notice.Compose(n)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if text.Subject != plain.Subject {
			t.Fatalf("the subject became %q", text.Subject)
		}
		if a, b := strings.Count(text.Body, "\n\n"), strings.Count(plain.Body, "\n\n"); a != b {
			t.Fatalf("%d paragraphs, want %d:\n%s", a, b, text.Body)
		}
		for _, r := range text.Body {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Z, r) && r != ' ') {
				t.Fatalf("it has %U:\n%s", r, text.Body)
			}
		}
	})
}
