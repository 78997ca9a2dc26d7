package lifecycle

import "slices"

// CardState is where a card stands.
type CardState string

// The states of a card.
const (
	CardOrdered       CardState = "ordered"
	CardApproved      CardState = "approved"
	CardInHouse       CardState = "in_house" // approved, to be made at a branch terminal
	CardPersonalising CardState = "personalising"
	CardPersonalised  CardState = "personalised"
	CardWithBureau    CardState = "with_bureau"
	CardWriting       CardState = "writing" // a chip at a branch terminal was given its data
	CardMade          CardState = "made"    // the bureau's return file says so
	CardPosted        CardState = "posted"
	CardAtBranch      CardState = "at_branch"
	CardReceived      CardState = "received"
	CardActive        CardState = "active"
	CardSuspended     CardState = "suspended"
	CardPINLocked     CardState = "pin_blocked"
	CardOpposed       CardState = "opposed" // lost, stolen, fraud: final for its use
	CardExpired       CardState = "expired"
	CardCancelled     CardState = "cancelled"
	CardDestroyed     CardState = "destroyed"
)

// Events of a card.
const (
	Seal        Event = "seal" // into a personalisation batch
	Personalise Event = "personalise"
	Send        Event = "send" // to the bureau
	Make        Event = "make" // the bureau made it
	Spoil       Event = "spoil"
	Remake      Event = "remake"        // declared missing: made again
	KeepInHouse Event = "keep_in_house" // for a branch terminal, not for a bureau
	WriteChip   Event = "write_chip"    // the terminal is given the card's data
	Post        Event = "post"
	ToBranch    Event = "send_to_branch"
	Receive     Event = "receive"
	Collect     Event = "collect"  // at the branch, with an identity document
	Register    Event = "register" // a card that the bank's card system made
	Activate    Event = "activate"
	Suspend     Event = "suspend"
	Resume      Event = "resume"
	BlockPIN    Event = "block_pin"
	ResetPIN    Event = "reset_pin_counter"
	ChangePIN   Event = "change_pin"
	// Recorded, never looked up: they move no state.
	IssueScript  Event = "issue_script"
	RefuseScript Event = "refuse_script"
	ShowPAN      Event = "show_pan"
	Oppose       Event = "oppose"
)

var (
	callers   = []Role{RoleHolder, RoleRelyingService, RoleAccountManager, RoleOperator, RoleSecurityOfficer}
	suspends  = []Role{RoleHolder, RoleRelyingService, RoleAccountManager, RoleOperator, RoleSecurityOfficer, RoleSystem}
	activates = []Role{RoleHolder, RoleRelyingService}
	theBank   = []Role{RoleRelyingService, RoleAccountManager, RoleOperator, RoleSecurityOfficer, RoleSystem}
)

