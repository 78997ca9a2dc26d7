package revocation

import (
	"bytes"
	"crypto"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/lifecycle"
)

// remembering opens a door with a memory before its source.
func remembering(t *testing.T) (*door, *Memory) {
	t.Helper()
	var memory *Memory
	d := setup(t, func(c *Config) {
		memory = NewMemory(c.Source)
		c.Source, c.Keep, c.Holding = memory, memory.Keep, memory.Held
	})
	return d, memory
}

func (d *door) learned(serial lifecycle.Serial, version int32, ahead *Presigned) Learned {
	return Learned{IssuerID: "issuing-1", Serial: serial, Known: Known{Status: d.source.statuses[serial], Version: version, Ahead: [2]*Presigned{ahead}}}
}

func (d *door) ask(t *testing.T, serial lifecycle.Serial, hash crypto.Hash, nonce []byte) (int, reply) {
	t.Helper()
	got := d.call(t, http.MethodPost, "/ocsp", d.request(t, serial, hash, nonce))
	if bytes.Equal(got.body, ca.ErrorResponse(ca.OCSPTryLater)) {
		return tryLater, got
	}
	return must[*ocsp.Response](t)(ocsp.ParseResponse(got.body, d.issuer.Certificate)).Status, got
}

const tryLater = -1

func TestWhatIsHeldIsNotAskedAgainAndOnlyMovesForward(t *testing.T) {
	t.Parallel()
	d, memory := remembering(t)
	want := func(when string, serial lifecycle.Serial, status int, reads int64) {
		t.Helper()
		before := d.source.reads.Load()
		if got, _ := d.ask(t, serial, crypto.SHA1, []byte{1}); got != status {
			t.Errorf("%s: status %d, want %d", when, got, status)
		}
		if got := d.source.reads.Load() - before; got != reads {
			t.Errorf("%s: %d reads of the source, want %d", when, got, reads)
		}
	}
	want("before anybody follows the database", d.good, ocsp.Good, 1)
	want("and again", d.good, ocsp.Good, 1)
	memory.CaughtUp(d.now)
	want("once somebody does", d.good, ocsp.Good, 1)
	want("and again", d.good, ocsp.Good, 0)
	want("a serial that was never issued", d.never, ocsp.Revoked, 1)
	want("and again: who asks for many fills no memory", d.never, ocsp.Revoked, 1)
	d.source.statuses[d.good] = d.source.statuses[d.revoked]
	memory.Learn([]Learned{d.learned(d.good, 1, nil)})
	want("revoked", d.good, ocsp.Revoked, 0)
	d.source.statuses[d.good] = ca.Status{State: ca.StateGood}
	memory.Learn([]Learned{d.learned(d.good, 0, nil)})
	want("a status of before", d.good, ocsp.Revoked, 0)
	memory.Learn([]Learned{d.learned(d.good, 2, nil)})
	want("released", d.good, ocsp.Good, 0)
}

func TestAnAnswerHeldIsTheLatestOfItsStatus(t *testing.T) {
	t.Parallel()
	d, memory := remembering(t)
	good, revoked := ca.Status{State: ca.StateGood}, d.source.statuses[d.revoked]
	early, late := d.ahead(t, d.good, good, d.now.Add(-time.Minute)), d.ahead(t, d.good, good, d.now)
	sent := func(when string, answer *Presigned) {
		t.Helper()
		if _, got := d.ask(t, d.good, crypto.SHA1, nil); bytes.Equal(got.body, early.DER) != (answer == early) || bytes.Equal(got.body, late.DER) != (answer == late) {
			t.Errorf("%s: another answer is sent", when)
		}
	}
	memory.CaughtUp(d.now)
	memory.Learn([]Learned{d.learned(d.good, 0, early)})
	sent("the first", early)
	memory.Learn([]Learned{d.learned(d.good, 0, late)})
	sent("a later one", late)
	memory.Learn([]Learned{d.learned(d.good, 0, early), d.learned(d.good, 0, nil)})
	sent("the first again, and none", late)
	d.source.statuses[d.good] = revoked
	memory.Learn([]Learned{d.learned(d.good, 1, nil)})
	sent("revoked, and nothing signed for it", nil)
	memory.Keep("issuing-1", d.good[:], 0, crypto.SHA1, late)
	sent("an answer of before that was kept too late", nil)
}

