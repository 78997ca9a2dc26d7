package lifecycle

// AuthenticationState is where a relying service's question stands: is this holder
// there, and do they want this.
type AuthenticationState string

// The states of an authentication.
const (
	AuthenticationPending   AuthenticationState = "pending"
	AuthenticationAccepted  AuthenticationState = "accepted"
	AuthenticationRefused   AuthenticationState = "refused" // too many wrong proofs
	AuthenticationExpired   AuthenticationState = "expired"
	AuthenticationCancelled AuthenticationState = "cancelled"
)

// Events of an authentication. RefuseProof is the last wrong proof that it takes.
const (
	AcceptProof Event = "accept_proof"
	RefuseProof Event = "refuse_proof"
)

var asks = []Role{RoleRelyingService, RoleHolder}

// Authentications is the life cycle of an authentication: one proof is accepted,
// once.
var Authentications = Table[AuthenticationState]{
	Thing: "authentication",
	States: []AuthenticationState{
		AuthenticationPending, AuthenticationAccepted, AuthenticationRefused, AuthenticationExpired, AuthenticationCancelled,
	},
	Moves: []Move[AuthenticationState]{
		{From: AuthenticationPending, On: AcceptProof, To: AuthenticationAccepted, By: asks},
		{From: AuthenticationPending, On: RefuseProof, To: AuthenticationRefused, By: asks},
		{From: AuthenticationPending, On: Cancel, To: AuthenticationCancelled, By: asks},
		{From: AuthenticationPending, On: Expire, To: AuthenticationExpired, By: append([]Role{RoleSystem}, asks...)},
	},
}
