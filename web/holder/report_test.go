package holder_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

func TestSomethingSuspiciousIsReportedWithoutSigningIn(t *testing.T) {
	t.Parallel()
	b := open(t)
	v := b.browser()
	v.get("/advice").want(t, http.StatusOK, "JAMAIS", "Raccrochez", `href="/report"`)
	v.get("/report").want(t, http.StatusOK, "Que s&#39;est-il passé ?", "N&#39;écrivez ici ni code")
	const told = "Un SMS <b>urgent</b> me demande mon code : 1234 5678."
	v.post("/report", url.Values{"told": {told}, "client_id": {"12"}, "happened": {"2999-01-01"}}).want(t, http.StatusUnprocessableEntity,
		"Choisissez de quoi", "8 chiffres", "jour passé", "&lt;b&gt;urgent&lt;/b&gt;")
	a := v.post("/report", url.Values{"kind": {"message"}, "told": {told}, "contact": {"06 12 34 56 78"}})
	a.want(t, http.StatusOK, "Numéro de reçu", "FR-")
	receipt := regexp.MustCompile(`FR-[0-9A-Z]{16}`).FindString(a.text)
	kept := must[issuance.FraudReport](t)(b.service.FraudReport(t.Context(), lifecycle.FraudReportID(receipt)))
	if kept.State != lifecycle.FraudReceived || strings.Contains(kept.Told, "1234") || !strings.Contains(kept.Told, "<b>urgent</b>") || kept.Holder != "" {
		t.Errorf("on record: %+v", kept)
	}
	if strings.Contains(b.log.String(), "urgent") {
		t.Error("the log shows what was told")
	}
	for lang, says := range map[string][2]string{
		"nl": {"NOOIT", "Iets verdachts melden"}, "de": {"NIE nach", "Etwas Verdächtiges melden"}, "en": {"NEVER ask", "Report something suspicious"},
	} {
		b.browser().get("/advice?lang="+lang).want(t, http.StatusOK, says[0])
		b.browser().get("/report?lang="+lang).want(t, http.StatusOK, says[1])
	}
	p := b.program()
	if got := p.post("/report", url.Values{"kind": {"call"}, "told": {"x"}}); got.status != http.StatusOK || got.body["receipt"] == nil {
		t.Errorf("a program: %d %s", got.status, got.text)
	}
}
