package safe_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"sceau/lifecycle"
	"sceau/safe"
)

const digits = "9250000000000017"

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, safe.KeySize) }

func open(t *testing.T, keys ...[]byte) *safe.Safe {
	t.Helper()
	s, err := safe.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pan(t *testing.T) lifecycle.PAN {
	t.Helper()
	p, err := lifecycle.NewPAN(digits[:15] + string(lifecycle.LuhnDigit(digits[:15])))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACardNumberOpensForItsCardOnly(t *testing.T) {
	t.Parallel()
	s, p := open(t, key(1)), pan(t)
	sealed, mark, err := s.SealPAN("C-1", p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.OpenPAN("C-1", sealed)
	if err != nil || got.Reveal() != p.Reveal() {
		t.Errorf("opened %v, %v", got, err)
	}
	again, same, err := s.SealPAN("C-1", p)
	if err != nil || bytes.Equal(again, sealed) || !bytes.Equal(same, mark) {
		t.Errorf("sealed twice: the same bytes %t, the same mark %t, %v", bytes.Equal(again, sealed), bytes.Equal(same, mark), err)
	}
	for name, wrong := range map[string]func() error{
		"another card": func() error { _, err := s.OpenPAN("C-2", sealed); return err },
		"another use":  func() error { _, err := s.Open("data", "C-1", sealed); return err },
		"another safe": func() error { _, err := open(t, key(2)).OpenPAN("C-1", sealed); return err },
		"a bit": func() error {
			sealed := bytes.Clone(sealed)
			sealed[20] ^= 1
			_, err := s.OpenPAN("C-1", sealed)
			return err
		},
		"cut short":  func() error { _, err := s.OpenPAN("C-1", sealed[:12]); return err },
		"nothing":    func() error { _, err := s.OpenPAN("C-1", nil); return err },
		"no key yet": func() error { _, err := s.OpenPAN("C-1", append([]byte{0, 9}, sealed[2:]...)); return err },
	} {
		err := wrong()
		if err == nil {
			t.Errorf("%s: it opened", name)
		} else if strings.Contains(err.Error(), p.Reveal()) {
			t.Errorf("%s: the error has the number", name)
		}
	}
	if bytes.Contains(sealed, []byte(p.Reveal())) || bytes.Contains(mark, []byte(p.Last4())) {
		t.Error("what is kept has the number")
	}
}

func TestANewDataKeyOpensTheOldAndKeepsTheMarks(t *testing.T) {
	t.Parallel()
	old, both := open(t, key(1)), open(t, key(1), key(2))
	sealed, mark, err := old.SealPAN("C-1", pan(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.OpenPAN("C-1", sealed); err != nil || got.Reveal() != pan(t).Reveal() {
		t.Errorf("under the old key: %v, %v", got, err)
	}
	newer, same, err := both.SealPAN("C-1", pan(t))
	if err != nil || !bytes.Equal(mark, same) {
		t.Errorf("the mark changed with the key, %v", err)
	}
	if _, err := old.OpenPAN("C-1", newer); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("a process from before the new key: %v", err)
	}
}

func TestASafeAsksForAKeyThatItMeets(t *testing.T) {
	t.Parallel()
	both := open(t, key(1), key(2))
	newer, _, err := both.SealPAN("C-1", pan(t))
	if err != nil {
		t.Fatal(err)
	}
	known, asked := [][]byte{key(1)}, 0
	var given [][]byte
	s, err := safe.Loading(func() ([][]byte, error) {
		asked++
		given = nil
		for _, k := range known {
			given = append(given, bytes.Clone(k))
		}
		return given, nil
	})
	if err != nil || asked != 1 || s.Newest() != 1 || given[0][0] != 0 {
		t.Fatalf("%v, asked %d times, the newest is %d, what was given is %x", err, asked, s.Newest(), given[0][:1])
	}
	if _, err := s.OpenPAN("C-1", newer); !errors.Is(err, lifecycle.Unavailable) || asked != 2 {
		t.Errorf("before the key is there: %v, asked %d times", err, asked)
	}
	old, _, err := s.SealPAN("C-1", pan(t))
	if err != nil || safe.Under(old) != 1 {
		t.Fatalf("sealed under %d, %v", safe.Under(old), err)
	}
	known = append(known, key(2))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			if got, err := s.OpenPAN("C-1", newer); err != nil || got.Reveal() != pan(t).Reveal() {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	readers.Wait()
	if asked != 3 || s.Newest() != 2 {
		t.Errorf("asked %d times, the newest is %d", asked, s.Newest())
	}
	again, err := s.ResealPAN("C-1", old)
	if got, openErr := s.OpenPAN("C-1", again); err != nil || openErr != nil || safe.Under(again) != 2 || got.Reveal() != pan(t).Reveal() {
		t.Errorf("sealed again under %d: %v, %v, %v", safe.Under(again), got, err, openErr)
	}
	// The second is retired once a third is there: nothing sealed under it opens.
	without, err := safe.New(key(1), nil, key(3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.OpenPAN("C-1", again); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("under a retired key: %v", err)
	}
	if safe.Under(nil) != 0 || safe.Under([]byte{0}) != 0 {
		t.Error("nothing is sealed under some key")
	}
}

func TestMarksOfDifferentThingsDiffer(t *testing.T) {
	t.Parallel()
	s := open(t, key(1))
	seen := map[string]string{}
	for _, pair := range [][2]string{{"passport", "12AB"}, {"passport1", "2AB"}, {"passport", "12AC"}, {"", "passport12AB"}} {
		mark, err := s.Mark(pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		if other, there := seen[string(mark)]; there {
			t.Errorf("%q has the mark of %s", pair, other)
		}
		seen[string(mark)] = pair[0] + "|" + pair[1]
	}
}

func TestAProcessWithoutKeysIsToldSo(t *testing.T) {
	t.Parallel()
	var none *safe.Safe
	_, _, sealing := none.SealPAN("C-1", pan(t))
	_, opening := none.OpenPAN("C-1", []byte{0, 1})
	_, marking := none.Mark("passport", "1")
	for _, err := range []error{sealing, opening, marking} {
		if !errors.Is(err, lifecycle.Unavailable) {
			t.Errorf("without keys: %v", err)
		}
	}
	for name, keys := range map[string][][]byte{"no key": nil, "a short key": {key(1)[:31]}, "a short second key": {key(1), nil}} {
		if _, err := safe.New(keys...); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkOpenPAN(b *testing.B) {
	s, err := safe.New(key(1))
	if err != nil {
		b.Fatal(err)
	}
	p, err := lifecycle.NewPAN(digits[:15] + string(lifecycle.LuhnDigit(digits[:15])))
	if err != nil {
		b.Fatal(err)
	}
	sealed, _, err := s.SealPAN("C-0000000000000001", p)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.OpenPAN("C-0000000000000001", sealed); err != nil {
			b.Fatal(err)
		}
	}
}
