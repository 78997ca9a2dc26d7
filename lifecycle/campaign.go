package lifecycle

import "slices"

// CampaignState is where a campaign stands.
type CampaignState string

// The states of a campaign.
const (
	CampaignProposed  CampaignState = "proposed"
	CampaignApproved  CampaignState = "approved"
	CampaignPiloting  CampaignState = "piloting" // a few of its subjects are ordered
	CampaignPiloted   CampaignState = "piloted"  // staff look at them
	CampaignRunning   CampaignState = "running"
	CampaignPaused    CampaignState = "paused"
	CampaignCompleted CampaignState = "completed"
	CampaignRefused   CampaignState = "refused"
	CampaignCancelled CampaignState = "cancelled"
)

// Events of a campaign.
const (
	Pilot    Event = "pilot"
	EndPilot Event = "end_pilot"
	Go       Event = "go"
	Pause    Event = "pause"
)

var (
	runsCampaigns = []Role{RoleOperator, RoleSecurityOfficer}
	run           = []JobKind{JobCampaign}
)

// Campaigns is the life cycle of a campaign. Who proposed it never approves it;
// it begins with a pilot; what it has ordered goes on when it is stopped.
var Campaigns = Table[CampaignState]{
	Thing: "campaign",
	States: []CampaignState{
		CampaignProposed, CampaignApproved, CampaignPiloting, CampaignPiloted, CampaignRunning, CampaignPaused,
		CampaignCompleted, CampaignRefused, CampaignCancelled,
	},
	Moves: slices.Concat(
		[]Move[CampaignState]{
			{From: CampaignProposed, On: Approve, To: CampaignApproved, By: []Role{RoleApprover}, Not: NotRequester},
			{From: CampaignProposed, On: Refuse, To: CampaignRefused, By: []Role{RoleApprover}, Not: NotRequester},
			{From: CampaignApproved, On: Pilot, To: CampaignPiloting, By: runsCampaigns, Then: run},
			{From: CampaignPiloting, On: EndPilot, To: CampaignPiloted},
			{From: CampaignPiloted, On: Go, To: CampaignRunning, By: runsCampaigns, Then: run},
			{From: CampaignRunning, On: Pause, To: CampaignPaused, By: runsCampaigns},
			{From: CampaignPaused, On: Resume, To: CampaignRunning, By: runsCampaigns, Then: run},
			{From: CampaignRunning, On: Complete, To: CampaignCompleted},
			// Its failures are ordered again; a job that was lost to an error begins anew.
			{From: CampaignPiloting, On: Retry, To: CampaignPiloting, By: runsCampaigns, Then: run},
			{From: CampaignRunning, On: Retry, To: CampaignRunning, By: runsCampaigns, Then: run},
			{From: CampaignCompleted, On: Retry, To: CampaignRunning, By: runsCampaigns, Then: run},
			{From: CampaignPiloted, On: Retry, To: CampaignPiloted, By: runsCampaigns},
			{From: CampaignPaused, On: Retry, To: CampaignPaused, By: runsCampaigns},
		},
		from([]CampaignState{CampaignProposed, CampaignApproved, CampaignPiloting, CampaignPiloted, CampaignRunning, CampaignPaused},
			Move[CampaignState]{On: Cancel, To: CampaignCancelled, By: orderers}),
	),
}

// CampaignSubject is what a campaign renews.
type CampaignSubject string

// The subjects of campaigns.
const (
	OfCards        CampaignSubject = "card"
	OfCertificates CampaignSubject = "certificate"
)

// RenewalReason says why a certificate is renewed.
type RenewalReason string

// The reasons of renewals. Any but the first renews certificates long before they end.
const (
	RenewExpiry        RenewalReason = "expiry"
	RenewProfileChange RenewalReason = "profile_change" // its profile says something else now
	RenewCAChange      RenewalReason = "ca_change"      // another CA signs now
)

// RenewalReasons lists them.
func RenewalReasons() []RenewalReason {
	return []RenewalReason{RenewExpiry, RenewProfileChange, RenewCAChange}
}

// Proposes are the roles that may propose a campaign.
func Proposes() []Role { return orderers }
