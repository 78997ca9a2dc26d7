package revocation

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What was put on the shelf stands there, whatever is put and given back around it,
// and room that was given back is used again.
func TestTheShelfKeepsWhatIsPutThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s shelf
		there := map[spot][]byte{}
		for step := range rapid.IntRange(1, 300).Draw(t, "steps") {
			if p, has := anySpot(t, there); has && rapid.Bool().Draw(t, "give back") {
				s.giveBack(p)
				delete(there, p)
				continue
			}
			octets := bytes.Repeat([]byte{byte(step + 1)}, rapid.IntRange(1, 9000).Draw(t, "size"))
			p := s.put(octets)
			if _, taken := there[p]; taken {
				t.Fatalf("%v holds something", p)
			}
			there[p] = octets
		}
		for p, octets := range there {
			if !bytes.Equal(s.get(p), octets) {
				t.Fatalf("%v has other octets", p)
			}
		}
	})
	var s shelf
	for range 10_000 {
		s.giveBack(s.put(make([]byte, 700)))
	}
	if len(s.boards) != 1 || s.used != 704 {
		t.Errorf("an answer renewed ten thousand times takes %d boards and %d octets", len(s.boards), s.used)
	}
	if p := s.put(make([]byte, boardSize)); p != (spot{}) {
		t.Errorf("what is no answer is kept: %v", p)
	}
}

func anySpot(t *rapid.T, there map[spot][]byte) (spot, bool) {
	if len(there) == 0 {
		return spot{}, false
	}
	best, n := spot{}, rapid.Uint32().Draw(t, "which")
	for p := range there {
		if best == (spot{}) || (p.at^n)*31+p.board < (best.at^n)*31+best.board {
			best = p
		}
	}
	return best, true
}
