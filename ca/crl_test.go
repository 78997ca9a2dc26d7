package ca

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"sceau/lifecycle"
)

// encoded gives each entry by itself, as a stream of runs.
func encoded(t testing.TB, entries ...Revoked) iter.Seq2[[]byte, error] {
	t.Helper()
	runs := make([][]byte, len(entries))
	for i, r := range entries {
		runs[i] = must[[]byte](t)(EncodeEntry(r))
	}
	return func(yield func([]byte, error) bool) {
		for _, run := range runs {
			if !yield(run, nil) {
				return
			}
		}
	}
}

// entry is a revoked serial whose last octets are n.
func entry(n int, reason lifecycle.RevocationReason) Revoked {
	r := Revoked{Serial: lifecycle.Serial{0x40}, At: testNow.Add(-time.Hour), Reason: reason}
	binary.BigEndian.PutUint32(r.Serial[12:], uint32(n))
	return r
}

func (h *house) list(number int64) CRL {
	urls := h.issuer.URLs(3)
	return CRL{
		Issuer: h.issuer.Certificate, Number: number, ThisUpdate: testNow, NextUpdate: testNow.AddDate(0, 0, 7),
		DistributionPoint: urls.CRL, Freshest: urls.Delta, OnlyUser: true,
	}
}

func (h *house) encode(t testing.TB, c CRL, entries ...Revoked) []byte {
	t.Helper()
	return must[[]byte](t)(EncodeCRL(c, encoded(t, entries...), h.key))
}

func TestCryptoX509ReadsTheListBack(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]crypto.Signer{
		"P-256": ecKey(t, elliptic.P256()), "P-384": ecKey(t, elliptic.P384()), "RSA-3072": rsaKey(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, key, testNow)
			var entries []Revoked
			for n, reason := range []lifecycle.RevocationReason{0, 1, 2, 3, 4, 5, 6, 9, 10} {
				r := entry(n+1, reason)
				if n%2 == 0 {
					r.InvalidityDate = testNow.AddDate(0, -1, 0)
				}
				entries = append(entries, r)
			}
			small := Revoked{Serial: lifecycle.Serial{15: 1}, At: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(-30, 0, 0)}
			entries = append(entries, small, Revoked{Serial: lifecycle.Serial{14: 0, 15: 0x7f}, At: testNow}, Revoked{Serial: lifecycle.Serial{15: 0x80}, At: testNow})
			for _, count := range []int{0, 1, 2, 3, 5, len(entries)} { // lengths on both sides of 128 and 256 octets
				der := h.encode(t, h.list(42), entries[:count]...)
				rl, err := x509.ParseRevocationList(der)
				if err != nil {
					t.Fatalf("%d entries: %v", count, err)
				}
				if err := rl.CheckSignatureFrom(h.issuer.Certificate); err != nil {
					t.Fatal(err)
				}
				if rl.Number.Int64() != 42 || !rl.ThisUpdate.Equal(testNow) || !rl.NextUpdate.Equal(testNow.AddDate(0, 0, 7)) ||
					!bytes.Equal(rl.AuthorityKeyId, h.issuer.Certificate.SubjectKeyId) || len(rl.RevokedCertificateEntries) != count {
					t.Fatalf("%d entries: read back %+v", count, rl)
				}
				for n, got := range rl.RevokedCertificateEntries {
					want := entries[n]
					if got.SerialNumber.Cmp(new(big.Int).SetBytes(want.Serial[:])) != 0 || got.ReasonCode != int(want.Reason) || !got.RevocationTime.Equal(want.At) {
						t.Errorf("entry %d: %+v, want %+v", n, got, want)
					}
				}
				own := must[*List](t)(ReadCRL(der))
				n := 0
				for got, err := range own.All() {
					if err != nil || got != entries[n] {
						t.Errorf("entry %d read by us: %+v %v, want %+v", n, got, err, entries[n])
					}
					n++
				}
				if n != count || own.Number != 42 || own.BaseNumber != 0 {
					t.Errorf("read by us: %d entries, number %d", n, own.Number)
				}
			}
		})
	}
}

