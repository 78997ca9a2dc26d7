package devenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	pcscdReady = 20 * time.Second
	pcscdEnd   = 10 * time.Second
	pcscdPoll  = 50 * time.Millisecond
)

// vpcdDrivers are where Debian's packages put the virtual reader.
const vpcdDrivers = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

// PCSCD is a PC/SC daemon of ours with one virtual reader, beside any other on
// the machine: its socket and settings are in a folder of their own.
type PCSCD struct {
	Socket string // PCSCLITE_CSOCK_NAME of its clients
	VPCD   string // address where a card is put into the virtual reader

	proc *process
}

// StartPCSCD starts the daemon below dir. It takes its socket from us, as it
// would from systemd, because it cannot be told of another place.
func StartPCSCD(ctx context.Context, dir string) (*PCSCD, error) {
	program, err := exec.LookPath("pcscd")
	if err != nil {
		program = "/usr/sbin/pcscd" // not on everybody's PATH
	}
	for _, file := range []string{program, vpcdDrivers} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("no %s: `make deps` installs the packages pcscd and vsmartcard-vpcd", file)
		}
	}
	port, err := twoFreePorts(ctx)
	if err != nil {
		return nil, err
	}
	p := &PCSCD{Socket: filepath.Join(dir, "pcscd.comm"), VPCD: fmt.Sprintf("127.0.0.1:%d", port)}
	settings, log := filepath.Join(dir, "reader.conf.d"), filepath.Join(dir, "pcscd.log")
	text := fmt.Sprintf("FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n", port, vpcdDrivers, port)
	err = errors.Join(os.Mkdir(settings, 0o700), os.WriteFile(filepath.Join(settings, "vpcd"), []byte(text), 0o600))
	if err != nil {
		return nil, fmt.Errorf("pcscd: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.Socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("pcscd: %w", err)
	}
	listener.SetUnlinkOnClose(false)
	socket, err := listener.File()
	err = errors.Join(err, listener.Close())
	if err != nil {
		return nil, fmt.Errorf("pcscd: %w", err)
	}
	defer func() { _ = socket.Close() }()
	// sd_listen_fds(3): the first descriptor after the standard three is ours to give.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --foreground --info --config "$1"`, program, settings) //nolint:gosec // ours
	cmd.ExtraFiles = []*os.File{socket}
	if p.proc, err = start(cmd, "pcscd", log, syscall.SIGTERM); err != nil {
		return nil, err
	}
	if err := p.ready(ctx, log); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *PCSCD) ready(ctx context.Context, log string) error {
	ctx, cancel := context.WithTimeout(ctx, pcscdReady)
	defer cancel()
	for {
		const enough = 1 << 16
		switch {
		case !p.proc.running():
			return p.proc.died()
		case strings.Contains(tail(log, enough), "daemon ready"):
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("pcscd is not ready: %w; its log says:\n%s", ctx.Err(), tail(log, 2000))
		case <-time.After(pcscdPoll):
		}
	}
}

// Stop ends the daemon.
func (p *PCSCD) Stop() error { return p.proc.stop(syscall.SIGTERM, pcscdEnd) }

// twoFreePorts finds a port that is free with its successor: the virtual reader
// has two slots.
func twoFreePorts(ctx context.Context) (int, error) {
	var l net.ListenConfig
	for range 20 {
		first, err := l.Listen(ctx, "tcp", ":0")
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		port := first.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
		second, err := l.Listen(ctx, "tcp", fmt.Sprintf(":%d", port+1))
		_ = first.Close()
		if err == nil {
			_ = second.Close()
			return port, nil
		}
	}
	return 0, errors.New("find two free ports: tried often enough")
}
