package lifecycle

import "slices"

// StockKind says what a stock item is. Plastics and readers are kept in the card
// log, paper in the PIN log: the two are never shown together.
type StockKind string

// The kinds of stock item.
const (
	StockPlastic StockKind = "plastic"
	StockPaper   StockKind = "paper" // of PIN letters
	StockReader  StockKind = "reader"
)

// StockCondition is how something in stock stands at its place. What is used,
// missing or destroyed stays in the books: its serial number never comes back.
type StockCondition string

// The conditions.
const (
	StockGood      StockCondition = "good"
	StockRejected  StockCondition = "rejected" // unfit, waits to be destroyed
	StockInTransit StockCondition = "in_transit"
	StockUsed      StockCondition = "used" // made into a card, printed on, given to a holder
	StockMissing   StockCondition = "missing"
	StockDestroyed StockCondition = "destroyed"
)

// StockConditions lists them as the schema's enum does.
func StockConditions() []StockCondition {
	return []StockCondition{StockGood, StockRejected, StockInTransit, StockUsed, StockMissing, StockDestroyed}
}

// PlaceKind says what a place of stock is.
type PlaceKind string

// The kinds of place.
const (
	PlaceBranch    PlaceKind = "branch"
	PlaceBureau    PlaceKind = "bureau"
	PlacePrintRoom PlaceKind = "print_room"
	PlaceVault     PlaceKind = "vault" // of the head office
)

// Events of stock. Those in the second group are recorded, never looked up: no
// state moves, the ledger of movements does.
const (
	Differ Event = "differ" // what was found is not what the books say
	Agree  Event = "agree"
	Book   Event = "book" // the books have caught up

	Reject Event = "reject"
	Use    Event = "use"
	Adjust Event = "adjust"
)

// StockKeepers are who may receive, move, count, reject and destroy stock.
func StockKeepers() []Role { return []Role{RoleOperator, RoleSecurityOfficer} }

// ConsignmentState is where a consignment from one place to another stands.
type ConsignmentState string

// The states of a consignment.
const (
	ConsignmentSent      ConsignmentState = "sent"
	ConsignmentDiffering ConsignmentState = "differing" // not all of it arrived
	ConsignmentReceived  ConsignmentState = "received"
	ConsignmentSettled   ConsignmentState = "settled" // what did not arrive is written off
	ConsignmentCancelled ConsignmentState = "cancelled"
)

// Consignments is the life cycle of a consignment. Somebody else than the sender
// receives it; an approver who did neither writes off what never arrived.
var Consignments = Table[ConsignmentState]{
	Thing: "consignment",
	States: []ConsignmentState{
		ConsignmentSent, ConsignmentDiffering, ConsignmentReceived, ConsignmentSettled, ConsignmentCancelled,
	},
	Moves: slices.Concat(
		from([]ConsignmentState{ConsignmentSent, ConsignmentDiffering}, Move[ConsignmentState]{On: Receive, To: ConsignmentReceived, By: StockKeepers()}),
		from([]ConsignmentState{ConsignmentSent, ConsignmentDiffering}, Move[ConsignmentState]{On: Differ, To: ConsignmentDiffering, By: StockKeepers()}),
		[]Move[ConsignmentState]{
			{From: ConsignmentSent, On: Cancel, To: ConsignmentCancelled, By: StockKeepers()}, // it never left
			{From: ConsignmentDiffering, On: Approve, To: ConsignmentSettled, By: []Role{RoleApprover}, Not: NotRequester},
		},
	),
}

// CountState is where a count of an item at a place stands.
type CountState string

// The states of a count.
const (
	CountOnce      CountState = "counted_once"
	CountAgreed    CountState = "agreed"
	CountDiffering CountState = "differing"
	CountAdjusted  CountState = "adjusted"
	CountDiscarded CountState = "discarded" // it is counted again
	CountCancelled CountState = "cancelled"
)

// Counts is the life cycle of a count by two people, the second without knowing
// the figure of the first. Who counted never decides what becomes of a difference.
var Counts = Table[CountState]{
	Thing:  "count",
	States: []CountState{CountOnce, CountAgreed, CountDiffering, CountAdjusted, CountDiscarded, CountCancelled},
	Moves: []Move[CountState]{
		{From: CountOnce, On: Agree, To: CountAgreed, By: StockKeepers()},
		{From: CountOnce, On: Differ, To: CountDiffering, By: StockKeepers()},
		{From: CountOnce, On: Cancel, To: CountCancelled, By: StockKeepers()},
		{From: CountDiffering, On: Approve, To: CountAdjusted, By: []Role{RoleApprover}, Not: NotRequester},
		{From: CountDiffering, On: Refuse, To: CountDiscarded, By: []Role{RoleApprover}, Not: NotRequester},
	},
}

// DestructionState is where a destruction stands.
type DestructionState string

// The states of a destruction.
const (
	DestructionProposed  DestructionState = "proposed"
	DestructionDone      DestructionState = "destroyed"
	DestructionCancelled DestructionState = "cancelled"
)

// Destructions is the life cycle of a destruction: one person lists what is
// rejected, another sees it destroyed.
var Destructions = Table[DestructionState]{
	Thing:  "destruction",
	States: []DestructionState{DestructionProposed, DestructionDone, DestructionCancelled},
	Moves: []Move[DestructionState]{
		{From: DestructionProposed, On: Destroy, To: DestructionDone, By: StockKeepers()},
		{From: DestructionProposed, On: Cancel, To: DestructionCancelled, By: StockKeepers()},
	},
}

// ShortfallState is where a shortfall stands.
type ShortfallState string

// The states of a shortfall.
const (
	ShortfallOpen    ShortfallState = "open"
	ShortfallBooked  ShortfallState = "booked"
	ShortfallSettled ShortfallState = "settled" // an approver knows why, and nothing is booked
)

// Shortfalls is the life cycle of something that was used although the books did
// not have it there: a delivery that nobody recorded, a mistyped serial number.
var Shortfalls = Table[ShortfallState]{
	Thing:  "shortfall",
	States: []ShortfallState{ShortfallOpen, ShortfallBooked, ShortfallSettled},
	Moves: []Move[ShortfallState]{
		{From: ShortfallOpen, On: Book, To: ShortfallBooked},
		{From: ShortfallOpen, On: Approve, To: ShortfallSettled, By: []Role{RoleApprover}, Not: NotRequester},
	},
}