func TestOpenSSLVerifiesFullAndDeltaLists(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, serial := h.issue(t, testNow)
	other, _ := h.issue(t, testNow)
	revoked := Revoked{Serial: serial, At: testNow.Add(-time.Minute), Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: testNow.AddDate(0, 0, -1)}
	full := h.encode(t, h.list(7))
	fullRevoked := h.encode(t, h.list(7), revoked)
	deltaList := h.list(8)
	deltaList.BaseNumber = 7
	delta := h.encode(t, deltaList, revoked)
	rootList := must[[]byte](t)(EncodeCRL(CRL{
		Issuer: h.root.Certificate, Number: 1, ThisUpdate: testNow, NextUpdate: testNow.AddDate(1, 0, 0),
		OnlyCA: true,
	}, encoded(t), h.rootKey))
	dir := files(t, map[string]*pem.Block{
		"root.pem": certPEM(h.root.Certificate), "ca.pem": certPEM(h.issuer.Certificate),
		"leaf.pem": certPEM(leaf), "other.pem": certPEM(other),
		"full.pem": {Type: "X509 CRL", Bytes: full}, "revoked.pem": {Type: "X509 CRL", Bytes: fullRevoked},
		"delta.pem": {Type: "X509 CRL", Bytes: delta}, "rootcrl.pem": {Type: "X509 CRL", Bytes: rootList},
	})
	out, err := openssl(t, dir, "crl", "-in", "revoked.pem", "-noout", "-text", "-CAfile", "ca.pem", "-verify")
	for _, want := range []string{
		"verify OK", "Version 2", "X509v3 CRL Number: \n                7\n", "X509v3 Issuing Distribution Point: critical",
		"URI:http://pki.example.test/crl/issuing-1/3.crl", "Only User Certificates", "X509v3 Freshest CRL",
		"3-delta.crl", "Key Compromise", "Invalidity Date",
	} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("openssl crl (%v) has no %q in\n%s", err, want, out)
		}
	}
	if out, _ := openssl(t, dir, "crl", "-in", "delta.pem", "-noout", "-text"); !strings.Contains(out, "X509v3 Delta CRL Indicator: critical\n                7\n") || strings.Contains(out, "Freshest") {
		t.Errorf("the delta is not one:\n%s", out)
	}
	for _, tc := range []struct {
		name, leaf, want string
		lists            []string
	}{
		{"a full list without it", "leaf.pem", "leaf.pem: OK", []string{"full.pem"}},
		{"a full list with it", "leaf.pem", "certificate revoked", []string{"revoked.pem"}},
		{"a full list without and a delta with it", "leaf.pem", "certificate revoked", []string{"full.pem", "delta.pem"}},
		{"both lists, about another", "other.pem", "other.pem: OK", []string{"revoked.pem", "delta.pem"}},
	} {
		args := []string{"verify", "-x509_strict", "-crl_check_all", "-extended_crl", "-attime", fmt.Sprint(testNow.Unix() + 60), "-CAfile", "root.pem", "-untrusted", "ca.pem", "-CRLfile", "rootcrl.pem"}
		if len(tc.lists) > 1 {
			args = append(args, "-use_deltas")
		}
		for _, list := range tc.lists {
			args = append(args, "-CRLfile", list)
		}
		if out, _ := openssl(t, dir, append(args, tc.leaf)...); !strings.Contains(out, tc.want) {
			t.Errorf("%s: openssl verify says\n%s", tc.name, out)
		}
	}
}

func TestZLintHasNothingAgainstTheList(t *testing.T) {
	t.Parallel()
	h := setup(t)
	registry := must[lint.Registry](t)(lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lint.SourceList{lint.RFC3279, lint.RFC5280}}))
	for _, entries := range [][]Revoked{nil, {entry(1, 1), entry(2, 4)}} {
		parsed := must[*zx509.RevocationList](t)(zx509.ParseRevocationList(h.encode(t, h.list(1), entries...)))
		for name, result := range zlint.LintRevocationListEx(parsed, registry).Results {
			if result.Status >= lint.Warn {
				t.Errorf("%d entries: %s %s", len(entries), name, result.Details)
			}
		}
	}
}

func TestEncodeCRLRefuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	cut := errors.New("the cursor broke")
	encode := func(change func(*CRL)) error {
		c := h.list(5)
		change(&c)
		_, err := EncodeCRL(c, encoded(t), h.key)
		return err
	}
	entryOf := func(r Revoked) error {
		_, err := EncodeEntry(r)
		return err
	}
	for name, err := range map[string]error{
		"number zero":              encode(func(c *CRL) { c.Number = 0 }),
		"a base that is not older": encode(func(c *CRL) { c.BaseNumber = 5 }),
		"an end before its start":  encode(func(c *CRL) { c.NextUpdate = c.ThisUpdate }),
		"no dates":                 encode(func(c *CRL) { c.ThisUpdate = time.Time{} }),
		"two scopes":               encode(func(c *CRL) { c.OnlyCA = true }),
		"an https address":         encode(func(c *CRL) { c.DistributionPoint = "https://x.test" }),
		"a leaf as issuer":         encode(func(c *CRL) { c.Issuer = h.responder.Certificate() }),
		"a zero serial":            entryOf(Revoked{At: testNow}),
		"a negative serial":        entryOf(Revoked{Serial: lifecycle.Serial{0x80}, At: testNow}),
		"an entry without time":    entryOf(Revoked{Serial: lifecycle.Serial{1}}),
		"expired since year 1":     encode(func(c *CRL) { c.ExpiredSince = time.Time{}.Add(time.Second) }),
		"reason 7":                 entryOf(entry(1, 7)),
		"reason 11":                entryOf(entry(1, 11)),
		"a negative reason":        entryOf(entry(1, -1)),
	} {
		if !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: error %v, want invalid", name, err)
		}
	}
	first := must[[]byte](t)(EncodeEntry(entry(1, 1)))
	broken := func(yield func([]byte, error) bool) {
		if yield(first, nil) {
			yield(nil, cut)
		}
	}
	if der, err := EncodeCRL(h.list(5), broken, h.key); !errors.Is(err, cut) || der != nil {
		t.Errorf("a broken cursor: %d octets, error %v", len(der), err)
	}
	if _, err := EncodeCRL(h.list(5), encoded(t), ecKey(t, elliptic.P256())); err == nil {
		t.Error("another key signed")
	}
	if _, err := EncodeCRL(h.list(5), encoded(t), sabotage{Signer: h.key}); err == nil {
		t.Error("a wrong signature was published")
	}
	draft := must[*ListDraft](t)(DraftCRL(h.list(5), encoded(t)))
	if _, err := draft.Sign(h.key); err != nil {
		t.Fatal(err)
	}
	if _, err := draft.Sign(h.key); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("a draft signed twice: %v", err)
	}
}

func TestCRLWindowReadsTheStartAlone(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, count := range []int{0, 1, 3, 2000} {
		c := h.list(1)
		c.NextUpdate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		var entries []Revoked
		for n := range count {
			entries = append(entries, entry(n, 1))
		}
		der := h.encode(t, c, entries...)
		from, to, err := CRLWindow(der[:min(len(der), 512)])
		if err != nil || !from.Equal(testNow) || !to.Equal(c.NextUpdate) {
			t.Errorf("%d entries: %s to %s, %v", count, from, to, err)
		}
	}
	if _, _, err := CRLWindow([]byte{0x30}); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("one octet: error %v", err)
	}
}

func FuzzReadCRL(f *testing.F) {
	h := setup(f)
	delta := h.list(9)
	delta.BaseNumber = 3
	f.Add(h.encode(f, h.list(1), entry(1, 1)))
	f.Add(h.encode(f, delta, entry(1, lifecycle.ReasonRemoveFromCRL)))
	none := func(func([]byte, error) bool) {}
	f.Fuzz(func(_ *testing.T, der []byte) {
		_, _, _ = CRLWindow(der)
		for range Amend(bytes.NewReader(der), h.issuer.Certificate, none) { //nolint:revive // drawn to its end
		}
		l, err := ReadCRL(der)
		if err != nil {
			return
		}
		for _, err := range l.All() {
			if err != nil {
				return
			}
		}
		_ = CheckSuccessor(bytes.NewReader(der), der, h.issuer.Certificate, testNow, nil)
	})
}

// benchEntries are n encoded entries in runs of ten thousand, made beforehand as
// the pages of a table would be.
func benchEntries(t testing.TB, n int) iter.Seq2[[]byte, error] {
	t.Helper()
	var runs [][]byte
	for i := range n {
		if i%10_000 == 0 {
			runs = append(runs, nil)
		}
		last := len(runs) - 1
		runs[last] = append(runs[last], must[[]byte](t)(EncodeEntry(benchEntry(i)))...)
	}
	return func(yield func([]byte, error) bool) {
		for _, run := range runs {
			if !yield(run, nil) {
				return
			}
		}
	}
}

func benchEntry(i int) Revoked { return entry(i, lifecycle.RevocationReason(1+i%5)) }

func TestListsAreReadableByOpenSSLAsDER(t *testing.T) {
	t.Parallel()
	h := setup(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "full.crl"), must[[]byte](t)(EncodeCRL(h.list(1), benchEntries(t, 3000), h.key)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := openssl(t, dir, "crl", "-inform", "DER", "-in", "full.crl", "-noout", "-text")
	if err != nil || strings.Count(out, "Serial Number:") != 3000 {
		t.Errorf("openssl reads %d entries, %v", strings.Count(out, "Serial Number:"), err)
	}
}
