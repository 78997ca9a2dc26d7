// Command sceau-hsm is the card engine as a Vault plugin: Vault starts it, after
// comparing its SHA-256 with the one registered. Started by hand it does one thing:
//
//	sceau-hsm selftest [DIR]
//
// computes the test vectors of a folder again, or those that it carries along, and
// says on the last line how many came out. It exits with 1 when one did not, with 2
// when the folder cannot be read. It holds no rule: hsm/engine and hsm/selftest do
// the work.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	"sceau/hsm/engine"
	"sceau/hsm/selftest"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "selftest" {
		os.Exit(check(os.Args[2:], os.Stdout, os.Stderr))
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "sceau-hsm:", err)
		os.Exit(1)
	}
}

// Exit codes of selftest.
const (
	exitPassed     = 0
	exitFailed     = 1
	exitUnreadable = 2
)

// check runs the vectors and answers the exit code.
func check(args []string, out, errs io.Writer) int {
	folder, err := vectors(args)
	var report selftest.Report
	if err == nil {
		report, err = selftest.Run(folder)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, strings.Join(append([]string{"sceau-hsm selftest"}, args...), " ")+":", err)
		return exitUnreadable
	}
	for _, f := range report.Failures {
		_, _ = fmt.Fprintln(out, f)
	}
	if _, err := fmt.Fprintln(out, report); err != nil || len(report.Failures) > 0 {
		return exitFailed
	}
	return exitPassed
}

// vectors is the folder that was named, or the one carried along.
func vectors(args []string) (fs.FS, error) {
	switch len(args) {
	case 0:
		return selftest.Embedded()
	case 1:
		return os.DirFS(args[0]), nil
	}
	return nil, fmt.Errorf("selftest takes one folder of vectors, not %d", len(args))
}

func serve() error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(os.Args[1:]); err != nil {
		return fmt.Errorf("read the flags that Vault gives: %w", err)
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: engine.Factory(time.Now),
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
}
