package house_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

func TestTheNextIssuingCAIsMadeBesideTheFirst(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	again := b.ceremony(house.DefaultPlan())
	again.ID, again.Issuing = "2026-B", "issuing-2"
	again.PublicBase = "http://elsewhere.example" // the root's certificates go on naming its own place
	wrong := again
	wrong.Issuing = "Issuing 2"
	if _, err := b.Hold(t.Context(), wrong); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a CA of another kind of name: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if acts := names(b.hold(t, again)); acts != "begun, root-opened, issuing issuing-2, root-closed, responder "+minuted(t, b, issuance.DelegateOCSP)+
			", bureau-signer "+minuted(t, b, issuance.DelegateBureau)+", statement-signer "+minuted(t, b, issuance.DelegateStatement) {
			t.Errorf("acts: %s", acts)
		}
	}
	folder := t.TempDir()
	door := must(b.Public(t.Context(), b.admin, b.admin, folder))(t)
	defer func() { fatal(t, door.Close()) }()
	for _, of := range [][2]string{{house.RootID, "Root CA"}, {house.IssuingID, "Issuing CA"}, {"issuing-2", "Issuing CA 2"}} {
		id, cn := of[0], of[1]
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ca/"+id+".cer", nil))
		certificate := must(x509.ParseCertificate(w.Body.Bytes()))(t)
		if !strings.HasSuffix(certificate.Subject.CommonName, cn) {
			t.Errorf("%s is %s", id, certificate.Subject)
		}
		if id != house.RootID && certificate.CRLDistributionPoints[0] != "http://127.0.0.1:1/crl/root-1/0.crl" {
			t.Errorf("%s: its status is at %q", id, certificate.CRLDistributionPoints)
		}
		fatal(t, os.WriteFile(filepath.Join(folder, id+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Body.Bytes()}), 0o600))
		check := exec.CommandContext(t.Context(), "openssl", "verify", "-x509_strict", "-CAfile", house.RootID+".pem", id+".pem") //nolint:gosec // names of CAs
		check.Dir = folder
		if said, err := check.CombinedOutput(); id != house.RootID && err != nil {
			t.Errorf("openssl of %s: %s", id, said)
		}
	}
	key := must(b.cards.SigningKey(t.Context(), "ocsp-2", 0))(t)
	b.now = b.now.Add(time.Hour)
	fatal(t, b.Rotate(t.Context(), again, "ocsp-2", false))
	if next := must(b.cards.SigningKey(t.Context(), "ocsp-2", 0))(t); next.Version() != key.Version()+1 {
		t.Errorf("its responder's key has version %d", next.Version())
	}
	if err := b.Rotate(t.Context(), again, "issuing-2", false); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a CA's key is rotated: %v", err)
	}
}

// minuted is how the minutes name a delegate of the next CA.
func minuted(t *testing.T, b *bankHouse, of issuance.Delegation) string {
	t.Helper()
	d := must(b.Service.NewestDelegate(t.Context(), "issuing-2", of))(t)
	return fmt.Sprintf("%X", sha256.Sum256(d.Certificate))[:8]
}
