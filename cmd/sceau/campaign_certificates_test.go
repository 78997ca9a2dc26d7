package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/certprofile"
	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// certified gives the sample bank a certificate in use, made by another version of its
// profile than the live one.
func (o office) certified() lifecycle.CertificateID {
	o.Helper()
	ctx := o.Context()
	order := must[[]lifecycle.OrderID](o.T)(o.service.OrdersInState(ctx, lifecycle.OrderSubmitted, ""))[0]
	content := must[issuance.OrderContent](o.T)(o.service.ShowOrder(ctx, order))
	made := lifecycle.OrderID(orderID.FindString(o.ok("waits for an approver", "order", "submit", "new_certificate", asManager,
		"--client-id="+content.ClientID, "--user="+content.UserNumber)))
	by := lifecycle.Actor{ID: "l.boisjoli", Role: lifecycle.RoleOperator}
	if err := demodata.Prove(ctx, o.service, by, made, time.Now()); err != nil {
		o.Fatal(err)
	}
	o.ok("approved", "order", "approve", string(made), o.hash(string(made)), asApprover)
	id := must[issuance.OrderView](o.T)(o.service.Order(ctx, made)).Certificate.ID
	pool := must[*pgxpool.Pool](o.T)(pgxpool.New(ctx, o.database))
	defer pool.Close()
	_, err := pool.Exec(ctx, "UPDATE certificate SET state = 'active', profile_version = 7, serial = decode(lpad('1', 32, '0'), 'hex'), not_before = now(), not_after = now() + interval '2 years' WHERE id = $1", id)
	if err != nil {
		o.Fatal(err)
	}
	return id
}

func TestCertificatesAreRenewedInACampaignByCommands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id := string(o.certified())
	const asOperator, asOfficer = "--as=l.boisjoli", "--as=m.rocheclaire"
	propose := []string{"campaign", "propose-certificates", "--reason=profile_change"}
	with := func(more ...string) []string { return append(append([]string{}, propose...), more...) }
	o.refused("does not hold", with("--preview", asApprover)...)
	o.refused("--branch", with("--preview", asManager)...)
	o.refused("ends_by", "campaign", "propose-certificates", "--preview", asOperator)
	o.refused("client number", with("--preview", "--company=0", asOperator)...)
	if shown := o.ok("1 certificates", with("--preview", asOperator)...); !strings.Contains(shown, id) {
		t.Errorf("shown is\n%s", shown)
	}
	o.ok("0 certificates", with("--preview", "--profile="+certprofile.NominativeSignature, asOperator)...)
	campaign := regexp.MustCompile(`CM-[0-9A-Z]{16}`).FindString(o.ok(": 1 certificates", with("--why=the profile is another", "--pilot=1", asOperator)...))
	shown := regexp.MustCompile(`shown +([0-9a-f]{64})`).FindStringSubmatch(o.ok(`"version":0`, "campaign", "show", campaign))[1]
	o.refused("64 hexadecimal", "campaign", "approve", campaign, "--shown=1", asApprover)
	o.ok("approved  1 certificates", "campaign", "approve", campaign, "--shown="+shown, asApprover)
	o.ok("piloting", "campaign", "pilot", campaign, asOperator)
	for range 2 {
		if _, err := o.service.RunCampaign(t.Context(), lifecycle.CampaignID(campaign), nil); err != nil {
			t.Fatal(err)
		}
	}
	o.ok("piloted  1 certificates  approved 1", "campaign", "list")
	o.ok("approved", "campaign", "steps", campaign, asOperator)
	if told := must[int](t)(o.service.FollowCampaigns(t.Context())); told != 1 {
		t.Errorf("%d are told", told)
	}
	if out := o.ok("renewal", "campaign", "told", campaign, asOperator); !strings.Contains(out, id) || !strings.Contains(out, "requested 1") {
		t.Errorf("told:\n%s", out)
	}
	o.ok("told 1", "campaign", "steps", campaign, asOperator)
	o.refused("--days", "campaign", "late", campaign, "--days=-1", asOperator)
	o.ok("certificate;profile;ends", "campaign", "late", campaign, asOperator)
	path := filepath.Join(t.TempDir(), "late.csv")
	o.ok("1 lines in", "campaign", "late", campaign, "--days=0", "--out="+path, asOperator)
	if text := string(must[[]byte](t)(os.ReadFile(path))); !strings.Contains(text, id+";"+certprofile.NominativeAuthentication) || !strings.Contains(text, ";approved;") {
		t.Errorf("late:\n%s", text)
	}
	o.refused("exists", "campaign", "late", campaign, "--out="+path, asOperator)
	o.ok("running", "campaign", "go", campaign, asOfficer)
	o.ok("paused", "campaign", "pause", campaign, asOfficer)
	o.ok("running", "campaign", "resume", campaign, asOfficer)
	o.ok("cancelled", "campaign", "cancel", campaign, asOfficer)
	if out, err := o.run("campaign", "failures", campaign); err != nil || out != "" {
		t.Errorf("failures: %s%v", out, err)
	}
}
