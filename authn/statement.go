package authn

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"sceau/lifecycle"
	"sceau/signing"
)

// Sealer signs what the house states, by the key that is certified for it.
type Sealer interface {
	// Seal makes a statement of claims (JSON) in its compact form.
	Seal(ctx context.Context, claims []byte) (string, error)
	// KeySet is the set of keys by which statements are checked (RFC 7517).
	KeySet(ctx context.Context) ([]byte, error)
}

// Claims are what a statement says of an accepted authentication; those of RFC 7519
// §4.1 under its names. Whoever checks a statement sees that audience, function and
// content are what they asked.
type Claims struct {
	Issuer   string                     `json:"iss"`
	Audience string                     `json:"aud"` // the service that asked
	Subject  lifecycle.HolderID         `json:"sub"`
	ID       lifecycle.AuthenticationID `json:"jti"`
	Issued   int64                      `json:"iat"` // when the proof was accepted, in seconds

	ClientID   string              `json:"client_id"`
	UserNumber string              `json:"user_number"`
	Function   signing.Function    `json:"function"`
	Content    map[string]string   `json:"content"`
	Text       string              `json:"text"`        // what was signed
	TextSHA256 string              `json:"text_sha256"` // in hexadecimal
	Means      lifecycle.MeansKind `json:"means"`
	Mode       string              `json:"mode,omitempty"`
	Strong     bool                `json:"strong"` // strong customer authentication
	Linked     bool                `json:"linked"` // the proof is over the content (RTS article 5)
	Policy     int                 `json:"policy"`
	Evidence   map[string]string   `json:"evidence"`
}

// claims is the payload of an accepted authentication's statement: the same each
// time.
func (s *Service) claims(a Authentication, by lifecycle.Actor, clientID, userNumber string) ([]byte, error) {
	digest := a.Digest()
	text, err := json.Marshal(Claims{
		Issuer: s.policy.Issuer, Audience: by.ID, Subject: a.Holder, ID: a.ID, Issued: a.Decided.Unix(), ClientID: clientID, UserNumber: userNumber,
		Function: a.Operation.Function, Content: a.Operation.Content, Text: string(a.Text), TextSHA256: hex.EncodeToString(digest[:]),
		Means: a.Proof.Means, Mode: a.Proof.Mode, Strong: a.Proof.Means.Strong(), Linked: a.Linked, Policy: a.Policy, Evidence: a.Evidence,
	})
	if err != nil {
		return nil, fmt.Errorf("state authentication %s: %w", a.ID, err)
	}
	return text, nil
}

// Statement is the signed statement of one of the caller's accepted authentications,
// which the caller keeps as evidence. It is made when it is asked for first and the
// same ever after.
func (s *Service) Statement(ctx context.Context, by lifecycle.Actor, id lifecycle.AuthenticationID) (string, error) {
	row, err := s.readAuthentication(ctx, by, id)
	if err != nil {
		return "", err
	}
	if row.Statement != "" {
		return row.Statement, nil
	}
	a, err := s.authentication(row)
	if err != nil {
		return "", err
	}
	if a.State != lifecycle.AuthenticationAccepted {
		return "", fmt.Errorf("state authentication %s: %w: it is %s", id, lifecycle.Conflict, a.State)
	}
	claims, err := s.claims(a, by, row.ClientID, row.UserNumber)
	if err != nil {
		return "", err
	}
	if s.sealer == nil {
		return "", errNoSealer
	}
	text, err := s.sealer.Seal(ctx, claims)
	if err != nil {
		return "", fmt.Errorf("state authentication %s: %w", id, err)
	}
	// Of two at once the first is kept, and both answer it.
	if text, err = s.store.KeepStatement(ctx, text, id); err != nil {
		return "", fmt.Errorf("keep the statement of authentication %s: %w", id, err)
	}
	return text, nil
}

// StatementKeys is the set of keys by which statements are checked (RFC 7517).
func (s *Service) StatementKeys(ctx context.Context) ([]byte, error) {
	if s.sealer == nil {
		return nil, errNoSealer
	}
	return s.sealer.KeySet(ctx)
}

var errNoSealer = fmt.Errorf("%w: this process signs no statements", lifecycle.Unavailable)
