package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"sceau/hsm"
	"sceau/hsm/keyblock"
	"sceau/internal/testenv"
)

// program is this binary as the command, in a process of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// sitting is the program at a terminal, which somebody types at.
type sitting struct {
	t     *testing.T
	cmd   *exec.Cmd
	keys  *os.File // the side of keyboard and screen
	tty   *os.File // the side of the program, kept open to see how it is left
	mu    sync.Mutex
	shown bytes.Buffer // guarded by mu
}

// Write is the screen.
func (s *sitting) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(text)
}

func (s *sitting) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func ioctl(f *os.File, request uintptr, argument unsafe.Pointer) error {
	if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument)); code != 0 {
		return code
	}
	return nil
}

// sit starts the program at a pseudo-terminal (pty(7)).
func sit(t *testing.T, args ...string) *sitting {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	var unlocked, number int32
	if err := errors.Join(ioctl(keys, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked)), ioctl(keys, syscall.TIOCGPTN, unsafe.Pointer(&number))); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	s := &sitting{t: t, cmd: program(t, args...), keys: keys, tty: tty}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(s, keys) }()
	return s
}

// echoes tells whether the terminal shows what is typed.
func (s *sitting) echoes() bool {
	s.t.Helper()
	var state syscall.Termios
	if err := ioctl(s.tty, syscall.TCGETS, unsafe.Pointer(&state)); err != nil {
		s.t.Fatal(err)
	}
	return state.Lflag&syscall.ECHO != 0
}

// asked waits until the program asks and hides what is typed.
func (s *sitting) asked() {
	s.t.Helper()
	s.until("the program to ask", func() bool { return strings.Contains(s.screen(), "(not shown)") && !s.echoes() })
}

func (s *sitting) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("in vain for %s: %s", what, s.screen())
		}
	}
}

func (s *sitting) types(text string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the program and gives its exit code and all that was shown.
func (s *sitting) ends() (code int, screen string) {
	s.t.Helper()
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	s.types("echoed\r") // comes last, and shows that the screen is read to its end
	s.until("the terminal to echo again", func() bool { return strings.Contains(s.screen(), "echoed") })
	return s.cmd.ProcessState.ExitCode(), s.screen()
}

// ceremonyToken is the file of somebody's token at ceremonies.
func ceremonyToken(t *testing.T, admin *hsm.Client, person string) string {
	t.Helper()
	token, err := admin.NewToken(t.Context(), hsm.RoleCeremony, person)
	if err != nil {
		t.Fatal(err)
	}
	return secretFile(t, token)
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// vaultRead is a path of Vault as an administrator reads it.
func vaultRead(t *testing.T, vault testenv.VaultServer, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, vault.Addr+"/v1/"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", vault.RootToken)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusNotFound {
		return "nothing"
	}
	_, data, _ := strings.Cut(string(body), `"data":`) // before it stands the number of the request
	return data
}

// administrator opens a Vault and gives it its policies.
func administrator(t *testing.T, vault testenv.VaultServer) *hsm.Client {
	t.Helper()
	admin, err := hsm.Open(t.Context(), hsm.Config{Address: vault.Addr, Token: vault.RootToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	return admin
}

// checkValue is what stands on a custodian's form beside the component.
func checkValue(t *testing.T, component string) string {
	t.Helper()
	raw, err := hex.DecodeString(component)
	if err != nil {
		t.Fatal(err)
	}
	kcv, err := keyblock.CheckValueTDES(raw)
	if err != nil {
		t.Fatal(err)
	}
	return kcv
}

func TestAComponentIsTypedUnseenAndAWrongOneChangesNothing(t *testing.T) {
	t.Parallel()
	const (
		key              = "typed-imk-ac"
		first, firstKCV  = "1C587FD3EA6B923E45B0C7921A6DF854", "CC79E8"
		second           = "2A5E43B6C89D107F6EA4D9327C15FB80"
		enter, interrupt = "\r", "\x03"
	)
	secondKCV := checkValue(t, second)
	vault := testenv.Vault(t)
	admin := administrator(t, vault)
	aubepine, tilleul := ceremonyToken(t, admin, "Mme Aubépin"), ceremonyToken(t, admin, "M. Tilleul")
	state := func() string {
		return vaultRead(t, vault, "hsm/keys/"+key) + vaultRead(t, vault, "hsm/keys/"+key+"/components")
	}
	for _, tt := range []struct {
		name, token, index, kcv, types string
		code                           int
		says                           string
	}{
		{"a slip of the finger", aubepine, "1", firstKCV, strings.Replace(first, "1C", "5C", 1) + enter, 2, "wrong_kcv: "},
		{"half of it", aubepine, "1", firstKCV, first[:16] + enter, 2, "invalid: "},
		{"no digits at all", aubepine, "1", firstKCV, "mein Komponente" + enter, 2, "invalid: "},
		{"nothing", aubepine, "1", firstKCV, enter, 2, "invalid: "},
		{"Ctrl-C in the middle", aubepine, "1", firstKCV, first[:16] + interrupt, 130, "component 1 of " + key + " is not entered"},
		{"the first, in groups and with its check value in small letters", aubepine, "1", "cc79 e8", "1C587FD3 EA6B923E 45B0C792 1A6DF854" + enter, 0, "component 1 of 2 of " + key + " taken"},
		{"the second by the custodian of the first", aubepine, "2", secondKCV, second + enter, 1, "dual_control: "},
		{"Ctrl-C by the other", tilleul, "2", secondKCV, second + interrupt, 130, "component 2 of " + key + " is not entered"},
		{"a wrong check value by the other", tilleul, "2", firstKCV, second + enter, 2, "wrong_kcv: "},
		{"the first again, by the other", tilleul, "1", firstKCV, first + enter, 1, "conflict: "},
		{"the second", tilleul, "2", secondKCV, second + enter, 0, "key " + key + " is whole: check value "},
		{"the second again", tilleul, "2", secondKCV, second + enter, 1, "conflict: "},
	} {
		before := state()
		s := sit(t, "ceremony", "component", "--key", key, "--usage", "imk-ac", "--index", tt.index, "--kcv", tt.kcv,
			"--vault-addr", vault.Addr, "--vault-token-file", tt.token)
		s.asked()
		s.types(tt.types)
		code, screen := s.ends()
		if code != tt.code || !strings.Contains(screen, tt.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", tt.name, code, tt.code, tt.says, screen)
		}
		for _, part := range []string{first[:8], first[len(first)-8:], second[:8], second[len(second)-8:], "5C587FD3", "Komponente"} {
			if strings.Contains(strings.ToUpper(screen), strings.ToUpper(part)) {
				t.Errorf("%s: the screen shows the component:\n%s", tt.name, screen)
			}
		}
		if after := state(); (after == before) != (tt.code != 0) {
			t.Errorf("%s: before %s, after %s", tt.name, before, after)
		}
	}
}
