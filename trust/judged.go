package trust

import (
	"crypto/x509"
	"slices"
	"time"
)

// Purpose is what a certificate is to be used for.
type Purpose string

// The purposes.
const (
	Authentication Purpose = "authentication" // signing in, as a TLS client too
	Signature      Purpose = "signature"      // signing an operation or a document
)

// Purposes lists them.
func Purposes() []Purpose { return []Purpose{Authentication, Signature} }

// Code says why a certificate is not accepted. Codes are for ever: relying services
// act on them.
type Code string

// The codes of what is wrong with a certificate.
const (
	Malformed     Code = "malformed"      // it cannot be read, or is too long
	CACertificate Code = "ca_certificate" // of a CA, not of a person
	UnknownIssuer Code = "unknown_issuer" // no accepted CA has its issuer's name
	WrongIssuer   Code = "wrong_issuer"   // an accepted CA has that name, and did not sign it
	NoPath        Code = "no_path"        // a CA above it may not sign it
	NotYetValid   Code = "not_yet_valid"
	Expired       Code = "expired"
	CAExpired     Code = "ca_expired"  // a CA above it is not valid at that moment
	TrustEnded    Code = "trust_ended" // the bank accepts its CA no more
	WeakKey       Code = "weak_key"
	KeyUsage      Code = "key_usage"          // not for this purpose
	NoPolicy      Code = "policy"             // under none of the accepted policies
	Critical      Code = "critical_extension" // one that nobody here understands
	OutsideNames  Code = "name_constraint"    // its CA may not sign such a name
	Revoked       Code = "revoked"
	OnHold        Code = "on_hold"
	CARevoked     Code = "ca_revoked"     // a CA above it
	NoStatus      Code = "status_unknown" // no list or answer that holds
	ListEnded     Code = "list_ended"     // the newest list has ended
	NotIssued     Code = "not_issued"     // the CA's key signed it, its books do not have it
	NotActive     Code = "not_active"     // of the house: issued, and not accepted by its holder
	NotBound      Code = "not_bound"      // to no user
	BoundToOther  Code = "bound_to_another"
	NotNominative Code = "not_nominative" // of a system, not a person
	Stopped       Code = "emergency_stop" // its user, or their company, stopped everything
	Suspended     Code = "suspended"      // the binding is
)

// Judged is what a certificate was found to be by itself, under an entry.
type Judged struct {
	Certificate *x509.Certificate   // nil when it is malformed
	Chain       []*x509.Certificate // it, and the CAs above it up to the root; nil when there is no path
	Codes       []Code              // what is wrong; none: nothing
	Checks      []string            // what was looked at
	Why         string              // of the first code, for a person
}

// OK tells whether nothing is wrong.
func (j Judged) OK() bool { return len(j.Codes) == 0 }

// Add says that something is wrong.
func (j *Judged) Add(code Code, why string) {
	if j.Why == "" {
		j.Why = Short(why)
	}
	if !slices.Contains(j.Codes, code) {
		j.Codes = append(j.Codes, code)
	}
}

// List is what is on record of a list, and what it says of one serial.
type List struct {
	Address    string
	ThisUpdate time.Time
	NextUpdate time.Time
	Points     []string // distribution points that it is for; none: all of its issuer's
	Revoked    time.Time
	Reason     int // of RFC 5280 §5.3.1
}

// Status is what is known of a certificate's revocation.
type Status struct {
	Code    Code      // "" when it is good
	Source  string    // address of the list or responder
	Time    time.Time // of the list or answer
	Until   time.Time // its nextUpdate
	Revoked time.Time // of one that is revoked or held
	Reason  int
}

// Known tells whether the status is established, good or not.
func (s Status) Known() bool { return s.Code != NoStatus && s.Code != ListEnded }

const reasonHold = 6

// RevokedAt is the status of one that somebody revoked.
func RevokedAt(at time.Time, reason int) Status {
	code := Revoked
	if reason == reasonHold {
		code = OnHold
	}
	return Status{Code: code, Revoked: at, Reason: reason}
}

// Serial is a certificate's number as lists have it: big-endian, without leading zeros.
func Serial(c *x509.Certificate) []byte { return c.SerialNumber.Bytes() }

// ByLists is what lists say of a certificate. A list for some distribution points
// speaks of those certificates that name one of them. Of several that speak of it, one
// that revokes is believed whatever its age; what is good must be said by one that has
// not ended.
func ByLists(lists []List, points []string, at time.Time, grace time.Duration) Status {
	best := Status{Code: NoStatus}
	for _, l := range lists {
		if !l.speaksOf(points) {
			continue
		}
		if !l.Revoked.IsZero() {
			s := RevokedAt(l.Revoked, l.Reason)
			s.Source, s.Time, s.Until = l.Address, l.ThisUpdate, l.NextUpdate
			return s
		}
		s := Status{Source: l.Address, Time: l.ThisUpdate, Until: l.NextUpdate}
		if !at.Before(l.NextUpdate.Add(grace)) {
			s.Code = ListEnded
		}
		if best.Code == NoStatus || !best.Known() && s.Known() {
			best = s
		}
	}
	return best
}

// What stands among the points of a list that is for one kind of certificates.
const (
	OnlyUsers = "only user certificates"
	OnlyCAs   = "only CA certificates"
)

// PointsOf are those by which lists speak of a certificate.
func PointsOf(c *x509.Certificate) []string {
	kind := OnlyUsers
	if c.IsCA {
		kind = OnlyCAs
	}
	return append(slices.Clone(c.CRLDistributionPoints), kind)
}

func (l List) speaksOf(points []string) bool {
	if len(l.Points) == 0 {
		return true
	}
	return slices.ContainsFunc(l.Points, func(p string) bool { return slices.Contains(points, p) })
}
