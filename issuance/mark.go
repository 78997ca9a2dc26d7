package issuance

import (
	"context"
	"fmt"
	"strconv"

	"sceau/lifecycle"
)

// Mark is how far a shard's lists have come. It is raised outside the database
// too, before a list may be served, where nothing takes it back: a database that
// stands below its marks was restored to an earlier day.
type Mark struct {
	Number   int64 // of the last list that was signed
	Revision int64 // changes of status that it covers
}

// MarksName is the name of an issuer's marks.
func MarksName(issuer string) string { return "crl-" + issuer }

// MarkOf is the mark of a shard among those of its issuer.
func MarkOf(marks map[string]int64, shard int) Mark {
	return Mark{Number: marks[strconv.Itoa(shard)+".number"], Revision: marks[strconv.Itoa(shard)+".revision"]}
}

// Named is the mark among those of its issuer.
func (m Mark) Named(shard int) map[string]int64 {
	return map[string]int64{strconv.Itoa(shard) + ".number": m.Number, strconv.Itoa(shard) + ".revision": m.Revision}
}

// below tells whether what the database has lies below a mark.
func (m Mark) below(mark Mark) bool { return m.Number < mark.Number || m.Revision < mark.Revision }

// RestoredError tells that the database was restored to an earlier day. No list
// is published and no certificate is good until two people have repaired it.
// Workers wait meanwhile: it is [lifecycle.Unavailable].
type RestoredError struct {
	Issuer string
	Shard  int
	Has    Mark // the database
	Mark   Mark // outside
}

func (e *RestoredError) Error() string {
	return fmt.Sprintf("CRL %s/%d: %s: the database knows list %d and %d changes of status, the marks %d and %d: "+
		"it was restored to an earlier day: run `sceau doctor revocation --repair`",
		e.Issuer, e.Shard, lifecycle.Unavailable, e.Has.Number, e.Has.Revision, e.Mark.Number, e.Mark.Revision)
}

// Unwrap is its kind.
func (e *RestoredError) Unwrap() error { return lifecycle.Unavailable }

// Restored compares an issuer's shards with its marks, and gives those that
// stand below: none when the database was not restored.
func (s *Service) Restored(ctx context.Context, issuer string, marks map[string]int64) ([]*RestoredError, error) {
	shards, err := s.store.CRLShards(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("shards of %s: %w", issuer, err)
	}
	var restored []*RestoredError
	for _, r := range shards {
		has, mark := Mark{r.Number, r.Revision}, MarkOf(marks, int(r.Shard))
		if has.below(mark) {
			restored = append(restored, &RestoredError{issuer, int(r.Shard), has, mark})
		}
	}
	return restored, nil
}
