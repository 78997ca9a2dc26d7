package jobs

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// all are the entries, octet for octet.
func all(t *testing.T, entries iter.Seq2[[]byte, error]) (drawn [][]byte) {
	t.Helper()
	for entry, err := range entries {
		ok(t, err)
		drawn = append(drawn, bytes.Clone(entry))
	}
	return drawn
}

// amendable publishes, and tells whether the list may be made of the last one, once it
// was compared with the list that the rows give in the same moment.
func (p *publisher) amendable(t *testing.T, scheduled bool) (may bool) {
	t.Helper()
	issuer, err := p.authorities.get(t.Context(), "issuing-1")
	ok(t, err)
	plan, err := p.Service.BeginCRL(t.Context(), "issuing-1", 0, scheduled, issuance.Mark{})
	ok(t, err)
	if plan.Nothing {
		return false
	}
	ok(t, p.Service.ReadCRL(t.Context(), &plan, func(e *issuance.CRLEntries) error {
		if may = e.Last != nil; !may {
			return nil
		}
		rows, amended := all(t, e.Full), all(t, ca.Amend(e.Last, issuer.Certificate, e.Changed))
		if !slices.EqualFunc(rows, amended, bytes.Equal) {
			t.Fatalf("list %d: made of the last one it has %d entries %x, the rows give %d %x", plan.Number, len(amended), amended, len(rows), rows)
		}
		return nil
	}))
	full, delta, entries, err := p.draft(t.Context(), issuer, &plan)
	ok(t, err)
	der, err := p.lists.sign(t.Context(), issuer, plan, full, false)
	ok(t, err)
	var signedDelta []byte
	if delta != nil {
		signedDelta, err = p.lists.sign(t.Context(), issuer, plan, delta, true)
		ok(t, err)
	}
	ok(t, p.Service.FinishCRL(t.Context(), plan, der, signedDelta, entries, nil))
	return may
}

// Lists between two scheduled ones are made of the one before. They are the lists that
// the rows would give, whatever was held, released, revoked or expired meanwhile.
func TestAListMadeOfTheLastOneIsTheOneThatTheRowsGive(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	seed := uint64(time.Now().UnixNano())
	dice := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	var certificates []lifecycle.CertificateID
	for n := range 15 {
		p.life = time.Duration(1+n) * 12 * time.Hour
		certificates = append(certificates, p.certificate(t))
	}
	counts := map[string]int{}
	for range 120 {
		for range dice.IntN(4) {
			id := certificates[dice.IntN(len(certificates))]
			var err error
			act := []string{"hold", "hold", "release", "release", "revoke"}[dice.IntN(5)]
			switch act {
			case "hold":
				err = p.Service.Hold(t.Context(), clerk, id)
			case "release":
				err = p.Service.Release(t.Context(), clerk, id)
			case "revoke":
				if dice.IntN(3) > 0 {
					continue
				}
				err = p.Service.Revoke(t.Context(), clerk, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: p.at.Add(-time.Hour).Truncate(time.Second)})
			}
			if err == nil {
				counts[act]++
			}
		}
		p.at = p.at.Add(time.Duration(1+dice.IntN(150)) * time.Minute)
		if p.amendable(t, dice.IntN(4) == 0) {
			counts["amended"]++
		} else {
			counts["made anew or not at all"]++
		}
		if dice.IntN(5) == 0 {
			_, err := p.Service.ExpireDue(t.Context())
			ok(t, err)
		}
	}
	for _, what := range []string{"hold", "release", "revoke", "amended", "made anew or not at all"} {
		if counts[what] == 0 {
			t.Errorf("never: %s (%v)", what, counts)
		}
	}
}

// A last list that the issuer did not sign, or of which octets are missing, is no
// ground to stand on.
func TestOfALastListThatWasChangedNoneIsMade(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	first, second := p.certificate(t), p.certificate(t)
	ok(t, p.Service.Revoke(t.Context(), clerk, first, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	ok(t, p.list(t))
	ok(t, p.Service.Hold(t.Context(), clerk, second))
	// Somebody takes the revocation off the list that is kept: one of its dates moves.
	tag, err := p.pool.Exec(t.Context(), `UPDATE crl_piece SET der = overlay(der PLACING '\x3335' FROM position('\x170d3236'::bytea IN der) + 2 FOR 2) WHERE NOT delta`)
	ok(t, err)
	if tag.RowsAffected() != 1 {
		t.Fatalf("%d pieces were changed", tag.RowsAffected())
	}
	plan, err := p.Service.BeginCRL(t.Context(), "issuing-1", 0, false, issuance.Mark{})
	ok(t, err)
	ok(t, p.Service.ReadCRL(t.Context(), &plan, func(e *issuance.CRLEntries) error {
		if e.Last == nil {
			t.Fatal("the list would be made anew anyway")
		}
		var failed error
		for _, err := range ca.Amend(e.Last, p.issuing, e.Changed) {
			failed = err
		}
		if failed == nil {
			t.Error("a list is made of one that the issuer did not sign")
		}
		return nil
	}))
	issuer, err := p.authorities.get(t.Context(), "issuing-1")
	ok(t, err)
	_, _, entries, err := p.draft(t.Context(), issuer, &plan)
	if ok(t, err); entries != 2 {
		t.Errorf("made anew it has %d entries", entries)
	}
}
