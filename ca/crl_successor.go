package ca

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"sceau/lifecycle"
)

// Leave tells which of the serials that the next list lacks must not be missing
// there. It is asked once for all of them.
type Leave func(serials []lifecycle.Serial) (kept []lifecycle.Serial, err error)

// CheckSuccessor tells whether next may replace old where relying parties
// fetch it; the publisher calls it against the last published list. It refuses
// a list
//   - that the issuer did not sign, or with another issuer name or
//     issuingDistributionPoint, or a delta in the place of a full list;
//   - whose number does not rise, whose thisUpdate goes back or lies in the
//     future, or whose nextUpdate has passed;
//   - whose serials do not rise from entry to entry, hence one that names a
//     serial twice;
//   - with a new entry of after its thisUpdate, or removeFromCRL in a full list;
//   - that drops an entry, unless leave says that its certificate had
//     already expired when the old list was issued (RFC 5280 §3.3) or that its
//     hold was released; a nil leave lets none go. A delta may also drop
//     entries when its base number has risen: the new base lists them;
//   - that turns a definitive revocation into a hold
//     (EN 319 411-1 REV-6.3.9-03).
//
// Both lists are walked once, side by side; an entry that stands unchanged in
// both is not taken apart, and old is not held in memory. An old of nil is the
// first publication. Errors are [lifecycle.Conflict] for what differs from the
// old list and for an entry of after thisUpdate, which a later list may have, and
// [lifecycle.Invalid] for what is wrong in itself.
func CheckSuccessor(old io.Reader, next []byte, issuer *x509.Certificate, now time.Time, leave Leave) error {
	n, err := ReadCRL(next)
	if err != nil {
		return fmt.Errorf("read the new list: %w", err)
	}
	if err := n.Verify(issuer); err != nil {
		return err
	}
	if n.ThisUpdate.After(now) || !n.NextUpdate.After(now) {
		return fmt.Errorf("%w: list %d is for another time", lifecycle.Invalid, n.Number)
	}
	if old == nil {
		s := succession{next: n, new: n.walk(), before: &entryWalk{done: true}}
		return s.compare()
	}
	o, walk, err := openCRL(old)
	if err != nil {
		return fmt.Errorf("%w: read the old list: %w", lifecycle.Invalid, err)
	}
	s := succession{next: n, new: n.walk(), before: walk}
	if err := s.before.step(); err != nil {
		return fmt.Errorf("%w: read the old list: %w", lifecycle.Invalid, err)
	}
	if err := s.compare(); err != nil {
		return err
	}
	if err := o.finish(walk); err != nil {
		return fmt.Errorf("%w: read the old list: %w", lifecycle.Invalid, err)
	}
	if problem := n.follows(o); problem != "" {
		return fmt.Errorf("%w: list %d: %s", lifecycle.Conflict, n.Number, problem)
	}
	if len(s.leaving) == 0 || n.BaseNumber > o.BaseNumber {
		return nil
	}
	kept := s.leaving
	if leave != nil {
		if kept, err = leave(s.leaving); err != nil {
			return fmt.Errorf("list %d: ask whether %d entries may leave: %w", n.Number, len(s.leaving), err)
		}
	}
	if len(kept) > 0 {
		return fmt.Errorf("%w: list %d drops %d entries, serial %s among them", lifecycle.Conflict, n.Number, len(kept), kept[0])
	}
	return nil
}

// follows tells what in the head of a list keeps it from following the old one.
func (l *List) follows(old *List) (problem string) {
	switch {
	case !bytes.Equal(old.Issuer, l.Issuer):
		return "its issuer is another"
	case !bytes.Equal(old.Distribution, l.Distribution):
		return "its issuing distribution point is another"
	case (old.BaseNumber == 0) != (l.BaseNumber == 0):
		return "a delta and a full list do not replace each other"
	case l.Number <= old.Number:
		return fmt.Sprintf("its number does not rise above %d", old.Number)
	case l.BaseNumber < old.BaseNumber:
		return fmt.Sprintf("its base number falls below %d", old.BaseNumber)
	case l.ThisUpdate.Before(old.ThisUpdate):
		return "its thisUpdate goes back"
	}
	return ""
}

// succession walks two lists side by side.
type succession struct {
	next        *List
	before, new *entryWalk
	leaving     []lifecycle.Serial // in the old list only
}

// compare runs through both. The old walk stands on its first entry already.
func (s *succession) compare() error {
	if err := s.new.step(); err != nil {
		return fmt.Errorf("%w: list %d: %w", lifecycle.Invalid, s.next.Number, err)
	}
	for !s.before.done || !s.new.done {
		order := s.order()
		var err error
		switch {
		case order < 0:
			s.leaving = append(s.leaving, asSerial(s.before.last))
		case order > 0:
			err = s.fresh()
		case !bytes.Equal(s.before.raw, s.new.raw):
			err = s.changed()
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			if err := s.before.step(); err != nil {
				return fmt.Errorf("%w: read the old list: %w", lifecycle.Invalid, err)
			}
		}
		if order >= 0 {
			if err := s.new.step(); err != nil {
				return fmt.Errorf("%w: list %d: %w", lifecycle.Invalid, s.next.Number, err)
			}
		}
	}
	return nil
}

// order compares the entries that the walks stand on: below 0, the old list's
// comes first, or the new one is at its end.
func (s *succession) order() int {
	switch {
	case s.new.done:
		return -1
	case s.before.done:
		return 1
	}
	return compareSerials(s.before.last, s.new.last)
}

func asSerial(content []byte) (serial lifecycle.Serial) {
	if drop := len(content) - len(serial); drop > 0 {
		content = content[drop:]
	}
	copy(serial[len(serial)-len(content):], content)
	return serial
}

// fresh looks at an entry that the old list has not, or not so.
func (s *succession) fresh() error {
	_, err := s.parse(s.new.raw)
	return err
}

func (s *succession) parse(raw []byte) (Revoked, error) {
	in := cryptobyte.String(raw)
	r, ok := readRevoked(&in)
	switch {
	case !ok:
		return r, fmt.Errorf("%w: list %d: %w: an entry is malformed", lifecycle.Invalid, s.next.Number, errList)
	case r.At.After(s.next.ThisUpdate):
		// By another process whose clock is ahead: a later list is right.
		return r, fmt.Errorf("%w: list %d: serial %s is revoked after thisUpdate", lifecycle.Conflict, s.next.Number, r.Serial)
	case r.Reason == lifecycle.ReasonRemoveFromCRL && s.next.BaseNumber == 0:
		return r, fmt.Errorf("%w: list %d: serial %s: removeFromCRL stands in delta lists only", lifecycle.Invalid, s.next.Number, r.Serial)
	}
	return r, nil
}

// changed compares an entry with what the old list says of its serial.
func (s *succession) changed() error {
	r, err := s.parse(s.new.raw)
	if err != nil {
		return err
	}
	in := cryptobyte.String(s.before.raw)
	was, ok := readRevoked(&in)
	if !ok {
		return fmt.Errorf("%w: read the old list: an entry is malformed", lifecycle.Invalid)
	}
	if !passing(was.Reason) && passing(r.Reason) {
		return fmt.Errorf("%w: list %d undoes the revocation of serial %s", lifecycle.Conflict, s.next.Number, r.Serial)
	}
	return nil
}

// passing are the reasons of what may end.
func passing(r lifecycle.RevocationReason) bool {
	return r == lifecycle.ReasonCertificateHold || r == lifecycle.ReasonRemoveFromCRL
}
