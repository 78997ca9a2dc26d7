package hsm

import (
	"context"
	"encoding/base64"
	"fmt"
)

// safeKey is the Transit key that wraps the data keys under which the house
// seals card numbers (safe/safe.go).
const safeKey = "safe"

// CreateSafeKey makes the wrapping key; one that is there stays.
func (c *Client) CreateSafeKey(ctx context.Context) error {
	request := map[string]string{"type": "aes256-gcm96"}
	return c.post(ctx, "make the key of the safe", c.config.TransitMount+"/keys/"+safeKey, request, nil)
}

// NewDataKey makes a data key and gives it wrapped only.
func (c *Client) NewDataKey(ctx context.Context) (wrapped string, err error) {
	var answer struct {
		Wrapped string `json:"ciphertext"`
	}
	if err := c.post(ctx, "make a data key", c.config.TransitMount+"/datakey/wrapped/"+safeKey, struct{}{}, &answer); err != nil {
		return "", err
	}
	return answer.Wrapped, nil
}

// UnwrapDataKey gives a data key in clear.
func (c *Client) UnwrapDataKey(ctx context.Context, wrapped string) ([]byte, error) {
	const doing = "unwrap a data key"
	var answer struct {
		Key string `json:"plaintext"`
	}
	request := map[string]string{"ciphertext": wrapped}
	if err := c.post(ctx, doing, c.config.TransitMount+"/decrypt/"+safeKey, request, &answer); err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(answer.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: Vault's answer is no key", doing)
	}
	return key, nil
}
