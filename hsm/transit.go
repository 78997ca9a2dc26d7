package hsm

import (
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// maxSignaturesPerCall is where a larger batch gains nothing more, and keeps
// everybody in it waiting.
const maxSignaturesPerCall = 100

// transitResult is one signature of Transit's sign path, or why there is none.
type transitResult struct {
	Signature string `json:"signature"`
	Error     string `json:"error"`
}

func (k *SigningKey) doing() string { return "sign with " + k.name }

// ownHash is the hash that an ECDSA key is used with (RFC 5480 §4), 0 for RSA.
func (k *SigningKey) ownHash() crypto.Hash {
	switch algorithmOf(k.public) {
	case P256:
		return crypto.SHA256
	case P384:
		return crypto.SHA384
	case RSA3072:
	}
	return 0
}

// signTogether signs digests of the key's own hash in one call.
func (k *SigningKey) signTogether(ctx context.Context, inputs []string) ([]transitResult, error) {
	request, err := k.request(k.ownHash())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.doing(), err)
	}
	return k.sign(ctx, request, inputs...)
}

// sign has Transit sign one input, or several as a batch.
func (k *SigningKey) sign(ctx context.Context, common map[string]any, inputs ...string) ([]transitResult, error) {
	request := maps.Clone(common)
	var answer struct {
		transitResult

		Batch []transitResult `json:"batch_results"`
	}
	if len(inputs) == 1 {
		request["input"] = inputs[0]
	} else {
		batch := make([]map[string]string, len(inputs))
		for i, input := range inputs {
			batch[i] = map[string]string{"input": input}
		}
		request["batch_input"] = batch
	}
	if err := k.client.post(ctx, k.doing(), k.mount+"/sign/"+k.name, request, &answer); err != nil {
		return nil, err
	}
	if len(inputs) == 1 {
		return []transitResult{answer.transitResult}, nil
	}
	return answer.Batch, nil
}

// signature reads Transit's form, "vault:v1:" and base64.
func (k *SigningKey) signature(result transitResult) ([]byte, error) {
	if result.Error != "" {
		return nil, fmt.Errorf("%s: Vault answered: %s", k.doing(), harmless(result.Error))
	}
	encoded, ok := strings.CutPrefix(result.Signature, "vault:v"+strconv.Itoa(k.version)+":")
	if !ok {
		return nil, fmt.Errorf("%s: Vault signed with another version than %d", k.doing(), k.version)
	}
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%s: read Vault's signature: %w", k.doing(), err)
	}
	return signature, nil
}
