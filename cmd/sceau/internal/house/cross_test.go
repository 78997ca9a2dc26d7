package house_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"sceau/certprofile"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// relying is somebody with a folder and openssl.
type relying struct {
	*watchedHouse

	folder string
}

// get fetches what the door serves.
func (r relying) get(t *testing.T, path string) []byte {
	t.Helper()
	asked := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.address+path, nil))(t)
	got := must(http.DefaultClient.Do(asked))(t) //nolint:gosec // a door of this test
	defer func() { _ = got.Body.Close() }()
	if got.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, got.Status)
	}
	return must(io.ReadAll(got.Body))(t)
}

func (r relying) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	fatal(t, os.WriteFile(filepath.Join(r.folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// lists fetches those of both roots, and of the holders' CA.
func (r relying) lists(t *testing.T) {
	t.Helper()
	for _, path := range []string{"root-1/0", "root-2/0", "issuing-1/0"} {
		r.write(t, strings.ReplaceAll(path, "/", "-")+".list", "X509 CRL", r.get(t, "/crl/"+path+".crl"))
	}
}

// bundle is what /ca/{root}.p7c has.
func (r relying) bundle(t *testing.T, root string) []*x509.Certificate {
	t.Helper()
	return must(pkcs7.Parse(r.get(t, "/ca/"+root+".p7c")))(t).Certificates
}

// verify says what openssl thinks of a certificate, with one root trusted and others
// at hand: "" that it is good.
func (r relying) verify(t *testing.T, trusted, certificate string, others ...string) string {
	t.Helper()
	args := []string{
		"verify", "-x509_strict", "-crl_check_all", "-explicit_policy", "-policy", certprofile.PolicyAuthentication,
		"-CRLfile", "root-1-0.list", "-CRLfile", "root-2-0.list", "-CRLfile", "issuing-1-0.list", "-no-CApath", "-CAfile", trusted,
	}
	for _, other := range others {
		args = append(args, "-untrusted", other)
	}
	check := exec.CommandContext(t.Context(), "openssl", append(args, certificate)...) //nolint:gosec // names of files
	check.Dir = r.folder
	said, err := check.CombinedOutput()
	if err == nil {
		return ""
	}
	return string(said)
}

func TestTheNextRootIsCrossCertifiedWithTheOneBefore(t *testing.T) {
	t.Parallel()
	r := relying{openWatchedHouse(t), t.TempDir()}
	next := r.ceremony(house.DefaultPlan())
	next.ID, next.Root, next.Issuing, next.PublicBase = "2036-B", "root-2", "issuing-2", "http://pki.bank.example"
	const acts = "begun, root-opened, root root-2, cross root-2 by root-1, cross root-1 by root-2, issuing issuing-2, root-list root-2 1, root-closed, responder "
	for range 2 { // the second time there is nothing to do
		if got := names(r.hold(t, next)); !strings.HasPrefix(got, acts) {
			t.Errorf("acts: %s", got)
		}
	}
	await(t, "the door speaks of the next root", func() bool {
		all, wrong := r.look(t)
		return all == 10 && len(wrong) == 0 // what there was before, its list and certificate, and two bundles
	})
	r.lists(t)
	for _, id := range []string{"root-1", "root-2", "issuing-1", "issuing-2"} {
		r.write(t, id, "CERTIFICATE", r.get(t, "/ca/"+id+".cer"))
	}
	for _, id := range []string{"root-1", "root-2"} {
		bundle := r.bundle(t, id)
		if len(bundle) != 2 || bundle[0].NotAfter.Before(bundle[1].NotAfter) {
			t.Fatalf("%s: %d certificates", id, len(bundle))
		}
		r.write(t, id+".crossed", "CERTIFICATE", bundle[1].Raw)
	}
	for file, id := range map[string]string{"holder": "N-0000000000000001", "revoked": "N-0000000000000002"} {
		var der []byte
		fatal(t, r.own.QueryRow(t.Context(), "SELECT der FROM certificate WHERE id = $1", id).Scan(&der))
		r.write(t, file, "CERTIFICATE", der)
	}
	for _, tc := range []struct {
		trusted, certificate, says string
		others                     []string
	}{
		{"root-2", "issuing-1", "", []string{"root-1.crossed"}},
		{"root-2", "issuing-1", "unable to get", nil}, // no path leads to the root
		{"root-1", "issuing-2", "", []string{"root-2.crossed"}},
		{"root-1", "issuing-2", "unable to get", nil},
		{"root-2", "holder", "", []string{"issuing-1", "root-1.crossed"}},
		{"root-2", "holder", "unable to get", []string{"issuing-1"}},
		{"root-2", "revoked", "certificate revoked", []string{"issuing-1", "root-1.crossed"}},
		{"root-1", "holder", "", []string{"issuing-1"}},
	} {
		if got := r.verify(t, tc.trusted, tc.certificate, tc.others...); (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
			t.Errorf("%s below %s, with %v: %q", tc.certificate, tc.trusted, tc.others, got)
		}
	}
	r.revokedCross(t)
}

// revokedCross revokes what root-2 signed of root-1's key: it leaves root-1's bundle, and
// stands on the list that root-2 signs at the next ceremony, where it is not made again.
func (r relying) revokedCross(t *testing.T) {
	t.Helper()
	var crossed *x509.Certificate
	for _, x := range must(r.Service.CrossCertificates(t.Context()))(t) {
		if x.Issuer == "root-2" && x.Subject == "root-1" {
			crossed = must(x509.ParseCertificate(x.Certificate))(t)
		}
	}
	var serial lifecycle.Serial
	crossed.SerialNumber.FillBytes(serial[:])
	fatal(t, r.Service.RevokeHouseCertificate(t.Context(), r.holder, serial, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	await(t, "it is revoked, and no list says so yet", func() bool {
		_, wrong := r.look(t)
		return len(wrong) == 1 && strings.Contains(wrong["CRL root-2/0"], "the database says revoked")
	})
	if bundle := r.bundle(t, "root-1"); len(bundle) != 1 {
		t.Errorf("the bundle of root-1 has %d certificates", len(bundle))
	}
	c := r.ceremony(house.DefaultPlan())
	c.ID, c.PublicBase = "2036-C", "http://pki.bank.example"
	if got := names(r.hold(t, c)); got != "begun, root-opened, root-list root-2 2, root-closed" {
		t.Errorf("acts: %s", got)
	}
	await(t, "the list says so", func() bool {
		_, wrong := r.look(t)
		return len(wrong) == 0
	})
	r.lists(t)
	if got := r.verify(t, "root-2", "holder", "issuing-1", "root-1.crossed"); !strings.Contains(got, "certificate revoked") {
		t.Errorf("a holder's certificate, through a revoked cross-certificate: %q", got)
	}
	if got := r.verify(t, "root-1", "issuing-2", "root-2.crossed"); got != "" {
		t.Errorf("the other cross-certificate: %s", got)
	}
}

func TestARootIsNamedByItsNumberAndInTime(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	refuse := func(name, root string, years int, want error, says string) {
		t.Helper()
		c := b.ceremony(house.DefaultPlan())
		c.ID, c.Root, c.Now = "refused", root, func() time.Time { return b.now.AddDate(years, 0, 0) }
		if _, err := b.Hold(t.Context(), c); !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refuse("a root of another kind of name", "Root 2", 0, lifecycle.Invalid, "a number")
	refuse("an issuing CA for a root", "issuing-1", 0, lifecycle.Invalid, "a number")
	refuse("the second root before the first", "root-2", 0, lifecycle.Invalid, "called root-1")
	rehearsed := b.ceremony(house.DefaultPlan())
	rehearsed.Root, rehearsed.Rehearsal = "root-2", true
	if got := names(b.hold(t, rehearsed)); !strings.Contains(got, "cross root-2 by root-1, cross root-1 by root-2") {
		t.Errorf("a rehearsal of the next root: %s", got)
	}
	b.hold(t, b.ceremony(house.DefaultPlan()))
	refuse("a root that has ended", house.RootID, 21, lifecycle.Illegal, "make the next one")
	refuse("none named, when all have ended", "", 21, lifecycle.Illegal, "name the next one")
	if acts := must(b.Service.Acts(t.Context(), "refused"))(t); len(acts) != 0 {
		t.Errorf("what was refused did %d acts", len(acts))
	}
}
