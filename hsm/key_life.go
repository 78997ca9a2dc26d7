package hsm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sceau/lifecycle"
)

// ErrProposed is the answer to the first of two officers: the step is proposed,
// and done when another person asks for the very same within a quarter of an
// hour.
var ErrProposed = errors.New("proposed: another officer must confirm")

// proposed turns a proposal's answer into its error.
func proposed(doing string, until time.Time) error {
	return fmt.Errorf("%s: %w before %s", doing, ErrProposed, until.UTC().Format(time.RFC3339))
}

// ListKeys are the names of the card engine's keys, deleted ones too.
func (c *Client) ListKeys(ctx context.Context) ([]string, error) {
	names, err := c.list(ctx, "list card keys", c.config.CardMount+"/keys")
	if errors.Is(err, lifecycle.NotFound) { // Vault's word for an empty list
		return nil, nil
	}
	return names, err
}

// list reads the names below a path.
func (c *Client) list(ctx context.Context, doing, path string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	var answer struct {
		Keys []string `json:"keys"`
	}
	response, err := c.vault.Logical().ReadRawWithDataWithContext(ctx, path, map[string][]string{"list": {"true"}})
	err = readAnswer(ctx, doing, response, err, &answer)
	return answer.Keys, err
}

// RotateKey adds a new random version, for cards made from now on.
func (c *Client) RotateKey(ctx context.Context, name string) (KeyInfo, error) {
	return c.changeKey(ctx, "rotate", name, struct{}{})
}

// RetireKeyVersion ends an earlier version, once the last card made under it has
// expired.
func (c *Client) RetireKeyVersion(ctx context.Context, name string, version int) (KeyInfo, error) {
	return c.changeKey(ctx, "retire", name, map[string]number{"version": number(version)})
}

// DisableKey has a key refused everywhere until EnableKey.
func (c *Client) DisableKey(ctx context.Context, name string) (KeyInfo, error) {
	return c.changeKey(ctx, "disable", name, struct{}{})
}

// EnableKey undoes DisableKey.
func (c *Client) EnableKey(ctx context.Context, name string) (KeyInfo, error) {
	return c.changeKey(ctx, "enable", name, struct{}{})
}

func (c *Client) changeKey(ctx context.Context, what, name string, request any) (KeyInfo, error) {
	path, err := c.keyPath(name, "/"+what)
	if err != nil {
		return KeyInfo{}, err
	}
	var answer keyAnswer
	if err := c.post(ctx, what+" card key "+name, path, request, &answer); err != nil {
		return KeyInfo{}, err
	}
	return answer.info(), nil
}

// DeleteKey erases a disabled key. It is for two officers: [ErrProposed] for the
// first.
func (c *Client) DeleteKey(ctx context.Context, name string) error {
	path, err := c.keyPath(name, "")
	if err != nil {
		return err
	}
	doing := "delete card key " + name
	var answer keyAnswer
	if err := c.remove(ctx, doing, path, &answer); err != nil {
		return err
	}
	if answer.Proposed {
		return proposed(doing, answer.Until)
	}
	return nil
}

// AbortComponents erases the components of a key that is not whole.
func (c *Client) AbortComponents(ctx context.Context, name string) error {
	path, err := c.keyPath(name, "/components")
	if err != nil {
		return err
	}
	return c.remove(ctx, "abort the components of card key "+name, path, nil)
}

// remove deletes; answer may be nil.
func (c *Client) remove(ctx context.Context, doing, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	request := c.vault.NewRequest(http.MethodDelete, "/v1/"+strings.TrimPrefix(path, "/"))
	response, err := c.vault.RawRequestWithContext(ctx, request) //nolint:staticcheck // Logical().Delete reads no answer
	return readAnswer(ctx, doing, response, err, answer)
}

// ExportKey wraps a key under a key block protection key, as a TR-31 key block.
// It is for two officers: [ErrProposed] for the first. A key made never to leave
// does not: issuer master keys, unless they were made otherwise.
func (c *Client) ExportKey(ctx context.Context, name, kbpk string) (keyBlock, kcv string, err error) {
	path, err := c.keyPath(name, "/export")
	if err != nil {
		return "", "", err
	}
	doing := "export card key " + name
	var answer struct {
		KeyBlock string    `json:"key_block"`
		KCV      string    `json:"kcv"`
		Proposed bool      `json:"proposed"`
		Until    time.Time `json:"until"`
	}
	if err := c.post(ctx, doing, path, map[string]string{"kbpk": kbpk}, &answer); err != nil {
		return "", "", err
	}
	if answer.Proposed {
		return "", "", proposed(doing, answer.Until)
	}
	return answer.KeyBlock, answer.KCV, nil
}

// ImportKey takes a key out of a TR-31 key block. An empty usage takes what the
// block says; kcv, when given, must be the key's.
func (c *Client) ImportKey(ctx context.Context, name, kbpk, keyBlock string, usage KeyUsage, kcv string) (KeyInfo, error) {
	request := map[string]string{"kbpk": kbpk, "key_block": keyBlock, "usage": string(usage), "kcv": kcv}
	return c.changeKey(ctx, "import", name, request)
}

// OpenActivity opens a window for PIN letters ("pin-letter") or for re-keying
// cards ("rekey") of live keys. It is for two officers: [ErrProposed] for the
// first.
func (c *Client) OpenActivity(ctx context.Context, name string, window time.Duration) (until time.Time, err error) {
	if err := checkName(name); err != nil {
		return time.Time{}, err
	}
	doing := "open the activity " + name
	var answer struct {
		Proposed bool      `json:"proposed"`
		Until    time.Time `json:"until"`
	}
	request := map[string]number{"minutes": number(window / time.Minute)}
	if err := c.post(ctx, doing, c.config.CardMount+"/activities/"+name, request, &answer); err != nil {
		return time.Time{}, err
	}
	if answer.Proposed {
		return time.Time{}, proposed(doing, answer.Until)
	}
	return answer.Until, nil
}

// CloseActivity closes it before its time.
func (c *Client) CloseActivity(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return c.remove(ctx, "close the activity "+name, c.config.CardMount+"/activities/"+name, nil)
}
