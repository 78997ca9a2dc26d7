package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// Means is one of a holder's means of authentication: a card, a certificate of the
// house, or one that the holder added.
type Means struct {
	ID       string
	Kind     lifecycle.MeansKind
	State    string // of its own life cycle
	Label    string
	Usable   bool // accepted now, if the bank's policy takes it
	Created  time.Time
	LastUsed time.Time // zero: never
}

// MeansOf lists all means of a user, those that have ended too, oldest first.
func (s *Service) MeansOf(ctx context.Context, clientID, userNumber string) ([]Means, error) {
	holder, err := s.store.HolderByUser(ctx, clientID, userNumber)
	if err != nil {
		return nil, fmt.Errorf("user %s of %s: %w", userNumber, clientID, err)
	}
	rows, err := s.store.MeansOfHolder(ctx, holder.ID)
	if err != nil {
		return nil, fmt.Errorf("means of holder %s: %w", holder.ID, err)
	}
	stopped, err := s.Stopped(ctx, holder.ID)
	if err != nil {
		return nil, err
	}
	list := make([]Means, len(rows))
	for i, r := range rows {
		// Cards, certificates and the others have each an active state, and no other
		// in which they are accepted.
		list[i] = Means{
			ID: r.ID, Kind: lifecycle.MeansKind(r.Kind), State: r.State, Label: r.Label, Created: r.CreatedAt.UTC(),
			Usable: !stopped && r.State == string(lifecycle.MeansActive),
		}
		if r.LastUsedAt.Unix() != 0 {
			list[i].LastUsed = r.LastUsedAt.UTC()
		}
	}
	return list, nil
}

// Consent is by what a holder adds a means, or has one back that they suspended:
// an authentication of theirs that says so, or a code that staff handed over.
type Consent struct {
	Authentication lifecycle.AuthenticationID
	Code           *lifecycle.InvitationCode
	sha256         []byte // of the code, when it is on record with what it began
}

// coded tells whether it is by a code of staff's.
func (c Consent) coded() bool { return c.Code != nil || c.sha256 != nil }

// hash is what is kept of the code.
func (c Consent) hash(of act) []byte {
	if c.Code == nil {
		return c.sha256
	}
	hash := c.Code.Hash(of.holder, of.kind)
	return hash[:]
}

// act is what a consent is asked for.
type act struct {
	holder lifecycle.HolderID
	kind   lifecycle.MeansKind
	says   string            // the new value of what was signed
	means  lifecycle.MeansID // that is brought back; "" of one that is added
}

// consentLife is how long after it was given an authentication opens an act.
const consentLife = 10 * time.Minute

// errConsent is a consent that opens nothing, whatever is wrong with it.
var errConsent = fmt.Errorf("%w: this opens nothing: it is over, was used, or is for something else; sign again, or have the bank hand another code over",
	lifecycle.Forbidden)

// checkConsent tells whether a consent opens an act, and leaves it.
func (s *Service) checkConsent(ctx context.Context, q *db.Queries, by lifecycle.Actor, a Consent, of act) error {
	switch {
	case a.coded() == (a.Authentication != ""):
		return &lifecycle.FieldError{Field: "authentication", Why: "give either an accepted authentication of the user, or the code that staff handed over"}
	case a.coded() && of.means != "":
		return &lifecycle.FieldError{Field: "invitation", Why: "a code of staff adds a means; what is suspended comes back by an authentication, or by staff"}
	case a.coded():
		invited, err := q.MeansInvited(ctx, db.MeansInvitedParams{HolderID: of.holder, Kind: of.kind, CodeSHA256: a.hash(of), Now: s.now()})
		if err == nil && !invited {
			err = errConsent
		}
		return err
	}
	if err := lifecycle.CheckID(lifecycle.PrefixAuthentication, string(a.Authentication)); err != nil {
		return err
	}
	row, err := q.Authentication(ctx, a.Authentication)
	switch {
	case isNotFound(err):
		return errConsent
	case err != nil:
		return fmt.Errorf("authentication %s: %w", a.Authentication, err)
	}
	var content map[string]string
	if err := json.Unmarshal(row.Content, &content); err != nil {
		return fmt.Errorf("authentication %s: %w", a.Authentication, err)
	}
	if row.Service != by.ID || row.State != lifecycle.AuthenticationAccepted || deref(row.HolderID) != of.holder || !row.Means.Strong() || !row.Linked ||
		row.Function != string(signing.ChangeSetting) || content["setting"] != signing.MeansSetting(of.kind) || content["new"] != of.says ||
		content["scope"] != string(of.means) || deref(row.DecidedAt).Add(consentLife).Before(s.now()) {
		return errConsent
	}
	used, err := q.AuthenticationUsed(ctx, a.Authentication)
	if err == nil && used {
		err = errConsent
	}
	return err
}

