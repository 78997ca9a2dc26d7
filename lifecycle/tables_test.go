package lifecycle_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sceau/lifecycle"
)

var roles = append(lifecycle.StaffRoles(), lifecycle.RoleSystem, lifecycle.RoleHolder, lifecycle.RoleRelyingService)

var jobKinds = []lifecycle.JobKind{
	lifecycle.JobPersonalise, lifecycle.JobBureauFile, lifecycle.JobBureauReturn, lifecycle.JobGatherLetters,
	lifecycle.JobCardRun, lifecycle.JobPINRun, lifecycle.JobForgetFiles, lifecycle.JobPINDestroy, lifecycle.JobPostLetters, lifecycle.JobCertificateIssue,
	lifecycle.JobCRLPublish, lifecycle.JobOCSPRefresh, lifecycle.JobExpire, lifecycle.JobCampaign, lifecycle.JobNoticeSend, lifecycle.JobRemind,
}

// reachable are the states that a thing in the state can still come to, by one
// move or more.
func reachable[S ~string](t lifecycle.Table[S], from S) map[S]bool {
	seen := map[S]bool{}
	next := []S{from}
	for len(next) > 0 {
		s := next[0]
		next = next[1:]
		for _, m := range t.Moves {
			if m.From == s && !seen[m.To] {
				seen[m.To] = true
				next = append(next, m.To)
			}
		}
	}
	return seen
}

// sound proves what holds for every life cycle.
func sound[S ~string](table lifecycle.Table[S], final ...S) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		checkTable(t, table, final)
	}
}

func checkTable[S ~string](t *testing.T, table lifecycle.Table[S], final []S) {
	t.Helper()
	if table.Thing == "" || len(table.States) == 0 || len(slices.Compact(slices.Sorted(slices.Values(table.States)))) != len(table.States) {
		t.Fatalf("%q has no name, no states, or a state twice: %v", table.Thing, table.States)
	}
	first := reachable(table, table.States[0])
	for i, s := range table.States {
		if i > 0 && !first[s] {
			t.Errorf("no way leads from %s to %s", table.States[0], s)
		}
		if table.Final(s) != slices.Contains(final, s) {
			t.Errorf("%s is final: %v, want %v", s, table.Final(s), !table.Final(s))
		}
		if slices.Contains(final, s) {
			if len(reachable(table, s)) > 0 {
				t.Errorf("a move begins in %s, which is final", s)
			}
			continue
		}
		if ends := reachable(table, s); !slices.ContainsFunc(final, func(f S) bool { return ends[f] }) {
			t.Errorf("a thing that is %s never comes to an end", s)
		}
	}
	for i, m := range table.Moves {
		checkMove(t, table, m)
		if slices.ContainsFunc(table.Moves[:i], func(o lifecycle.Move[S]) bool { return o.From == m.From && o.On == m.On }) {
			t.Errorf("%s of %s has two rows: only the first is ever found", m.On, m.From)
		}
	}
}

func checkMove[S ~string](t *testing.T, table lifecycle.Table[S], m lifecycle.Move[S]) {
	t.Helper()
	if !slices.Contains(table.States, m.From) || !slices.Contains(table.States, m.To) || m.On == "" {
		t.Errorf("a row names a state that is not listed, or no event: %s, %s, %s", m.From, m.On, m.To)
	}
	for _, r := range m.By {
		if !slices.Contains(roles, r) || r == lifecycle.RoleAuditor {
			t.Errorf("%s of %s is for %q, who is unknown or changes nothing", m.On, m.From, r)
		}
	}
	for _, k := range m.Then {
		if !slices.Contains(jobKinds, k) {
			t.Errorf("%s of %s is followed by %q, which is no job", m.On, m.From, k)
		}
	}
	decision := m.On == lifecycle.Approve || m.On == lifecycle.Refuse
	if decision != (m.Not == lifecycle.NotRequester) || decision && !slices.Equal(m.By, []lifecycle.Role{lifecycle.RoleApprover}) {
		t.Errorf("%s of %s: a decision, and nothing else, is an approver's who did not ask: by %v, not %q", m.On, m.From, m.By, m.Not)
	}
}