// Cards is the life cycle of an authentication card.
var Cards = Table[CardState]{
	Thing: "card",
	States: []CardState{
		CardOrdered, CardApproved, CardInHouse, CardPersonalising, CardPersonalised, CardWithBureau, CardWriting, CardMade,
		CardPosted, CardAtBranch, CardReceived, CardActive, CardSuspended, CardPINLocked, CardOpposed,
		CardExpired, CardCancelled, CardDestroyed,
	},
	Moves: slices.Concat(
		[]Move[CardState]{
			{From: CardOrdered, On: Approve, To: CardApproved, By: []Role{RoleApprover}, Not: NotRequester},
			{From: CardOrdered, On: Refuse, To: CardCancelled, By: []Role{RoleApprover}, Not: NotRequester},
			{From: CardApproved, On: Edit, To: CardOrdered, By: orderers},
			{From: CardApproved, On: Correct, To: CardOrdered},
			{From: CardApproved, On: Register, To: CardReceived},
			{From: CardApproved, On: Seal, To: CardPersonalising, By: postRoom},
			{From: CardPersonalising, On: Personalise, To: CardPersonalised},
			{From: CardPersonalised, On: Send, To: CardWithBureau},
			{From: CardWithBureau, On: Make, To: CardMade},
			{From: CardWithBureau, On: Spoil, To: CardApproved, Then: []JobKind{JobPINDestroy}},
			{
				From: CardWithBureau, On: Remake, To: CardApproved, By: []Role{RoleOperator, RoleSecurityOfficer},
				Then: []JobKind{JobPINDestroy},
			},
			{From: CardApproved, On: KeepInHouse, To: CardInHouse},
			{From: CardInHouse, On: Edit, To: CardOrdered, By: orderers},
			{From: CardInHouse, On: Correct, To: CardOrdered},
			{From: CardInHouse, On: WriteChip, To: CardWriting},
			{From: CardWriting, On: WriteChip, To: CardWriting}, // the same chip, after the terminal died
			{From: CardWriting, On: Make, To: CardAtBranch},
			{From: CardWriting, On: Spoil, To: CardInHouse, Then: []JobKind{JobPINDestroy}},
			{From: CardMade, On: Post, To: CardPosted, By: postRoom},
			{From: CardMade, On: ToBranch, To: CardAtBranch, By: postRoom},
			{From: CardPosted, On: Receive, To: CardReceived, By: callers},
			{From: CardAtBranch, On: Collect, To: CardReceived, By: []Role{RoleAccountManager, RoleOperator}},
			{From: CardPosted, On: Activate, To: CardActive, By: activates},
			{From: CardReceived, On: Activate, To: CardActive, By: activates},
			{From: CardActive, On: Suspend, To: CardSuspended, By: suspends},
			{From: CardSuspended, On: Suspend, To: CardSuspended, By: theBank}, // the bank makes it its own
			{From: CardSuspended, On: Resume, To: CardActive, By: callers},
			{From: CardActive, On: BlockPIN, To: CardPINLocked, By: suspends},
			{From: CardPINLocked, On: ResetPIN, To: CardActive},
		},
		// A blocked card is silent: the bank may learn of it only when its
		// holder asks for the reset, so the reset also works on states that
		// do not know.
		from([]CardState{CardReceived, CardPosted}, Move[CardState]{On: ResetPIN, To: CardReceived}),
		[]Move[CardState]{{From: CardActive, On: ResetPIN, To: CardActive}},
		from([]CardState{CardActive, CardPINLocked}, Move[CardState]{On: ChangePIN, To: CardActive}),
		from([]CardState{CardOrdered, CardApproved, CardInHouse}, Move[CardState]{On: Cancel, To: CardCancelled, By: orderers}),
		// While its worker is at Vault or its file is at the bureau, a card can
		// still be stopped; what was made is destroyed unused.
		from([]CardState{
			CardInHouse, CardPersonalising, CardPersonalised, CardWithBureau, CardWriting, CardMade, CardPosted, CardAtBranch,
			CardReceived, CardActive, CardSuspended, CardPINLocked,
		},
			Move[CardState]{On: Oppose, To: CardOpposed, By: suspends, Then: []JobKind{JobPINDestroy}}),
		from([]CardState{CardPosted, CardAtBranch, CardReceived, CardActive, CardSuspended, CardPINLocked},
			Move[CardState]{On: Expire, To: CardExpired, Then: []JobKind{JobPINDestroy}}),
		from([]CardState{CardOpposed, CardExpired},
			Move[CardState]{On: Destroy, To: CardDestroyed, By: []Role{RoleOperator}}),
	),
}

// SeesPANs are the roles that may be shown a card's whole number.
func SeesPANs() []Role { return []Role{RoleSecurityOfficer} }

// StandsAtTerminals are the roles of staff who work a branch's card terminal.
func StandsAtTerminals() []Role { return []Role{RoleAccountManager, RoleOperator} }

// UnlocksCodes are the roles that may lock a card's codes, and unlock them when
// the holder has shown who they are.
func UnlocksCodes() []Role { return []Role{RoleAccountManager, RoleOperator, RoleSecurityOfficer} }

// Usable tells whether a card in this state may authenticate.
func (s CardState) Usable() bool { return s == CardActive }

// Activatable tells whether the first right code activates the card.
func (s CardState) Activatable() bool { return Cards.Can(s, Activate) }
