package house_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// other is the second officer.
var other = lifecycle.Actor{ID: "e.vlierstra", Role: lifecycle.RoleSecurityOfficer}

// both has two officers do something to a CA.
func (b *bankHouse) both(t *testing.T, act func(by lifecycle.Actor) (issuance.Agreement, error)) {
	t.Helper()
	must(act(b.holder))(t)
	if a := must(act(other))(t); !a.Done {
		t.Fatal("two officers do not agree")
	}
}

// end revokes the first CA and ends it, but for its last lists.
func (b *bankHouse) end(t *testing.T) {
	t.Helper()
	b.both(t, func(by lifecycle.Actor) (issuance.Agreement, error) {
		return b.Service.RevokeAuthority(t.Context(), by, house.IssuingID, issuance.AuthorityRevocation{
			Revocation: issuance.Revocation{Reason: lifecycle.ReasonSuperseded}, Issued: lifecycle.ReasonSuperseded,
		})
	})
	b.both(t, func(by lifecycle.Actor) (issuance.Agreement, error) {
		return b.Service.EndAuthority(t.Context(), by, house.IssuingID)
	})
}

// lastLists publishes them as workers do; the marks are left to who calls.
func (b *bankHouse) lastLists(t *testing.T, signer crypto.Signer, issuer *x509.Certificate) {
	t.Helper()
	for shard := range 2 {
		plan := must(b.Service.BeginCRL(t.Context(), house.IssuingID, shard, true, issuance.Mark{}))(t)
		var draft *ca.ListDraft
		entries := 0
		fatal(t, b.Service.ReadCRL(t.Context(), &plan, func(e *issuance.CRLEntries) (err error) {
			urls := (&ca.Issuer{ID: house.IssuingID, PublicBase: "http://127.0.0.1:1"}).URLs(shard)
			draft, err = ca.DraftCRL(ca.CRL{
				Issuer: issuer, Number: plan.Number, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate, DistributionPoint: urls.CRL, OnlyUser: true,
			}, e.Full)
			entries = e.Read
			return err
		}))
		fatal(t, b.Service.FinishCRL(t.Context(), plan, must(draft.Sign(signer))(t), nil, entries, nil))
	}
}

func TestTheKeysOfACAAreDestroyedByTwoOfficersAndAreGone(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	c := b.ceremony(house.Plan{Witnesses: []string{"Mme Tilleul", "M. Aubépin"}})
	c.ID = "2039-end"
	seconded := c
	seconded.By = other
	refused := func(why string, c house.Ceremony, want error, says string) {
		t.Helper()
		if _, err := b.DestroyKeys(t.Context(), c, house.IssuingID); !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", why, err)
		}
	}
	refused("a CA that signs", c, lifecycle.Illegal, "it is signing")
	if _, err := b.DestroyKeys(t.Context(), c, "issuing-9"); !errors.Is(err, lifecycle.NotFound) {
		t.Errorf("a CA that is none: %v", err)
	}
	if _, err := b.DestroyKeys(t.Context(), c, house.RootID); !errors.Is(err, lifecycle.Illegal) {
		t.Errorf("a root: %v", err)
	}
	certificate := b.certificateOf(t, house.IssuingID)
	signer := must(hsm.NewKeyring(b.admin).Signer(t.Context(), "issuing-1", certificate.PublicKey))(t)
	b.end(t)
	refused("a CA without its last lists", c, lifecycle.Illegal, "it is ending")
	b.lastLists(t, signer, certificate)
	refused("in a Vault where it never published", c, lifecycle.Conflict, "another one")
	fatal(t, b.admin.RaiseMarks(t.Context(), issuance.MarksName(house.IssuingID), map[string]int64{"0.number": 1}))
	b.inModule(t, func() { refused("whose keys are in a module", c, lifecycle.Illegal, "the maker's tools") })

	if a, err := b.DestroyKeys(t.Context(), c, house.IssuingID); err != nil || a.Done {
		t.Fatalf("one officer alone: %+v %v", a, err)
	}
	refused("the same officer", c, lifecycle.Forbidden, "somebody else")
	if _, err := b.KeyCertificate(t.Context(), b.bank, c.ID, house.IssuingID, "fr"); !errors.Is(err, lifecycle.Illegal) {
		t.Errorf("a certificate before the end: %v", err)
	}
	digest := sha256.Sum256([]byte("list"))
	must(signer.Sign(nil, digest[:], crypto.SHA256))(t)
	b.diesAtEachLine(t, seconded)
	if _, err := signer.Sign(nil, digest[:], crypto.SHA256); err == nil {
		t.Error("a key that is destroyed signs")
	}
	for name, gone := range map[string]bool{"issuing-1": true, "ocsp-1": true, "bureau-1": true, "statement-1": true} {
		if _, err := b.admin.SigningKey(t.Context(), name, 0); errors.Is(err, lifecycle.NotFound) != gone {
			t.Errorf("key %s: %v", name, err)
		}
	}
	must(b.admin.RootKeystore().SigningKey(t.Context(), house.RootKey, 0))(t)
	again := c // for either officer there is nothing to do, and nobody may do it elsewhere
	must(b.DestroyKeys(t.Context(), again, house.IssuingID))(t)
	again.ID = "2040"
	refused("another ceremony", again, lifecycle.Conflict, "2039-end")
	if at := must(b.KeysDestroyed(t.Context(), house.IssuingID))(t); !at.Equal(b.now) {
		t.Errorf("destroyed on %s", at)
	}
	b.papers(t, c.ID)
	b.lastWords(t, certificate)
}