func TestEveryLifeCycleIsSound(t *testing.T) {
	t.Parallel()
	t.Run("orders", sound(lifecycle.Orders, lifecycle.OrderCompleted, lifecycle.OrderRefused, lifecycle.OrderCancelled))
	t.Run("cards", sound(lifecycle.Cards, lifecycle.CardCancelled, lifecycle.CardDestroyed))
	t.Run("card letters", sound(lifecycle.CardLetters, lifecycle.LetterDelivered, lifecycle.LetterDestroyed))
	t.Run("PIN letters", sound(lifecycle.PINLetters, lifecycle.LetterDestroyed))
	t.Run("work items", sound(lifecycle.WorkItems, lifecycle.WorkDone))
	t.Run("revocation requests", sound(lifecycle.RevocationRequests, lifecycle.RevocationDone, lifecycle.RevocationClosed))
	t.Run("letter templates", sound(lifecycle.Templates, lifecycle.EditionRetired, lifecycle.EditionRefused))
	t.Run("certificate profiles", sound(lifecycle.Profiles, lifecycle.EditionRetired, lifecycle.EditionRefused))
	t.Run("signing policies", sound(lifecycle.SigningPolicies, lifecycle.EditionRetired, lifecycle.EditionRefused))
	t.Run("trust list", sound(lifecycle.TrustList, lifecycle.EditionRetired, lifecycle.EditionRefused))
	t.Run("means", sound(lifecycle.Means, lifecycle.MeansRefused, lifecycle.MeansEnded))
	t.Run("authentications", sound(lifecycle.Authentications, lifecycle.AuthenticationAccepted, lifecycle.AuthenticationRefused,
		lifecycle.AuthenticationExpired, lifecycle.AuthenticationCancelled))
	t.Run("entitlements", sound(lifecycle.Entitlements, lifecycle.EntitlementsReplaced, lifecycle.EntitlementsRefused))
	t.Run("settings", sound(lifecycle.Settings, lifecycle.SettingStopped, lifecycle.SettingRefused))
	t.Run("emergency stops", sound(lifecycle.Stops, lifecycle.StopLifted))
	t.Run("fraud reports", sound(lifecycle.FraudReports, lifecycle.FraudConfirmed, lifecycle.FraudUnfounded))
	t.Run("card runs", sound(lifecycle.CardRuns, lifecycle.PrintRunPrinted, lifecycle.PrintRunCancelled))
	t.Run("PIN runs", sound(lifecycle.PINRuns, lifecycle.PrintRunPrinted, lifecycle.PrintRunCancelled))
	t.Run("certificates", sound(lifecycle.Certificates, lifecycle.CertRevoked, lifecycle.CertExpired, lifecycle.CertCancelled))
	t.Run("dossiers", sound(lifecycle.Dossiers, lifecycle.DossierErased))
	t.Run("batches", sound(lifecycle.Batches, lifecycle.BatchReconciled))
	t.Run("consignments", sound(lifecycle.Consignments, lifecycle.ConsignmentReceived, lifecycle.ConsignmentSettled, lifecycle.ConsignmentCancelled))
	t.Run("counts", sound(lifecycle.Counts, lifecycle.CountAgreed, lifecycle.CountAdjusted, lifecycle.CountDiscarded, lifecycle.CountCancelled))
	t.Run("destructions", sound(lifecycle.Destructions, lifecycle.DestructionDone, lifecycle.DestructionCancelled))
	t.Run("shortfalls", sound(lifecycle.Shortfalls, lifecycle.ShortfallBooked, lifecycle.ShortfallSettled))
	t.Run("notices", sound(lifecycle.Notices, lifecycle.NoticeSent, lifecycle.NoticeCancelled))
	t.Run("campaigns", sound(lifecycle.Campaigns, lifecycle.CampaignRefused, lifecycle.CampaignCancelled))
	t.Run("issuers", sound(lifecycle.Issuers, lifecycle.IssuerEnded))
}

// walked makes random attempts from the first state on, and proves of each what
// holds for every lookup.
func walked[S ~string](table lifecycle.Table[S]) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		walk(t, table)
	}
}

