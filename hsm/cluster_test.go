package hsm_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/hsm/pinblock"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// eventually repeats a call while Vault is away, as a queue does. It ends with
// the test's own deadline.
func eventually(t *testing.T, call func() error) {
	t.Helper()
	for {
		err := call()
		if err == nil {
			return
		}
		if !errors.Is(err, lifecycle.Unavailable) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func TestAKilledLeaderLosesNoKeyAndNoPIN(t *testing.T) {
	t.Parallel()
	cluster := testenv.ClusterOfVaults(t)
	h := cardHouseIn(t, cluster.Follower) // its clients never speak to the leader themselves
	const cards = 20
	made, images := h.personalise(t, cards)
	codes := make([]string, cards)
	for i, image := range images {
		codes[i] = code(t, image, 5)
	}
	signers := open(t, cluster.Follower)
	if err := signers.CreateSigningKey(t.Context(), "issuing-a", hsm.P256); err != nil {
		t.Fatal(err)
	}
	issuing, err := signers.SigningKey(t.Context(), "issuing-a", 0)
	if err != nil {
		t.Fatal(err)
	}
	released := hsm.PINRelease{Card: made[0].Card, PINVersion: 1, Letter: "P-0000000000000000"}
	if _, err := h.letter.ReleasePIN(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	if err := h.letter.ClosePIN(t.Context(), released); err != nil {
		t.Fatal(err)
	}

	cluster.KillLeader()

	for i, card := range made[1:] {
		var pin lifecycle.PIN
		eventually(t, func() (err error) {
			pin, err = h.letter.ReleasePIN(t.Context(), hsm.PINRelease{Card: card.Card, PINVersion: 1, Letter: "P-0000000000000001"})
			return err
		})
		if onCard, err := pinblock.DecodeISO2(images[i+1].PINBlock); err != nil || onCard != pin.Reveal() {
			t.Errorf("the PIN of card %s is not the one on its chip", card.Card)
		}
	}
	if _, err := h.letter.ReleasePIN(t.Context(), released); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("a PIN whose letter was closed before the leader died: %v", err)
	}
	checks := make([]hsm.CAPCheck, cards)
	for i, card := range made {
		checks[i] = hsm.CAPCheck{PAN: card.PAN, PSN: 1, Profile: h.profile, Mode: hsm.Mode2, Code: codes[i], Window: 64, Scripts: []int{0}}
	}
	answers, err := h.api.VerifyCAP(t.Context(), checks)
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range answers {
		if want := (hsm.CAPAnswer{Valid: true, ATC: 5}); answer != want {
			t.Errorf("the code that card %s made before: %+v, want %+v", made[i].Card, answer, want)
		}
	}
	const message = "signed by the new leader"
	signature, err := sign(t, issuing, message)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(message))
	key, ok := issuing.Public().(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(key, digest[:], signature) {
		t.Error("the new leader's signature is not by the key of before")
	}
}
