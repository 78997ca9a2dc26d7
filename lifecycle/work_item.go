package lifecycle

// WorkState is where a work item stands.
type WorkState string

// The states of a work item.
const (
	WorkOpen WorkState = "open"
	WorkDone WorkState = "done"
)

// WorkItems is the life cycle of what a member of staff has to look at.
var WorkItems = Table[WorkState]{
	Thing:  "work item",
	States: []WorkState{WorkOpen, WorkDone},
	Moves: []Move[WorkState]{
		{From: WorkOpen, On: Complete, To: WorkDone, By: []Role{RoleAccountManager, RoleOperator, RoleSecurityOfficer}},
	},
}
