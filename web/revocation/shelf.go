package revocation

import "bytes"

// shelf keeps the octets of many answers in few pieces of memory: a million of them
// are nothing that the garbage collector has to look at. Whoever has it guards it.
type shelf struct {
	boards [][]byte
	used   uint32            // of the last board
	free   map[uint32][]spot // what was given back, by its room
}

// spot is where octets stand. The zero spot is none.
type spot struct{ board, at, size uint32 }

const (
	boardSize = 1 << 20
	roomUnit  = 32
)

// room is what a spot takes: answers about a certificate differ by a few octets, and
// a later one fits where the one before stood.
func (s spot) room() uint32 { return (s.size + roomUnit - 1) / roomUnit * roomUnit }

// put copies octets in. What is empty or longer than any answer is not kept.
func (s *shelf) put(octets []byte) spot {
	if len(octets) == 0 || len(octets) > boardSize/16 {
		return spot{}
	}
	p := spot{size: uint32(len(octets))} //nolint:gosec // bounded above
	room := p.room()
	switch free := s.free[room]; {
	case len(free) > 0:
		last := free[len(free)-1]
		s.free[room] = free[:len(free)-1]
		p.board, p.at = last.board, last.at
	default:
		if len(s.boards) == 0 || s.used+room > boardSize {
			s.boards, s.used = append(s.boards, make([]byte, boardSize)), 0
		}
		p.board, p.at = uint32(len(s.boards)-1), s.used //nolint:gosec // a board is a megabyte
		s.used += room
	}
	copy(s.boards[p.board][p.at:], octets)
	return p
}

// get copies octets out: what stands there may be replaced while they are sent.
func (s *shelf) get(p spot) []byte {
	return bytes.Clone(s.boards[p.board][p.at : p.at+p.size])
}

// giveBack makes a spot free for others.
func (s *shelf) giveBack(p spot) {
	if p.size == 0 {
		return
	}
	if s.free == nil {
		s.free = map[uint32][]spot{}
	}
	s.free[p.room()] = append(s.free[p.room()], p)
}
