package lifecycle

import (
	"crypto/sha256"
	"fmt"
)

// InvitationCode is the secret with which a holder adds a means without signing in: staff
// hand it over. It looks and hides itself as an enrolment code does, and is none: its
// hash is another.
type InvitationCode struct{ EnrolmentCode }

// NewInvitationCode makes a code of 16 random octets.
func NewInvitationCode(random [16]byte) InvitationCode {
	return InvitationCode{NewEnrolmentCode(random)}
}

// ParseInvitationCode takes a code as a person types it.
func ParseInvitationCode(typed string) (InvitationCode, error) {
	code, err := ParseEnrolmentCode(typed)
	return InvitationCode{code}, err
}

// Hash is what is kept of the code, bound to its holder and the kind of means.
func (c InvitationCode) Hash(id HolderID, kind MeansKind) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "sceau means\n%s\n%s\n%s", id, kind, c.text.reveal()))
}
