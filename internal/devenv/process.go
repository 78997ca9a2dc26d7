package devenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is one child of ours.
type process struct {
	name string
	log  string // the file that takes its output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// start runs a command that dies with us. output takes standard error, and
// standard output too unless the command has its own.
//
// The kernel sends the parent-death signal when the thread that forked ends,
// not the process (prctl(2)), so the thread is kept until the child is gone.
func start(cmd *exec.Cmd, name, log string, onParentDeath syscall.Signal) (*process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // a name of ours in our folder
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	cmd.Stderr = output
	if cmd.Stdout == nil {
		cmd.Stdout = output
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = onParentDeath
	cmd.SysProcAttr.Setpgid = true // Ctrl-C at the terminal is for us; we stop the child in order
	p := &process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = output.Close() }()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// stop sends the signal, waits, and kills what does not end in time.
func (p *process) stop(signal syscall.Signal, patience time.Duration) error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not end within %s and was killed", p.name, patience)
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// died says why a child that should run does not.
func (p *process) died() error {
	return fmt.Errorf("%s ended (%v); the end of %s says:\n%s", p.name, p.err, p.log, tail(p.log, 2000)) //nolint:errorlint // a child's exit, not a cause to decide on
}

// tail is the last n bytes of a file.
func tail(path string, n int64) string {
	f, err := os.Open(path) //nolint:gosec // a log of ours
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		_, _ = f.Seek(-n, io.SeekEnd)
	}
	text, err := io.ReadAll(io.LimitReader(f, n))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

// lock takes a folder for this process, so that two environments never share
// one. The kernel gives it back when the process ends, however it ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a name of ours in our folder
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	// A process that is just being started has a copy of a lock that was given back,
	// until it runs its own program: wait a moment before somebody is told off.
	const patience, each = 2 * time.Second, 20 * time.Millisecond
	for deadline := time.Now().Add(patience); ; time.Sleep(each) {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s is held: another Sceau environment runs in that folder (%w)", path, err)
	}
	return f, nil
}