// useConsent spends it, in the transaction of the act. During an emergency stop
// nothing is added, or who caused it would have a means when it ends.
func (s *Service) useConsent(ctx context.Context, tx store.Tx, by lifecycle.Actor, a Consent, of act, means lifecycle.MeansID) error {
	if err := s.checkConsent(ctx, tx.Queries, by, a, of); err != nil {
		return err
	}
	stopped, err := tx.Stopped(ctx, string(of.holder))
	if err != nil {
		return err
	}
	if stopped {
		return errConsent
	}
	var n int64
	if a.coded() {
		n, err = tx.UseMeansInvitation(ctx, db.UseMeansInvitationParams{At: s.now(), HolderID: of.holder, Kind: of.kind, CodeSHA256: a.hash(of)})
	} else {
		n, err = tx.UseAuthentication(ctx, a.Authentication, string(means), s.now())
	}
	if err == nil && n != 1 { // a twin was first
		err = errConsent
	}
	return err
}

// MeansInvitation is a code as it is handed over, once.
type MeansInvitation struct {
	Code    lifecycle.InvitationCode
	Expires time.Time
}

// meansCodeLife is how long a code lives that opens the way to sign in.
const meansCodeLife = 72 * time.Hour

// The trail of a code of staff's. It is no life cycle: it opens one act.
const meansInvitation = "means invitation"

// addable are the kinds that a holder adds by themselves.
func addable() []lifecycle.MeansKind {
	return []lifecycle.MeansKind{lifecycle.MeansCode, lifecycle.MeansPasskey}
}

// InviteMeans makes the code with which a user adds a means of a kind, and voids the
// one before. It is shown to the member of staff who hands it over, and kept as a
// hash.
func (s *Service) InviteMeans(ctx context.Context, by lifecycle.Actor, clientID, userNumber string, kind lifecycle.MeansKind, how Handover) (MeansInvitation, error) {
	if !slices.Contains(lifecycle.Invites(), by.Role) {
		return MeansInvitation{}, fmt.Errorf("invite to add a means: %w: %s hands no code over", lifecycle.Forbidden, by.Role)
	}
	var errs lifecycle.FieldErrors
	if how != FaceToFace && how != RegisteredPost {
		errs.Add("handover", "use face_to_face or registered_post")
	}
	if !slices.Contains(addable(), kind) {
		errs.Add("kind", fmt.Sprintf("a holder adds one of %v", addable()))
	}
	if err := errs.Err(); err != nil {
		return MeansInvitation{}, err
	}
	made := MeansInvitation{Code: lifecycle.NewInvitationCode(random16()), Expires: s.now().Add(meansCodeLife)}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		holder, err := tx.HolderByUser(ctx, clientID, userNumber)
		if err != nil {
			return err
		}
		if err := ownHolderTx(ctx, tx, by, holder); err != nil {
			return err
		}
		hash := made.Code.Hash(holder.ID, kind)
		if err := tx.SetMeansInvitation(ctx, db.SetMeansInvitationParams{
			HolderID: holder.ID, Kind: kind, CodeSHA256: hash[:], Handover: string(how), HandedBy: by.ID, HandedAt: s.now(), ExpiresAt: made.Expires,
		}); err != nil {
			return err
		}
		return s.audit(ctx, tx, meansInvitation, change{
			id: string(holder.ID), on: handOver, by: by,
			detail: map[string]string{"kind": string(kind), "handover": string(how), "expires": made.Expires.Format(time.RFC3339)},
		}, "", "valid")
	})
	if err != nil {
		return MeansInvitation{}, fmt.Errorf("invite user %s of %s to add a means: %w", userNumber, clientID, err)
	}
	return made, nil
}

// ownHolderTx keeps an account manager to the companies of their branch.
func ownHolderTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, holder db.Holder) error {
	company, err := tx.Company(ctx, holder.CompanyID)
	if err != nil {
		return fmt.Errorf("company of holder %s: %w", holder.ID, err)
	}
	return ownBranchTx(ctx, tx, by, company)
}
