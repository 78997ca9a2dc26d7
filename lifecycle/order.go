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
)

// OrderKinds lists them as the schema's enum does.
func OrderKinds() []OrderKind {
	return []OrderKind{OrderNewCard, OrderReplacementCard, OrderPINReset, OrderNewCertificate, OrderPINChange}
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
		{From: OrderApproved, On: Cancel, To: OrderCancelled, By: orderers},
		{From: OrderApproved, On: Start, To: OrderInProgress},
		{From: OrderInProgress, On: Complete, To: OrderCompleted},
		{From: OrderInProgress, On: Fail, To: OrderFailed},
		{From: OrderFailed, On: Retry, To: OrderInProgress, By: []Role{RoleOperator, RoleSecurityOfficer}},
		{From: OrderFailed, On: Cancel, To: OrderCancelled, By: []Role{RoleApprover}},
	},
}
