package lifecycle

import (
	"fmt"
	"slices"
)

// RevocationState is where a request that a certificate be revoked, held or
// released stands.
type RevocationState string

// The states of a request.
const (
	RevocationUnconfirmed RevocationState = "unconfirmed" // who called is not recognised
	RevocationScheduled   RevocationState = "scheduled"   // for now, or for a later moment
	RevocationDone        RevocationState = "done"
	RevocationClosed      RevocationState = "closed" // with a reason; nothing was done
)

// Recognise is that who asks for a revocation is who they say.
const Recognise Event = "recognise"

// RevocationRequests is the life cycle of a request. One whose caller is recognised
// is carried out at once or when it is due, which staff can bring forward.
var RevocationRequests = Table[RevocationState]{
	Thing:  "revocation request",
	States: []RevocationState{RevocationUnconfirmed, RevocationScheduled, RevocationDone, RevocationClosed},
	Moves: []Move[RevocationState]{
		{From: RevocationUnconfirmed, On: Recognise, To: RevocationScheduled, By: slices.Concat(orderers, []Role{RoleHolder})},
		{From: RevocationUnconfirmed, On: Expire, To: RevocationClosed},
		{From: RevocationUnconfirmed, On: Cancel, To: RevocationClosed, By: slices.Concat(orderers, []Role{RoleSystem})},
		{From: RevocationScheduled, On: Complete, To: RevocationDone, By: slices.Concat(orderers, []Role{RoleHolder, RoleSystem})},
		{From: RevocationScheduled, On: Cancel, To: RevocationClosed, By: slices.Concat(orderers, []Role{RoleSystem})},
	},
}

// TakesRevocations are the roles of staff that take such a request: the account
// manager, of their own branch only; the back office; the CA's officer.
func TakesRevocations() []Role { return orderers }

// Caller says on whose behalf a request is made.
type Caller string

// The callers.
const (
	CallerHolder         Caller = "holder"
	CallerRepresentative Caller = "representative" // of the company, on its record
	CallerBank           Caller = "bank"           // staff by themselves
)

// Recognition says how who asked was recognised.
type Recognition string

// The ways to be recognised.
const (
	ByCode      Recognition = "code"      // the revocation code
	BySignature Recognition = "signature" // by the certificate's own key
	ByQuestions Recognition = "questions" // asked by a member of staff
	ByOwn       Recognition = "own"       // the member of staff is the one who asks
)

// Question is what a caller is asked. Its answer is compared by who asks, with
// what the bank has on record, and is never kept.
type Question string

// The questions.
const (
	AskUserNumber       Question = "user_number"
	AskRegistryNumber   Question = "registry_number"
	AskPostalAddress    Question = "postal_address"
	AskEmailAddress     Question = "email_address"
	AskBirth            Question = "date_of_birth"
	AskAccountManager   Question = "account_manager"
	AskCertificateEnd   Question = "certificate_end"
	AskIdentityDocument Question = "identity_document" // its number
	AskCardDigits       Question = "card_digits"       // the last four of the card
	AskAccountNumber    Question = "account_number"
)

// Questions lists them, those that many people can answer first.
func Questions() []Question {
	return []Question{
		AskUserNumber, AskRegistryNumber, AskPostalAddress, AskEmailAddress, AskBirth, AskAccountManager, AskCertificateEnd,
		AskIdentityDocument, AskCardDigits, AskAccountNumber,
	}
}

// Secret tells whether few but the person know the answer: the highest level asks
// for one such (RGS A2, level ***).
func (q Question) Secret() bool {
	return q == AskIdentityDocument || q == AskCardDigits || q == AskAccountNumber
}

// ReasonsFor are the reasons that a role may give for a final revocation. What
// happened to a CA or an attribute authority is the officer's to say; that the
// bank withdraws a privilege, the bank's. Hold has its own event, and
// removeFromCRL is nobody's.
func ReasonsFor(by Role) []RevocationReason {
	reasons := []RevocationReason{
		ReasonUnspecified, ReasonKeyCompromise, ReasonAffiliationChanged, ReasonSuperseded, ReasonCessationOfOperation,
	}
	switch by {
	case RoleAccountManager, RoleOperator, RoleRelyingService:
		return append(reasons, ReasonPrivilegeWithdrawn)
	case RoleSecurityOfficer, RoleSystem:
		return append(reasons, ReasonPrivilegeWithdrawn, ReasonCACompromise, ReasonAACompromise)
	case RoleHolder, RoleApprover, RoleAuditor:
	}
	return reasons
}

// MayGive tells whether a role may revoke for a reason, and if not which it may
// give.
func MayGive(by Role, r RevocationReason) error {
	allowed := ReasonsFor(by)
	if slices.Contains(allowed, r) {
		return nil
	}
	return &FieldError{Field: "reason", Why: fmt.Sprintf("is not a reason that role %s gives: use one of %v", by, allowed)}
}

// RevocationReasonOf reads a name of RFC 5280. Who may give it is [MayGive]'s.
func RevocationReasonOf(name string) (RevocationReason, error) {
	for r, n := range reasonNames {
		if n == name {
			return r, nil
		}
	}
	return 0, &FieldError{Field: "reason", Why: "is no reason of RFC 5280 §5.3.1, as keyCompromise is"}
}
