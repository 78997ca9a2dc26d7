package lifecycle

// EditionState is where a version of something that two people agree on stands:
// what letters say, what certificates are like, what suffices to sign, which other
// CAs are accepted.
type EditionState string

// The states of a version.
const (
	EditionProposed EditionState = "proposed"
	EditionLive     EditionState = "live" // what is made from now on is made by it
	EditionRetired  EditionState = "retired"
	EditionRefused  EditionState = "refused"
)

// Retire is another version that takes its place, Withdraw that none does.
const (
	Retire   Event = "retire"
	Withdraw Event = "withdraw"
)

// Templates is the life cycle of what letters say, Profiles that of what
// certificates are like, SigningPolicies that of what suffices to sign, TrustList that
// of the other CAs that are accepted.
var (
	Templates       = editions("letter template")
	Profiles        = editions("certificate profile")
	SigningPolicies = editions("signing policy")
	TrustList       = trustList()
)

// editions is one life cycle for all: somebody else than its author approves what
// was shown; the version before it retires with that.
func editions(thing string) Table[EditionState] {
	return Table[EditionState]{
		Thing:  thing,
		States: []EditionState{EditionProposed, EditionLive, EditionRetired, EditionRefused},
		Moves: []Move[EditionState]{
			{From: EditionProposed, On: Approve, To: EditionLive, By: []Role{RoleApprover}, Not: NotRequester},
			{From: EditionProposed, On: Refuse, To: EditionRefused, By: []Role{RoleApprover}, Not: NotRequester},
			{From: EditionLive, On: Retire, To: EditionRetired, By: []Role{RoleApprover}},
		},
	}
}

// trustList is that of editions; besides, one person withdraws a CA at once, and two
// bring it back.
func trustList() Table[EditionState] {
	t := editions("trust list")
	t.Moves = append(t.Moves, Move[EditionState]{From: EditionLive, On: Withdraw, To: EditionRetired, By: []Role{RoleSecurityOfficer, RoleApprover}})
	return t
}

// TrustAuthors are who may propose another CA.
func TrustAuthors() []Role { return []Role{RoleSecurityOfficer} }

// TemplateAuthors are who may propose what letters say.
func TemplateAuthors() []Role { return []Role{RoleOperator, RoleSecurityOfficer} }

// ProfileAuthors are who may propose what certificates are like.
func ProfileAuthors() []Role { return []Role{RoleSecurityOfficer} }

// PolicyAuthors are who may propose what suffices to sign.
func PolicyAuthors() []Role { return []Role{RoleSecurityOfficer} }
