package hsm_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/internal/testenv"
)

// Who may do what.
const (
	office   = hsm.RoleOffice
	worker   = hsm.RoleWorker
	pins     = hsm.RolePINLetter
	doors    = hsm.RoleAPI
	desks    = hsm.RoleTerminals
	ocsp     = hsm.RoleOCSP
	officers = hsm.RoleCeremony
	root     = hsm.RoleRootCeremony
	auditor  = hsm.RoleAuditor
)

// may is, for one path, what each role may do there: read, list, write, delete.
// A role or a verb that is not named is refused with status 403.
type may map[hsm.Role]string

// rights are all that the policies allow. The paths are those of the card
// engine, of Transit under both mounts, and of Vault itself; a path that no line
// allows stands here to be refused. Where a glob of a policy ends in a name, the
// paths below that name can be asked, and hold nothing.
var rights = map[string]may{
	// The card engine.
	"hsm/keys":                   {office: "list", officers: "list", auditor: "list"},
	"hsm/keys/matrix":            {office: "read", officers: "read write delete", auditor: "read"},
	"hsm/keys/matrix/components": {officers: "read write delete", auditor: "read"},
	"hsm/keys/matrix/import":     {officers: "write"},
	"hsm/keys/matrix/export":     {officers: "write"},
	"hsm/keys/matrix/rotate":     {officers: "write"},
	"hsm/keys/matrix/retire":     {officers: "write"},
	"hsm/keys/matrix/disable":    {officers: "write"},
	"hsm/keys/matrix/enable":     {officers: "write"},
	"hsm/keys/matrix/other":      {},
	"hsm/profiles":               {office: "list", officers: "list", auditor: "list"},
	"hsm/profiles/matrix":        {office: "read", officers: "read write", auditor: "read"},
	"hsm/activities/pin-letter":  {office: "read", officers: "read write delete", auditor: "read"},
	"hsm/activities/rekey":       {office: "read", officers: "read write delete", auditor: "read"},
	"hsm/marks/matrix":           {worker: "read write", officers: "read write", ocsp: "read", auditor: "read"},
	"hsm/audit":                  {auditor: "read"},
	"hsm/selftest":               {},
	"hsm/card/personalise":       {worker: "write"},
	"hsm/card/rekey":             {worker: "write"},
	"hsm/card/challenge":         {desks: "write"},
	"hsm/card/channel":           {desks: "write"},
	"hsm/pin/letter":             {pins: "write"},
	"hsm/pin/close":              {pins: "write"},
	"hsm/pin/destroy":            {pins: "write", worker: "write"},
	"hsm/pin/translate":          {},
	"hsm/pin/verify":             {},
	"hsm/pin/verify-data":        {},
	"hsm/cap/verify":             {doors: "write"},
	"hsm/cap/resync":             {office: "write", doors: "write"},
	"hsm/arqc/verify":            {desks: "write"},
	"hsm/script/pin-unblock":     {doors: "write"},
	"hsm/script/pin-change":      {doors: "write"},
	"hsm/script/block":           {},
	"hsm/config":                 {},

	// Transit, the online keys.
	"transit/keys":                          {auditor: "list"},
	"transit/keys/issuing-m":                {office: "read", worker: "read", officers: "read write", auditor: "read"},
	"transit/keys/ocsp-m":                   {office: "read", worker: "read", ocsp: "read", officers: "read write", auditor: "read"},
	"transit/keys/bureau-m":                 {office: "read", worker: "read", officers: "read write", auditor: "read"},
	"transit/keys/statement-m":              {office: "read", doors: "read", officers: "read write", auditor: "read"},
	"transit/keys/other-m":                  {office: "read", officers: "read write", auditor: "read"},
	"transit/keys/issuing-m/config":         {worker: "read"},
	"transit/keys/issuing-m/rotate":         {worker: "read"},
	"transit/keys/issuing-m/trim":           {worker: "read"},
	"transit/keys/ocsp-m/config":            {worker: "read", ocsp: "read"},
	"transit/keys/ocsp-m/rotate":            {worker: "read", ocsp: "read"},
	"transit/keys/ocsp-1/rotate":            {worker: "read", ocsp: "read", officers: "write"},
	"transit/keys/bureau-1/rotate":          {worker: "read", officers: "write"},
	"transit/keys/statement-1/rotate":       {doors: "read", officers: "write"},
	"transit/keys/other-m/rotate":           {},
	"transit/keys/other-m/config":           {},
	"transit/keys/other-m/import":           {},
	"transit/keys/other-m/import_version":   {},
	"transit/keys/other-m/soft-delete":      {},
	"transit/sign/issuing-m":                {worker: "write", officers: "write"},
	"transit/sign/ocsp-m":                   {worker: "write", ocsp: "write"},
	"transit/sign/bureau-m":                 {worker: "write"},
	"transit/sign/statement-m":              {doors: "write"},
	"transit/sign/rehearsal-m":              {officers: "write"},
	"transit/sign/other-m":                  {},
	"transit/verify/issuing-m":              {},
	"transit/hmac/issuing-m":                {},
	"transit/encrypt/other-m":               {},
	"transit/decrypt/other-m":               {},
	"transit/decrypt/safe":                  {office: "write", worker: "write", doors: "write", desks: "write"},
	"transit/encrypt/safe":                  {},
	"transit/datakey/wrapped/safe":          {office: "write", worker: "write", doors: "write", desks: "write"},
	"transit/datakey/plaintext/safe":        {},
	"transit/keys/safe":                     {office: "read", officers: "read write", auditor: "read"},
	"transit/keys/safe/config":              {},
	"transit/export/encryption-key/safe":    {},
	"transit/rewrap/other-m":                {},
	"transit/datakey/plaintext/other-m":     {},
	"transit/export/signing-key/issuing-m":  {},
	"transit/export/public-key/issuing-m":   {},
	"transit/byok-export/other-m/issuing-m": {},
	"transit/backup/issuing-m":              {},
	"transit/restore":                       {},
	"transit/restore/issuing-m":             {},
	"transit/wrapping_key":                  {},
	"transit/cache-config":                  {},
	"transit/config/keys":                   {},
	"transit/random/32":                     {},

	// The root's mount.
	"transit-root/keys":                      {auditor: "list"},
	"transit-root/keys/root-m":               {root: "read write", auditor: "read"},
	"transit-root/keys/root-m/config":        {},
	"transit-root/keys/root-m/rotate":        {},
	"transit-root/sign/root-m":               {root: "write"},
	"transit-root/sign/rehearsal-m":          {root: "write"},
	"transit-root/sign/other-m":              {},
	"transit-root/export/signing-key/root-m": {},
	"transit-root/backup/root-m":             {},
	"transit-root/restore":                   {},

	// Vault itself.
	"sys/policies/acl":                     {auditor: "list"},
	"sys/policies/acl/sceau-worker":        {auditor: "read"},
	"sys/policy/sceau-worker":              {},
	"sys/audit":                            {auditor: "read"},
	"sys/audit/matrix":                     {},
	"sys/audit-hash/file":                  {}, // it would tell a PIN from its hash by trying
	"sys/mounts":                           {auditor: "read"},
	"sys/mounts/matrix":                    {},
	"sys/mounts/hsm/tune":                  {},
	"sys/remount":                          {},
	"sys/auth":                             {auditor: "read"},
	"sys/auth/matrix":                      {},
	"sys/plugins/catalog/secret/sceau-hsm": {},
	"sys/plugins/reload/backend":           {},
	"sys/seal":                             {},
	"sys/rotate":                           {},
	"sys/raw/core":                         {},
	"sys/storage/raft/snapshot":            {},
	"sys/storage/raft/configuration":       {},
	"sys/leases/lookup":                    {},
	"sys/config/auditing/request-headers":  {},
	"sys/config/cors":                      {},
	"sys/capabilities":                     {},
	"sys/wrapping/wrap":                    {},
	"sys/tools/random/32":                  {},

	// Who may become whom.
	"auth/token/create":                                   {},
	"auth/token/create-orphan":                            {},
	"auth/token/create/sceau-ceremony":                    {},
	"auth/token/create/sceau-root-ceremony":               {},
	"auth/token/lookup":                                   {},
	"auth/token/lookup-accessor":                          {},
	"auth/token/renew":                                    {},
	"auth/token/revoke":                                   {},
	"auth/token/accessors":                                {},
	"auth/token/roles":                                    {auditor: "list"},
	"auth/token/roles/sceau-ceremony":                     {auditor: "read"},
	"auth/approle/role":                                   {auditor: "list"},
	"auth/approle/role/sceau-pin-letter":                  {auditor: "read"},
	"auth/approle/role/sceau-pin-letter/role-id":          {},
	"auth/approle/role/sceau-pin-letter/secret-id":        {},
	"auth/approle/role/sceau-pin-letter/custom-secret-id": {},
	"auth/approle/role/sceau-pin-letter/policies":         {},
	"identity/entity":                                     {},
	"identity/entity-alias":                               {},
	"identity/entity/name/somebody":                       {},
	"identity/group":                                      {},
	"cubbyhole/x":                                         {},
	"absent/mount":                                        {},

	// What each may do with its own token.
	"auth/token/lookup-self": everybody("read"),
	"auth/token/renew-self":  everybody("write"),
	"sys/capabilities-self":  everybody("write"),
}

