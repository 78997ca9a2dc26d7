package lifecycle

import "slices"

// BatchState is where a personalisation batch stands.
type BatchState string

// The states of a batch.
const (
	BatchOpen           BatchState = "open"
	BatchSealed         BatchState = "sealed"
	BatchSent           BatchState = "sent"
	BatchPartlyReturned BatchState = "partly_returned"
	BatchReconciled     BatchState = "reconciled"
)

// Events of a batch; Seal and Send are shared with the card.
const (
	ReturnPart Event = "return_part"
	Reconcile  Event = "reconcile"
)

// Batches is the life cycle of a personalisation batch. Sent once: no move
// leads back from sent.
var Batches = Table[BatchState]{
	Thing:  "batch",
	States: []BatchState{BatchOpen, BatchSealed, BatchSent, BatchPartlyReturned, BatchReconciled},
	Moves: slices.Concat(
		[]Move[BatchState]{
			{From: BatchOpen, On: Seal, To: BatchSealed, By: postRoom, Then: []JobKind{JobPersonalise}},
			{From: BatchSealed, On: Personalise, To: BatchSealed, Then: []JobKind{JobBureauFile}},
			{From: BatchSealed, On: Send, To: BatchSent},
		},
		from([]BatchState{BatchSent, BatchPartlyReturned}, Move[BatchState]{On: ReturnPart, To: BatchPartlyReturned}),
		from([]BatchState{BatchSent, BatchPartlyReturned}, Move[BatchState]{On: Reconcile, To: BatchReconciled}),
	),
}

// BureauResult is what the bureau answers for a card.
type BureauResult string

// The bureau's answers.
const (
	BureauMade    BureauResult = "made"
	BureauSpoiled BureauResult = "spoiled"
	BureauMissing BureauResult = "missing"
)

// Urgency says what goes to the bureau first.
type Urgency string

// The urgencies.
const (
	Urgent   Urgency = "urgent"
	Standard Urgency = "standard"
	InBulk   Urgency = "campaign" // of a campaign: nobody waits for it
)
