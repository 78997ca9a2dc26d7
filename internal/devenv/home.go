package devenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// maxSocketPath keeps well under the kernel's 107 bytes (unix(7)).
const maxSocketPath = 100

// plainPath is what PostgreSQL's list of socket folders takes without quoting.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// clusterHome is the folder that holds a cluster and its socket, and the user
// who runs the server: PostgreSQL refuses root.
type clusterHome struct {
	path  string
	owner *syscall.Credential // nil: the server runs as ourselves
}

// openHome finds or makes the home of the cluster of dir. It is dir/postgres,
// or, when the server's user cannot get there or the socket's path would be too
// long, a private folder under /var/tmp with dir/postgres a link to it.
func openHome(dir string) (*clusterHome, error) {
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	home := &clusterHome{path: filepath.Join(dir, "postgres"), owner: owner}
	if target, err := os.Readlink(home.path); err == nil {
		if err := (&clusterHome{path: target, owner: owner}).check(); err == nil {
			home.path = target
			return home, nil
		}
		if err := os.Remove(home.path); err != nil { // the machine has emptied /var/tmp
			return nil, fmt.Errorf("clear the link to a lost cluster: %w", err)
		}
	}
	if home.check() == nil && home.usable(dir) {
		return home, nil
	}
	if home.usable(dir) {
		if err := os.MkdirAll(home.path, 0o700); err != nil {
			return nil, fmt.Errorf("make the cluster's folder: %w", err)
		}
		return home, home.own()
	}
	link := home.path
	if home.path, err = os.MkdirTemp("/var/tmp", "sceau-postgres-"); err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := home.own(); err != nil {
		return nil, err
	}
	if err := os.Symlink(home.path, link); err != nil {
		return nil, fmt.Errorf("link to the cluster's folder: %w", err)
	}
	return home, nil
}

func (h *clusterHome) data() string { return filepath.Join(h.path, "data") }

// command runs as the server's user, in its folder, with an environment of its
// own: no PGDATA or PGPORT of the caller leads it elsewhere.
func (h *clusterHome) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // a PostgreSQL binary that findPostgres found
	cmd.Dir = h.path
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + h.path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.owner}
	return cmd
}

// check tells whether the folder exists, is the server user's, and closed to
// all others: /var/tmp is everybody's.
func (h *clusterHome) check() error {
	info, err := os.Lstat(h.path)
	if err != nil {
		return fmt.Errorf("look at the cluster's folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || stat.Uid != h.uid() {
		return errors.New("the cluster's folder is not a private folder of the server's user")
	}
	return nil
}

func (h *clusterHome) uid() uint32 {
	if h.owner != nil {
		return h.owner.Uid
	}
	return uint32(os.Getuid()) //nolint:gosec // not negative on a Unix
}

func (h *clusterHome) own() error {
	if h.owner == nil {
		return nil
	}
	if err := os.Chown(h.path, int(h.owner.Uid), int(h.owner.Gid)); err != nil {
		return fmt.Errorf("give the cluster's folder to the server's user: %w", err)
	}
	return nil
}

// usable tells whether the server's user can get to dir and the socket's path
// fits.
func (h *clusterHome) usable(dir string) bool {
	if len(filepath.Join(h.path, socketFileName)) > maxSocketPath || !plainPath.MatchString(h.path) {
		return false
	}
	if h.owner == nil {
		return true
	}
	for {
		info, err := os.Stat(dir)
		if err != nil || !mayEnter(info, h.owner) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// mayEnter applies the class that counts (path_resolution(7)): owner, else
// group, else others.
func mayEnter(folder os.FileInfo, who *syscall.Credential) bool {
	stat, ok := folder.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	mode := folder.Mode().Perm()
	switch {
	case stat.Uid == who.Uid:
		return mode&0o100 != 0
	case stat.Gid == who.Gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// serverUser is nil for an ordinary user, and for root an unprivileged one.
func serverUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil // nobody to become
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses root, and there is neither a user postgres nor nobody")
}
