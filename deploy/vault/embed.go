// Package vault holds the Vault policies that production and development share:
// one file for each kind of process or person, as narrow as its work allows,
// self.hcl for what each may do with its own token, and key-destruction.hcl, of which
// one is made for each CA that ends.
//
// They assume the mounts hsm/, transit/ and transit-root/. The package only
// carries files; the room hsm writes them to Vault, or an administrator does
// with `vault policy write sceau-worker worker.hcl`.
package vault

import (
	"embed"
	"fmt"
)

//go:embed *.hcl
var files embed.FS

// Policy is the text of a policy, named as its file without the ending.
func Policy(name string) (string, error) {
	text, err := files.ReadFile(name + ".hcl")
	if err != nil {
		return "", fmt.Errorf("no policy %s: %w", name, err)
	}
	return string(text), nil
}
