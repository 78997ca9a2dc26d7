// Package client calls Sceau's API for the commands that stand outside the
// house as a relying service does: the branch terminal and the demonstration.
//
// It never reads the database or Vault, and keeps the key out of errors. Values
// go in, decoded answers and [Problem]s come out.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sceau/lifecycle"
)

// Client is a caller of one API.
type Client struct {
	base, key string
	operator  string
	http      *http.Client
}

const (
	patience  = 30 * time.Second
	maxAnswer = 1 << 20
)

// New makes a client for the API at base, as https://host:port.
func New(base, key string) *Client {
	return &Client{base: base, key: key, http: &http.Client{Timeout: patience}}
}

// At is the client of a branch's terminal at which somebody stands.
func (c *Client) At(operator string) *Client {
	at := *c
	at.operator = operator
	return &at
}

// Problem is what the API says of a request that it refuses (RFC 9457).
type Problem struct {
	Status   int    `json:"status"`
	Code     string `json:"code"`
	Title    string `json:"title"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (%s)", p.Title, p.Instance)
	}
	return p.Detail
}

// Unwrap gives the problem its kind.
func (p *Problem) Unwrap() error {
	switch p.Status {
	case http.StatusNotFound:
		return lifecycle.NotFound
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return lifecycle.Invalid
	case http.StatusUnauthorized, http.StatusForbidden:
		return lifecycle.Forbidden
	case http.StatusConflict:
		return lifecycle.Conflict
	case http.StatusLocked:
		return lifecycle.Locked
	case http.StatusServiceUnavailable:
		return lifecycle.Unavailable
	}
	return nil
}

// Post sends body and reads the answer into answer, unless that is nil.
func (c *Client) Post(ctx context.Context, path string, body, answer any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("call %s: %w", path, err)
		}
	}
	return c.call(ctx, http.MethodPost, path, text, answer)
}

// Get reads what is at path.
func (c *Client) Get(ctx context.Context, path string, answer any) error {
	return c.call(ctx, http.MethodGet, path, nil, answer)
}

func (c *Client) call(ctx context.Context, method, path string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call %s: %w", path, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	if c.operator != "" {
		request.Header.Set("Sceau-Operator", c.operator)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("call %s: %w: %w", path, lifecycle.Unavailable, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("call %s: %w: %w", path, lifecycle.Unavailable, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return problemOf(path, response.StatusCode, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("call %s: the answer is not understood: %w", path, err)
	}
	return nil
}

func problemOf(path string, status int, text []byte) error {
	var p Problem
	if err := json.Unmarshal(text, &p); err != nil || p.Status != status {
		return errors.Join(&Problem{Status: status, Title: http.StatusText(status)}, fmt.Errorf("call %s: no problem document came with status %d", path, status))
	}
	return fmt.Errorf("call %s: %w", path, &p)
}
