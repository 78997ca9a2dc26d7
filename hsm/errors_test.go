package hsm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"sceau/lifecycle"
)

func TestRefusalSortsStatusesAndCodeWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		words  string
		kind   lifecycle.Kind
	}{
		{"sealed", http.StatusServiceUnavailable, "Vault is sealed", lifecycle.Unavailable},
		{"rate limited", http.StatusTooManyRequests, "request path quota exceeded", lifecycle.Unavailable},
		{"a standby node", 473, "", lifecycle.Unavailable},
		{"sealed in the middle of a call", http.StatusInternalServerError, "internal: Vault is sealed", lifecycle.Unavailable},
		{"plugin restarted", http.StatusInternalServerError, "rpc error: code = Unavailable desc = x", lifecycle.Unavailable},
		{"no right", http.StatusForbidden, "1 error occurred:\n\t* permission denied", lifecycle.Forbidden},
		{"absent", http.StatusNotFound, "", lifecycle.NotFound},
		{"wrong input", http.StatusBadRequest, "missing field", lifecycle.Invalid},
		{"conflict by status", http.StatusConflict, "", lifecycle.Conflict},
		{"conflict by code word", http.StatusBadRequest, "conflict: another attempt made this card", lifecycle.Conflict},
		{"released by code word", http.StatusBadRequest, "pin_released: to another letter", lifecycle.Conflict},
		{"unknown key by code word", http.StatusBadRequest, "unknown_key: transport", lifecycle.NotFound},
		{"code word after Vault's preamble", http.StatusInternalServerError, "1 error occurred:\n\t* conflict: x\n\n", lifecycle.Conflict},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := refusal(t.Context(), "try", &api.ResponseError{StatusCode: test.status, Errors: []string{test.words}})
			if !errors.Is(err, test.kind) {
				t.Errorf("error = %v, want kind %q", err, test.kind)
			}
		})
	}
}

func TestAnInternalErrorOfVaultHasNoKind(t *testing.T) {
	t.Parallel()
	err := refusal(t.Context(), "try", &api.ResponseError{StatusCode: http.StatusInternalServerError, Errors: []string{"oops"}})
	if kind, ok := errors.AsType[lifecycle.Kind](err); ok {
		t.Errorf("error = %v has kind %q, so a queue would not retry it", err, kind)
	}
}

func TestTimeIsUpIsAnOutageAndCancelledIsNot(t *testing.T) {
	t.Parallel()
	late := fmt.Errorf("dial: %w", context.DeadlineExceeded)
	if err := refusal(t.Context(), "try", late); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("error = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := refusal(ctx, "try", context.Canceled); errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("error = %v", err)
	}
}

func TestAProxysPageIsNotRepeated(t *testing.T) {
	t.Parallel()
	err := refusal(t.Context(), "try", &api.ResponseError{
		StatusCode: http.StatusBadGateway, RawError: true, Errors: []string{"<html>secret</html>"},
	})
	if strings.Contains(err.Error(), "html") || !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("error = %v", err)
	}
}

func FuzzRefusalShowsNothingThatCouldBeSecret(f *testing.F) {
	f.Add(400, "Field validation failed: cannot parse '4821' as int")
	f.Add(400, "conflict: 0123456789ABCDEF")
	f.Add(500, "pan 5413330089600119 is odd\nhvs.CAESIJlU9JMYEhOPYv4igdhm9PnZDrabYTobQ4Ymnlq1qY")
	f.Fuzz(func(t *testing.T, status int, words string) {
		text := harmless(words)
		if masked.MatchString(text) {
			t.Errorf("harmless(%q) = %q", words, text)
		}
		if len([]rune(text)) > maxWords+1 {
			t.Errorf("harmless answers %d runes", len([]rune(text)))
		}
		err := refusal(t.Context(), "try", &api.ResponseError{StatusCode: status, Errors: []string{words}})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("error = %v", err)
		}
	})
}