func walk[S ~string](t *testing.T, table lifecycle.Table[S]) {
	t.Helper()
	var events []lifecycle.Event
	for _, m := range table.Moves {
		events = append(events, m.On)
	}
	events = append(events, lifecycle.Submit, lifecycle.IssueScript, "no such event")
	rapid.Check(t, func(t *rapid.T) {
		state := table.States[0]
		for range rapid.IntRange(1, 30).Draw(t, "attempts") {
			on := rapid.SampledFrom(events).Draw(t, "event")
			by := rapid.SampledFrom(roles).Draw(t, "role")
			move, err := table.Next(state, on, by)
			rows := slices.DeleteFunc(slices.Clone(table.Moves), func(m lifecycle.Move[S]) bool { return m.From != state || m.On != on })
			allowed := len(rows) == 1 && (slices.Contains(rows[0].By, by) || len(rows[0].By) == 0 && by == lifecycle.RoleSystem)
			switch {
			case table.Can(state, on) != (len(rows) == 1):
				t.Fatalf("Can(%s, %s) differs from the table", state, on)
			case len(rows) == 0 && !errors.Is(err, lifecycle.Illegal):
				t.Fatalf("%s of %s: %v, want an illegal move", on, state, err)
			case len(rows) == 1 && !allowed && !errors.Is(err, lifecycle.Forbidden):
				t.Fatalf("%s of %s by %s: %v, want forbidden", on, state, by, err)
			case allowed && (err != nil || move.From != state || move.On != on || move.To != rows[0].To):
				t.Fatalf("%s of %s by %s: %+v, %v, want the row", on, state, by, move, err)
			case by == lifecycle.RoleAuditor && err == nil:
				t.Fatalf("an auditor may %s what is %s", on, state)
			}
			if err == nil {
				state = move.To
			}
			if !slices.Contains(table.States, state) {
				t.Fatalf("came to %q, which is no state", state)
			}
		}
	})
}

func TestNoWalkLeavesTheTable(t *testing.T) {
	t.Parallel()
	t.Run("orders", walked(lifecycle.Orders))
	t.Run("cards", walked(lifecycle.Cards))
	t.Run("card letters", walked(lifecycle.CardLetters))
	t.Run("PIN letters", walked(lifecycle.PINLetters))
	t.Run("work items", walked(lifecycle.WorkItems))
	t.Run("revocation requests", walked(lifecycle.RevocationRequests))
	t.Run("letter templates", walked(lifecycle.Templates))
	t.Run("certificate profiles", walked(lifecycle.Profiles))
	t.Run("card runs", walked(lifecycle.CardRuns))
	t.Run("PIN runs", walked(lifecycle.PINRuns))
	t.Run("certificates", walked(lifecycle.Certificates))
	t.Run("dossiers", walked(lifecycle.Dossiers))
	t.Run("batches", walked(lifecycle.Batches))
	t.Run("consignments", walked(lifecycle.Consignments))
	t.Run("counts", walked(lifecycle.Counts))
	t.Run("destructions", walked(lifecycle.Destructions))
	t.Run("shortfalls", walked(lifecycle.Shortfalls))
	t.Run("notices", walked(lifecycle.Notices))
	t.Run("campaigns", walked(lifecycle.Campaigns))
	t.Run("issuers", walked(lifecycle.Issuers))
}

