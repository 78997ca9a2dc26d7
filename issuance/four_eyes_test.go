package issuance_test

import (
	"testing"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// An order file names its requesters: before, whoever imported it under a
// colleague's name could approve the orders alone.
func TestNobodyApprovesOrRefusesWhatTheyHadAHandIn(t *testing.T) {
	t.Parallel()
	edit := issuance.OrderEdit{Revision: 1, Delivery: lifecycle.DeliverBranch, BranchCode: "FR01"}
	for _, test := range []struct {
		name string
		// order is brought about by mallory and, unless alone, somebody else.
		order func(t *testing.T, d *desk) lifecycle.OrderID
	}{
		{"an order that they requested", func(t *testing.T, d *desk) lifecycle.OrderID {
			t.Helper()
			return d.imported(t, olga, "card", "mallory")
		}},
		{"an order that they imported under a colleague's name", func(t *testing.T, d *desk) lifecycle.OrderID {
			t.Helper()
			return d.imported(t, mallory(lifecycle.RoleOperator), "card", "ann")
		}},
		{"a certificate that they imported under a colleague's name", func(t *testing.T, d *desk) lifecycle.OrderID {
			t.Helper()
			id := d.imported(t, mallory(lifecycle.RoleAccountManager), "certificate", "ann")
			works(t, demodata.Prove(t.Context(), d.Service, ann, id, d.now()))
			return id
		}},
		{"an order that they edited", func(t *testing.T, d *desk) lifecycle.OrderID {
			t.Helper()
			id := d.imported(t, olga, "card", "ann")
			works(t, d.Edit(t.Context(), mallory(lifecycle.RoleOperator), id, edit))
			return id
		}},
		{"an order that they requested and a colleague edited", func(t *testing.T, d *desk) lifecycle.OrderID {
			t.Helper()
			id := d.imported(t, olga, "card", "mallory")
			works(t, d.Edit(t.Context(), ann, id, edit))
			return id
		}},
		{"an order that they imported and a colleague edited", func(t *testing.T, d *desk) lifecycle.OrderID {
			t.Helper()
			id := d.imported(t, mallory(lifecycle.RoleOperator), "card", "ann")
			works(t, d.Edit(t.Context(), ann, id, edit))
			return id
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			id := test.order(t, d)
			approver := mallory(lifecycle.RoleApprover)
			refusedAs(t, d.approveAs(t, approver, id), lifecycle.Forbidden)
			shown := gives[issuance.OrderContent](t)(d.ShowOrder(t.Context(), id))
			refusedAs(t, d.Refuse(t.Context(), approver, id, shown.Hash(), "no"), lifecycle.Forbidden)
			if o := gives[issuance.OrderView](t)(d.Order(t.Context(), id)); o.State != lifecycle.OrderSubmitted {
				t.Errorf("the order is %s", o.State)
			}
			if err := d.approveAs(t, paul, id); err != nil {
				t.Errorf("somebody who had no hand in it: %v", err)
			}
		})
	}
}
