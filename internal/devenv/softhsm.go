package devenv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// softHSMModules are where Debian's package puts the library.
const softHSMModules = "/usr/lib/*/softhsm/libsofthsm2.so"

// SoftHSM is a folder of tokens of SoftHSM2, the PKCS #11 module that needs no
// hardware, each with the same PIN.
type SoftHSM struct {
	Module  string
	PINFile string
	PIN     string
	Folders map[string]string // of each token's objects, by its label
}

// NewSoftHSM makes tokens below dir and points this process to them: SoftHSM
// reads SOFTHSM2_CONF and looks for tokens once, when its library is loaded.
func NewSoftHSM(ctx context.Context, dir string, labels ...string) (SoftHSM, error) {
	h := SoftHSM{PIN: "271828", PINFile: filepath.Join(dir, "pin"), Folders: map[string]string{}}
	found, err := filepath.Glob(softHSMModules)
	if err != nil || len(found) == 0 {
		return h, fmt.Errorf("SoftHSM: no %s: `make deps` installs the package softhsm2", softHSMModules)
	}
	h.Module = found[0]
	tokens, settings := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	err = errors.Join(os.Mkdir(tokens, 0o700), os.WriteFile(settings, []byte(text), 0o600), os.WriteFile(h.PINFile, []byte(h.PIN+"\n"), 0o600),
		os.Setenv("SOFTHSM2_CONF", settings))
	if err != nil {
		return h, fmt.Errorf("SoftHSM: %w", err)
	}
	for _, label := range labels {
		//nolint:gosec // arguments of ours
		out, err := exec.CommandContext(ctx, "softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "314159", "--pin", h.PIN).CombinedOutput()
		if err != nil {
			return h, fmt.Errorf("SoftHSM: make token %s: %w: %s", label, err, out)
		}
		there, err := filepath.Glob(filepath.Join(tokens, "*"))
		if err != nil {
			return h, fmt.Errorf("SoftHSM: %w", err)
		}
		for _, folder := range there {
			if !slices.Contains(slices.Collect(maps.Values(h.Folders)), folder) {
				h.Folders[label] = folder
			}
		}
	}
	return h, nil
}
