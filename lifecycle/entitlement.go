package lifecycle

import "slices"

// EntitlementState is where a set of what a user may sign stands.
type EntitlementState string

// The states of entitlements.
const (
	EntitlementsProposed EntitlementState = "proposed" // by staff: an approver looks at them
	EntitlementsLive     EntitlementState = "live"
	EntitlementsReplaced EntitlementState = "replaced" // by what the user was given next
	EntitlementsRefused  EntitlementState = "refused"
)

var entitles = []Role{RoleAccountManager, RoleSecurityOfficer}

// Entitlements is the life cycle of what a user may sign. What the company's
// principal user signed is live when it is born; what staff propose takes four eyes.
var Entitlements = Table[EntitlementState]{
	Thing:  "entitlements",
	States: []EntitlementState{EntitlementsProposed, EntitlementsLive, EntitlementsReplaced, EntitlementsRefused},
	Moves: []Move[EntitlementState]{
		{From: EntitlementsProposed, On: Approve, To: EntitlementsLive, By: []Role{RoleApprover}, Not: NotRequester},
		{From: EntitlementsProposed, On: Refuse, To: EntitlementsRefused, By: []Role{RoleApprover}, Not: NotRequester},
		{From: EntitlementsProposed, On: Cancel, To: EntitlementsRefused, By: append([]Role{RoleApprover, RoleRelyingService}, entitles...)},
		{From: EntitlementsLive, On: Retire, To: EntitlementsReplaced, By: []Role{RoleApprover, RoleRelyingService}},
	},
}

// Entitles are the roles that propose what a user may sign.
func Entitles() []Role { return slices.Clone(entitles) }
