// Package hsm is Sceau's client of Vault, which stands in for a hardware
// security module: signing keys in the Transit engine, seen as [crypto.Signer],
// and the card engine of hsm/engine, where card keys and PINs live.
//
// Each command is one method; Vault's statuses become lifecycle kinds in one
// place. It never logs, never puts a payload or a secret in an error, and holds
// no clear PIN longer than the call that hands it to the PIN-letter worker.
// Everything secret travels as a string, because Vault's audit log hashes
// strings and prints numbers. Data enters as values of lifecycle and leaves as
// bytes and values; keys never leave.
package hsm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"sceau/gather"
	"sceau/lifecycle"
)

// Config says where Vault is and how to sign in there: with a token, a token
// file, or an AppRole.
type Config struct {
	Address string // as VAULT_ADDR; empty takes that variable. VAULT_CACERT and its like apply.

	Token     string  // for the development environment and tests
	TokenFile string  // kept fresh by Vault Agent or a ceremony; read again when renewal fails
	AppRole   AppRole // for services

	CardMount        string        // default "hsm"
	TransitMount     string        // online keys, default "transit"
	RootTransitMount string        // the root's keys, default "transit-root"
	Timeout          time.Duration // of one call, default 30 s
}

// AppRole are the files that hold a role's identifier and its secret, which
// systemd or Kubernetes hands to the process.
type AppRole struct {
	RoleIDFile, SecretIDFile string
}

// Limits of one call.
const (
	defaultTimeout  = 30 * time.Second
	maxAnswer       = 16 << 20 // bytes
	idleConnections = 64       // verification is called from many requests at once
)

// Client speaks to one Vault. It is safe for concurrent use.
type Client struct {
	vault   *api.Client
	config  Config
	ended   chan struct{}
	closing sync.Once
	keeper  sync.WaitGroup // keepToken
	checks  *gather.Calls[CAPCheck, CAPAnswer]
}

// Open signs in and keeps the token renewed until Close. It is
// [lifecycle.Unavailable] while Vault is sealed or away and the sign-in is by
// AppRole; a token is not tried before its first use.
func Open(ctx context.Context, config Config) (*Client, error) {
	config.CardMount = orDefault(config.CardMount, "hsm")
	config.TransitMount = orDefault(config.TransitMount, "transit")
	config.RootTransitMount = orDefault(config.RootTransitMount, "transit-root")
	if config.Timeout <= 0 {
		config.Timeout = defaultTimeout
	}
	settings := api.DefaultConfig()
	if settings.Error != nil {
		return nil, fmt.Errorf("%w: read Vault's settings: %w", lifecycle.Invalid, settings.Error)
	}
	if config.Address != "" {
		settings.Address = config.Address
	}
	// A node that cannot forward to its leader answers with a redirect. Followed, a
	// raw write would arrive with the body "null" (api v1.23.0, ResetJSONBody), and
	// the token would go wherever the answer says.
	settings.DisableRedirects = true
	settings.MaxRetries = 0 // the caller knows better: a queue retries, a holder is told
	if transport, ok := settings.HttpClient.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = idleConnections
	}
	vault, err := api.NewClient(settings)
	if err != nil {
		return nil, fmt.Errorf("%w: set up the Vault client: %w", lifecycle.Invalid, err)
	}
	// Each call has its own deadline. With the client's, a raw write would be
	// cancelled before its answer is read (api v1.23.0, Logical.writeRaw).
	vault.SetClientTimeout(0)
	vault.SetToken("") // no token comes in by VAULT_TOKEN unseen
	c := &Client{vault: vault, config: config, ended: make(chan struct{})}
	c.checks = &gather.Calls[CAPCheck, CAPAnswer]{Doing: verifying, Most: maxChecksPerCall, Call: c.verifyTogether}
	lease, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	c.keeper.Go(func() { c.keepToken(lease) }) //nolint:contextcheck // it outlives the opening, until Close
	return c, nil
}

// Close stops the renewal and gives back a token that this client signed in
// for. A second call does nothing.
//
//nolint:contextcheck // it ends what outlives every caller's context
func (c *Client) Close() {
	c.closing.Do(func() {
		close(c.ended)
		c.keeper.Wait()
		if c.config.AppRole != (AppRole{}) {
			ctx, cancel := context.WithTimeout(context.Background(), signOutPatience)
			defer cancel()
			_ = c.post(ctx, "sign out", "auth/token/revoke-self", struct{}{}, nil) // it expires anyway
		}
	})
}

// post sends a request and reads the data of the answer into answer unless that
// is nil. doing says what was tried, for errors.
func (c *Client) post(ctx context.Context, doing, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: %w: the request has no JSON form", doing, lifecycle.Invalid) // err may quote a value
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	response, err := c.vault.Logical().WriteRawWithContext(ctx, path, body)
	return readAnswer(ctx, doing, response, err, answer)
}

// get reads; an absent thing is [lifecycle.NotFound].
func (c *Client) get(ctx context.Context, doing, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	response, err := c.vault.Logical().ReadRawWithContext(ctx, path)
	return readAnswer(ctx, doing, response, err, answer)
}

func readAnswer(ctx context.Context, doing string, response *api.Response, err error, answer any) error {
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return refusal(ctx, doing, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices { // which the library takes for an answer
		return fmt.Errorf("%s: %w: Vault's node sends us elsewhere: it has no leader yet", doing, lifecycle.Unavailable)
	}
	if answer == nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return refusal(ctx, doing, err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%s: Vault's answer is longer than %d bytes", doing, maxAnswer)
	}
	// Data is read into the answer on the spot: to look at a batch of signatures
	// twice costs as much again.
	envelope := struct {
		Data any
		Auth json.RawMessage
	}{Data: answer}
	if len(bytes.TrimSpace(text)) == 0 || json.Unmarshal(text, &envelope) != nil { // its error may quote a value
		return fmt.Errorf("%s: Vault's answer is not what its API promises", doing)
	}
	if envelope.Data != nil && bytes.Contains(text, []byte(`"data"`)) {
		return nil
	}
	if isNull(envelope.Auth) { // no error and no secret: it does not exist
		return fmt.Errorf("%s: %w", doing, lifecycle.NotFound)
	}
	if json.Unmarshal(envelope.Auth, answer) != nil {
		return fmt.Errorf("%s: Vault's answer is not what its API promises", doing)
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return strings.Trim(s, "/")
}

// number is a small integer that travels as a string, so that Vault's audit
// log hashes it. The engine may answer either form.
type number int

// MarshalJSON writes the decimal digits as a string.
func (n number) MarshalJSON() ([]byte, error) {
	return []byte(`"` + strconv.Itoa(int(n)) + `"`), nil
}

// UnmarshalJSON reads either form.
func (n *number) UnmarshalJSON(text []byte) error {
	value, err := strconv.Atoi(strings.Trim(string(text), `"`))
	if err != nil {
		return fmt.Errorf("%w: not an integer", lifecycle.Invalid)
	}
	*n = number(value)
	return nil
}
