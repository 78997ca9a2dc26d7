package hsm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/api"

	"sceau/lifecycle"
)

// maxWords bounds what is repeated of Vault's own words.
const maxWords = 300

// codeWord opens every error text of the card engine: "pin_released: ...".
var codeWord = regexp.MustCompile(`(?:^|\s)([a-z]+(?:_[a-z]+)*): `)

// masked are runs that could be a PIN, a card number, a cryptogram or a key.
var masked = regexp.MustCompile(`[0-9]{4,}|[0-9A-Fa-f]{8,}|[0-9A-Za-z+/=_-]{33,}`)

// kindOfCode sorts the engine's code words; others follow the status.
func kindOfCode(code string) (lifecycle.Kind, bool) {
	switch code {
	case "conflict", "pin_released", "pin_closed", "pin_destroyed", "duplicate":
		return lifecycle.Conflict, true
	case "unknown_key", "unknown_profile", "unknown_pin", "not_found":
		return lifecycle.NotFound, true
	case "invalid", "wrong_arqc", "wrong_chip", "wrong_kcv", "key_usage", "key_retired", "key_disabled", "mixed_environment",
		"bad_key_block", "malformed_code", "window_too_large", "batch_too_large":
		return lifecycle.Invalid, true
	case "forbidden", "dual_control", "activity_closed", "pin_locked":
		return lifecycle.Forbidden, true
	case "rate_limited":
		return lifecycle.Unavailable, true
	}
	return "", false
}

// kindOfStatus sorts Vault's statuses (its HTTP API, "HTTP status codes").
func kindOfStatus(status int) (lifecycle.Kind, bool) {
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return lifecycle.Forbidden, true
	case http.StatusNotFound:
		return lifecycle.NotFound, true
	case http.StatusConflict:
		return lifecycle.Conflict, true
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusUnprocessableEntity:
		return lifecycle.Invalid, true
	case http.StatusTooManyRequests, http.StatusPreconditionFailed, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, 472, 473: // standby nodes
		return lifecycle.Unavailable, true
	}
	return "", false
}

// unmounted are Vault's words of a 404 about an engine, not about what is in it:
// nobody knows whether the thing is there.
const unmounted = "no handler for route"

// unstarted are Vault's words of a mount whose plugin it did not start.
const unstarted = "backend is nil"

// passing are the words of a 500 that heals by itself: Vault sealed in the
// middle of a call, or its plugin being restarted.
var passing = []string{
	"vault is sealed", "plugin is shut down", "connection is shut down", "transport is closing",
	"code = unavailable",
}

// refusal turns any failure of a call into an error with a kind. It repeats
// Vault's words without anything that could be a secret, and never the request.
func refusal(ctx context.Context, doing string, err error) error {
	if response, ok := errors.AsType[*api.ResponseError](err); ok {
		words := strings.Join(response.Errors, "; ")
		if response.RawError {
			words = "" // not Vault's JSON: a proxy's page
		}
		return sorted(doing, response.StatusCode, words)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w: no answer in time", doing, lifecycle.Unavailable)
	}
	return fmt.Errorf("%s: %w: Vault cannot be reached: %s", doing, lifecycle.Unavailable, harmless(err.Error()))
}

func sorted(doing string, status int, words string) error {
	if kind, ok := kindOfWords(words); ok {
		return fmt.Errorf("%s: %w: %s", doing, kind, harmless(words))
	}
	kind, ok := kindOfStatus(status)
	if status == http.StatusNotFound && strings.Contains(words, unmounted) {
		kind = lifecycle.Unavailable
		if strings.Contains(words, unstarted) {
			words = "the engine did not start: is its program the one whose SHA-256 is registered? Vault's log tells"
		}
	}
	if status == http.StatusInternalServerError {
		lower := strings.ToLower(words)
		for _, p := range passing {
			if strings.Contains(lower, p) {
				kind, ok = lifecycle.Unavailable, true
			}
		}
	}
	if !ok {
		return fmt.Errorf("%s: Vault answered %d: %s", doing, status, harmless(words))
	}
	return fmt.Errorf("%s: %w: Vault answered %d: %s", doing, kind, status, harmless(words))
}

// kindOfWords finds the engine's code word. Vault puts lines of its own before
// the text of some errors ("1 error occurred: ...").
func kindOfWords(words string) (lifecycle.Kind, bool) {
	for _, found := range codeWord.FindAllStringSubmatch(words, -1) {
		if kind, ok := kindOfCode(found[1]); ok {
			return kind, true
		}
	}
	return "", false
}

// harmless shortens a text to one line without runs that could be secret.
func harmless(words string) string {
	words = masked.ReplaceAllString(strings.Join(strings.Fields(words), " "), "…")
	if runes := []rune(words); len(runes) > maxWords {
		words = string(runes[:maxWords]) + "…"
	}
	return words
}
