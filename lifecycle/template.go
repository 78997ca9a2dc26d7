package lifecycle

// TemplateState is where a version of a letter template stands.
type TemplateState string

// The states of a letter template.
const (
	TemplateProposed TemplateState = "proposed"
	TemplateLive     TemplateState = "live" // the letters of its kind are made with it
	TemplateRetired  TemplateState = "retired"
	TemplateRefused  TemplateState = "refused"
)

// Retire is another version that takes its place.
const Retire Event = "retire"

// Templates is the life cycle of what letters say. Somebody else than its author
// approves what was previewed; the version before it retires with that.
var Templates = Table[TemplateState]{
	Thing:  "letter template",
	States: []TemplateState{TemplateProposed, TemplateLive, TemplateRetired, TemplateRefused},
	Moves: []Move[TemplateState]{
		{From: TemplateProposed, On: Approve, To: TemplateLive, By: []Role{RoleApprover}, Not: NotRequester},
		{From: TemplateProposed, On: Refuse, To: TemplateRefused, By: []Role{RoleApprover}, Not: NotRequester},
		{From: TemplateLive, On: Retire, To: TemplateRetired, By: []Role{RoleApprover}},
	},
}

// TemplateAuthors are who may propose what letters say.
func TemplateAuthors() []Role { return []Role{RoleOperator, RoleSecurityOfficer} }
