package engine

import (
	"context"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/selftest"
)

func (b *backend) pathSelftest() *framework.Path {
	return &framework.Path{
		Pattern:      "selftest/?$",
		Operations:   operations{logical.ReadOperation: b.command("Compute the published test vectors again.", runSelftest)},
		HelpSynopsis: "Compute the published test vectors that the engine carries, and tell how many came out.",
		HelpDescription: "Key derivation, cryptograms, scripts, PIN blocks, key blocks, codes: with the keys of the vectors, never with one of this engine. " +
			"Run it before a ceremony. Answers passed, failed, and of each failure its file and row.",
	}
}

func runSelftest(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	folder, err := selftest.Embedded()
	if err != nil {
		return nil, err
	}
	report, err := selftest.Run(folder)
	if err != nil {
		return nil, err
	}
	failures := make([]string, len(report.Failures))
	for i, f := range report.Failures {
		failures[i] = f.String()
	}
	return &logical.Response{Data: map[string]any{
		"passed": strconv.Itoa(report.Passed), "failed": strconv.Itoa(len(failures)), "failures": failures,
	}}, nil
}
