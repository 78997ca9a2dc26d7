// Package client is how a relying service written in Go talks to Sceau: it asks users
// to sign in and to sign, checks what the house states of it, stops means and reports
// fraud.
//
// It never keeps a key or a code, retries a proof, or follows a redirect. Data runs in
// as plain values and out as answers and [Problem]s. Its types are part of the API:
// what is there stays.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sceau/statement"
)

// Client calls one API as one service. Its methods are safe for concurrent use.
type Client struct {
	base, key string
	http      *http.Client
}

// maxAnswer bounds an answer, in octets.
const maxAnswer = 1 << 20

// New makes a client for the API at base, as https://api.bank.example, with an API key.
// Give transport a client certificate in place of a key; nil is the default.
func New(base, key string, transport http.RoundTripper) *Client {
	const patience = 30 * time.Second
	return &Client{base: base, key: key, http: &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Problem is what the API says of a request that it refuses (RFC 9457).
type Problem struct {
	Status   int    `json:"status"`
	Code     string `json:"code"` // stable: decide by it
	Title    string `json:"title"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // quote it when you ask for help
	Fields   []struct {
		Field string `json:"field"`
		Why   string `json:"why"`
	} `json:"errors"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %s (%s)", p.Code, p.Detail, p.Instance) }

// User is a named user of a company.
type User struct {
	ClientID   string `json:"client_id"`   // 8 digits
	UserNumber string `json:"user_number"` // 4 digits
}

// Authentication is a sign-in or an operation: what the user does, and what became of
// it.
type Authentication struct {
	ID          string            `json:"id"`
	State       string            `json:"state"`  // pending, accepted, refused, expired or cancelled
	Result      string            `json:"result"` // of the proof that was given now
	Function    string            `json:"function"`
	Content     map[string]string `json:"content"` // show it to the user beside Instruction
	Text        string            `json:"text"`    // what is signed
	Means       string            `json:"means"`
	Mode        string            `json:"mode"`
	Linked      bool              `json:"linked"` // the proof is over Content (RTS article 5)
	TriesLeft   int               `json:"tries_left"`
	Expires     time.Time         `json:"expires"`
	Holder      string            `json:"holder"`
	Statement   string            `json:"statement"` // keep it: it is the evidence
	Instruction struct {
		Key       string   `json:"key"` // of the CAP reader
		Challenge string   `json:"challenge"`
		Amount    string   `json:"amount"`
		Data      []string `json:"data"`
	} `json:"instruction"`
}

// Accepted tells whether the user proved it.
func (a Authentication) Accepted() bool { return a.State == "accepted" }

type question struct {
	User

	Means    string            `json:"means"`
	Mode     string            `json:"mode,omitempty"`
	Function string            `json:"function,omitempty"`
	Content  map[string]string `json:"content,omitempty"`
}

// SignIn asks a user to sign in by a means: cap, passkey, certificate,
// foreign_certificate or code.
func (c *Client) SignIn(ctx context.Context, u User, means string) (Authentication, error) {
	return post[Authentication](ctx, c, "/v1/authentications", question{User: u, Means: means})
}

// ProveSignIn gives what the user typed. A refused proof is no error: see Result.
func (c *Client) ProveSignIn(ctx context.Context, id, code string) (Authentication, error) {
	return post[Authentication](ctx, c, "/v1/authentications/"+url.PathEscape(id)+"/verify", map[string]string{"code": code})
}

// Sign asks a user to sign an operation; content's members are the function's.
func (c *Client) Sign(ctx context.Context, u User, means, function string, content map[string]string) (Authentication, error) {
	return post[Authentication](ctx, c, "/v1/operations", question{User: u, Means: means, Function: function, Content: content})
}

// Prove gives what the user typed for an operation. A refused proof is no error: see
// Result.
func (c *Client) Prove(ctx context.Context, id, code string) (Authentication, error) {
	return post[Authentication](ctx, c, "/v1/operations/"+url.PathEscape(id)+"/verify", map[string]string{"code": code})
}

// Operation reads an operation again, its statement with it.
func (c *Client) Operation(ctx context.Context, id string) (Authentication, error) {
	return call[Authentication](ctx, c, http.MethodGet, "/v1/operations/"+url.PathEscape(id), nil)
}

// Claims are what a statement says.
type Claims struct {
	Issuer     string            `json:"iss"`
	Audience   string            `json:"aud"`
	Subject    string            `json:"sub"`
	ID         string            `json:"jti"`
	Issued     int64             `json:"iat"`
	ClientID   string            `json:"client_id"`
	UserNumber string            `json:"user_number"`
	Function   string            `json:"function"`
	Content    map[string]string `json:"content"`
	Text       string            `json:"text"`
	Means      string            `json:"means"`
	Strong     bool              `json:"strong"`
	Linked     bool              `json:"linked"`
}

// ErrOther is a statement that is right and about something else.
var ErrOther = errors.New("the statement is about another authentication")

// Check checks the statement of an authentication by the house's keys, which it
// fetches, and that it is about this one.
func (c *Client) Check(ctx context.Context, a Authentication) (Claims, error) {
	set, err := c.text(ctx, http.MethodGet, "/.well-known/jwks.json", nil, "")
	if err != nil {
		return Claims{}, err
	}
	payload, err := statement.Check(a.Statement, set)
	if err != nil {
		return Claims{}, err
	}
	var claims Claims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return Claims{}, fmt.Errorf("read a statement: %w", err)
	}
	if claims.ID != a.ID || claims.Function != a.Function || claims.Text != a.Text {
		return Claims{}, ErrOther
	}
	return claims, nil
}

// Receipt is of a stop or a report: keep its ID.
type Receipt struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Held     []string `json:"held"`
	ToRevoke []string `json:"to_revoke"`
}

// Stop stops all means of a user at once, or with an empty user number of a company.
// The reason is lost, stolen, fraud, phished or other.
func (c *Client) Stop(ctx context.Context, u User, reason string) (Receipt, error) {
	body := map[string]string{"client_id": u.ClientID, "reason": reason}
	if u.UserNumber != "" {
		body["user_number"] = u.UserNumber
	}
	return post[Receipt](ctx, c, "/v1/stops", body)
}

// ReportFraud keeps what somebody tells of a message, call, site or operation.
func (c *Client) ReportFraud(ctx context.Context, kind, told string) (Receipt, error) {
	return post[Receipt](ctx, c, "/v1/fraud-reports", map[string]string{"kind": kind, "told": told})
}

// Event is something that happened to what the service has to do with.
type Event struct {
	ID      string    `json:"id"`      // cursor of what comes after it
	Type    string    `json:"type"`    // thing and state, as card.opposed
	Subject string    `json:"subject"` // identifier of the thing: read what it is now
	At      time.Time `json:"at"`
}

// Page is some events.
type Page struct {
	Events  []Event `json:"events"`
	HasMore bool    `json:"has_more"` // there are others after the last of these
}

// Events reads what happened after an event, "" for all that is kept.
func (c *Client) Events(ctx context.Context, after string, most int) (Page, error) {
	query := url.Values{"limit": {strconv.Itoa(most)}}
	if after != "" {
		query.Set("after", after)
	}
	return call[Page](ctx, c, http.MethodGet, "/v1/events?"+query.Encode(), nil)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	return call[T](ctx, c, http.MethodPost, path, body)
}

func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var answer T
	var text []byte
	var mark string
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return answer, fmt.Errorf("call %s: %w", path, err)
		}
		var random [16]byte
		_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
		mark = hex.EncodeToString(random[:])
	}
	got, err := c.text(ctx, method, path, text, mark)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(got, &answer); err != nil {
		return answer, fmt.Errorf("call %s: read the answer: %w", path, err)
	}
	return answer, nil
}

func (c *Client) text(ctx context.Context, method, path string, body []byte, mark string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	if mark != "" {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", mark)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		p := &Problem{Status: response.StatusCode, Code: "http-" + strconv.Itoa(response.StatusCode)}
		_ = json.Unmarshal(text, p) // a proxy's page is no problem document
		return nil, p
	}
	return text, nil
}
