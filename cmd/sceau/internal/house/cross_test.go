package house_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"

	"sceau/certprofile"
	"sceau/cmd/sceau/internal/house"
)

func TestTheNextRootIsCrossCertifiedWithTheOneBefore(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	next := b.ceremony(house.DefaultPlan())
	next.ID, next.Root, next.Issuing = "2036-B", "root-2", "issuing-2"
	for range 2 { // the second time there is nothing to do
		acts := names(b.hold(t, next))
		if want := "begun, root-opened, root root-2, cross root-2 by root-1, cross root-1 by root-2, issuing issuing-2, root-list root-2 1, root-closed, responder "; !strings.HasPrefix(acts, want) {
			t.Errorf("acts: %s", acts)
		}
	}
	lists, folder := t.TempDir(), t.TempDir()
	door := must(b.Public(t.Context(), b.admin, b.admin, lists))(t)
	defer func() { fatal(t, door.Close()) }()
	get := func(path string) []byte {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		return w.Body.Bytes()
	}
	write := func(name, kind string, der []byte) {
		fatal(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	for _, id := range []string{"root-1", "root-2", "issuing-1", "issuing-2"} {
		write(id, "CERTIFICATE", get("/ca/"+id+".cer"))
	}
	for _, id := range []string{"root-1", "root-2"} {
		write(id+".list", "X509 CRL", get("/crl/"+id+"/0.crl"))
		bundle := must(pkcs7.Parse(get("/ca/" + id + ".p7c")))(t).Certificates
		if len(bundle) != 2 || bundle[0].NotAfter.Before(bundle[1].NotAfter) {
			t.Fatalf("%s: %d certificates", id, len(bundle))
		}
		write(id+".crossed", "CERTIFICATE", bundle[1].Raw)
	}
	for _, of := range [][3]string{{"root-2", "root-1.crossed", "issuing-1"}, {"root-1", "root-2.crossed", "issuing-2"}} {
		for _, crossed := range []bool{true, false} { // without it no path leads to the root
			args := []string{"verify", "-x509_strict", "-crl_check_all", "-explicit_policy", "-policy", certprofile.PolicyAuthentication, "-CRLfile", "root-1.list", "-CRLfile", "root-2.list", "-no-CApath", "-CAfile", of[0]}
			if crossed {
				args = append(args, "-untrusted", of[1])
			}
			check := exec.CommandContext(t.Context(), "openssl", append(args, of[2])...) //nolint:gosec // names of CAs
			check.Dir = folder
			if said, err := check.CombinedOutput(); (err == nil) != crossed || !crossed && !strings.Contains(string(said), "unable to get") {
				t.Errorf("%s below %s, crossed %t: %s", of[2], of[0], crossed, said)
			}
		}
	}
}
