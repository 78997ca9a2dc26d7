package hsm

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"sceau/lifecycle"
)

func TestAnAnswerIsReadOrRefusedNeverEmpty(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       string
		kind       error // nil with want "": an error without a kind
	}{
		{"data", `{"request_id":"r","data":{"signature":"s"},"auth":null}`, "s", nil},
		{"a sign-in", `{"data":null,"auth":{"signature":"s"}}`, "s", nil},
		{"neither", `{"data":null,"auth":null}`, "", lifecycle.NotFound},
		{"an empty object, as a proxy may send", `{}`, "", lifecycle.NotFound},
		{"another type than the API's", `{"data":{"signature":{}}}`, "", nil},
		{"half of it", `{"data":{"signature":"s"`, "", nil},
		{"nothing", ` `, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var answer transitResult
			response := &api.Response{Response: &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(test.text))}}
			err := readAnswer(t.Context(), "sign", response, nil, &answer)
			if (err == nil) != (test.want != "") || !errors.Is(err, test.kind) && test.kind != nil {
				t.Errorf("error = %v, want %v", err, test.kind)
			}
			if err == nil && answer.Signature != test.want {
				t.Errorf("signature %q, want %q", answer.Signature, test.want)
			}
		})
	}
}
