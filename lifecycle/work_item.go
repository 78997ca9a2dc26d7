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

// WorkKind says why something waits for a member of staff.
type WorkKind string

// The kinds of work. Mail, return files, refused certificates, corrected names,
// copied passkeys and alarms have a work item of their own, which is closed; the others wait by their own state, and end when
// that moves on.
const (
	WorkReturnedMail WorkKind = "returned_mail"       // a letter came back by post
	WorkReturnFile   WorkKind = "return_file"         // a bureau's file cannot be reconciled
	WorkFailedOrder  WorkKind = "failed_order"        // what was wrong is mended, then it is taken up again
	WorkFailedLetter WorkKind = "failed_letter"       // a PIN letter that cannot be set
	WorkCertificate  WorkKind = "stopped_certificate" // its draft breaks a rule
	WorkMissingCard  WorkKind = "missing_card"        // the bureau does not know where it is
	WorkChip         WorkKind = "unfinished_chip"     // begun at a branch terminal
	WorkFlagged      WorkKind = "flagged_order"       // an approver thinks twice
	WorkRefused      WorkKind = "refused_certificate" // its holder finds its content wrong
	WorkRevocation   WorkKind = "revocation_alarm"    // lists or OCSP answers are wrong, seen from outside
	WorkUnconfirmed  WorkKind = "unconfirmed_caller"  // who asked for a revocation was not recognised
	WorkNoCA         WorkKind = "no_signing_ca"       // the CA was revoked, and no other signs yet
	WorkFraud        WorkKind = "fraud_report"        // somebody reports a message, call, site or operation
	WorkLift         WorkKind = "stop_to_lift"        // an approver decides
	WorkFailedNotice WorkKind = "failed_notice"       // no mail server takes it: the holder was not told
	WorkPasskey      WorkKind = "copied_passkey"      // its count did not rise: there may be two of it
	WorkCorrected    WorkKind = "corrected_data"      // cards and certificates carry a name that was corrected
)

// WorkKinds lists them.
func WorkKinds() []WorkKind {
	return []WorkKind{WorkReturnedMail, WorkReturnFile, WorkFailedOrder, WorkFailedLetter, WorkCertificate, WorkMissingCard, WorkChip, WorkFlagged, WorkRefused, WorkRevocation, WorkNoCA, WorkFailedNotice, WorkUnconfirmed, WorkPasskey, WorkCorrected, WorkFraud, WorkLift}
}

// SeesToWork are the roles that take work on.
func SeesToWork() []Role {
	return []Role{RoleAccountManager, RoleOperator, RoleSecurityOfficer, RoleApprover}
}
