// Package lifecycle is the leaf of the house: what Sceau's things are called,
// which states they can be in and which moves are legal. Life cycles are
// tables of moves (order.go, card.go, letter.go, print_run.go, certificate.go, dossier.go,
// batch.go, campaign.go, edition.go, notice.go, revocation.go, work_item.go, stock.go,
// means.go, authentication.go, fraud.go, entitlement.go, setting.go),
// drawn in zz_gen_tables.md; the one lookup is [Table.Next].
//
// It never does I/O, reads a clock, knows SQL or imports anything but the
// standard library. Data runs one way: every other room imports it, it imports
// none.
package lifecycle

import (
	"fmt"
	"slices"
)

//go:generate go run sceau/tools/lifetables -out zz_gen_tables.md

// Role is what an actor may do. One person can hold several; each move names
// the roles that may make it.
type Role string

// The roles of staff, of Sceau's own workers, and of the people and systems
// outside the bank.
const (
	RoleAccountManager  Role = "account_manager"  // subscribes companies, orders, requests replacements
	RoleApprover        Role = "approver"         // approves orders; never the requester
	RoleOperator        Role = "operator"         // runs personalisation, print and post
	RoleSecurityOfficer Role = "security_officer" // ceremonies, PIN actions, revocations
	RoleAuditor         Role = "auditor"          // reads, changes nothing
	RoleSystem          Role = "system"           // Sceau's workers
	RoleHolder          Role = "holder"           // a named user of a company
	RoleRelyingService  Role = "relying_service"  // online banking, payment hub
)

// StaffRoles are the roles that a member of staff can be given.
func StaffRoles() []Role {
	return []Role{RoleAccountManager, RoleApprover, RoleOperator, RoleSecurityOfficer, RoleAuditor}
}

// Actor is who makes a move: an identity and the role it acts in.
type Actor struct {
	ID   string // staff login, holder ID, relying service or worker name
	Role Role

	Operator string // login of who stands at the branch terminal that ID is
}

func (a Actor) String() string { return string(a.Role) + ":" + a.ID }

// System is the actor of a background worker.
func System(worker string) Actor { return Actor{ID: worker, Role: RoleSystem} }

// Event is what happens to a thing. The same event may move several kinds of
// thing (Approve moves orders, cards and certificates).
type Event string

// JobKind names a follow-up job. Kinds are for ever: River stores them.
type JobKind string

// The jobs. Their arguments are identifiers only (issuance/args.go); their
// queues and attempts stand in jobs/opts.go.
const (
	JobPersonalise      JobKind = "card_personalise"  // one batch: keys and PINs through Vault
	JobBureauFile       JobKind = "bureau_file"       // one batch: write, sign and encrypt its file
	JobBureauReturn     JobKind = "bureau_return"     // one return file: reconcile it
	JobGatherLetters    JobKind = "letters_gather"    // all letters that wait, into print runs
	JobCardRun          JobKind = "card_run_render"   // one run of card letters
	JobPINRun           JobKind = "pin_run_render"    // one run of PIN letters; own queue, own Vault policy
	JobForgetFiles      JobKind = "run_files_forget"  // print files that are too old
	JobPINDestroy       JobKind = "pin_destroy"       // one PIN that must never be used
	JobPostLetters      JobKind = "letters_post"      // all letters that are due
	JobCertificateIssue JobKind = "certificate_issue" // one certificate
	JobCRLPublish       JobKind = "crl_publish"       // one issuer's CRLs
	JobOCSPRefresh      JobKind = "ocsp_refresh"      // sign answers ahead
	JobRevokeIssued     JobKind = "issued_revoke"     // what a revoked CA has signed, some hundreds at a time
	JobExpire           JobKind = "expire"            // what has reached its end
	JobCampaign         JobKind = "campaign_run"      // the next cards of a campaign, some hundreds
	JobRevocationWatch  JobKind = "revocation_watch"  // look at lists and answers from outside
	JobRevocationsDue   JobKind = "revocations_due"   // what was asked for a later moment; calls that nobody confirmed
	JobNoticeSend       JobKind = "notice_send"       // one notice to a holder, by e-mail; own queue
	JobRemind           JobKind = "remind"            // notices of certificates that expire soon
	JobForeignLists     JobKind = "foreign_lists"     // fetch the lists of other CAs that are due
)

// Move is one row of a life cycle.
type Move[S ~string] struct {
	From S
	On   Event
	To   S
	By   []Role    // who may; empty means the system only
	Not  Barrier   // who may not although the role would allow it
	Then []JobKind // follow-up jobs, enqueued in the same transaction
}

// Barrier forbids a move to an actor whose role would allow it.
type Barrier string

// NotRequester keeps four eyes: who asked may not decide.
const NotRequester Barrier = "not the requester"

// Table is a life cycle: every state, and every legal move between them.
type Table[S ~string] struct {
	Thing  string // "card", as errors and drawings name it
	States []S    // in the order of the life, as the schema's enum lists them
	Moves  []Move[S]
}

// Next looks a move up. It answers [Illegal] when the state knows no such
// event and [Forbidden] when the role may not make it.
func (t Table[S]) Next(from S, on Event, by Role) (Move[S], error) {
	for _, m := range t.Moves {
		if m.From != from || m.On != on {
			continue
		}
		if !m.allows(by) {
			return Move[S]{}, fmt.Errorf("%w: %s may not %s a %s that is %s", Forbidden, by, on, t.Thing, from)
		}
		return m, nil
	}
	return Move[S]{}, fmt.Errorf("%w: cannot %s a %s that is %s", Illegal, on, t.Thing, from)
}

// Can tells whether some role may make the move.
func (t Table[S]) Can(from S, on Event) bool {
	return slices.ContainsFunc(t.Moves, func(m Move[S]) bool { return m.From == from && m.On == on })
}

// Final tells whether no move leaves the state.
func (t Table[S]) Final(s S) bool {
	return !slices.ContainsFunc(t.Moves, func(m Move[S]) bool { return m.From == s && m.To != s })
}

func (m Move[S]) allows(by Role) bool {
	if len(m.By) == 0 {
		return by == RoleSystem
	}
	return slices.Contains(m.By, by)
}

// from writes the same move for several starting states.
func from[S ~string](states []S, m Move[S]) []Move[S] {
	moves := make([]Move[S], 0, len(states))
	for _, s := range states {
		m.From = s
		moves = append(moves, m)
	}
	return moves
}
