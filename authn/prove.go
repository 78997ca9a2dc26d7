package authn

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"sceau/lifecycle"
	"sceau/passkey"
	"sceau/signing"
	"sceau/store/db"
)

// maxSignature bounds a signature, in octets: RSA of 8192 bits.
const maxSignature = 1024

// maxProofs is how many proofs an authentication takes, right or wrong.
const maxProofs = 3

// errStopped keeps a proof from an authentication that waits for none.
var errStopped = fmt.Errorf("%w: the authentication waits for no proof any more: begin another", lifecycle.Conflict)

// Given is what a holder gave as proof: the member of the authentication's means.
type Given struct {
	Code      string // of the CAP reader, 8 digits; or the secret code
	Signature []byte // by the key of a certificate, over the text
	Passkey   []byte // what a browser brings from one, as JSON
}

// proven is what a right proof tells.
type proven struct {
	holder   lifecycle.HolderID
	evidence map[string]string
	means    lifecycle.MeansID // in the registry; "" of cards and certificates of the house
}

// Prove judges a proof, and accepts the authentication once. The proof is counted
// before it is judged. A wrong one is [ErrRefused], whatever was wrong, and the
// answer's state says whether another may be given; a means that is locked is
// [lifecycle.Locked]. Of two proofs at the same time one is accepted, the other a
// [lifecycle.Conflict].
func (s *Service) Prove(ctx context.Context, by lifecycle.Actor, id lifecycle.AuthenticationID, given Given) (Authentication, error) {
	row, err := s.readAuthentication(ctx, by, id)
	if err != nil {
		return Authentication{}, err
	}
	asked, err := s.authentication(row)
	if err != nil {
		return Authentication{}, err
	}
	if err := checkGiven(asked.Proof, given); err != nil {
		return asked, err
	}
	switch n, err := s.store.CountProof(ctx, id, s.now(), maxProofs); {
	case err != nil:
		return asked, fmt.Errorf("authentication %s: %w", id, err)
	case n != 1:
		return s.stopped(ctx, row, by)
	}
	row.Tries++
	var found proven
	err = s.Guarded(ctx, by, subject(row), func() (err error) {
		found, err = s.judgeProof(ctx, by, row, asked, given)
		return err
	})
	switch {
	case err == nil && row.HolderID != nil && found.holder == *row.HolderID:
		return s.accept(ctx, row, by, found)
	case errors.Is(err, ErrStrongNeeded):
		return s.weak(ctx, row, by)
	case err == nil: // another's means
		err = ErrRefused
	case !errors.Is(err, ErrRefused) && !errors.Is(err, lifecycle.Locked):
		// Nobody judged: the try goes back.
		return asked, errors.Join(err, s.store.GiveProofBack(context.WithoutCancel(ctx), id))
	}
	return s.wrong(ctx, row, by, err)
}

// wrong is the answer to a proof that is not accepted: the last try refuses all.
func (s *Service) wrong(ctx context.Context, row db.Authentication, by lifecycle.Actor, why error) (Authentication, error) {
	if row.Tries < maxProofs {
		now, err := s.authentication(row)
		return now, errors.Join(why, err)
	}
	now, err := s.conclude(ctx, row, lifecycle.RefuseProof, by, nil)
	if errors.Is(err, lifecycle.Conflict) { // cancelled meanwhile, or accepted by a twin
		return s.stopped(ctx, row, by)
	}
	return now, errors.Join(why, err)
}

// stopped says why no proof is taken, and puts an overdue authentication to rest.
func (s *Service) stopped(ctx context.Context, row db.Authentication, by lifecycle.Actor) (Authentication, error) {
	row, err := s.readAuthentication(ctx, by, row.ID)
	if err != nil {
		return Authentication{}, err
	}
	if row.State == lifecycle.AuthenticationPending && !s.now().Before(row.ExpiresAt) {
		now, err := s.conclude(ctx, row, lifecycle.Expire, by, nil)
		return now, errors.Join(errStopped, err)
	}
	now, err := s.authentication(row)
	return now, errors.Join(errStopped, err)
}

