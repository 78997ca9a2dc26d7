package house

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// MarkReader reads the numbers that are kept beside the database.
type MarkReader interface {
	Marks(ctx context.Context, name string) (map[string]int64, error)
}

// Restored tells of every CA's shards that stand below their marks: none, unless
// the database was restored to an earlier day. While there are some, no list is
// published and nothing may be answered good.
func (h *House) Restored(ctx context.Context, marks MarkReader) ([]*issuance.RestoredError, error) {
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	var restored []*issuance.RestoredError
	for _, a := range all {
		theirs, err := marks.Marks(ctx, issuance.MarksName(a.ID))
		if err != nil {
			return nil, err
		}
		behind, err := h.Service.Restored(ctx, a.ID, theirs)
		if err != nil {
			return nil, err
		}
		restored = append(restored, behind...)
	}
	return restored, nil
}

// Repair repairs a CA's shards from the newest lists that relying parties have:
// source is a folder that has them as {issuer}/{shard}.crl, as a revocation door
// keeps it, or that door's address, http://host. See
// [issuance.Service.RepairRevocation].
func (h *House) Repair(ctx context.Context, by lifecycle.Actor, marks MarkReader, issuer, source string, older bool) (issuance.Repair, error) {
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		return issuance.Repair{}, err
	}
	theirs, err := marks.Marks(ctx, issuance.MarksName(issuer))
	if err != nil {
		return issuance.Repair{}, err
	}
	behind, err := h.Service.Restored(ctx, issuer, theirs)
	if err != nil {
		return issuance.Repair{}, err
	}
	var lists []issuance.PublishedList
	for _, a := range all {
		for _, shard := range behind {
			if a.ID != issuer {
				continue
			}
			list, err := published(ctx, source, a, shard.Shard)
			if err != nil {
				return issuance.Repair{}, fmt.Errorf("list %s/%d from %s: %w", issuer, shard.Shard, source, err)
			}
			lists = append(lists, list)
		}
	}
	return h.Service.RepairRevocation(ctx, by, issuer, theirs, lists, older)
}

// published reads a list and verifies that the CA signed it, for this shard.
func published(ctx context.Context, source string, a issuance.Authority, shard int) (issuance.PublishedList, error) {
	var p issuance.PublishedList
	certificate, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return p, fmt.Errorf("certificate of %s: %w", a.ID, err)
	}
	der, err := fetch(ctx, source, a.ID+"/"+strconv.Itoa(shard)+".crl")
	if err != nil {
		return p, err
	}
	list, err := ca.ReadCRL(der)
	if err != nil {
		return p, err
	}
	if err := list.Verify(certificate); err != nil {
		return p, err
	}
	scope := ca.CRL{OnlyCA: !a.Online, OnlyUser: a.Online}
	if a.Online && a.PublicBase != "" {
		scope.DistributionPoint = (&ca.Issuer{ID: a.ID, Certificate: certificate, PublicBase: a.PublicBase}).URLs(shard).CRL
		if !bytes.Equal(list.Distribution, scope.Scope()) {
			return p, fmt.Errorf("%w: list %d is another shard's", lifecycle.Invalid, list.Number)
		}
	}
	if list.BaseNumber != 0 {
		return p, fmt.Errorf("%w: list %d is a delta: the full list is needed", lifecycle.Invalid, list.Number)
	}
	return issuance.PublishedList{
		Shard: shard, Number: list.Number, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate, DER: der,
		Entries: func(yield func(issuance.CRLEntry, error) bool) {
			for r, err := range list.All() {
				if !yield(issuance.CRLEntry{Serial: r.Serial, At: r.At, Reason: r.Reason, InvalidityDate: r.InvalidityDate}, err) {
					return
				}
			}
		},
	}, nil
}

const (
	longestList   = 1 << 30
	fetchPatience = 5 * time.Minute
)

// fetch reads a list's file from a folder or from a revocation door.
func fetch(ctx context.Context, source, file string) ([]byte, error) {
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		f, err := os.Open(filepath.Join(source, filepath.FromSlash(file)))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", lifecycle.NotFound, err)
		}
		defer func() { _ = f.Close() }() // read only: nothing can be lost
		return readList(f)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(source, "/")+"/crl/"+file, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	request.Header.Set("Cache-Control", "no-cache")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Unavailable, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: the door answered %s", lifecycle.NotFound, answer.Status)
	}
	return readList(answer.Body)
}

func readList(from io.Reader) ([]byte, error) {
	der, err := io.ReadAll(io.LimitReader(from, longestList+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the list: %w", err)
	case len(der) > longestList:
		return nil, fmt.Errorf("%w: it is longer than a gigabyte", lifecycle.Invalid)
	}
	return der, nil
}
