package revocation

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// numbered is a list with the number, of so many entries.
func (d *door) numbered(t testing.TB, number int64, count int) []byte {
	t.Helper()
	c := ca.CRL{Issuer: d.issuer.Certificate, Number: number, ThisUpdate: d.now, NextUpdate: d.now.Add(time.Hour)}
	return must[[]byte](t)(ca.EncodeCRL(c, func(yield func([]byte, error) bool) {
		for n := range count {
			e := ca.Revoked{Serial: lifecycle.Serial{0x40, 14: byte(n >> 8), 15: byte(n)}, At: d.now.Add(-time.Minute), Reason: 4}
			if !yield(ca.EncodeEntry(e)) {
				return
			}
		}
	}, d.key))
}

// fullDisk is the variable that makes this binary a publisher whose files cannot
// grow beyond 16 KiB: it holds the folder.
const fullDisk = "SCEAU_FULL_DISK"

func TestADiskThatIsFullLeavesTheOldListWhole(t *testing.T) {
	if folder := os.Getenv(fullDisk); folder != "" {
		signal.Ignore(syscall.SIGXFSZ) // a write beyond the limit is an error then
		limit := syscall.Rlimit{Cur: 16 << 10, Max: 16 << 10}
		err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		next := must[[]byte](t)(os.ReadFile(filepath.Join(folder, "next")))
		if err := errors.Join(err, WriteLists(folder, "issuing-1", 0, bytes.NewReader(next), nil)); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("the write ended with %v", err)
		}
		return
	}
	t.Parallel()
	d := setup(t)
	folder := t.TempDir()
	old, next := d.numbered(t, 1, 10), d.numbered(t, 2, 3000)
	if err := errors.Join(WriteLists(folder, "issuing-1", 0, bytes.NewReader(old), nil), os.WriteFile(filepath.Join(folder, "next"), next, 0o600)); err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), must[string](t)(os.Executable()), "-test.run=^TestADiskThatIsFullLeavesTheOldListWhole$")
	child.Env = append(os.Environ(), fullDisk+"="+folder)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	serves := func(want []byte) {
		t.Helper()
		files := must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(folder, "issuing-1")))
		got := must[[]byte](t)(os.ReadFile(filepath.Join(folder, "issuing-1", "0.crl")))
		if len(files) != 1 || !bytes.Equal(got, want) {
			t.Errorf("the folder has %v, the list %d octets, want %d", files, len(got), len(want))
		}
	}
	serves(old)
	if err := WriteLists(folder, "issuing-1", 0, bytes.NewReader(next), nil); err != nil { // there is room again
		t.Fatal(err)
	}
	serves(next)
}

func TestOfPublishersAtOnceTheNewestListStays(t *testing.T) {
	t.Parallel()
	d := setup(t)
	folder := t.TempDir()
	lists := make([][]byte, 8)
	for i := range lists {
		lists[i] = d.numbered(t, int64(i+1), i)
	}
	for range 20 {
		var race sync.WaitGroup
		for i := range lists {
			race.Go(func() {
				if err := WriteLists(folder, "issuing-1", 0, bytes.NewReader(lists[i]), nil); err != nil {
					t.Error(err)
				}
			})
		}
		race.Wait()
		got := must[[]byte](t)(os.ReadFile(filepath.Join(folder, "issuing-1", "0.crl")))
		if n := must[*ca.List](t)(ca.ReadCRL(got)).Number; n != 8 {
			t.Fatalf("list %d stays", n)
		}
	}
}