// checkGiven refuses what is no proof of the means, before it counts as a try.
func checkGiven(p signing.Proof, given Given) error {
	switch {
	case p.Means == lifecycle.MeansCAP && !isCode(given.Code):
		return &lifecycle.FieldError{Field: "code", Why: "a code has 8 digits: type what the reader shows"}
	case p.Means == lifecycle.MeansCode && (given.Code == "" || len(given.Code) > lifecycle.MostSecretCode):
		return &lifecycle.FieldError{Field: "code", Why: fmt.Sprintf("type the secret code, at most %d characters", lifecycle.MostSecretCode)}
	case (p.Means == lifecycle.MeansCertificate || p.Means == lifecycle.MeansForeign) && (len(given.Signature) == 0 || len(given.Signature) > maxSignature):
		return &lifecycle.FieldError{Field: "signature", Why: "sign the text with the certificate's key, by SHA-256: ECDSA, or RSA with PSS or PKCS #1 v1.5"}
	case p.Means == lifecycle.MeansPasskey:
		_, err := passkey.ParseAssertion(given.Passkey)
		return err
	}
	return nil
}

// errNotJudged keeps an authentication from beginning that nobody could prove.
func errNotJudged(means lifecycle.MeansKind) error {
	return fmt.Errorf("%w: this house judges no %s: ask by another means", lifecycle.Unavailable, means)
}

// judgeProof has the means judge. Of a user whom an emergency stop concerns nothing is
// accepted; cards are found by that already ([Service.find]).
func (s *Service) judgeProof(ctx context.Context, by lifecycle.Actor, row db.Authentication, asked Authentication, given Given) (proven, error) {
	// An entitlement may have ended since it was asked.
	switch err := s.checkEntitled(ctx, row.ClientID, row.UserNumber, asked.Operation); {
	case errors.Is(err, errNotEntitled):
		return proven{}, ErrRefused
	case err != nil:
		return proven{}, err
	}
	if row.Means == lifecycle.MeansCAP {
		return s.judgeCAP(ctx, by, row, asked, given)
	}
	if row.HolderID != nil {
		stopped, err := s.store.Stopped(ctx, string(*row.HolderID))
		if err != nil {
			return proven{}, fmt.Errorf("authentication %s: %w", row.ID, err)
		}
		if stopped { // judged like nobody's
			row.HolderID = nil
		}
	}
	switch row.Means {
	case lifecycle.MeansCode:
		return s.judgeSecretCode(ctx, by, row, given)
	case lifecycle.MeansCertificate:
		return s.judgeCertificate(ctx, row, asked, given)
	case lifecycle.MeansPasskey:
		return s.judgePasskey(ctx, row, asked, given)
	case lifecycle.MeansForeign:
		return s.judgeForeign(ctx, row, asked, given)
	case lifecycle.MeansCAP, lifecycle.MeansProvider:
	}
	return proven{}, errNotJudged(row.Means)
}

// judgeCAP judges a code of the reader over what the authentication has typed.
func (s *Service) judgeCAP(ctx context.Context, by lifecycle.Actor, row db.Authentication, asked Authentication, given Given) (proven, error) {
	typed := s.Typed(asked)
	typed.Code = given.Code
	purpose := SignIn
	switch {
	case asked.Operation.Function.Sensitive() && asked.Linked:
		purpose = Sign
	case asked.Operation.Function.Sensitive():
		purpose = Confirm
	}
	got, err := s.VerifyCode(ctx, Attempt{
		By: by, Purpose: purpose, ClientID: row.ClientID, UserNumber: row.UserNumber, Operation: typed,
	})
	if err != nil {
		return proven{}, err
	}
	return proven{holder: got.Holder, evidence: map[string]string{"card": string(got.Card), "atc": strconv.Itoa(got.ATC), "mode": row.Mode}}, nil
}

// policies remembers the version that was read last.
type policies struct {
	mu      sync.Mutex
	version int
	policy  signing.Policy
}

// SigningPolicy is the policy that is live, and its version: 0 is the built-in one.
func (s *Service) SigningPolicy(ctx context.Context) (int, signing.Policy, error) {
	thing := lifecycle.SigningPolicies.Thing
	version, err := s.store.LiveEdition(ctx, thing, signing.PolicyName)
	if err != nil {
		return 0, nil, fmt.Errorf("signing policy: %w", err)
	}
	s.policies.mu.Lock()
	defer s.policies.mu.Unlock()
	if s.policies.policy != nil && s.policies.version == int(version) {
		return s.policies.version, s.policies.policy, nil
	}
	policy := signing.BuiltIn()
	if version > 0 {
		kept, err := s.store.Edition(ctx, thing, signing.PolicyName, version)
		if err != nil {
			return 0, nil, fmt.Errorf("signing policy %d: %w", version, err)
		}
		if policy, err = signing.Read(kept.Content); err != nil {
			return 0, nil, fmt.Errorf("signing policy %d: %w", version, err)
		}
	}
	s.policies.version, s.policies.policy = int(version), policy
	return int(version), policy, nil
}
