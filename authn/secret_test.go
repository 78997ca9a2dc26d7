package authn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestAnAPIKeyIsShownByRevealAlone(t *testing.T) {
	t.Parallel()
	const text = "sceau_7Q0eB3VbT1mJp5yZkXwD9uHnRfLcAaGs"
	secret := newSecret(text)
	type exported struct{ Secret Secret }
	type hidden struct{ secret Secret }
	for name, value := range map[string]any{
		"itself": secret, "a pointer": &secret, "an exported field": exported{secret}, "an unexported field": hidden{secret},
		"a slice": []hidden{{secret}}, "a map": map[string]Secret{"x": secret}, "an error": fmt.Errorf("key %v", secret),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
				fmt.Fprintf(&out, verb, value)
			}
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).InfoContext(t.Context(), "key", slog.Any("value", value))
			}
			if strings.Contains(out.String(), text) || strings.Contains(out.String(), fmt.Sprintf("%x", text)) {
				t.Errorf("shown: %s", out.String())
			}
		})
	}
	if got, err := json.Marshal(exported{secret}); err == nil {
		t.Errorf("serialised: %s", got)
	}
	if secret.Reveal() != text || (Secret{}).Reveal() != "" {
		t.Error("Reveal does not give the key, or gives one that nobody made")
	}
}
