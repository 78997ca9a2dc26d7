package hsm_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/lifecycle"
)

// scripted is a Vault that answers the engine's paths as the test says, and
// keeps what it was asked: the real engine cannot be made to answer wrongly.
type scripted struct {
	mu     sync.Mutex
	bodies []string
	answer func(path string, request map[string]any) (status int, data any)
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if strings.HasPrefix(path, "auth/") {
		_, _ = fmt.Fprint(w, `{"auth":{"client_token":"x","lease_duration":0}}`)
		return
	}
	var request map[string]any
	decoder := json.NewDecoder(r.Body)
	if err := decoder.Decode(&request); err != nil && r.Method != http.MethodGet {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	text, err := json.Marshal(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, r.Method+" "+path+" "+string(text))
	s.mu.Unlock()
	status, data := s.answer(path, request)
	w.WriteHeader(status)
	if status >= http.StatusBadRequest {
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{data}})
		return
	}
	if data != nil {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}
}

func (s *scripted) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies
}

func script(t *testing.T, answer func(path string, request map[string]any) (int, any)) (*hsm.Client, *scripted) {
	t.Helper()
	s := &scripted{answer: answer}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return openWith(t, hsm.Config{Address: server.URL, Token: "x"}), s
}

func always(status int, data any) func(string, map[string]any) (int, any) {
	return func(string, map[string]any) (int, any) { return status, data }
}

