package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/emv"
)

// faulty is storage of which one operation on one path fails.
type faulty struct {
	logical.Storage

	get, remove string
}

var errDisk = errors.New("input/output error")

func (f *faulty) Get(ctx context.Context, path string) (*logical.StorageEntry, error) {
	if path == f.get {
		return nil, errDisk
	}
	return f.Storage.Get(ctx, path)
}

func (f *faulty) Delete(ctx context.Context, path string) error {
	if path == f.remove {
		return errDisk
	}
	return f.Storage.Delete(ctx, path)
}

// Before, a read that failed counted as a profile that is not there, and the
// write went over the one under which cards were made.
func TestAProfileIsNotWrittenOverWhenItCannotBeRead(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	disk := &faulty{Storage: h.storage}
	h.storage = disk
	first, second := emv.SecurAccess(), emv.SecurAccess()
	first.Label, second.Label = "FIRST", "SECOND"
	writeProfile(t, h, "mine", first)
	disk.get = "profile/mine"
	_, err := h.backend.HandleRequest(t.Context(), &logical.Request{
		Operation: logical.UpdateOperation, Path: "profiles/mine", Storage: h.storage,
		Data: map[string]any{"profile": profileText(t, second)},
	})
	if !errors.Is(err, errDisk) {
		t.Errorf("error = %v, want %v", err, errDisk)
	}
	disk.get = ""
	if _, refused := h.call(t, "officer", "profiles/mine", map[string]any{"profile": profileText(t, second)}); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("written again: %q", refused)
	}
}
