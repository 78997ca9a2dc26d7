package lifecycle

import "slices"

// IssuerState is where a CA stands.
type IssuerState string

// The states of a CA.
const (
	IssuerReady   IssuerState = "ready"   // made at a ceremony, signs no holder's certificate yet
	IssuerSigning IssuerState = "signing" // one online CA at a time
	IssuerRetired IssuerState = "retired" // lists and answers only
	IssuerRevoked IssuerState = "revoked" // its own certificate is: it signs nothing but lists
	IssuerEnding  IssuerState = "ending"  // its last lists are being signed
	IssuerEnded   IssuerState = "ended"   // nothing is published any more; its key may be destroyed
)

// End is the event by which a CA ends: its last lists are to be signed. It began to
// sign by [Activate] and stopped by [Retire] or [Revoke]; [Complete] is of the last
// of those lists.
const End Event = "end"

// Issuers is the life cycle of a CA. Two security officers agree on each move but
// the last: the second one's is recorded, with who proposed it.
var Issuers = Table[IssuerState]{
	Thing:  "issuer",
	States: []IssuerState{IssuerReady, IssuerSigning, IssuerRetired, IssuerRevoked, IssuerEnding, IssuerEnded},
	Moves: slices.Concat(
		from([]IssuerState{IssuerReady, IssuerRetired}, Move[IssuerState]{On: Activate, To: IssuerSigning, By: []Role{RoleSecurityOfficer}}),
		[]Move[IssuerState]{
			{From: IssuerSigning, On: Retire, To: IssuerRetired, By: []Role{RoleSecurityOfficer}},
			{From: IssuerEnding, On: Complete, To: IssuerEnded},
		},
		from([]IssuerState{IssuerReady, IssuerSigning, IssuerRetired},
			Move[IssuerState]{On: Revoke, To: IssuerRevoked, By: []Role{RoleSecurityOfficer}}),
		from([]IssuerState{IssuerRetired, IssuerRevoked}, Move[IssuerState]{On: End, To: IssuerEnding, By: []Role{RoleSecurityOfficer}}),
	),
}
