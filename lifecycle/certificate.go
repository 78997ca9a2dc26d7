package lifecycle

import "slices"

// CertificateState is where a nominative certificate stands.
type CertificateState string

// The states of a certificate.
const (
	CertOrdered     CertificateState = "ordered"
	CertApproved    CertificateState = "approved"
	CertAwaitingKey CertificateState = "awaiting_key" // the holder makes key and CSR on an own device
	CertIssuing     CertificateState = "issuing"      // CSR taken; serial and shard reserved before signing
	CertStopped     CertificateState = "stopped"      // its draft breaks a rule: staff mend what is wrong
	CertIssued      CertificateState = "issued"
	CertActive      CertificateState = "active" // accepted by its holder
	CertHeld        CertificateState = "held"
	CertRevoked     CertificateState = "revoked" // final
	CertExpired     CertificateState = "expired"
	CertCancelled   CertificateState = "cancelled"
)

// Events of a certificate.
const (
	Invite    Event = "invite"
	TakeKey   Event = "take_key"
	RejectKey Event = "reject_key"
	Issue     Event = "issue"
	Stop      Event = "stop"
	Accept    Event = "accept"
	Hold      Event = "hold"
	Release   Event = "release"
	Revoke    Event = "revoke"
)

var revocationJobs = []JobKind{JobOCSPRefresh, JobCRLPublish, JobNoticeSend}

// Certificates is the life cycle of a nominative certificate. Renewal is
// always a new key, hence a new certificate: no move leads back from issued.
var Certificates = Table[CertificateState]{
	Thing: "certificate",
	States: []CertificateState{
		CertOrdered, CertApproved, CertAwaitingKey, CertIssuing, CertStopped, CertIssued, CertActive,
		CertHeld, CertRevoked, CertExpired, CertCancelled,
	},
	Moves: slices.Concat(
		[]Move[CertificateState]{
			{From: CertOrdered, On: Approve, To: CertApproved, By: []Role{RoleApprover}, Not: NotRequester},
			{From: CertOrdered, On: Refuse, To: CertCancelled, By: []Role{RoleApprover}, Not: NotRequester},
			{From: CertApproved, On: Edit, To: CertOrdered, By: orderers},
			{From: CertApproved, On: Invite, To: CertAwaitingKey},
			{From: CertAwaitingKey, On: Correct, To: CertOrdered},
			{From: CertStopped, On: Correct, To: CertOrdered},
			{
				From: CertAwaitingKey, On: TakeKey, To: CertIssuing, By: []Role{RoleHolder, RoleAccountManager, RoleOperator},
				Then: []JobKind{JobCertificateIssue},
			},
			{From: CertIssuing, On: RejectKey, To: CertAwaitingKey},
			{From: CertIssuing, On: Stop, To: CertStopped},
			{
				From: CertStopped, On: Retry, To: CertIssuing, By: orderers,
				Then: []JobKind{JobCertificateIssue},
			},
			{From: CertIssuing, On: Issue, To: CertIssued, Then: []JobKind{JobOCSPRefresh, JobNoticeSend}},
			{From: CertIssued, On: Accept, To: CertActive, By: []Role{RoleHolder}},
			{From: CertActive, On: Hold, To: CertHeld, By: callers, Then: revocationJobs},
			{ // the system at the end of an emergency stop
				From: CertHeld, On: Release, To: CertActive, By: []Role{RoleAccountManager, RoleOperator, RoleSecurityOfficer, RoleSystem},
				Then: revocationJobs,
			},
		},
		// A certificate being signed can be revoked: its serial is reserved, so
		// the CRL and OCSP know it although the signature may never be used. With a
		// revoked CA, workers revoke what it signed.
		from([]CertificateState{CertIssuing, CertStopped, CertIssued, CertActive, CertHeld},
			Move[CertificateState]{On: Revoke, To: CertRevoked, By: slices.Concat(callers, []Role{RoleSystem}), Then: revocationJobs}),
		from([]CertificateState{CertIssued, CertActive, CertHeld}, Move[CertificateState]{On: Expire, To: CertExpired}),
		from([]CertificateState{CertOrdered, CertApproved, CertAwaitingKey},
			Move[CertificateState]{On: Cancel, To: CertCancelled, By: orderers}),
	),
}

// Invites are the roles that hand an enrolment code over.
func Invites() []Role { return orderers }

// Serial is a certificate serial number: positive, 16 octets, top bit clear and
// the next one set, so that every serial has the same length and 126 random
// bits (RFC 5280 §4.1.2.2).
type Serial [16]byte

// SerialFrom shapes 16 random octets into a serial.
func SerialFrom(random [16]byte) Serial {
	random[0] = random[0]&0x3F | 0x40
	return Serial(random)
}

const hexDigits = "0123456789abcdef"

// String is the serial in lower-case hexadecimal, as openssl prints it but for
// the case.
func (s Serial) String() string {
	out := make([]byte, 0, 32)
	for _, b := range s {
		out = append(out, hexDigits[b>>4], hexDigits[b&15])
	}
	return string(out)
}
