package passcode_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/passcode"
)

var cheap = passcode.Cost{Memory: 64, Passes: 1, Threads: 1}

const holder = lifecycle.HolderID("H-0000000000000001")

func code(t testing.TB, text string) lifecycle.SecretCode {
	t.Helper()
	c, err := lifecycle.NewSecretCode(text, "20304050", "0001")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACodeMatchesItsHashAndNoOther(t *testing.T) {
	t.Parallel()
	h := passcode.New(testenv.Safe(), cheap)
	right := code(t, "sesame 42")
	hash, err := h.Hash(t.Context(), holder, right)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("%s, %v", hash, err)
	}
	if again, _ := h.Hash(t.Context(), holder, right); again == hash {
		t.Error("two hashes of a code are one")
	}
	for name, test := range map[string]struct {
		whose lifecycle.HolderID
		code  lifecycle.SecretCode
		hash  string
		want  bool
	}{
		"the code":         {holder, lifecycle.TypedSecretCode("sesame 42"), hash, true},
		"another code":     {holder, lifecycle.TypedSecretCode("sesame 43"), hash, false},
		"another holder":   {"H-0000000000000002", right, hash, false},
		"nobody's":         {"", right, "", false},
		"no code at all":   {holder, lifecycle.SecretCode{}, hash, false},
		"a dearer process": {holder, right, hash, true},
	} {
		hasher := h
		if name == "a dearer process" { // hashes that are there go on by their own cost
			hasher = passcode.New(testenv.Safe(), passcode.Cost{Memory: 128, Passes: 2, Threads: 1})
		}
		if got, err := hasher.Matches(t.Context(), test.whose, test.code, test.hash); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, wrong := range []string{"x", hash + "$", strings.Replace(hash, "m=64", "m=99999999", 1), strings.Replace(hash, "t=1", "t=0", 1), strings.Replace(hash, "argon2id", "argon2i", 1)} {
		if _, err := h.Matches(t.Context(), holder, right, wrong); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := passcode.New(nil, cheap).Hash(t.Context(), holder, right); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("without a key: %v", err)
	}
}

// However many come, so many hash at once, and the others are told.
func TestACrowdDoesNotUseUpTheMemory(t *testing.T) {
	t.Parallel()
	h := passcode.New(testenv.Safe(), passcode.Cost{Memory: 8 << 10, Passes: 3, Threads: 1})
	var crowd sync.WaitGroup
	var mu sync.Mutex
	told := map[string]int{}
	for range 200 {
		crowd.Go(func() {
			_, err := h.Matches(t.Context(), holder, lifecycle.TypedSecretCode("123456"), "")
			mu.Lock()
			defer mu.Unlock()
			told[fmt.Sprint(errors.Is(err, lifecycle.Unavailable))]++
		})
	}
	crowd.Wait()
	if told["true"] == 0 || told["false"] < 32 {
		t.Errorf("told that it is too much: %v", told)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Matches(gone, holder, code(t, "sesame 42"), ""); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("who has left: %v", err)
	}
}

func TestACodeThatEverybodyTriesFirstIsRefused(t *testing.T) {
	t.Parallel()
	for _, easy := range []string{"", "12345", "111111", "123456", "987654", "abcdefgh", "20304050", "x20304050x", "304050", "40500001", "caf\u00e9 noir", "tab\there", strings.Repeat("ab", 33)} {
		_, err := lifecycle.NewSecretCode(easy, "20304050", "0001")
		if !errors.Is(err, lifecycle.Invalid) || easy != "" && strings.Contains(err.Error(), "\""+easy) {
			t.Errorf("%q: %v", easy, err)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", code(t, "sesame 42"), code(t, "sesame 42"), code(t, "sesame 42"), code(t, "sesame 42")); strings.Contains(got, "sesame") {
		t.Errorf("it shows: %s", got)
	}
}

func BenchmarkPasscode(b *testing.B) {
	h := passcode.New(testenv.Safe(), passcode.DefaultCost())
	for b.Loop() {
		if _, err := h.Matches(b.Context(), holder, lifecycle.TypedSecretCode("sesame 42"), ""); err != nil {
			b.Fatal(err)
		}
	}
}
