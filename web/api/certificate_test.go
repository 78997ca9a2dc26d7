package api_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"testing"
	"time"

	"sceau/authn"
	"sceau/ca"
	"sceau/internal/foreignca"
	"sceau/lifecycle"
	"sceau/trust"
)

// judge is the ca room, and a world without responders.
type judge struct{}

func (judge) Judge(e *trust.Entry, certificate []byte, at time.Time, purpose trust.Purpose) trust.Judged {
	return ca.JudgeForeign(e, certificate, at, purpose)
}

func (judge) CheckSignature(certificate, text, signature []byte) error {
	return ca.CheckStatement(certificate, text, signature)
}

func (judge) Ask(context.Context, *trust.Entry, *x509.Certificate, *x509.Certificate, time.Time) (trust.Status, []byte, error) {
	return trust.Status{}, nil, lifecycle.Unavailable
}

func TestARelyingServiceAsksAboutACertificate(t *testing.T) {
	t.Parallel()
	d := open(t)
	key, other := d.key(authn.ScopeValidate), d.key(authn.ScopeVerifyCAP)
	foreign := must[*foreignca.CA](t)(foreignca.New(time.Now()))
	lotte := must[foreignca.Person](t)(foreign.Issue("Lotte Peeters"))
	e := &trust.Entry{
		Name: "autre", Title: "Autre Banque", Level: "**", Certificates: [][]byte{foreign.Root.Raw, foreign.Issuing.Raw}, Policies: []string{foreignca.Policy},
		Lists: []string{"http://autre.example/1.crl"}, Ask: trust.AskLists, Until: "2099-12-31",
	}
	e = must[*trust.Entry](t)(trust.Read(e.Canonical()))
	version := must[int](t)(d.service.ProposeTrust(t.Context(), officer, e))
	if err := d.service.ApproveTrust(t.Context(), approver, e.Name, version, e.Sum()); err != nil {
		t.Fatal(err)
	}
	ask := func(key, certificate, more string) answer {
		text := must[[]byte](t)(json.Marshal(certificate))
		return d.call("POST", "/v1/certificates/validate", key, `{"certificate":`+string(text)+`,"client_id":"20304050","user_number":"0001"`+more+`}`)
	}
	block := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lotte.Raw}))
	got := ask(key, block, "")
	got.want(t, http.StatusOK, map[string]any{"result": "invalid", "source": "autre", "level": "**", "subject": "CN=Lotte Peeters,C=BE"})
	if reasons, _ := json.Marshal(got.body["reasons"]); string(reasons) != `["status_unknown","not_bound"]` {
		t.Errorf("reasons %s", reasons)
	}
	ask(key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("0\x03abc")})), "").want(t, http.StatusOK, map[string]any{"result": "invalid"})
	ask(other, block, "").want(t, http.StatusForbidden, nil)
	ask("", block, "").want(t, http.StatusUnauthorized, nil)
	ask(key, "", "").want(t, http.StatusUnprocessableEntity, nil)
	ask(key, "not a certificate", "").want(t, http.StatusUnprocessableEntity, nil)
	ask(key, block, `,"purpose":"anything"`).want(t, http.StatusUnprocessableEntity, nil)
	ask(key, block, `,"at":"2999-01-01T00:00:00Z"`).want(t, http.StatusUnprocessableEntity, nil)
	ask(key, block, `,"extra":1`).want(t, http.StatusUnprocessableEntity, nil)
}
