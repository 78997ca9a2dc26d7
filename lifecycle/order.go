package lifecycle

// OrderKind says what is ordered.
type OrderKind string

// The kinds of order.
const (
	OrderNewCard         OrderKind = "new_card"
	OrderReplacementCard OrderKind = "replacement_card"
	OrderPINReset        OrderKind = "pin_counter_reset" // issuer script at a terminal
	OrderPINChange       OrderKind = "pin_change"        // the same, with another PIN, which follows by letter
	OrderNewCertificate  OrderKind = "new_certificate"
	OrderRenewal         OrderKind = "renewal"           // before a card expires
	OrderPINReissue      OrderKind = "pin_reissue"       // another PIN, hence another card
	OrderRegistration    OrderKind = "card_registration" // of a card that the bank's card system made
)

// OrderKinds lists them as the schema's enum does.
func OrderKinds() []OrderKind {
	return []OrderKind{
		OrderNewCard, OrderReplacementCard, OrderPINReset, OrderNewCertificate, OrderRenewal, OrderPINReissue, OrderRegistration, OrderPINChange,
	}
}

// Replaces tells whether a card is made in the place of another.
func (k OrderKind) Replaces() bool {
	return k == OrderReplacementCard || k == OrderRenewal || k == OrderPINReissue
}

// MakesCard tells whether a card is made, and sent.
func (k OrderKind) MakesCard() bool { return k == OrderNewCard || k.Replaces() }

// HasCard tells whether the order has a card of its own.
func (k OrderKind) HasCard() bool { return k.MakesCard() || k == OrderRegistration }

// ProductKind says where a product's cards come from.
type ProductKind string

// The kinds of product.
const (
	AuthenticationCard ProductKind = "authentication_card" // personalised and sent by this house
	BankCard           ProductKind = "bank_card"           // made by the bank's card system, registered here
)

// IdentityDocuments are what a holder may show when a card is handed over.
func IdentityDocuments() []string {
	return []string{"identity_card", "passport", "residence_permit", "driving_licence"}
}

// Delivery says where a card goes.
type Delivery string

// The ways of delivery.
const (
	DeliverHome   Delivery = "home"
	DeliverBranch Delivery = "branch" // collected with an identity check
)

// OrderState is where an order stands.
type OrderState string

// The states of an order.
const (
	OrderSubmitted  OrderState = "submitted"
	OrderApproved   OrderState = "approved"
	OrderInProgress OrderState = "in_progress"
	OrderCompleted  OrderState = "completed"
	OrderFailed     OrderState = "failed"
	OrderRefused    OrderState = "refused"
	OrderCancelled  OrderState = "cancelled"
)

// Events of several life cycles.
const (
	Submit   Event = "submit" // the birth of a thing: recorded, never looked up
	Edit     Event = "edit"
	Correct  Event = "correct" // of what it says of its holder: an approval is void
	Approve  Event = "approve"
	Refuse   Event = "refuse"
	Cancel   Event = "cancel"
	Start    Event = "start"
	Complete Event = "complete"
	Fail     Event = "fail"
	Retry    Event = "retry"
	Expire   Event = "expire"
	Destroy  Event = "destroy"
)

var orderers = []Role{RoleAccountManager, RoleOperator, RoleSecurityOfficer}

// Orders is the life cycle of an order. The approver is never the requester,
// and an edit after approval voids it.
var Orders = Table[OrderState]{
	Thing: "order",
	States: []OrderState{
		OrderSubmitted, OrderApproved, OrderInProgress, OrderCompleted, OrderFailed,
		OrderRefused, OrderCancelled,
	},
	Moves: []Move[OrderState]{
		{From: OrderSubmitted, On: Edit, To: OrderSubmitted, By: orderers},
		{From: OrderSubmitted, On: Approve, To: OrderApproved, By: []Role{RoleApprover}, Not: NotRequester},
		{From: OrderSubmitted, On: Refuse, To: OrderRefused, By: []Role{RoleApprover}, Not: NotRequester},
		{From: OrderSubmitted, On: Cancel, To: OrderCancelled, By: orderers},
		{From: OrderApproved, On: Edit, To: OrderSubmitted, By: orderers},
		{From: OrderApproved, On: Correct, To: OrderSubmitted},
		{From: OrderApproved, On: Cancel, To: OrderCancelled, By: orderers},
		{From: OrderApproved, On: Start, To: OrderInProgress},
		{From: OrderInProgress, On: Correct, To: OrderSubmitted}, // of a certificate whose key is not certified yet
		{From: OrderInProgress, On: Complete, To: OrderCompleted},
		{From: OrderInProgress, On: Fail, To: OrderFailed},
		{From: OrderFailed, On: Retry, To: OrderInProgress, By: []Role{RoleOperator, RoleSecurityOfficer}},
		{From: OrderFailed, On: Cancel, To: OrderCancelled, By: []Role{RoleApprover}},
	},
}
