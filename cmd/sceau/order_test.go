package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/store"
)

// office runs commands on the sample bank's database, in which its first two
// cards are ordered.
type office struct {
	*testing.T

	database string
	service  *issuance.Service
}

func newOffice(t *testing.T) office {
	t.Helper()
	o := office{T: t, database: testenv.Database(t)}
	if out, err := sceau(t, "migrate", "--database-url", o.database, "--bank", filepath.Join("..", "..", "testdata", "demo", "bank.yaml")); err != nil {
		t.Fatal(out, err)
	}
	pool, err := pgxpool.New(t.Context(), o.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	queue := must[*jobs.Enqueuer](t)(jobs.NewEnqueuer())
	o.service = must[*issuance.Service](t)(issuance.New(store.New(pool), testenv.Safe(), queue, jobs.CSRChecker{}, issuance.DefaultPolicy(), time.Now))
	file := string(must[[]byte](t)(os.ReadFile("../../testdata/demo/orders.csv")))
	some := strings.Join(strings.SplitAfter(file, "\n")[:4], "")
	by := lifecycle.Actor{ID: "l.boisjoli", Role: lifecycle.RoleOperator}
	if report, err := o.service.ImportOrders(t.Context(), by, strings.NewReader(some), nil); err != nil || report.Cards != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	return o
}

func (o office) run(args ...string) (string, error) {
	o.Helper()
	return sceau(o.T, append(args, "--database-url", o.database)...)
}

// ok runs a command, wants that it says something, and gives all that it says.
func (o office) ok(says string, args ...string) string {
	o.Helper()
	out, err := o.run(args...)
	if err != nil || !strings.Contains(out, says) {
		o.Fatalf("%s: %s%v, want %q", strings.Join(args, " "), out, err, says)
	}
	return out
}

func (o office) refused(says string, args ...string) {
	o.Helper()
	out, err := o.run(args...)
	if err == nil || !strings.Contains(err.Error(), says) {
		o.Errorf("%s: %s%v, want it refused with %q", strings.Join(args, " "), out, err, says)
	}
}

// hash is what an approval of the order as it is now covers.
func (o office) hash(order string) string {
	o.Helper()
	shown := o.ok("hash", "order", "show", order, "--as=o.thistledown")
	return "--hash=" + regexp.MustCompile(`(?m)^hash +([0-9a-f]{64})$`).FindStringSubmatch(shown)[1]
}

const (
	asManager  = "--as=a.clairvallon"
	asApprover = "--as=i.hautefeuille"
	asPrinter  = "--as=l.boisjoli"
)

var orderID = regexp.MustCompile(`O-[0-9A-Z]{16}`)

func TestAnOrderGoesFromTheDeskToTheApproverByCommands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	orders := regexp.MustCompile(`(O-[0-9A-Z]{16})  new_card`).FindAllStringSubmatch(o.ok("new_card", "order", "list"), -1)
	if len(orders) != 2 {
		t.Fatalf("orders: %v", orders)
	}
	first, second := orders[0][1], orders[1][1]

	shown := o.ok("fee 15.00 EUR", "order", "show", first, asApprover)
	for _, want := range []string{"Hélène Montclair", "securaccess", "home", "revision      1", "1 rue de l'Église"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	old := o.hash(first)
	o.refused("not found", "order", "show", first, "--as=nobody")
	o.refused("64 hexadecimal digits", "order", "approve", first, "--hash=12", asApprover)
	o.refused("does not hold the role approver", "order", "approve", first, old, asManager)

	edit := []string{"order", "edit", first, "--revision=1"}
	o.refused("branch", append(edit, "--delivery=branch", "--branch=XX99", asManager)...)
	o.refused("does not hold", append(edit, "--with-reader=yes", "--as=o.thistledown")...)
	o.ok("revision 2", append(edit, "--delivery=branch", "--branch=BE02", "--with-reader=yes", "--waiver=a gesture", asManager)...)
	o.refused("edited since revision 1", append(edit, "--with-reader=no", asManager)...)
	o.ok("branch BE02", "order", "show", first, asApprover)
	o.ok("revision 3", "order", "edit", first, "--revision=2", "--waiver=", asManager) // what is not named stays
	if now := o.ok("branch BE02", "order", "show", first, asApprover); !strings.Contains(now, "reader 25.00 EUR") || strings.Contains(now, "waived") {
		t.Errorf("edited:\n%s", now)
	}
	o.refused("not what was shown", "order", "approve", first, old, asApprover)
	o.ok("is approved", "order", "approve", first, o.hash(first), asApprover)
	o.refused("approved already", "order", "approve", first, o.hash(first), asApprover)

	o.ok("is refused", "order", "refuse", second, o.hash(second), "--reason=one is enough", asApprover)
	o.ok(second, "order", "list", "--state=refused")
	o.ok("is cancelled", "order", "cancel", first, "--why=moved away", asManager)
	o.ok("moved away", "order", "list", "--state=cancelled")
}

func TestAnOrderIsSubmittedByOneCommand(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	client := regexp.MustCompile(`company +([0-9]{8})`).FindStringSubmatch(o.ok("company", "order", "show", orderID.FindString(o.ok("", "order", "list")), asApprover))[1]
	submit := func(kind string, more ...string) []string {
		return append([]string{"order", "submit", kind, asManager}, more...)
	}
	id := orderID.FindString(o.ok("fee 90.00 EUR", submit("new_certificate", "--client-id="+client, "--user=0001", "--reference=desk 7")...))
	o.ok("desk 7", "order", "show", id, asApprover)
	o.refused("the holder has none: sceau dossier open", "order", "approve", id, o.hash(id), asApprover)
	if err := demodata.Prove(t.Context(), o.service, lifecycle.Actor{ID: "l.boisjoli", Role: lifecycle.RoleOperator}, lifecycle.OrderID(id), time.Now()); err != nil {
		t.Fatal(err)
	}
	o.ok("is approved", "order", "approve", id, o.hash(id), asApprover)
	o.refused("reference", submit("new_certificate", "--client-id="+client, "--user=0001", "--reference=desk 7")...)
	o.refused("give --client-id and --user", submit("new_certificate")...)
	o.refused("not found", submit("new_certificate", "--client-id=99999999", "--user=0001")...)
	o.refused("give --card", submit("pin_counter_reset", "--identity=passport 12AB")...)
	o.refused("identity", submit("pin_counter_reset", "--card=C-0000000000000000", "--identity=4321")...)
	o.refused("must be one of", submit("card_registration")...)
	o.refused("does not hold", "order", "submit", "new_certificate", "--client-id="+client, "--user=0001", "--as=o.thistledown")
	o.refused("Vault", submit("new_card", "--client-id="+client, "--user=0001")...) // its number is born sealed
	if out := o.ok("--identity", "order", "submit", "--help"); strings.Contains(out, "--pan") || strings.Contains(out, "--pin ") {
		t.Errorf("a secret as an argument:\n%s", out)
	}
}

func TestWorkIsSeenToByCommands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := lifecycle.OrderID(orderID.FindString(o.ok("", "order", "list")))
	holder := must[lifecycle.HolderID](t)(o.service.HolderByUser(t.Context(), must[issuance.OrderView](t)(o.service.Order(t.Context(), first)).ClientID, "0001"))
	again := must[lifecycle.OrderID](t)(o.service.Submit(t.Context(), lifecycle.Actor{ID: "a.clairvallon", Role: lifecycle.RoleAccountManager},
		issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: lifecycle.DeliverHome}))
	item := string(again)

	o.ok("second_card", "work-items", "list", "--kind=flagged_order")
	if out := o.ok("", "work-items", "list", "--age=1h"); out != "" {
		t.Errorf("after an hour at once: %s", out)
	}
	o.refused("kind", "work-items", "list", "--kind=anything")
	o.ok("an approver approves or refuses", "work-items", "show", item, "--as=o.thistledown")
	o.refused("does not hold", "work-items", "claim", item, "--as=o.thistledown")
	o.ok("i.hautefeuille's", "work-items", "claim", item, asApprover)
	o.refused("i.hautefeuille has claimed it", "work-items", "claim", item, "--as=d.iepenburg")
	o.refused("i.hautefeuille has claimed it", "work-items", "retry", item, asPrinter)
	o.refused("a security officer releases it", "work-items", "release", item, asPrinter)
	o.ok("is anybody's", "work-items", "release", item, "--as=m.rocheclaire")
	o.refused("an approver approves or refuses", "work-items", "resolve", item, "--reason=done", asPrinter)
	o.ok("claim", "work-items", "show", item, asPrinter) // on record
	o.ok("is refused", "order", "refuse", item, o.hash(item), "--why=two is too many", asApprover)
	o.refused("nothing of it waits", "work-items", "show", item, asApprover)
}
