package house

import (
	"context"
	"fmt"
	"time"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// listSight is what was seen of a shard's lists.
type listSight struct {
	*Sight

	full, delta *ca.List // nil: not seen
	compared    int
}

// list fetches a shard's lists once, and judges them by the first certificate
// that names them: all of the shard name the same.
func (w *watcher) list(ctx context.Context, c watched, at string) *listSight {
	if w.lists[at] != nil {
		return w.lists[at]
	}
	s := &listSight{Sight: w.sight(Sight{Issuer: c.issuer, About: "lists", What: fmt.Sprintf("CRL %s/%d", c.issuer, c.shard)})}
	w.lists[at] = s
	delta := false // there is one
	if s.full = s.fetch(ctx, w, c, at, false); s.full != nil {
		head, err := w.published(ctx, c, s.full)
		s.wrong(err)
		delta = head.DeltaSize > 0
		s.Found = fmt.Sprintf("list %d, good until %s", s.full.Number, s.full.NextUpdate.Format(time.RFC3339))
	}
	freshest := ca.FreshestURL(c.Certificate)
	if freshest == "" || !delta {
		return s
	}
	if s.delta = s.fetch(ctx, w, c, freshest, true); s.delta != nil {
		s.wrong(ca.Together(s.full, s.delta))
		s.Found += fmt.Sprintf("; delta %d on %d", s.delta.Number, s.delta.BaseNumber)
	}
	return s
}

// fetch fetches one list; nil when it is none that could be asked.
func (s *listSight) fetch(ctx context.Context, w *watcher, c watched, at string, delta bool) *ca.List {
	var got fetched
	err := w.patiently(ctx, func() (err error) {
		got, err = w.get(ctx, at, largestList)
		return err
	})
	if err != nil {
		s.wrong(err)
		return nil
	}
	p := w.party(c)
	p.Now = w.config.Now() // it may be newer than the look
	l, err := p.List(got.body, delta)
	s.wrong(err)
	if l == nil {
		return nil
	}
	s.wrong(got.cached("application/pkix-crl", l.NextUpdate, p.Now))
	findings, err := ca.LintList(got.body)
	s.wrong(err)
	for _, f := range findings {
		s.wrong(fmt.Errorf("%w: list %d: %s: %s (%s)", lifecycle.Invalid, l.Number, f.Rule, f.Text, f.Source))
	}
	return l
}

// published tells whether a list that was served is the newest one that the
// database knows, but for one that was made just now. That the database stands
// not below its marks is looked at beside.
func (w *watcher) published(ctx context.Context, c watched, l *ca.List) (issuance.CRLHead, error) {
	head, err := w.Service.HeadCRL(ctx, c.issuer, c.shard)
	if err != nil {
		return head, err
	}
	if l.Number < head.Number && w.now.Sub(head.ThisUpdate) >= settled {
		return head, fmt.Errorf("%w: list %d is served, the newest is %d of %s", lifecycle.Conflict, l.Number, head.Number, head.ThisUpdate.Format(time.RFC3339))
	}
	if l.Number > head.Number {
		if head, err = w.Service.HeadCRL(ctx, c.issuer, c.shard); err == nil && l.Number > head.Number {
			err = fmt.Errorf("%w: list %d is served, the database knows none above %d: was it restored?", lifecycle.Conflict, l.Number, head.Number)
		}
	}
	return head, err
}

// compare compares what the lists say of a certificate with the database.
func (s *listSight) compare(c watched) {
	if s.full == nil || !c.settled {
		return
	}
	s.compared++
	_, listed, err := s.full.Find(c.SerialNumber)
	if err != nil {
		s.wrong(err)
		return
	}
	if listed != c.revoked {
		s.wrong(fmt.Errorf("%w: serial %x is %s by list %d, the database says %s", lifecycle.Conflict, c.SerialNumber, word(listed), s.full.Number, word(c.revoked)))
	}
	if s.delta == nil {
		return
	}
	r, changed, err := s.delta.Find(c.SerialNumber)
	if err != nil {
		s.wrong(err)
		return
	}
	if gone := r.Reason != lifecycle.ReasonRemoveFromCRL; changed && gone != c.revoked {
		s.wrong(fmt.Errorf("%w: serial %x is %s by delta %d, the database says %s", lifecycle.Conflict, c.SerialNumber, word(gone), s.delta.Number, word(c.revoked)))
	}
}
