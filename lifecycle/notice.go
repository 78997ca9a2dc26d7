package lifecycle

// NoticeState is where a notice to a holder stands.
type NoticeState string

// The states of a notice.
const (
	NoticeRequested NoticeState = "requested"
	NoticeSent      NoticeState = "sent"      // the mail server has taken it
	NoticeFailed    NoticeState = "failed"    // it was refused for good: staff find the right address
	NoticeCancelled NoticeState = "cancelled" // nothing is left to tell
)

// SendNotice is the mail server's taking a notice.
const SendNotice Event = "send_notice"

// Notices is the life cycle of what the holder is told of a certificate. One that
// was sent is over: whatever happens next has a notice of its own.
var Notices = Table[NoticeState]{
	Thing:  "notice",
	States: []NoticeState{NoticeRequested, NoticeSent, NoticeFailed, NoticeCancelled},
	Moves: []Move[NoticeState]{
		{From: NoticeRequested, On: SendNotice, To: NoticeSent},
		{From: NoticeRequested, On: Fail, To: NoticeFailed},
		{From: NoticeRequested, On: Cancel, To: NoticeCancelled},
		{From: NoticeFailed, On: Retry, To: NoticeRequested, By: []Role{RoleOperator, RoleSecurityOfficer}, Then: []JobKind{JobNoticeSend}},
	},
}

// NoticeKind says what a holder is told of a certificate.
type NoticeKind string

// The kinds of notice.
const (
	NoticeIssued   NoticeKind = "issued"
	NoticeHeld     NoticeKind = "held"
	NoticeReleased NoticeKind = "released"
	NoticeRevoked  NoticeKind = "revoked"
	NoticeExpiring NoticeKind = "expiring" // its occasion is the days before its end
	NoticeRenewal  NoticeKind = "renewal"  // a campaign renews it; its occasion counts
	// NoticeCorrected is of no certificate: what the bank has on record of the holder
	// was corrected. Its occasion is the [Corrections].
	NoticeCorrected NoticeKind = "corrected"
	// NoticeSetting is of no certificate either: somebody asks to loosen a security
	// setting. Its occasion is the setting's number.
	NoticeSetting NoticeKind = "setting"
)

// Corrections are what was corrected at once.
type Corrections int32

// What can be corrected.
const (
	CorrectedName Corrections = 1 << iota // of a holder
	CorrectedCompany
	CorrectedLanguage
	CorrectedEmail
	CorrectedAddress // by post
)

// NoticeKinds lists them.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{NoticeIssued, NoticeHeld, NoticeReleased, NoticeRevoked, NoticeExpiring, NoticeRenewal, NoticeCorrected, NoticeSetting}
}

// NoticeOf is what a holder is told of an event of a certificate; "" is nothing.
func NoticeOf(on Event) NoticeKind {
	switch on { //nolint:exhaustive // the others are no holder's concern
	case Issue:
		return NoticeIssued
	case Hold:
		return NoticeHeld
	case Release:
		return NoticeReleased
	case Revoke:
		return NoticeRevoked
	}
	return ""
}

// ExpiryNotices are the days before its end at which a holder is told that a
// certificate expires, the earliest first.
func ExpiryNotices() []int { return []int{90, 30, 7} }
