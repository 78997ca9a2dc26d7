package lifecycle_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sceau/lifecycle"
)

func TestAnEnrolmentCodeIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	code := lifecycle.NewEnrolmentCode([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	text := code.Reveal()
	if groups := strings.Split(text, "-"); len(groups) != 7 || len(text) != 34 {
		t.Fatalf("%d groups, %d characters", len(groups), len(text))
	}
	id := lifecycle.CertificateID("N-0000000000000000")
	for _, typed := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", " "), " " + strings.ReplaceAll(text, "-", "") + "\r\n",
		strings.NewReplacer("0", "o", "1", "l").Replace(text)} {
		read, err := lifecycle.ParseEnrolmentCode(typed)
		if err != nil || read.Hash(id) != code.Hash(id) {
			t.Errorf("%q: %v", typed, err)
		}
	}
	if code.Hash(id) == code.Hash("N-0000000000000001") {
		t.Error("the hash is not bound to the certificate")
	}
	caught := 0
	for i, r := range text { // a slip of the pen, anywhere
		if r == '-' {
			continue
		}
		other := byte('2')
		if text[i] == other {
			other = '3'
		}
		if _, err := lifecycle.ParseEnrolmentCode(text[:i] + string(other) + text[i+1:]); err != nil {
			caught++
		}
	}
	if caught != 28 {
		t.Errorf("%d of 28 slips are seen", caught)
	}
	for _, typed := range []string{"", text[:33], text + "A", strings.Replace(text, text[:1], "U", 1), strings.Repeat(" ", 200) + text} {
		if _, err := lifecycle.ParseEnrolmentCode(typed); err == nil {
			t.Errorf("%q is a code", typed)
		}
	}
}

func TestAnEnrolmentCodeHidesItself(t *testing.T) {
	t.Parallel()
	code := lifecycle.NewEnrolmentCode([16]byte{9})
	inside := struct{ Code lifecycle.EnrolmentCode }{code}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "code", code, "inside", inside)
	out := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		out += fmt.Sprintf(verb, code) + fmt.Sprintf(verb, inside)
	}
	if _, err := json.Marshal(inside); err == nil {
		t.Error("it is serialised")
	}
	if strings.Contains(out, code.Reveal()[:4]) || strings.Contains(out, strings.ReplaceAll(code.Reveal(), "-", "")[:8]) {
		t.Errorf("it shows itself: %s", out)
	}
}

func FuzzParseEnrolmentCode(f *testing.F) {
	f.Add(lifecycle.NewEnrolmentCode([16]byte{7}).Reveal())
	f.Add("il0o-")
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := lifecycle.ParseEnrolmentCode(typed)
		if err != nil {
			return
		}
		again, err := lifecycle.ParseEnrolmentCode(code.Reveal())
		if err != nil || again.Reveal() != code.Reveal() {
			t.Errorf("%q: %v", typed, err)
		}
	})
}