func everybody(verb string) may {
	m := may{}
	for _, role := range hsm.Roles() {
		m[role] = verb
	}
	return m
}

// verbs are Vault's methods. The body satisfies what the policies ask of one.
var verbs = []struct{ name, method string }{
	{"read", http.MethodGet}, {"list", "LIST"}, {"write", http.MethodPost}, {"delete", http.MethodDelete},
}

func TestEachRoleMayDoWhatTheTableSaysAndIsRefusedAllElse(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, role := range hsm.Roles() {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			token, err := admin.NewToken(t.Context(), role, "matrix "+string(role))
			if err != nil {
				t.Fatal(err)
			}
			for path, allowed := range rights {
				for _, verb := range verbs {
					if path == "sys/seal" && verb.name != "write" {
						continue // Vault answers 405 to everybody: there is no such command
					}
					body := ""
					if verb.method == http.MethodPost {
						body = `{"type":"ecdsa-p256"}`
					}
					status, text := vaultCall(t, vault, token, verb.method, path, body)
					want := slices.Contains(strings.Fields(allowed[role]), verb.name)
					refused := status == http.StatusForbidden && strings.Contains(string(text), "permission denied")
					if refused == want {
						t.Errorf("%s %s: status %d %s, allowed %t", verb.name, path, status, text, want)
					}
				}
			}
			if status, text := vaultCall(t, vault, token, http.MethodPost, "auth/token/revoke-self", "{}"); status != http.StatusNoContent {
				t.Errorf("it may not give its own token back: %d %s", status, text)
			}
		})
	}
}
