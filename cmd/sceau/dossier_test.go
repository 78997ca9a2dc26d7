package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

func TestADossierIsFilledAndHeldByCommands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := must[[]lifecycle.OrderID](t)(o.service.OrdersInState(t.Context(), lifecycle.OrderSubmitted, ""))[0]
	content := must[issuance.OrderContent](t)(o.service.ShowOrder(t.Context(), first))
	of := []string{"--client-id=" + content.ClientID, "--user=" + content.UserNumber}
	order := orderID.FindString(o.ok("waits for an approver", append([]string{"order", "submit", "new_certificate", asManager}, of...)...))
	o.ok("MISSING", "order", "show", order, asApprover)
	o.refused("dossier: the holder has none", "order", "approve", order, o.hash(order), asApprover)

	o.refused("does not hold", append([]string{"dossier", "open", asApprover}, of...)...)
	id := regexp.MustCompile(`D-[0-9A-Z]{16}`).FindString(o.ok("identity is missing", append([]string{"dossier", "open", asManager}, of...)...))
	o.refused("is open", append([]string{"dossier", "open", asManager}, of...)...)
	day := func(back int) string { return time.Now().AddDate(0, 0, -back).Format(time.DateOnly) }
	mandate := func(signed string) []string {
		return []string{"dossier", "add-mandate", id, "--signed-by=Claire Montclair", "--signed-on=" + signed, "--accepted-on=" + day(1), asManager}
	}
	o.refused("mandate.signed_on", mandate(day(130))...)
	o.refused("is a day as", mandate("yesterday")...)
	o.ok("identity is missing", mandate(day(9))...)
	view := must[issuance.OrderView](t)(o.service.Order(t.Context(), lifecycle.OrderID(order)))
	number := must[issuance.Subject](t)(o.service.SubjectOf(t.Context(), view.Certificate.ID)).RegistryNumber
	o.refused("another company's", "dossier", "add-extract", id, "--number=552100554", "--issued-on="+day(2), asManager)
	o.ok(id, "dossier", "add-extract", id, "--number="+number, "--issued-on="+day(2), asManager)
	o.ok(id, "dossier", "accept-terms", id, "--terms=2026-01", "--on="+day(0), asManager)

	// What is sealed takes Vault; a file that is wrong is told before it is asked.
	file := filepath.Join(t.TempDir(), "identity.yaml")
	if err := os.WriteFile(file, []byte("document: passport\nnumber: 24AB<12345>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := o.run("dossier", "add-identity", id, file, asManager)
	if err == nil || !strings.Contains(err.Error(), "number: ") || strings.Contains(err.Error(), "24AB") {
		t.Errorf("a number with markup: %v", err)
	}
	large := filepath.Join(t.TempDir(), "scan.png")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 100<<20); err != nil {
		t.Fatal(err)
	}
	o.refused("longer than", "dossier", "scan", "add", id, "identity", large, asManager)

	e := must[demodata.Evidence](t)(demodata.EvidenceOf(content.GivenName, content.Surname, number, time.Now()))
	manager := lifecycle.Actor{ID: strings.TrimPrefix(asManager, "--as="), Role: lifecycle.RoleAccountManager}
	err = o.service.AddEvidence(t.Context(), manager, lifecycle.DossierID(id), issuance.Paperwork{
		Identity: &e.Identity, Scans: []issuance.ScanFile{{Kind: "identity", Content: e.Scan}},
	})
	if err != nil {
		t.Fatal(err)
	}
	shown := o.ok("sha256", "dossier", "show", id, "--as=o.thistledown")
	if strings.Contains(shown, "MISSING") || strings.Contains(shown, e.Identity.Number.Reveal()) {
		t.Errorf("shown is\n%s", shown)
	}
	o.ok("is approved", "order", "approve", order, o.hash(order), asApprover)
	o.ok("relied on", "dossier", "show", id, "--as=o.thistledown")
	o.ok(id, "dossiers", "list", "--state=complete", "--as=o.thistledown")
	o.refused("does not hold", "dossier", "hold", id, "--why=a suit", asManager)
	o.ok("", "dossier", "hold", id, "--why=a suit", "--as=m.rocheclaire")
	o.ok("a suit", "dossier", "show", id, "--as=o.thistledown")
	o.ok("", "dossier", "release", id, "--why=it is over", "--as=m.rocheclaire")
	o.ok("", "dossiers", "due", "--as=m.rocheclaire")
	o.ok("", append([]string{"dossier", "agent", "enrol", "--mandate-on=" + day(3), asManager}, of...)...)
	o.ok("", append([]string{"dossier", "agent", "end", asManager}, of...)...)
	o.ok("", "dossier", "close", id, "--why=no use", asManager)
	o.ok("archived", "dossier", "show", id, "--as=o.thistledown")
}
