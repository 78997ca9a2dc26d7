package hsm

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sceau/lifecycle"
)

// How the token is kept: renewed at half its life, and tried again in growing
// steps when Vault does not answer.
const (
	signOutPatience = 2 * time.Second
	firstRetry      = time.Second
	lastRetry       = 30 * time.Second
	maxTokenFile    = 4096 // bytes
)

// lease is what Vault says of a token.
type lease struct {
	ClientToken   string `json:"client_token"`
	LeaseDuration int64  `json:"lease_duration"` // seconds; 0 never ends
	Renewable     bool   `json:"renewable"`
}

func (l lease) half() time.Duration {
	return max(time.Duration(l.LeaseDuration)*time.Second/2, firstRetry)
}

// signIn takes a token in the way that the configuration names.
func (c *Client) signIn(ctx context.Context) (lease, error) {
	switch {
	case c.config.AppRole != (AppRole{}):
		return c.signInByAppRole(ctx)
	case c.config.TokenFile != "":
		token, err := readSecretFile(c.config.TokenFile)
		if err != nil {
			return lease{}, err
		}
		c.vault.SetToken(token)
	case c.config.Token != "":
		c.vault.SetToken(c.config.Token)
	default:
		return lease{}, fmt.Errorf("%w: Vault needs a token, a token file or an AppRole", lifecycle.Invalid)
	}
	return lease{Renewable: true, LeaseDuration: 2}, nil // its life is learnt by the first renewal
}

func (c *Client) signInByAppRole(ctx context.Context) (lease, error) {
	roleID, err := readSecretFile(c.config.AppRole.RoleIDFile)
	if err != nil {
		return lease{}, err
	}
	secretID, err := readSecretFile(c.config.AppRole.SecretIDFile)
	if err != nil {
		return lease{}, err
	}
	var l lease
	request := map[string]string{"role_id": roleID, "secret_id": secretID}
	if err := c.post(ctx, "sign in to Vault", "auth/approle/login", request, &l); err != nil {
		return lease{}, err
	}
	c.vault.SetToken(l.ClientToken)
	return l, nil
}

// keepToken renews until Close; when renewal is refused it signs in again, so
// that a service outlives its secret's rotation and an outage of Vault.
func (c *Client) keepToken(l lease) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	retry := firstRetry
	wait := l.half()
	for {
		if l.LeaseDuration == 0 {
			return // it never ends: a root token
		}
		select {
		case <-c.ended:
			return
		case <-time.After(wait):
		}
		next, err := c.renew(ctx, l)
		if err == nil {
			l, wait, retry = next, next.half(), firstRetry
			continue
		}
		wait, retry = retry, min(2*retry, lastRetry)
	}
}

// renew asks for another life of the token, and for another token when that one
// is spent: not renewable, refused, or at the end of its longest life.
func (c *Client) renew(ctx context.Context, old lease) (lease, error) {
	if old.Renewable {
		var l lease
		err := c.post(ctx, "renew the Vault token", "auth/token/renew-self", struct{}{}, &l)
		if err == nil && (l.LeaseDuration == 0 || time.Duration(l.LeaseDuration)*time.Second > lastRetry) {
			return l, nil
		}
	}
	if c.config.AppRole != (AppRole{}) || c.config.TokenFile != "" {
		l, err := c.signIn(ctx)
		if err != nil || c.config.AppRole != (AppRole{}) {
			return l, err
		}
	}
	return c.inspect(ctx)
}

// inspect learns how long a token lives that cannot be renewed.
func (c *Client) inspect(ctx context.Context) (lease, error) {
	var token struct {
		TTL       int64 `json:"ttl"`
		Renewable bool  `json:"renewable"`
	}
	if err := c.get(ctx, "look at the Vault token", "auth/token/lookup-self", &token); err != nil {
		return lease{}, err
	}
	return lease{LeaseDuration: token.TTL, Renewable: token.Renewable}, nil
}

// readSecretFile reads one line that a secret store left for this process.
func readSecretFile(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // named by the configuration
	if err != nil {
		return "", fmt.Errorf("%w: read a Vault credential: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("%w: read a Vault credential: %w", lifecycle.Invalid, err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%w: the Vault credential %s is empty", lifecycle.Invalid, path)
	}
	return secret, nil
}

// Ping tells whether Vault is unsealed and takes the client's token.
func (c *Client) Ping(ctx context.Context) error {
	return c.get(ctx, "look at the Vault token", "auth/token/lookup-self", nil)
}
