package jobs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sceau/internal/foreignca"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/trust"
)

// shelf has lists of other CAs by their addresses, in the place of the world.
type shelf map[string][]byte

func (s shelf) FetchList(_ context.Context, address string, _ bool) ([]byte, error) {
	if der, ok := s[address]; ok {
		return der, nil
	}
	return nil, fmt.Errorf("%w: %s is away", lifecycle.Unavailable, address)
}

func TestOtherCAsListsAreFetchedAndTheOneBeforeStays(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	other, impostor := get[*foreignca.CA](t)(foreignca.New(monday)), get[*foreignca.CA](t)(foreignca.New(monday))
	const first, second = "http://autre.example/1.crl", "http://autre.example/2.crl"
	e := &trust.Entry{
		Name: "autre", Title: "Autre Banque", Level: "**", Certificates: [][]byte{other.Root.Raw, other.Issuing.Raw}, Policies: []string{foreignca.Policy},
		Lists: []string{first, second}, Ask: trust.AskLists, Until: "2028-12-31",
	}
	e = get[*trust.Entry](t)(trust.Read(e.Canonical()))
	version := get[int](t)(h.ProposeTrust(t.Context(), officer, e))
	must(t, h.ApproveTrust(t.Context(), approver, e.Name, version, e.Sum()))
	lists := shelf{}
	tools := Tools{Service: h.Service, Now: h.clock.now, Lists: lists}
	want := func(what string, entries int, failed bool, alarms int) {
		t.Helper()
		must(t, tools.foreignLists(t.Context(), issuance.ForeignListsArgs{}, nil))
		source := get[[]issuance.ForeignSource](t)(h.ForeignSources(t.Context(), e.Name))[0]
		if source.Entries != entries || (source.Failure != "") != failed {
			t.Errorf("%s: %+v", what, source)
		}
		var open int
		must(t, h.admin.QueryRow(t.Context(), "SELECT count(*) FROM work_item WHERE thing = 'revocation'").Scan(&open))
		if open != alarms {
			t.Errorf("%s: %d alarms, want %d", what, open, alarms)
		}
	}
	list := get[[]byte](t)
	lotte := get[foreignca.Person](t)(other.Issue("Lotte Peeters"))

	lists[second] = list(other.List(1, monday))
	want("the first is away, and there was none before", 0, true, 1)
	lists[first] = list(other.List(7, monday, lotte))
	want("it is there, the other one too", 1, false, 1)
	h.clock.advance(40 * time.Minute)
	for what, der := range map[string][]byte{
		"an older number is played back": list(other.List(6, h.clock.now())), "right name, wrong CA": list(impostor.List(8, h.clock.now())),
		"garbage": []byte("0\x03abc"),
	} {
		lists[first] = der
		want(what, 1, true, 1)
	}
	lists[first] = list(other.List(8, h.clock.now(), lotte, get[foreignca.Person](t)(other.Issue("Tom Dief"))))
	want("the next", 2, false, 1)
}