func TestWhatHasEndedNeverComesBack(t *testing.T) {
	t.Parallel()
	for _, s := range []lifecycle.CardState{lifecycle.CardOpposed, lifecycle.CardExpired, lifecycle.CardCancelled, lifecycle.CardDestroyed} {
		for after := range reachable(lifecycle.Cards, s) {
			if after.Usable() || after.Activatable() {
				t.Errorf("a card that is %s can still become %s", s, after)
			}
		}
	}
	rendered := slices.Index(lifecycle.PINLetters.States, lifecycle.LetterRendered)
	for _, s := range lifecycle.PINLetters.States[rendered:] {
		if after := reachable(lifecycle.PINLetters, s); after[s] || after[lifecycle.LetterRequested] {
			t.Errorf("a PIN letter that is %s can be so again: a PIN would be printed twice", s)
		}
	}
	for _, s := range []lifecycle.CertificateState{lifecycle.CertIssued, lifecycle.CertActive, lifecycle.CertHeld} {
		if after := reachable(lifecycle.Certificates, s); after[lifecycle.CertAwaitingKey] || after[lifecycle.CertIssuing] {
			t.Errorf("a certificate that is %s can be signed again: renewal is a new certificate", s)
		}
	}
	if after := reachable(lifecycle.Batches, lifecycle.BatchSent); after[lifecycle.BatchSealed] || after[lifecycle.BatchSent] {
		t.Error("a batch can be sent twice")
	}
	if to, err := lifecycle.Orders.Next(lifecycle.OrderApproved, lifecycle.Edit, lifecycle.RoleAccountManager); err != nil || to.To != lifecycle.OrderSubmitted {
		t.Errorf("an edit after approval leads to %q, %v: it must be approved again", to.To, err)
	}
}

func TestOnlyAnActiveCardIsUsableAndOneOnItsWayActivatable(t *testing.T) {
	t.Parallel()
	for _, s := range lifecycle.Cards.States {
		if s.Usable() != (s == lifecycle.CardActive) {
			t.Errorf("%s usable: %v", s, s.Usable())
		}
		if s.Activatable() != (s == lifecycle.CardPosted || s == lifecycle.CardReceived) {
			t.Errorf("%s activatable: %v", s, s.Activatable())
		}
	}
}

// A thing that is reported stops wherever it is on its way: what was made for
// it is destroyed or listed, also when a worker is at Vault in this moment.
func TestWhatIsReportedStopsWhereverItIs(t *testing.T) {
	t.Parallel()
	made := slices.Index(lifecycle.Cards.States, lifecycle.CardPersonalising)
	for _, s := range lifecycle.Cards.States[made : slices.Index(lifecycle.Cards.States, lifecycle.CardPINLocked)+1] {
		m, err := lifecycle.Cards.Next(s, lifecycle.Oppose, lifecycle.RoleHolder)
		if err != nil || m.To != lifecycle.CardOpposed || !slices.Contains(m.Then, lifecycle.JobPINDestroy) {
			t.Errorf("opposing a card that is %s: %+v, %v; want it opposed and its PIN destroyed", s, m, err)
		}
	}
	for _, s := range []lifecycle.CertificateState{lifecycle.CertIssuing, lifecycle.CertIssued, lifecycle.CertActive, lifecycle.CertHeld} {
		m, err := lifecycle.Certificates.Next(s, lifecycle.Revoke, lifecycle.RoleHolder)
		if err != nil || !slices.Contains(m.Then, lifecycle.JobCRLPublish) || !slices.Contains(m.Then, lifecycle.JobOCSPRefresh) {
			t.Errorf("revoking a certificate that is %s: %+v, %v; want its list and its answer made again", s, m, err)
		}
	}
}

func TestActorsAreShownWithTheirRole(t *testing.T) {
	t.Parallel()
	for actor, want := range map[lifecycle.Actor]string{
		{ID: "jdurand", Role: lifecycle.RoleApprover}: "approver:jdurand",
		lifecycle.System("expire"):                    "system:expire",
	} {
		if actor.String() != want {
			t.Errorf("%+v is shown as %s, want %s", actor, actor, want)
		}
	}
}

// REV-6.3.9-04 of ETSI EN 319 411-1: the holder is told of every change of status.
func TestTheHolderIsToldOfEveryChangeOfStatus(t *testing.T) {
	t.Parallel()
	for _, m := range lifecycle.Certificates.Moves {
		told := slices.Contains(m.Then, lifecycle.JobNoticeSend)
		if published := slices.Contains(m.Then, lifecycle.JobOCSPRefresh); told != published {
			t.Errorf("%s of %s: OCSP is told: %v, its holder: %v", m.On, m.From, published, told)
		}
		if told != (lifecycle.NoticeOf(m.On) != "") {
			t.Errorf("%s of %s: told %v, of what: %q", m.On, m.From, told, lifecycle.NoticeOf(m.On))
		}
	}
}
