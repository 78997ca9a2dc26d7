package house_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// backup copies the database as it stands, and gives a house on the copy.
func (b *bankHouse) backup(t *testing.T) *house.House {
	t.Helper()
	at := must(url.Parse(b.Pool.Config().ConnString()))(t)
	b.Close()
	name := strings.TrimPrefix(at.Path, "/")
	elsewhere := *at
	elsewhere.Path = "/postgres"
	connection := must(pgx.Connect(t.Context(), elsewhere.String()))(t)
	_, err := connection.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{name + "_backup"}.Sanitize()+" TEMPLATE "+pgx.Identifier{name}.Sanitize())
	if err = errors.Join(err, connection.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	b.House = b.openHouse(t, at.String())
	at.Path = "/" + name + "_backup"
	return b.openHouse(t, at.String())
}

func (b *bankHouse) openHouse(t *testing.T, url string) *house.House {
	t.Helper()
	h := must(house.Open(t.Context(), house.Config{
		DatabaseURL: url, Policy: b.bank.Policy(), Now: func() time.Time { return b.now }, Logger: slog.New(slog.DiscardHandler),
	}))(t)
	t.Cleanup(h.Close)
	return h
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// rootList is the root's newest list of revoked CAs.
func rootList(t *testing.T, h *house.House) *x509.RevocationList {
	t.Helper()
	newest := must(h.Service.NewestCRL(t.Context(), house.RootID, 0))(t)
	return must(x509.ParseRevocationList(newest.Full))(t)
}

func TestARevokedCAIsOnTheRootsListAlsoAfterARestore(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	yesterday := b.backup(t)
	if list := rootList(t, b.House); len(list.RevokedCertificateEntries) != 0 || !list.NextUpdate.Equal(list.ThisUpdate.AddDate(1, 0, 0)) {
		t.Fatalf("the first list of the root: %+v", list)
	}
	b.now = b.now.Add(time.Hour)
	for _, officer := range []string{b.holder.ID, "e.vlierstra"} {
		by := lifecycle.Actor{ID: officer, Role: lifecycle.RoleSecurityOfficer}
		a, err := b.Service.RevokeAuthority(t.Context(), by, house.IssuingID, issuance.AuthorityRevocation{
			Revocation: issuance.Revocation{Reason: lifecycle.ReasonCACompromise}, Issued: lifecycle.ReasonCACompromise,
		})
		if err != nil || a.Done == (officer == b.holder.ID) {
			t.Fatal(a, err)
		}
	}
	again := b.ceremony(house.DefaultPlan())
	again.ID = "2026-B"
	b.hold(t, again)
	list := rootList(t, b.House)
	if list.Number.Int64() != 2 || len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].ReasonCode != int(lifecycle.ReasonCACompromise) {
		t.Fatalf("the root's list after a revocation: %+v", list)
	}
	restored := func(h *house.House) []*issuance.RestoredError {
		return must(h.Restored(t.Context(), b.cards))(t)
	}
	if behind := restored(b.House); len(behind) != 0 {
		t.Fatalf("taken for restored: %v", behind)
	}

	// Relying parties have the newest list; the database is yesterday's.
	folder := t.TempDir()
	write := func(issuer string, der []byte) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Join(folder, issuer), 0o700), os.WriteFile(filepath.Join(folder, issuer, "0.crl"), der, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(house.RootID, list.Raw)
	b.House = yesterday
	if behind := restored(b.House); len(behind) != 1 || behind[0].Issuer != house.RootID || behind[0].Mark.Number != 2 {
		t.Fatalf("after a restore: %v", behind)
	}
	again.ID = "2026-C"
	if _, err := b.Hold(t.Context(), again); !errors.Is(err, lifecycle.Unavailable) || !strings.Contains(err.Error(), "--repair") {
		t.Fatalf("a ceremony with a restored database: %v", err)
	}
	repair := func(by, source string) (issuance.Repair, error) {
		return b.Repair(t.Context(), lifecycle.Actor{ID: by, Role: lifecycle.RoleSecurityOfficer}, b.cards, house.RootID, source, false)
	}
	changed := append([]byte(nil), list.Raw...)
	changed[len(changed)-1] ^= 1
	for _, wrong := range []struct {
		name string
		der  []byte
		want lifecycle.Kind
	}{
		{"a list whose signature is wrong", changed, lifecycle.Invalid},
		{"no list", []byte("x"), lifecycle.Invalid},
		{"the database's own list", rootList(t, b.House).Raw, lifecycle.Conflict},
	} {
		write(house.RootID, wrong.der)
		if _, err := repair("ann", folder); !errors.Is(err, wrong.want) {
			t.Errorf("%s: %v", wrong.name, err)
		}
	}
	write(house.RootID, list.Raw)
	if _, err := repair("ann", t.TempDir()); !errors.Is(err, lifecycle.NotFound) {
		t.Errorf("an empty folder: %v", err)
	}
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix("/crl/", http.FileServer(http.Dir(folder))).ServeHTTP(w, r)
	}))
	defer door.Close()
	if r, err := repair("ann", folder); err != nil || r.Done || r.Shards[0].BroughtBack != 1 {
		t.Fatalf("proposed: %+v %v", r, err)
	}
	if r, err := repair("bob", door.URL); err != nil || !r.Done || r.Proposer != "ann" { // the same list, from elsewhere
		t.Fatalf("agreed: %+v %v", r, err)
	}
	for _, a := range must(b.Service.Authorities(t.Context()))(t) {
		if a.ID == house.IssuingID && a.State != lifecycle.IssuerRevoked {
			t.Errorf("after the repair %s is %s: it would sign again", a.ID, a.State)
		}
	}
	b.hold(t, again)
	if list := rootList(t, b.House); list.Number.Int64() != 3 || len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("the list after the repair: %+v", list)
	}
}

// away is an engine that does not answer.
type away struct{ *hsm.Client }

func (away) Marks(context.Context, string) (map[string]int64, error) {
	return nil, errors.Join(lifecycle.Unavailable, io.ErrUnexpectedEOF)
}

func TestWithoutTheMarksNobodyKnowsWhetherItWasRestored(t *testing.T) {
	t.Parallel()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	if _, err := b.Restored(t.Context(), away{}); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("the engine is away: %v", err)
	}
}