func TestAnswersThatComeByThemselvesAreOfTheStatusThatIsHeld(t *testing.T) {
	t.Parallel()
	d, memory := remembering(t)
	good := ca.Status{State: ca.StateGood}
	early, late := d.ahead(t, d.good, good, d.now.Add(-time.Minute)), d.ahead(t, d.good, good, d.now)
	learn := func(version int32, of *Presigned) {
		memory.LearnAnswers([]Answered{{Serial: d.good, Version: version, Answer: of.Answer}})
	}
	sent := func(when string, answer *Presigned) {
		t.Helper()
		known, there, _ := memory.look("issuing-1", d.good)
		if has := known.Ahead[0]; !there || (has == nil) != (answer == nil) || has != nil && (!bytes.Equal(has.DER, answer.DER) || has.State != known.Status.State) {
			t.Errorf("%s: another answer is held (%v)", when, there)
		}
		if answer == nil {
			return // who asks has one signed
		}
		if _, got := d.ask(t, d.good, crypto.SHA1, nil); !bytes.Equal(got.body, answer.DER) {
			t.Errorf("%s: another answer is sent", when)
		}
	}
	memory.CaughtUp(d.now)
	learn(0, early)
	if _, there, _ := memory.look("issuing-1", d.good); there {
		t.Error("an answer alone makes nothing held")
	}
	memory.Learn([]Learned{d.learned(d.good, 1, nil)})
	learn(0, late)
	sent("of an older status", nil)
	learn(2, late)
	sent("of one that is not known yet", nil)
	learn(1, early)
	sent("of this one", early)
	learn(1, late)
	sent("a later one", late)
	learn(1, early)
	sent("an earlier one", late)
}

func TestAnAnswerThatFitsOthersIsSignedOnce(t *testing.T) {
	t.Parallel()
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		d, memory := remembering(t)
		memory.CaughtUp(d.now)
		_, first := d.ask(t, d.good, hash, nil)
		away := error(lifecycle.Unavailable)
		d.signerErr.Store(&away)
		if status, again := d.ask(t, d.good, hash, nil); status != ocsp.Good || !bytes.Equal(first.body, again.body) {
			t.Errorf("%s: asked again while the key store is away: status %d", hash, status)
		}
		if status, _ := d.ask(t, d.good, hash, []byte{1}); status != tryLater {
			t.Errorf("%s: with a nonce: status %d", hash, status)
		}
	}
}

func TestWhileNobodyFollowsOnlyAnswersSignedAheadAreGiven(t *testing.T) {
	t.Parallel()
	d, memory := remembering(t)
	health := func() (int, state) {
		t.Helper()
		got := d.call(t, http.MethodGet, "/health", nil)
		var s state
		if err := json.Unmarshal(got.body, &s); err != nil {
			t.Fatal(err)
		}
		return got.StatusCode, s
	}
	ahead := d.ahead(t, d.good, ca.Status{State: ca.StateGood}, d.now)
	memory.Learn([]Learned{d.learned(d.good, 0, ahead), d.learned(d.revoked, 1, nil)})
	memory.CaughtUp(d.now.Add(-time.Minute))
	if status, _ := d.ask(t, d.good, crypto.SHA1, nil); status != ocsp.Good {
		t.Errorf("signed ahead: status %d", status)
	}
	for name, serial := range map[string]lifecycle.Serial{"a good one": d.good, "a revoked one": d.revoked} {
		if status, _ := d.ask(t, serial, crypto.SHA1, []byte{1}); status != tryLater {
			t.Errorf("%s with a nonce: status %d is told of what is known since a minute", name, status)
		}
	}
	code, s := health()
	if code != http.StatusServiceUnavailable || s.Status != "degraded" || s.Certificates != 2 || !s.AsOf.Equal(d.now.Add(-time.Minute)) || !s.AnswersUntil.Equal(ahead.NextUpdate) {
		t.Errorf("health: HTTP %d, %+v", code, s)
	}
	other, memory := remembering(t)
	memory.CaughtUp(other.now)
	d = other
	if code, s := health(); code != http.StatusOK || s.Status != "ok" || s.Certificates != 0 || s.AnswersUntil != nil {
		t.Errorf("health: HTTP %d, %+v", code, s)
	}
	if got := d.call(t, http.MethodPost, "/health", nil); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: HTTP %d", got.StatusCode)
	}
}

func TestTheDoorSpeaksForOthersWhileItIsOpen(t *testing.T) {
	t.Parallel()
	d, other := setup(t), setup(t)
	unauthorized := ca.ErrorResponse(ca.OCSPUnauthorized)
	request := other.request(t, other.good, crypto.SHA1, nil)
	if got := d.call(t, http.MethodPost, "/ocsp", request); !bytes.Equal(got.body, unauthorized) {
		t.Errorf("another house's CA: %x", got.body)
	}
	responders := append(d.handler.config.Responders, Responder{IssuerID: "issuing-2", Responder: other.responder, Signer: other.handler.config.Responders[0].Signer})
	if err := d.handler.Speak(nil, responders); err != nil {
		t.Fatal(err)
	}
	if got := d.call(t, http.MethodPost, "/ocsp", request); bytes.Equal(got.body, unauthorized) {
		t.Error("the new CA is not spoken for")
	}
	if got := d.call(t, http.MethodGet, "/ca/root.cer", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("a CA certificate that is no longer served: HTTP %d", got.StatusCode)
	}
	if err := d.handler.Speak(nil, nil); err == nil {
		t.Error("a door without responder is open")
	}
}
