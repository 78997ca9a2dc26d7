package passkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sceau/lifecycle"
	"sceau/passkey"
	"sceau/passkey/passkeytest"
)

var (
	bank      = passkey.RelyingParty{ID: "bank.example", Name: "Banque", Origins: []string{"https://online.bank.example"}}
	challenge = [32]byte{1, 2, 3}
)

func device(t *testing.T, adapt func(*passkeytest.Passkey)) *passkeytest.Passkey {
	t.Helper()
	p, err := passkeytest.New(bank.ID, bank.Origins[0], []byte("H-0000000000000001"))
	if err != nil {
		t.Fatal(err)
	}
	adapt(p)
	return p
}

func made(t *testing.T, answer []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// What a thief's page or device would bring.
func wrongs() map[string]func(*passkeytest.Passkey) {
	return map[string]func(*passkeytest.Passkey){
		"of another domain":        func(p *passkeytest.Passkey) { p.RPID = "bank.example.evil.example" },
		"on another page":          func(p *passkeytest.Passkey) { p.Origin = "https://bank.example.evil.example" },
		"on a page without TLS":    func(p *passkeytest.Passkey) { p.Origin = "http://online.bank.example" },
		"on another port":          func(p *passkeytest.Passkey) { p.Origin = "https://online.bank.example:8443" },
		"with nobody verified":     func(p *passkeytest.Passkey) { p.Unverified = true },
		"in a frame of another's":  func(p *passkeytest.Passkey) { p.Cross = true },
		"on a page of a subdomain": func(p *passkeytest.Passkey) { p.Origin = "https://a.online.bank.example" },
	}
}

func TestAPasskeyIsMadeForThisBankAndThisChallenge(t *testing.T) {
	t.Parallel()
	p := device(t, func(*passkeytest.Passkey) {})
	answer, err := p.Create(challenge[:])
	c, err := bank.Made(challenge, made(t, answer, err))
	if err != nil || !bytes.Equal(c.ID, p.ID) || c.BackedUp || strings.Join(c.Transports, " ") != "internal hybrid" {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := bank.Made([32]byte{9}, answer); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("for another registration: %v", err)
	}
	signed, err := p.Sign(challenge[:])
	if _, err := bank.Made(challenge, made(t, signed, err)); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a signature in its place: %v", err)
	}
	for name, adapt := range wrongs() {
		answer, err := device(t, adapt).Create(challenge[:])
		if _, err := bank.Made(challenge, made(t, answer, err)); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPasskeySignsThisChallengeForThisBank(t *testing.T) {
	t.Parallel()
	judge := func(p *passkeytest.Passkey, key []byte, of [32]byte, backedUp bool) (uint32, error) {
		answer, err := p.Sign(challenge[:])
		a, err := passkey.ParseAssertion(made(t, answer, err))
		if err != nil {
			t.Fatal(err)
		}
		return bank.Signed(a, of, key, backedUp)
	}
	p := device(t, func(p *passkeytest.Passkey) { p.Count = 7 })
	answer, err := p.Create(challenge[:])
	c, err := bank.Made(challenge, made(t, answer, err))
	if err != nil {
		t.Fatal(err)
	}
	if count, err := judge(p, c.PublicKey, challenge, false); err != nil || count != 8 {
		t.Errorf("count %d, %v", count, err)
	}
	if _, err := judge(p, c.PublicKey, [32]byte{9}, false); !errors.Is(err, lifecycle.Forbidden) {
		t.Errorf("another challenge: %v", err)
	}
	if _, err := judge(p, c.PublicKey, challenge, true); !errors.Is(err, lifecycle.Forbidden) {
		t.Errorf("one that was made to be on several devices, and is not: %v", err)
	}
	if _, err := judge(device(t, func(*passkeytest.Passkey) {}), c.PublicKey, challenge, false); !errors.Is(err, lifecycle.Forbidden) {
		t.Errorf("another key: %v", err)
	}
	rpID, origin := p.RPID, p.Origin
	for name, adapt := range wrongs() {
		adapt(p)
		if _, err := judge(p, c.PublicKey, challenge, false); !errors.Is(err, lifecycle.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
		p.RPID, p.Origin, p.Unverified, p.Cross = rpID, origin, false, false
	}
}

func TestTheRelyingPartyIsOfOneDomain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		party passkey.RelyingParty
		good  bool
	}{
		"the bank":          {bank, true},
		"a developer's":     {passkey.RelyingParty{ID: "localhost", Origins: []string{"http://localhost:8080"}}, true},
		"no domain":         {passkey.RelyingParty{Origins: bank.Origins}, false},
		"a URL as domain":   {passkey.RelyingParty{ID: "https://bank.example", Origins: bank.Origins}, false},
		"no origin":         {passkey.RelyingParty{ID: "bank.example"}, false},
		"an origin outside": {passkey.RelyingParty{ID: "bank.example", Origins: []string{"https://notbank.example"}}, false},
		"one without TLS":   {passkey.RelyingParty{ID: "bank.example", Origins: []string{"http://bank.example"}}, false},
		"one with a path":   {passkey.RelyingParty{ID: "bank.example", Origins: []string{"https://bank.example/"}}, false},
	} {
		if err := test.party.Check(); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := json.Marshal(bank.Creation(challenge, []byte("H"), "20304050/0001", "Camille", []passkey.Descriptor{}, time.Minute))
	if err != nil || !strings.Contains(string(text), `"userVerification":"required"`) || !strings.Contains(string(text), `"attestation":"none"`) || !strings.Contains(string(text), `"timeout":60000`) {
		t.Errorf("%s, %v", text, err)
	}
}

func FuzzPasskeys(f *testing.F) {
	p, err := passkeytest.New(bank.ID, bank.Origins[0], nil)
	if err != nil {
		f.Fatal(err)
	}
	create, _ := p.Create([]byte("another"))
	sign, _ := p.Sign([]byte("another"))
	f.Add(create)
	f.Add(sign)
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := bank.Made(challenge, answer); err == nil {
			t.Error("a passkey for a challenge that nobody saw")
		}
		if a, err := passkey.ParseAssertion(answer); err == nil && len(a.CredentialID) == 0 {
			t.Error("of no passkey")
		}
	})
}
