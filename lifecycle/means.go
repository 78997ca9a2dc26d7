package lifecycle

import "slices"

// MeansKind is a sort of means by which a holder shows who they are.
type MeansKind string

// The kinds of means.
const (
	MeansCode        MeansKind = "code"                // a secret code with client ID and user number: not strong alone
	MeansCAP         MeansKind = "cap"                 // an authentication card or professional bank card in a CAP reader
	MeansCertificate MeansKind = "certificate"         // a nominative certificate of this house
	MeansForeign     MeansKind = "foreign_certificate" // a certificate of another accepted CA, bound to its holder
	MeansPasskey     MeansKind = "passkey"             // a phone's or key's own, opened by code, face or finger
	MeansProvider    MeansKind = "identity_provider"   // OpenID Connect: itsme and its like
)

// MeansKinds lists them.
func MeansKinds() []MeansKind {
	return []MeansKind{MeansCode, MeansCAP, MeansCertificate, MeansForeign, MeansPasskey, MeansProvider}
}

// Strong tells whether the kind alone is strong customer authentication (PSD2
// article 4(30)).
func (k MeansKind) Strong() bool { return k != MeansCode && slices.Contains(MeansKinds(), k) }

// MeansState is where a means stands that is not a card or a certificate of the
// house: those have lives of their own.
type MeansState string

// The states of a means.
const (
	MeansProposed  MeansState = "proposed" // staff look at it first
	MeansActive    MeansState = "active"
	MeansSuspended MeansState = "suspended"
	MeansRefused   MeansState = "refused"
	MeansEnded     MeansState = "ended"
)

var endsMeans = []Role{RoleHolder, RoleRelyingService, RoleAccountManager, RoleOperator, RoleSecurityOfficer, RoleSystem}

// EndsMeans are the roles that suspend, bring back and end a means.
func EndsMeans() []Role { return slices.Clone(endsMeans) }

// Means is the life cycle of a code, a passkey, an identity at a provider or a
// foreign certificate. What is suspended by its holder comes back by its holder.
var Means = Table[MeansState]{
	Thing:  "means",
	States: []MeansState{MeansProposed, MeansActive, MeansSuspended, MeansRefused, MeansEnded},
	Moves: slices.Concat(
		[]Move[MeansState]{
			{From: MeansProposed, On: Approve, To: MeansActive, By: []Role{RoleApprover}, Not: NotRequester},
			{From: MeansProposed, On: Refuse, To: MeansRefused, By: []Role{RoleApprover}, Not: NotRequester},
			{From: MeansProposed, On: Cancel, To: MeansRefused, By: endsMeans},
			{From: MeansActive, On: Suspend, To: MeansSuspended, By: endsMeans},
			{From: MeansSuspended, On: Resume, To: MeansActive, By: endsMeans},
		},
		from([]MeansState{MeansActive, MeansSuspended}, Move[MeansState]{On: End, To: MeansEnded, By: endsMeans}),
	),
}
