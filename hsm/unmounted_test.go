package hsm_test

import (
	"testing"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// Before, a card engine that was not mounted answered as an engine that has no
// such PIN: the PIN of a stolen card counted as destroyed, and nobody learnt
// that it was not.
func TestAnEngineThatIsNotMountedIsAwayAndKnowsNothing(t *testing.T) {
	t.Parallel()
	vault := testenv.Vault(t)
	client := openWith(t, hsm.Config{Address: vault.Addr, Token: vault.RootToken, CardMount: "nowhere", TransitMount: "nowhere-either"})
	wantKind(t, client.DestroyPIN(t.Context(), "C-0000000000000001", 1), lifecycle.Unavailable)
	wantKind(t, client.ClosePIN(t.Context(), hsm.PINRelease{Card: "C-0000000000000001", PINVersion: 1, Letter: "P-0000000000000001"}), lifecycle.Unavailable)
	_, err := client.KeyInfo(t.Context(), "imk-ac")
	wantKind(t, err, lifecycle.Unavailable)
	_, err = client.SigningKey(t.Context(), "issuing-1", 0)
	wantKind(t, err, lifecycle.Unavailable)

	mounted := open(t, vault)
	_, err = mounted.KeyInfo(t.Context(), "absent")
	wantKind(t, err, lifecycle.NotFound)
	wantKind(t, mounted.DestroyPIN(t.Context(), "C-0000000000000001", 1), lifecycle.NotFound)
}
