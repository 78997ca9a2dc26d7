package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Vault calls Vault's API with net/http and prepared bytes: the limit of
// whatever goes through Vault.
type Vault struct {
	address, token string
	http           http.Client
}

// NewVault keeps as many connections open as callers may use at a time.
func NewVault(address, token string, callers int) *Vault {
	return &Vault{address: address, token: token, http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}}
}

// Call sends a body (nil for none) to a path below /v1 and gives the answer's
// body. An error has Vault's status, never what was sent.
func (v *Vault) Call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, v.address+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("vault %s: %w", path, err)
	}
	request.Header.Set("X-Vault-Token", v.token)
	response, err := v.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("vault %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	if err != nil {
		return nil, fmt.Errorf("vault %s: %w", path, err)
	}
	return text, nil
}

// SignRequest is the body that has Transit sign so many SHA-256 digests with a
// P-256 key: one as a single request, more as a batch.
func SignRequest(digests int) []byte {
	one := map[string]any{"input": base64.StdEncoding.EncodeToString(make([]byte, 32))}
	request := map[string]any{"prehashed": true, "hash_algorithm": "sha2-256", "marshaling_algorithm": "asn1"}
	if digests == 1 {
		request["input"] = one["input"]
	} else {
		batch := make([]any, digests)
		for i := range batch {
			batch[i] = one
		}
		request["batch_input"] = batch
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil // cannot happen: strings and booleans
	}
	return body
}
