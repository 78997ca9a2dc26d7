package lifecycle_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/lifecycle"
)

var prefixes = []string{
	lifecycle.PrefixCompany, lifecycle.PrefixBranch, lifecycle.PrefixHolder, lifecycle.PrefixStaff, lifecycle.PrefixOrder,
	lifecycle.PrefixCard, lifecycle.PrefixCardLetter, lifecycle.PrefixPINLetter, lifecycle.PrefixCertificate,
	lifecycle.PrefixBatch, lifecycle.PrefixCampaign, lifecycle.PrefixReturnFile, lifecycle.PrefixPrintRun, lifecycle.PrefixWorkItem, lifecycle.PrefixImport, lifecycle.PrefixAPIKey,
	lifecycle.PrefixAttempt, lifecycle.PrefixConsignment, lifecycle.PrefixCount, lifecycle.PrefixDestruction, lifecycle.PrefixShortfall,
	lifecycle.PrefixAuthentication, lifecycle.PrefixStop, lifecycle.PrefixFraudReport, lifecycle.PrefixService,
}

func drawTime(t *rapid.T, label string) time.Time {
	return time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(t, label))
}

func TestAnIdentifierIsTakenForItsOwnThingOnly(t *testing.T) {
	t.Parallel()
	if len(slices.Compact(slices.Sorted(slices.Values(prefixes)))) != len(prefixes) {
		t.Fatalf("two things share a prefix: %v", prefixes)
	}
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SampledFrom(prefixes).Draw(t, "prefix")
		id := lifecycle.NewID(own, drawTime(t, "time"), rapid.Uint32().Draw(t, "random"))
		if len(id) != len(own)+17 {
			t.Fatalf("%s has another length than %d", id, len(own)+17)
		}
		for _, p := range prefixes {
			if err := lifecycle.CheckID(p, id); (err == nil) != (p == own) || err != nil && !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("CheckID(%s, %s) = %v", p, id, err)
			}
		}
	})
}

func TestIdentifiersSortByAge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTime(t, "a"), drawTime(t, "b")
		first := lifecycle.NewID("C", a, rapid.Uint32().Draw(t, "random of a"))
		second := lifecycle.NewID("C", b, rapid.Uint32().Draw(t, "random of b"))
		if a.Before(b) && first >= second || b.Before(a) && second >= first {
			t.Fatalf("%s of %s and %s of %s do not sort by age", first, a, second, b)
		}
	})
}

func TestIdentifiersOfOneMomentDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := drawTime(t, "now")
		a, b := rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b")
		if same := lifecycle.NewID("O", now, a) == lifecycle.NewID("O", now, b); same != (a == b) {
			t.Fatalf("random %d and %d give the same identifier: %v", a, b, same)
		}
	})
}

func TestAKnownIdentifierStaysAsItIs(t *testing.T) {
	t.Parallel()
	const want = "C-06H0TVAT006YNQQF"
	if got := lifecycle.NewID("C", time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), 0x0DEADEEF); got != want {
		t.Errorf("NewID = %s, want %s: rows and file names have the old form", got, want)
	}
}

func TestWhatIsNoIdentifierIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, id string }{
		{"nothing", ""},
		{"the prefix alone", "C-"},
		{"no prefix", "06FZ6HBC043VFVQF"},
		{"another prefix", "O-06FZ6HBC043VFVQF"},
		{"a longer prefix", "CO-06FZ6HBC043VFVQF"},
		{"small letters", "C-06fz6hbc043vfvqf"},
		{"a letter that is taken for a digit", "C-06FZ6HBC043VFVQO"},
		{"one character less", "C-06FZ6HBC043VFVQ"},
		{"one character more", "C-06FZ6HBC043VFVQF0"},
		{"a path", "C-../../../../etc/"},
		{"a line feed", "C-06FZ6HBC043VFVQ\n"},
		{"line feeds within", "C-06FZ\r\n6HBC043VFV"},
		{"a NUL", "C-06FZ6HBC043VFVQ\x00"},
		{"a quote", "C-06FZ6HBC043VFVQ'"},
		{"letters of another script", "C-０６ＦＺ６Ｈ"},
		{"a very long text", "C-" + strings.Repeat("0", 1<<20)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := lifecycle.CheckID(lifecycle.PrefixCard, tt.id)
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("CheckID = %v, want Invalid", err)
			}
			if text := err.Error(); len(text) > 300 || strings.ContainsAny(text, "\n\x00") {
				t.Errorf("the error repeats what was sent, raw or whole: %.100q", text)
			}
		})
	}
}

func FuzzAnAcceptedIdentifierIsHarmless(f *testing.F) {
	f.Add("C", "C-06FZ6HBC043VFVQF")
	f.Add("CO", "CO-0000000000000000")
	f.Fuzz(func(t *testing.T, prefix, id string) {
		if !slices.Contains(prefixes, prefix) || lifecycle.CheckID(prefix, id) != nil {
			return
		}
		if strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || len(id) > 19 {
			t.Errorf("accepted %q: it goes into queries, file names and paths", id)
		}
	})
}
