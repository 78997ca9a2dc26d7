package lifecycle

import "slices"

// StopState is where an emergency stop stands.
type StopState string

// The states of an emergency stop.
const (
	StopActive  StopState = "active"
	StopLifting StopState = "lifting" // somebody asks to lift it: it holds on
	StopLifted  StopState = "lifted"
)

// AskLift asks to lift an emergency stop, once its holder was recognised.
const AskLift Event = "ask_lift"

// Stops is the life cycle of an emergency stop. Whoever asks for one has it at once;
// it ends by four eyes.
var Stops = Table[StopState]{
	Thing:  "emergency stop",
	States: []StopState{StopActive, StopLifting, StopLifted},
	Moves: []Move[StopState]{
		{From: StopActive, On: AskLift, To: StopLifting, By: handlesFraud},
		{From: StopLifting, On: Approve, To: StopLifted, By: []Role{RoleApprover}, Not: NotRequester},
		{From: StopLifting, On: Refuse, To: StopActive, By: []Role{RoleApprover}, Not: NotRequester},
	},
}

// StopReasons are why somebody stops everything.
func StopReasons() []string { return []string{"lost", "stolen", "fraud", "phished", "other"} }

// MayStop are the roles that stop a user's or a company's means: whoever hears of it.
func MayStop() []Role {
	return []Role{RoleHolder, RoleRelyingService, RoleAccountManager, RoleOperator, RoleSecurityOfficer}
}

// FraudState is where a report of a suspicious thing stands.
type FraudState string

// The states of a report.
const (
	FraudReceived  FraudState = "received"
	FraudInReview  FraudState = "in_review"
	FraudConfirmed FraudState = "confirmed"
	FraudUnfounded FraudState = "unfounded"
)

// Events of a report.
const (
	Review  Event = "review"
	Confirm Event = "confirm"
	Dismiss Event = "dismiss"
)

var handlesFraud = []Role{RoleAccountManager, RoleOperator, RoleSecurityOfficer}

// FraudReports is the life cycle of a report: staff look at it, and say what it was.
var FraudReports = Table[FraudState]{
	Thing:  "fraud report",
	States: []FraudState{FraudReceived, FraudInReview, FraudConfirmed, FraudUnfounded},
	Moves: []Move[FraudState]{
		{From: FraudReceived, On: Review, To: FraudInReview, By: handlesFraud},
		{From: FraudInReview, On: Confirm, To: FraudConfirmed, By: handlesFraud},
		{From: FraudInReview, On: Dismiss, To: FraudUnfounded, By: handlesFraud},
	},
}

// HandlesFraud are the roles that look at reports, and ask to lift stops.
func HandlesFraud() []Role { return slices.Clone(handlesFraud) }

// FraudKinds are what somebody reports.
func FraudKinds() []string { return []string{"message", "call", "site", "operation"} }
