package issuance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Handover is how an enrolment code reaches its holder. Mail is none: who reads
// somebody's mail would enrol in their name.
type Handover string

// The ways to hand a code over.
const (
	FaceToFace     Handover = "face_to_face"
	RegisteredPost Handover = "registered_post"
)

// The events of an enrolment code, as the trail has them. It is no life cycle: a
// code bars nothing but wrong codes.
const (
	enrolmentCode = "enrolment code"

	handOver lifecycle.Event = "hand_over"
	openCode lifecycle.Event = "open"
	lockCode lifecycle.Event = "lock"
)

// Invitation is a code as it is handed over, once.
type Invitation struct {
	Code    lifecycle.EnrolmentCode
	Expires time.Time
}

// Invite makes the code with which its holder enrols for a certificate, and
// voids the one before. It is shown to the member of staff who hands it over, and
// kept as a hash.
func (s *Service) Invite(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, how Handover) (Invitation, error) {
	if !slices.Contains(lifecycle.Invites(), by.Role) {
		return Invitation{}, fmt.Errorf("certificate %s: %w: %s hands no code over", id, lifecycle.Forbidden, by.Role)
	}
	if how != FaceToFace && how != RegisteredPost {
		return Invitation{}, &lifecycle.FieldError{Field: "handover", Why: "use face_to_face or registered_post"}
	}
	var random [16]byte
	_, _ = rand.Read(random[:])
	made := Invitation{Code: lifecycle.NewEnrolmentCode(random), Expires: s.now().Add(s.policy.CodeLife)}
	err := s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		switch cert.State {
		case lifecycle.CertAwaitingKey, lifecycle.CertIssuing, lifecycle.CertStopped, lifecycle.CertIssued: // what is left of the journey
		case lifecycle.CertOrdered, lifecycle.CertApproved, lifecycle.CertActive, lifecycle.CertHeld, lifecycle.CertRevoked,
			lifecycle.CertExpired, lifecycle.CertCancelled:
			return fmt.Errorf("certificate %s: %w: nobody enrols for one that is %s", id, lifecycle.Illegal, cert.State)
		}
		profile, err := profileOf(ctx, tx.Queries, *cert)
		if err != nil {
			return err
		}
		if profile.FaceToFace && how != FaceToFace {
			return &lifecycle.FieldError{Field: "handover", Why: "its profile asks that the code is handed over face to face"}
		}
		hash := made.Code.Hash(id)
		err = tx.SetEnrolmentCode(ctx, db.SetEnrolmentCodeParams{
			CertificateID: id, CodeSHA256: hash[:], Handover: string(how), HandedBy: by.ID, HandedAt: s.now(), ExpiresAt: made.Expires,
		})
		if err != nil {
			return fmt.Errorf("certificate %s: keep its code: %w", id, err)
		}
		detail := map[string]string{"handover": string(how), "expires": made.Expires.Format(time.RFC3339)}
		return s.audit(ctx, tx, enrolmentCode, change{id: string(id), on: handOver, by: by, detail: detail}, "", "valid")
	})
	if err != nil {
		return Invitation{}, err
	}
	return made, nil
}

// SessionToken opens a holder's session. It hides itself from logs.
type SessionToken string

// String, Format and LogValue keep it out of every output.
func (SessionToken) String() string             { return "[session]" }
func (SessionToken) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[session]")) }
func (SessionToken) LogValue() slog.Value       { return slog.StringValue("[session]") }

func (t SessionToken) hash() []byte {
	digest := sha256.Sum256([]byte(t))
	return digest[:]
}

// SessionLife is how long a holder's session lasts; the code opens another.
const SessionLife = time.Hour

// errCode is a code that opens nothing: unknown, wrong, past its end or locked,
// whichever.
func errCode() error {
	return fmt.Errorf("%w: this reference and this code open nothing; after some wrong codes, or at its end, the bank hands another code over",
		lifecycle.Forbidden)
}

// OpenEnrolment opens a session for who has a certificate's code, and ends the
// one before. A try is counted before it is judged, and given back when it was
// right.
func (s *Service) OpenEnrolment(ctx context.Context, id lifecycle.CertificateID, code lifecycle.EnrolmentCode) (SessionToken, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixCertificate, string(id)); err != nil {
		return "", &lifecycle.FieldError{Field: "certificate", Why: "is no certificate's reference: it begins with N-"}
	}
	counted, err := s.store.CountEnrolmentTry(ctx, id, int32(s.policy.CodeTries), s.now()) //nolint:gosec // a small number of the policy
	if isNotFound(err) {
		return "", errCode()
	}
	if err != nil {
		return "", fmt.Errorf("certificate %s: count a try: %w", id, err)
	}
	hash := code.Hash(id)
	right := subtle.ConstantTimeCompare(counted.CodeSHA256, hash[:]) == 1
	if !right && int(counted.Tries) < s.policy.CodeTries {
		return "", errCode()
	}
	var random [32]byte
	_, _ = rand.Read(random[:])
	token := SessionToken(base64.RawURLEncoding.EncodeToString(random[:]))
	err = s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		c := change{id: string(id), on: lockCode, by: lifecycle.System("holder door")}
		if !right {
			return s.audit(ctx, tx, enrolmentCode, c, "valid", "locked")
		}
		n, err := tx.OpenEnrolmentSession(ctx, db.OpenEnrolmentSessionParams{
			SessionSHA256: token.hash(), SessionExpires: s.now().Add(SessionLife), CertificateID: id, CodeSHA256: hash[:],
		})
		if err != nil {
			return fmt.Errorf("certificate %s: open a session: %w", id, err)
		}
		if n != 1 { // a new code was handed over meanwhile
			return errCode()
		}
		c.on, c.by = openCode, holderOf(*cert)
		return s.audit(ctx, tx, enrolmentCode, c, "valid", "valid")
	})
	if err == nil && !right {
		err = errCode()
	}
	if err != nil {
		return "", err
	}
	return token, nil
}

func holderOf(cert db.Certificate) lifecycle.Actor {
	return lifecycle.Actor{ID: string(cert.HolderID), Role: lifecycle.RoleHolder}
}

// Enrolment is what a holder who enrols sees.
type Enrolment struct {
	CertificateView

	Profile  CertificateProfile
	Issuer   string // once a key was taken
	Subject  Subject
	Language string
}

// Actor is the holder.
func (e Enrolment) Actor() lifecycle.Actor {
	return lifecycle.Actor{ID: string(e.Holder), Role: lifecycle.RoleHolder}
}

// EnrolmentBySession is what a session is about. One that is over is
// [lifecycle.Forbidden].
func (s *Service) EnrolmentBySession(ctx context.Context, token SessionToken) (Enrolment, error) {
	id, err := s.store.EnrolmentBySession(ctx, token.hash(), s.now())
	if isNotFound(err) {
		return Enrolment{}, fmt.Errorf("%w: the session is over: type reference and code again", lifecycle.Forbidden)
	}
	if err != nil {
		return Enrolment{}, fmt.Errorf("session: %w", err)
	}
	return s.enrolment(ctx, id)
}

// CloseEnrolment ends a session.
func (s *Service) CloseEnrolment(ctx context.Context, token SessionToken) error {
	if err := s.store.CloseEnrolmentSession(ctx, token.hash()); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}
