package lifecycle

// SettingState is where a change of a security setting stands. When it is in force
// its times say: an accepted one waits until its moment, and a later one covers it.
type SettingState string

// The states of a change.
const (
	SettingProposed SettingState = "proposed" // a loosening by staff: an approver looks at it
	SettingAccepted SettingState = "accepted"
	SettingStopped  SettingState = "stopped" // before it took effect
	SettingRefused  SettingState = "refused"
)

// Settings is the life cycle of a change. It ends only before it takes effect.
var Settings = Table[SettingState]{
	Thing:  "setting change",
	States: []SettingState{SettingProposed, SettingAccepted, SettingStopped, SettingRefused},
	Moves: []Move[SettingState]{
		{From: SettingProposed, On: Approve, To: SettingAccepted, By: []Role{RoleApprover}, Not: NotRequester},
		{From: SettingProposed, On: Refuse, To: SettingRefused, By: []Role{RoleApprover}, Not: NotRequester},
		{From: SettingProposed, On: Halt, To: SettingStopped, By: haltsSettings},
		{From: SettingAccepted, On: Halt, To: SettingStopped, By: haltsSettings},
	},
}

// Halt stops a change that waits: "ce n'est pas moi".
const Halt Event = "halt"

// Whoever hears of it may.
var haltsSettings = []Role{RoleHolder, RoleRelyingService, RoleAccountManager, RoleApprover, RoleOperator, RoleSecurityOfficer}

// TightensSettings are the roles of staff that tighten a setting at once, and propose
// to loosen one with the holder present. Account managers see.
func TightensSettings() []Role { return []Role{RoleOperator, RoleSecurityOfficer} }
