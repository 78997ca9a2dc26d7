package issuance_test

import (
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// endFirstCA ends issuing-1 in good order: the next one signs, what it signed is revoked.
func (h *house) endFirstCA(t *testing.T) {
	t.Helper()
	h.twoCAs(t)
	h.publishes(t, "issuing-1")
	h.publishes(t, "issuing-2")
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, "issuing-2") })
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) {
		return h.EndAuthority(t.Context(), by, "issuing-1")
	})
}

// ownSerial is that of a CA's certificate.
func (h *house) ownSerial(t *testing.T, kind, issuer string) lifecycle.Serial {
	t.Helper()
	var serial []byte
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT serial FROM house_certificate WHERE kind = $1 AND issuer_id = $2 ORDER BY serial LIMIT 1", kind, issuer).Scan(&serial))
	return lifecycle.Serial(serial)
}

func TestTheKeysOfACAEndOnceNobodyNeedsThem(t *testing.T) {
	t.Parallel()
	h := setup(t)
	end := func(by lifecycle.Actor, ceremony string) (issuance.Agreement, error) {
		return h.EndKeys(t.Context(), by, ceremony, "issuing-1", []string{"Elke Vlierstra"})
	}
	refused := func(why string, want lifecycle.Kind) {
		t.Helper()
		t.Log(why)
		wantKind(t, second(end(maxence, "2039")), want)
	}
	refused("there is no such CA", lifecycle.NotFound)
	h.endFirstCA(t)
	refused("its last lists are not published", lifecycle.Illegal)
	h.publish(t, "issuing-1")
	if got := h.ca(t, "issuing-1").State; got != lifecycle.IssuerEnded {
		t.Fatalf("it is %s", got)
	}
	refused("its own certificate is good", lifecycle.Conflict)
	wantKind(t, second(h.EndKeys(t.Context(), maxence, "2039", "issuing-2", nil)), lifecycle.Illegal) // it signs
	wantKind(t, second(h.EndKeys(t.Context(), maxence, "2039", "root-1", nil)), lifecycle.Illegal)
	h.event(t, h.RevokeHouseCertificate(t.Context(), maxence, h.ownSerial(t, "ca", "root-1"), issuance.Revocation{Reason: lifecycle.ReasonCessationOfOperation}))
	wantKind(t, second(end(helene, "2039")), lifecycle.Forbidden)

	h.exec(t, "UPDATE house_certificate SET revoked_at = NULL, reason = NULL, crl_entry = NULL WHERE issuer_id = 'issuing-1'")
	refused("a delegate's certificate lives", lifecycle.Conflict)
	h.event(t, h.RevokeHouseCertificate(t.Context(), maxence, h.ownSerial(t, "ocsp", "issuing-1"), issuance.Revocation{Reason: lifecycle.ReasonCessationOfOperation}))
	h.exec(t, "UPDATE crl SET next_update = '2027-01-01' WHERE issuer_id = 'issuing-1' AND shard = 1 AND next_update > '9999-01-01'")
	refused("a list that is none of the last", lifecycle.Conflict)
	h.exec(t, "UPDATE crl SET next_update = '9999-12-31 23:59:59Z' WHERE issuer_id = 'issuing-1' AND shard = 1 AND next_update = '2027-01-01'")

	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return end(by, "2039") })
	for range 2 { // what was interrupted goes on, for either of them
		if a, err := end(maxence, "2039"); err != nil || !a.Done || a.Proposer != "maxence" {
			t.Errorf("again: %+v %v", a, err)
		}
	}
	wantKind(t, second(end(helene, "2039")), lifecycle.Forbidden)
	wantKind(t, second(end(maxence, "2040")), lifecycle.Conflict) // it has a ceremony
	acts := must[[]issuance.CeremonyAct](t)(h.Acts(t.Context(), "2039"))
	if len(acts) != 1 || acts[0].Name != "key-end issuing-1" || acts[0].By != another.ID || acts[0].Detail["proposed_by"] != "maxence" || acts[0].Detail["witnesses"] != "Elke Vlierstra" {
		t.Errorf("on record: %+v", acts)
	}
	keys := must[[]issuance.EndedKey](t)(h.KeysOf(t.Context(), "issuing-1"))
	if len(keys) != 2 || keys[0].Name != "issuing-1" || keys[1].Name != "ocsp-1" {
		t.Errorf("its keys: %+v", keys)
	}
}

func TestTheKeysOfACAThatHasExpiredMayEnd(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.endFirstCA(t)
	h.publish(t, "issuing-1")
	h.clock.advance(11 * 365 * 24 * time.Hour)
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) {
		return h.EndKeys(t.Context(), by, "2039", "issuing-1", nil)
	})
}
