package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"

	"sceau/ca"
	"sceau/issuance"
	"sceau/trust"
)

// ListFetcher fetches another CA's list at an address, within bounds. A private address
// is fetched only where the entry of the trust list allows it.
type ListFetcher interface {
	FetchList(ctx context.Context, address string, private bool) ([]byte, error)
}

// foreignLists fetches the lists of other CAs that are due. One that cannot be had, or
// not be believed, keeps the others waiting no longer: why is on record, and the list
// before it stays until its end.
func (t Tools) foreignLists(ctx context.Context, _ issuance.ForeignListsArgs, done issuance.Done) error {
	due, err := t.Service.ForeignListsDue(ctx)
	if err != nil {
		return err
	}
	for _, d := range due {
		err := t.foreignList(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // of the job
		}
		if err != nil {
			if err := t.Service.ForeignListFailed(ctx, d.Entry.Name, d.Address, err.Error()); err != nil {
				return err
			}
		}
	}
	late, err := t.Service.ForeignListsLate(ctx)
	if err != nil {
		return err
	}
	return t.Service.RaiseAlarms(ctx, late, done)
}

func (t Tools) foreignList(ctx context.Context, d issuance.ForeignListDue) error {
	if t.Lists == nil {
		return errors.New("this process fetches no lists")
	}
	der, err := t.Lists.FetchList(ctx, d.Address, d.Entry.Private)
	if err != nil {
		return err
	}
	list, err := ca.ReadForeignList(der, d.Entry.CAs(), t.Now())
	if err != nil {
		return err
	}
	return t.Service.RecordForeignList(ctx, issuance.ForeignList{
		Trusted: d.Entry.Name, Address: d.Address, IssuerKey: trust.KeyOf(list.Issuer), Number: list.Number, ThisUpdate: list.ThisUpdate,
		NextUpdate: list.NextUpdate, Points: list.Points, SHA256: sha256.Sum256(der), Entries: foreignEntries(list),
	})
}

func foreignEntries(l *ca.ForeignList) iter.Seq2[issuance.ForeignEntry, error] {
	return func(yield func(issuance.ForeignEntry, error) bool) {
		for e, err := range l.All() {
			if !yield(issuance.ForeignEntry{Serial: e.Serial, At: e.At, Reason: e.Reason}, err) {
				return
			}
		}
	}
}
