package lifecycle

import "slices"

// DossierState is where the evidence stands that a holder is who a certificate says.
type DossierState string

// The states of a dossier.
const (
	DossierOpen     DossierState = "open"     // evidence comes in
	DossierComplete DossierState = "complete" // an approval relied on it: nothing of it changes any more
	DossierArchived DossierState = "archived" // nothing new relies on it; it is kept
	DossierErased   DossierState = "erased"   // that it was, hashes and dates: no number, name or scan
)

// Events of a dossier. Complete is the approval that relies on it first, Hold and
// Release a dispute's beginning and end.
const (
	Archive      Event = "archive"
	Erase        Event = "erase"
	ShowEvidence Event = "show_evidence" // a scan or a document's number was opened
)

// Dossiers is the life cycle of a dossier. Staff who close it archive it, and so does
// the end of the identity document, or another dossier that is opened.
var Dossiers = Table[DossierState]{
	Thing:  "dossier",
	States: []DossierState{DossierOpen, DossierComplete, DossierArchived, DossierErased},
	Moves: slices.Concat(
		[]Move[DossierState]{
			{From: DossierOpen, On: Edit, To: DossierOpen, By: orderers},
			{From: DossierOpen, On: Complete, To: DossierComplete, By: []Role{RoleApprover}},
			{From: DossierOpen, On: Archive, To: DossierArchived, By: orderers},
			{From: DossierComplete, On: Archive, To: DossierArchived, By: append([]Role{RoleSystem}, orderers...)},
		},
		from([]DossierState{DossierOpen, DossierComplete, DossierArchived}, Move[DossierState]{On: Erase, To: DossierErased}),
	),
}

// KeepsDossiers are the roles that open dossiers and bring evidence.
func KeepsDossiers() []Role { return slices.Clone(orderers) }

// SeesDossiers are the roles that read what a dossier says; numbers and scans are
// another matter.
func SeesDossiers() []Role {
	return append([]Role{RoleApprover, RoleAuditor}, orderers...)
}

// SeesScans are the roles that open a scan, with an entry in the audit trail each
// time; an account manager those of the own branch only.
func SeesScans() []Role { return []Role{RoleSecurityOfficer, RoleAccountManager} }

// HoldsDossiers may keep a dossier from being erased while it is disputed, and open
// the number of a document.
func HoldsDossiers() []Role { return []Role{RoleSecurityOfficer} }
