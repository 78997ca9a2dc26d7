package lifecycle

import "slices"

// LetterState is where a letter stands; card letters and PIN letters share the
// states and have each their own table.
type LetterState string

// The states of a letter.
const (
	LetterRequested LetterState = "requested"
	LetterFailed    LetterState = "failed"   // it cannot be set: staff correct what it says, or stop it
	LetterRendered  LetterState = "rendered" // a PIN letter: encrypted at once for the print room
	LetterPrinted   LetterState = "printed"
	LetterPosted    LetterState = "posted"
	LetterDelivered LetterState = "delivered"
	LetterReturned  LetterState = "returned"
	LetterSpoiled   LetterState = "spoiled"
	LetterCancelled LetterState = "cancelled"
	LetterDestroyed LetterState = "destroyed"
)

// Events of a letter.
const (
	Render     Event = "render"
	Print      Event = "print"
	Deliver    Event = "deliver"
	ReturnMail Event = "return"
)

var (
	letterStates = []LetterState{
		LetterRequested, LetterFailed, LetterRendered, LetterPrinted, LetterPosted, LetterDelivered,
		LetterReturned, LetterSpoiled, LetterCancelled, LetterDestroyed,
	}
	postRoom = []Role{RoleOperator, RoleSystem}
)

// CardLetters is the life cycle of the letter that carries the card.
var CardLetters = Table[LetterState]{
	Thing:  "card letter",
	States: letterStates,
	Moves: slices.Concat(
		[]Move[LetterState]{
			{From: LetterRequested, On: Render, To: LetterRendered},
			{From: LetterRequested, On: Fail, To: LetterFailed},
			{From: LetterFailed, On: Retry, To: LetterRequested, By: []Role{RoleOperator, RoleSecurityOfficer}},
			{From: LetterRendered, On: Print, To: LetterPrinted, By: postRoom},
			{From: LetterPrinted, On: Post, To: LetterPosted, By: postRoom},
			{From: LetterPosted, On: Deliver, To: LetterDelivered, By: callers},
			{From: LetterPosted, On: ReturnMail, To: LetterReturned, By: postRoom},
		},
		from([]LetterState{LetterRequested, LetterFailed, LetterRendered, LetterPrinted},
			Move[LetterState]{On: Cancel, To: LetterCancelled, By: suspends}),
		from([]LetterState{LetterRendered, LetterPrinted}, Move[LetterState]{On: Spoil, To: LetterSpoiled, By: postRoom}),
		[]Move[LetterState]{{From: LetterSpoiled, On: Retry, To: LetterRequested, By: postRoom}}, // in another run
		from([]LetterState{LetterReturned, LetterSpoiled, LetterCancelled},
			Move[LetterState]{On: Destroy, To: LetterDestroyed, By: []Role{RoleOperator}}),
	),
}

// PINLetters is the life cycle of the letter that carries the PIN. A reprint is
// a new PIN under a new approval, never a second copy: no move leads back to
// rendered.
var PINLetters = Table[LetterState]{
	Thing:  "PIN letter",
	States: letterStates,
	Moves: slices.Concat(
		[]Move[LetterState]{
			{From: LetterRequested, On: Render, To: LetterRendered},
			{From: LetterRequested, On: Fail, To: LetterFailed},
			{From: LetterFailed, On: Retry, To: LetterRequested, By: []Role{RoleOperator, RoleSecurityOfficer}},
			{From: LetterRendered, On: Print, To: LetterPrinted, By: postRoom},
			{From: LetterPrinted, On: Post, To: LetterPosted, By: postRoom},
			{From: LetterPosted, On: Deliver, To: LetterDelivered, By: suspends},
			{From: LetterPosted, On: ReturnMail, To: LetterReturned, By: postRoom},
		},
		from([]LetterState{LetterRequested, LetterFailed, LetterRendered, LetterPrinted},
			Move[LetterState]{On: Cancel, To: LetterCancelled, By: suspends}),
		from([]LetterState{LetterRendered, LetterPrinted},
			Move[LetterState]{On: Spoil, To: LetterSpoiled, By: postRoom, Then: []JobKind{JobPINDestroy}}),
		from([]LetterState{LetterReturned, LetterSpoiled, LetterCancelled, LetterDelivered},
			Move[LetterState]{On: Destroy, To: LetterDestroyed, By: postRoom}),
	),
}
