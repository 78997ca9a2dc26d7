package revocation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"sceau/ca"
	"sceau/lifecycle"
)

// WriteLists puts a shard's lists into the folder that a door serves, each at
// once and whole: a reader sees the old list or the new one. A list that is
// older than the one there is not written; a delta of nil is none. No list is held
// in memory.
func WriteLists(folder, issuer string, shard int, full, delta io.Reader) error {
	if issuer == "" || filepath.Base(issuer) != issuer {
		return fmt.Errorf("%w: issuer %q is not a name for a folder", lifecycle.Invalid, issuer)
	}
	dir := filepath.Join(folder, issuer)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // public bytes
		return fmt.Errorf("make the folder of lists: %w", err)
	}
	folderThere, err := os.Open(dir) //nolint:gosec // below the folder of lists
	if err != nil {
		return fmt.Errorf("open the folder of lists: %w", err)
	}
	defer func() { _ = folderThere.Close() }() // gives the lock back
	// One publisher at a time, of any process: between the look at the list there
	// and its replacement nobody puts a newer one.
	if err := syscall.Flock(int(folderThere.Fd()), syscall.LOCK_EX); err != nil { //nolint:gosec // a small number
		return fmt.Errorf("lock the folder of lists: %w", err)
	}
	name := filepath.Join(dir, strconv.Itoa(shard))
	err = writeList(name+".crl", full)
	if err == nil && delta != nil {
		err = writeList(name+"-delta.crl", delta)
	}
	if err == nil { // the new names outlive a power failure
		err = folderThere.Sync()
	}
	if err != nil {
		return fmt.Errorf("lists of %s/%d: %w", issuer, shard, err)
	}
	return nil
}

func writeList(path string, list io.Reader) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".list-*")
	if err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	_, err = io.Copy(temporary, list)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close()) // public bytes
	if err == nil && !newer(path, temporary.Name()) {
		err = os.Rename(temporary.Name(), path)
		if err == nil {
			return nil
		}
	}
	if err != nil { // the list there stays, whole
		err = fmt.Errorf("write list %s: %w", filepath.Base(path), err)
	}
	return errors.Join(err, os.Remove(temporary.Name()))
}

// newer tells whether the list there has a higher number; one that cannot be
// read never has.
func newer(there, next string) bool {
	a, errA := numberOf(there)
	b, errB := numberOf(next)
	return errA == nil && errB == nil && a > b
}

func numberOf(path string) (int64, error) {
	file, err := os.Open(path) //nolint:gosec // below the folder of lists
	if err != nil {
		return 0, err //nolint:wrapcheck // not looked at
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	return ca.CRLNumber(file)
}
