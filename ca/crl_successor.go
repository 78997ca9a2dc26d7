package ca

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"sceau/lifecycle"
)

// CheckSuccessor tells whether next may replace old where relying parties
// fetch it; the publisher calls it against the last published file. It refuses
// a list
//   - that the issuer did not sign, or with another issuer name or
//     issuingDistributionPoint, or a delta in the place of a full list;
//   - whose number does not rise, whose thisUpdate goes back or lies in the
//     future, or whose nextUpdate has passed;
//   - that names a serial twice;
//   - that drops an entry, unless mayLeave says that its certificate had
//     already expired when the old list was issued (RFC 5280 §3.3) or that its
//     hold was released; a nil mayLeave lets none go. A delta may also drop
//     entries when its base number has risen: the new base lists them;
//   - that turns a definitive revocation into a hold
//     (EN 319 411-1 REV-6.3.9-03).
//
// An old of nil is the first publication. Errors are [lifecycle.Conflict] for
// what differs from the old list and [lifecycle.Invalid] for what is wrong in
// itself.
func CheckSuccessor(old, next []byte, issuer *x509.Certificate, now time.Time, mayLeave func(lifecycle.Serial) bool) error {
	n, err := ReadCRL(next)
	if err != nil {
		return fmt.Errorf("read the new list: %w", err)
	}
	if err := n.checkAlone(issuer, now); err != nil {
		return err
	}
	listed, err := n.index()
	if err != nil || old == nil {
		return err
	}
	o, err := ReadCRL(old)
	if err != nil {
		return fmt.Errorf("read the old list: %w", err)
	}
	problem := ""
	switch {
	case !bytes.Equal(o.Issuer, n.Issuer):
		problem = "its issuer is another"
	case !bytes.Equal(o.Distribution, n.Distribution):
		problem = "its issuing distribution point is another"
	case (o.BaseNumber == 0) != (n.BaseNumber == 0):
		problem = "a delta and a full list do not replace each other"
	case n.Number <= o.Number:
		problem = fmt.Sprintf("its number does not rise above %d", o.Number)
	case n.BaseNumber < o.BaseNumber:
		problem = fmt.Sprintf("its base number falls below %d", o.BaseNumber)
	case n.ThisUpdate.Before(o.ThisUpdate):
		problem = "its thisUpdate goes back"
	}
	if problem != "" {
		return fmt.Errorf("%w: list %d: %s", lifecycle.Conflict, n.Number, problem)
	}
	return o.checkKept(n, listed, mayLeave)
}

func (l *List) checkAlone(issuer *x509.Certificate, now time.Time) error {
	alg, err := signatureAlgorithm(issuer.PublicKey)
	if err != nil {
		return err
	}
	h := alg.hash.New()
	h.Write(l.tbs)
	if err := verifyDigest(issuer.PublicKey, alg.hash, h.Sum(nil), l.signature); err != nil {
		return fmt.Errorf("%w: list %d: %w", lifecycle.Invalid, l.Number, err)
	}
	switch {
	case !bytes.Equal(l.Issuer, issuer.RawSubject):
		return fmt.Errorf("%w: list %d is not the issuer's", lifecycle.Invalid, l.Number)
	case l.ThisUpdate.After(now) || !l.NextUpdate.After(now):
		return fmt.Errorf("%w: list %d is for another time", lifecycle.Invalid, l.Number)
	}
	return nil
}

// index maps each serial to its reason and refuses a serial that stands twice.
func (l *List) index() (map[lifecycle.Serial]lifecycle.RevocationReason, error) {
	listed := make(map[lifecycle.Serial]lifecycle.RevocationReason, len(l.entries)/entrySize)
	for r, err := range l.All() {
		if err != nil {
			return nil, fmt.Errorf("list %d: %w", l.Number, err)
		}
		if _, twice := listed[r.Serial]; twice {
			return nil, fmt.Errorf("%w: list %d names serial %s twice", lifecycle.Invalid, l.Number, r.Serial)
		}
		listed[r.Serial] = r.Reason
	}
	return listed, nil
}

// checkKept runs through the old entries and looks each up in the new list.
func (l *List) checkKept(next *List, listed map[lifecycle.Serial]lifecycle.RevocationReason, mayLeave func(lifecycle.Serial) bool) error {
	rebased := next.BaseNumber > l.BaseNumber
	for r, err := range l.All() {
		if err != nil {
			return fmt.Errorf("read the old list: %w", err)
		}
		reason, kept := listed[r.Serial]
		held := r.Reason == lifecycle.ReasonCertificateHold || r.Reason == lifecycle.ReasonRemoveFromCRL
		switch {
		case !kept && !rebased && (mayLeave == nil || !mayLeave(r.Serial)):
			return fmt.Errorf("%w: list %d drops serial %s", lifecycle.Conflict, next.Number, r.Serial)
		case kept && !held && (reason == lifecycle.ReasonCertificateHold || reason == lifecycle.ReasonRemoveFromCRL):
			return fmt.Errorf("%w: list %d undoes the revocation of serial %s", lifecycle.Conflict, next.Number, r.Serial)
		}
	}
	return nil
}