// certificateOf is a CA's certificate.
func (b *bankHouse) certificateOf(t *testing.T, id string) *x509.Certificate {
	t.Helper()
	all := must(b.Service.Authorities(t.Context()))(t)
	return must(x509.ParseCertificate(all[slices.IndexFunc(all, func(a issuance.Authority) bool { return a.ID == id })].Certificate))(t)
}

// inModule does something while the record says that the CA's keys are on a token.
func (b *bankHouse) inModule(t *testing.T, do func()) {
	t.Helper()
	own := must(pgx.Connect(t.Context(), b.database))(t)
	defer func() { _ = own.Close(t.Context()) }()
	must(own.Exec(t.Context(), "UPDATE issuer SET mount = 'Sceau online' WHERE id = 'issuing-1'"))(t)
	do()
	must(own.Exec(t.Context(), "UPDATE issuer SET mount = 'transit' WHERE id = 'issuing-1'"))(t)
}

// diesAtEachLine destroys the keys in a process that dies, each time a line later; once
// when a key is gone and not on record.
func (b *bankHouse) diesAtEachLine(t *testing.T, c house.Ceremony) {
	t.Helper()
	for died := range 12 {
		ctx, die := context.WithCancel(t.Context())
		if died == 4 { // all keys were shown
			d := must(b.admin.KeyDestroyer(t.Context(), "m.rocheclaire", house.IssuingID, "issuing-1"))(t)
			fatal(t, errors.Join(d.Destroy(t.Context(), "issuing-1"), d.Close(t.Context())))
		}
		b.toSay = func(string) { die() }
		_, err := b.DestroyKeys(ctx, c, house.IssuingID)
		over := ctx.Err() != nil && err == nil && died > 0
		die()
		b.toSay = func(string) {}
		acts := must(b.Service.Acts(t.Context(), c.ID))(t)
		if len(acts) == 9 && over {
			const want = "key-end issuing-1, key-shown issuing-1, key-shown bureau-1, key-shown ocsp-1, key-shown statement-1, key-destroyed issuing-1, key-destroyed bureau-1, key-destroyed ocsp-1, key-destroyed statement-1"
			if got := names(acts); got != want {
				t.Errorf("acts: %s", got)
			}
			return
		}
	}
	t.Fatalf("it does not come to an end: %s", names(must(b.Service.Acts(t.Context(), c.ID))(t)))
}

// papers reads the certificate of destruction and the minutes.
func (b *bankHouse) papers(t *testing.T, ceremony string) {
	t.Helper()
	key := sha256.Sum256(b.certificateOf(t, house.IssuingID).RawSubjectPublicKeyInfo)
	acts := must(b.Service.Acts(t.Context(), ceremony))(t)
	for what, tc := range map[string]struct {
		pdf   []byte
		wants []string
	}{
		"certificate": {must(b.KeyCertificate(t.Context(), b.bank, ceremony, house.IssuingID, "fr"))(t), []string{
			"Certificat de destruction", ceremony, "issuing-1", "ocsp-1", "bureau-1", fmt.Sprintf("%X", key), "A proposé la destruction", "A donné son accord", "transit",
		}},
		"minutes": {must(house.Minutes{ID: ceremony, Acts: acts}.PDF(b.bank, "fr", b.now))(t), []string{
			"Destruction des clés", "Clé présentée", "Clé détruite", "transit/ocsp-1", "Mme Tilleul", "M. Aubépin", "Proposée par",
		}},
	} {
		read := exec.CommandContext(t.Context(), "pdftotext", "-layout", "-", "-")
		read.Stdin = bytes.NewReader(tc.pdf)
		text := string(must(read.Output())(t))
		for _, want := range tc.wants {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not say %q:\n%s", what, want, text)
			}
		}
	}
}

// lastWords asks the door after the end of the only CA: its lists and its certificate
// are there, and OCSP says nothing of it.
func (b *bankHouse) lastWords(t *testing.T, issuer *x509.Certificate) {
	t.Helper()
	door := must(b.Public(t.Context(), b.admin, b.admin, t.TempDir()))(t)
	defer func() { fatal(t, door.Close()) }()
	ask := func(method, path string, body []byte) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/ocsp-request")
		door.ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"/crl/issuing-1/0.crl", "/crl/issuing-1/1.crl", "/ca/issuing-1.cer", "/crl/root-1/0.crl"} {
		if w := ask(http.MethodGet, path, nil); w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	list := must(x509.ParseRevocationList(ask(http.MethodGet, "/crl/issuing-1/0.crl", nil).Body.Bytes()))(t)
	if err := list.CheckSignatureFrom(issuer); err != nil || list.NextUpdate.Year() != 9999 {
		t.Errorf("its last list: %v, until %s", err, list.NextUpdate)
	}
	question := must(ocsp.CreateRequest(issuer, issuer, nil))(t)
	if w := ask(http.MethodPost, "/ocsp", question); !bytes.Equal(w.Body.Bytes(), ca.ErrorResponse(ca.OCSPUnauthorized)) {
		t.Errorf("OCSP says %x", w.Body.Bytes())
	}
}