func pan(t *testing.T) lifecycle.PAN {
	t.Helper()
	p, err := lifecycle.NewPAN("5413330089600119")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const attempt = lifecycle.AttemptID("A-0123456789ABCDEF")

func cardsOf(t *testing.T, n int) []hsm.CardToPersonalise {
	t.Helper()
	cards := make([]hsm.CardToPersonalise, n)
	for i := range cards {
		cards[i] = hsm.CardToPersonalise{
			Card: lifecycle.CardID(fmt.Sprintf("C-%016d", i)), PINVersion: 1, PAN: pan(t), PSN: 1,
			Expiry: time.Date(2029, 11, 30, 0, 0, 0, 0, time.UTC),
		}
	}
	return cards
}

func TestEachCommandAsksAsTheEngineExpects(t *testing.T) {
	t.Parallel()
	release := hsm.PINRelease{Card: "C-1", PINVersion: 2, Letter: "P-1"}
	for _, test := range []struct {
		name   string
		answer any
		call   func(ctx context.Context, c *hsm.Client) error
		want   string
	}{
		{"create a key", map[string]any{"kcv": "AB"}, func(ctx context.Context, c *hsm.Client) error {
			_, err := c.CreateKey(ctx, "imk-ac", hsm.UsageIMKAC, "tdes2")
			return err
		}, `PUT hsm/keys/imk-ac {"algorithm":"tdes2","usage":"imk-ac"}`},
		{"enter a component", map[string]any{"complete": false}, func(ctx context.Context, c *hsm.Client) error {
			_, _, err := c.EnterComponent(ctx, hsm.KeyComponent{
				Key: "imk-ac", Usage: hsm.UsageIMKAC, Algorithm: "tdes2", Index: 1, Total: 2, Component: "00FF", KCV: "AABBCC",
			})
			return err
		}, `PUT hsm/keys/imk-ac/components {"algorithm":"tdes2","component":"00FF","index":"1","kcv":"AABBCC","total":"2","usage":"imk-ac"}`},
		{"export a key", map[string]any{"key_block": "D"}, func(ctx context.Context, c *hsm.Client) error {
			_, _, err := c.ExportKey(ctx, "transport", "bureau-kbpk")
			return err
		}, `PUT hsm/keys/transport/export {"kbpk":"bureau-kbpk"}`},
		{"personalise", map[string]any{"batch": "C-0000000000000000,AQGq,1,1,1"}, func(ctx context.Context, c *hsm.Client) error {
			_, err := c.Personalise(ctx, hsm.PersonaliseRequest{
				Attempt: attempt, Profile: "securaccess", TransportKey: "transport", Cards: cardsOf(t, 1),
			})
			return err
		}, `PUT hsm/card/personalise {"attempt":"A-0123456789ABCDEF","batch":"C-0000000000000000,1,5413330089600119,01,2911",` +
			`"profile":"securaccess","transport_key":"transport"}`},
		{"release a PIN", map[string]any{"pin": "4821"}, func(ctx context.Context, c *hsm.Client) error {
			_, err := c.ReleasePIN(ctx, release)
			return err
		}, `PUT hsm/pin/letter {"card":"C-1","letter":"P-1","pin_version":"2"}`},
		{"close a PIN", nil, func(ctx context.Context, c *hsm.Client) error {
			return c.ClosePIN(ctx, release)
		}, `PUT hsm/pin/close {"card":"C-1","letter":"P-1","pin_version":"2"}`},
		{"destroy a PIN", nil, func(ctx context.Context, c *hsm.Client) error {
			return c.DestroyPIN(ctx, "C-1", 2)
		}, `PUT hsm/pin/destroy {"card":"C-1","pin_version":"2"}`},
		{"verify a code", map[string]any{"batch": "wrong"}, func(ctx context.Context, c *hsm.Client) error {
			_, err := c.VerifyCAP(ctx, []hsm.CAPCheck{{
				PAN: pan(t), PSN: 1, Profile: "securaccess", Mode: hsm.Mode2TDS, Code: "12345678",
				TDS: []string{"100", "200"}, LastATC: 7, Window: 64, Scripts: []int{0, 1},
			}})
			return err
		}, `PUT hsm/cap/verify {"batch":"5413330089600119,01,securaccess,2+tds,12345678,7,64,0 1,,,,,100 200"}`},
		{"make a script", map[string]any{"apdu": "8424000008"}, func(ctx context.Context, c *hsm.Client) error {
			_, err := c.PINUnblockScript(ctx, hsm.ScriptRequest{
				PAN: pan(t), PSN: 1, Profile: "securaccess", ATC: 9, ARQC: []byte{0xAB, 1, 2, 3, 4, 5, 6, 7}, Scripts: []int{0, 1},
			})
			return err
		}, `PUT hsm/script/pin-unblock {"arqc":"AB01020304050607","atc":"9","pan":"5413330089600119","profile":"securaccess","psn":"01","scripts":["0","1"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, vault := script(t, always(http.StatusOK, test.answer))
			if err := test.call(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			asked := vault.asked()
			if len(asked) != 1 || asked[0] != test.want {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(asked, "\n"), test.want)
			}
		})
	}
}

func TestALargeBatchGoesInCallsOfAHundredAndKeepsItsOrder(t *testing.T) {
	t.Parallel()
	client, vault := script(t, func(_ string, request map[string]any) (int, any) {
		batch, _ := request["batch"].(string)
		lines := strings.Split(batch, "\n")
		if len(lines) > 100 {
			return http.StatusBadRequest, "invalid: too many"
		}
		for i, line := range lines {
			id, _, _ := strings.Cut(line, ",")
			lines[i] = id + "," + base64.StdEncoding.EncodeToString([]byte(id)) + ",2,1,3"
		}
		return http.StatusOK, map[string]any{"batch": strings.Join(lines, "\n"), "transport_kcv": "A1B2C3"}
	})
	cards := cardsOf(t, 250)
	made, err := client.Personalise(t.Context(), hsm.PersonaliseRequest{Attempt: attempt, Cards: cards})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(vault.asked()); got != 3 {
		t.Errorf("%d calls, want 3", got)
	}
	for i, card := range cards {
		if made[i].Card != card.Card || string(made[i].DGIs) != string(card.Card) || made[i].TransportKCV != "A1B2C3" ||
			made[i].Keys != (hsm.MasterKeyVersions{AC: 2, SMI: 1, SMC: 3}) {
			t.Fatalf("card %d is %+v, want %s", i, made[i], card.Card)
		}
	}
}

func TestAnAnswerThatBreaksTheContractIsAnErrorWithoutTheSecret(t *testing.T) {
	t.Parallel()
	type call func(ctx context.Context, c *hsm.Client) error
	release := func(ctx context.Context, c *hsm.Client) error {
		_, err := c.ReleasePIN(ctx, hsm.PINRelease{Card: "C-1", PINVersion: 1, Letter: "P-1"})
		return err
	}
	personalise := func(ctx context.Context, c *hsm.Client) error {
		_, err := c.Personalise(ctx, hsm.PersonaliseRequest{Attempt: attempt, Cards: cardsOf(t, 1)})
		return err
	}
	verify := func(ctx context.Context, c *hsm.Client) error {
		answers, err := c.VerifyCAP(ctx, []hsm.CAPCheck{{PAN: pan(t), Code: "48213579"}})
		if err != nil {
			return err
		}
		return answers[0].Err
	}
	batch := func(text string) any { return map[string]any{"batch": text} }
	for _, test := range []struct {
		name   string
		status int
		answer any
		call   call
	}{
		{"no PIN", http.StatusOK, map[string]any{}, release},
		{"a PIN of letters", http.StatusOK, map[string]any{"pin": "48213579x"}, release},
		{"a PIN as a number", http.StatusOK, map[string]any{"pin": 48213579}, release},
		{"a refusal that quotes the PIN", http.StatusBadRequest, "conflict: 48213579", release},
		{"nothing at all", http.StatusOK, nil, release},
		{"no card", http.StatusOK, map[string]any{}, personalise},
		{"another card", http.StatusOK, batch("C-2,NDgyMTM1Nzk=,1,1,1"), personalise},
		{"no versions of the master keys", http.StatusOK, batch("C-0000000000000000,48213579"), personalise},
		{"a version of a master key that is none", http.StatusOK, batch("C-0000000000000000,48213579,1,0,1"), personalise},
		{"data that are no base64", http.StatusOK, batch("C-0000000000000000,48213579x,1,1,1"), personalise},
		{"two cards for one", http.StatusOK, batch("C-0000000000000000,48213579,1,1,1\nC-0000000000000000,48213579,1,1,1"), personalise},
		{"no check answered", http.StatusOK, map[string]any{}, verify},
		{"an answer that is no verdict", http.StatusOK, batch("48213579"), verify},
		{"a check that was not asked", http.StatusOK, batch("wrong\nvalid,4821,0"), verify},
		{"a valid code without its counter", http.StatusOK, batch("valid"), verify},
		{"a counter that is none", http.StatusOK, batch("valid,48213579x,0"), verify},
		{"an error of one check", http.StatusOK, batch("unknown_profile: 48213579"), verify},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, _ := script(t, always(test.status, test.answer))
			err := test.call(t.Context(), client)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "4821") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestVerifiedCodesComeInTheOrderOfTheChecks(t *testing.T) {
	t.Parallel()
	client, _ := script(t, always(http.StatusOK, map[string]any{"batch": "wrong\nvalid,12,1\nunknown_profile: x"}))
	answers, err := client.VerifyCAP(t.Context(), []hsm.CAPCheck{
		{PAN: pan(t)}, {PAN: pan(t), Code: "1,2"}, {PAN: pan(t)}, {PAN: pan(t)}, {PAN: pan(t), Mode: hsm.Mode2TDS, TDS: []string{"1 2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if answers[0].Valid || answers[0].Err != nil {
		t.Errorf("check 0: %+v", answers[0])
	}
	if answers[1] != (hsm.CAPAnswer{}) {
		t.Errorf("a code with a comma: %+v", answers[1])
	}
	wantKind(t, answers[4].Err, lifecycle.Invalid)
	if answers[2] != (hsm.CAPAnswer{Valid: true, ATC: 12, Scripts: 1}) {
		t.Errorf("check 2: %+v", answers[2])
	}
	wantKind(t, answers[3].Err, lifecycle.NotFound)
}

func TestAComponentHidesItself(t *testing.T) {
	t.Parallel()
	component := hsm.KeyComponent{Key: "imk-ac", Index: 1, Total: 2, Component: "0123456789ABCDEF", KCV: "08D7B4"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, component); strings.Contains(got, "0123") {
			t.Errorf("%s shows %s", verb, got)
		}
	}
	if got := component.LogValue().String(); strings.Contains(got, "0123") {
		t.Errorf("the log shows %s", got)
	}
}
