package issuance

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
	"sceau/trust"
)

// challengeLife is how long a holder has to sign a challenge.
const challengeLife = 24 * time.Hour

// bringsForeign are who may bring a holder's certificate of another CA.
func bringsForeign() []lifecycle.Role {
	return []lifecycle.Role{lifecycle.RoleHolder, lifecycle.RoleAccountManager, lifecycle.RoleOperator}
}

// BindingChallenge is what a holder signs by the key of a certificate that is to be
// theirs.
type BindingChallenge struct {
	Holder  lifecycle.HolderID
	Text    []byte
	Expires time.Time
}

// ChallengeBinding makes the text that a holder signs. One before it is void.
func (s *Service) ChallengeBinding(ctx context.Context, by lifecycle.Actor, clientID, userNumber string) (BindingChallenge, error) {
	var c BindingChallenge
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails since Go 1.24: it ends the process instead
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		holder, err := s.bindingHolderTx(ctx, tx, by, clientID, userNumber)
		if err != nil {
			return err
		}
		c = BindingChallenge{holder.ID, bindingText(holder.ID, nonce), s.now().Add(challengeLife)}
		if err := tx.PutBindingChallenge(ctx, holder.ID, nonce[:], c.Expires); err != nil {
			return err
		}
		return s.audit(ctx, tx, "holder", change{id: string(holder.ID), on: "challenge_binding", by: by}, "", "")
	})
	if err != nil {
		return BindingChallenge{}, fmt.Errorf("challenge a certificate's key: %w", err)
	}
	return c, nil
}

// bindingText is what is signed: JSON with sorted members and no spaces, like what
// authentications sign, and never one of those.
func bindingText(holder lifecycle.HolderID, nonce [16]byte) []byte {
	text, err := json.Marshal(struct {
		Bind   string             `json:"bind"`
		Holder lifecycle.HolderID `json:"holder"`
		Nonce  string             `json:"nonce"`
	}{string(lifecycle.MeansForeign), holder, hex.EncodeToString(nonce[:])})
	if err != nil {
		return nil // strings only: it never happens
	}
	return text
}

// bindingHolderTx finds the holder whose means it is to be: a holder brings their own,
// an account manager those of the branch's companies.
func (s *Service) bindingHolderTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, clientID, userNumber string) (db.Holder, error) {
	if !slices.Contains(bringsForeign(), by.Role) {
		return db.Holder{}, fmt.Errorf("%w: %s brings nobody's certificate", lifecycle.Forbidden, by.Role)
	}
	holder, err := tx.HolderByUser(ctx, clientID, userNumber)
	switch {
	case isNotFound(err):
		return holder, &lifecycle.FieldError{Field: "user_number", Why: "is no user's of such a company"}
	case err != nil:
		return holder, err
	case by.Role == lifecycle.RoleHolder && by.ID != string(holder.ID):
		return holder, fmt.Errorf("%w: a holder brings their own certificate", lifecycle.Forbidden)
	}
	if by.Role == lifecycle.RoleAccountManager {
		err = ofBranchTx(ctx, tx, by, holder.ID)
	}
	return holder, err
}

// ForeignBinding asks that a certificate of another CA become a holder's means.
type ForeignBinding struct {
	ClientID, UserNumber string
	Certificate          []byte // DER
	Signature            []byte // over the challenge's text, by the certificate's key
	Label                string // the holder's own word for it
}

// BindForeign proposes a certificate as a holder's means, for somebody else to approve.
// The challenge is spent, whatever becomes of it.
func (s *Service) BindForeign(ctx context.Context, by lifecycle.Actor, b ForeignBinding) (lifecycle.MeansID, error) {
	if b.Label == "" || len(b.Label) > 60 || trust.Short(b.Label) != b.Label {
		return "", &lifecycle.FieldError{Field: "label", Why: "is the holder's word for it, of 1 to 60 printable characters"}
	}
	name, judged, err := s.judgeForeign(ctx, b.Certificate)
	if err != nil {
		return "", fmt.Errorf("bind a certificate: %w", err)
	}
	id := lifecycle.MeansID(s.newID(lifecycle.PrefixMeans))
	var wrong error // is answered when the challenge is spent
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		holder, err := s.bindingHolderTx(ctx, tx, by, b.ClientID, b.UserNumber)
		if err != nil {
			return err
		}
		text, err := s.spendChallengeTx(ctx, tx, holder.ID)
		if err != nil {
			return err
		}
		if wrong = s.ca.CheckAcceptance(b.Certificate, text, b.Signature); wrong != nil {
			return nil
		}
		wrong, err = s.proposeForeignTx(ctx, tx, by, id, holder.ID, name, judged, text, b)
		return err
	})
	if err == nil {
		err = wrong
	}
	if err != nil {
		return "", fmt.Errorf("bind a certificate: %w", err)
	}
	return id, nil
}

// judgeForeign finds the accepted CA that a certificate is of, and refuses what is wrong
// with it.
func (s *Service) judgeForeign(ctx context.Context, der []byte) (string, trust.Judged, error) {
	live, err := s.LiveTrust(ctx)
	if err != nil {
		return "", trust.Judged{}, err
	}
	// Judged under each: whose name it bears is not who signed it.
	best, name := s.ca.JudgeForeign(&trust.Entry{}, der, s.now(), trust.Authentication), ""
	for _, ca := range live {
		j := s.ca.JudgeForeign(ca.Entry, der, s.now(), trust.Authentication)
		if ca.Entry.Ended(s.now()) {
			j.Add(trust.TrustEnded, "the bank accepted this CA until "+ca.Entry.Until)
		}
		if j.OK() {
			return ca.Name, j, nil
		}
		if !slices.Contains(j.Codes, trust.UnknownIssuer) {
			best, name = j, ca.Name
		}
	}
	return name, best, &lifecycle.FieldError{Field: "certificate", Why: fmt.Sprintf("is not accepted (%s): %s", best.Codes[0], best.Why)}
}

// spendChallengeTx gives the text that was to be signed, once.
func (s *Service) spendChallengeTx(ctx context.Context, tx store.Tx, holder lifecycle.HolderID) ([]byte, error) {
	c, err := tx.BindingChallenge(ctx, holder)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if err == nil && s.now().Before(c.ExpiresAt) {
		n, err := tx.UseBindingChallenge(ctx, holder, c.Nonce)
		if err != nil || n == 1 {
			return bindingText(holder, [16]byte(c.Nonce)), err
		}
	}
	return nil, &lifecycle.FieldError{Field: "signature", Why: "is over no challenge that waits: ask for another, have it signed, and bring it within a day"}
}

// proposeForeignTx writes the means that staff look at. A key is one holder's.
func (s *Service) proposeForeignTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id lifecycle.MeansID, holder lifecycle.HolderID, trusted string,
	j trust.Judged, text []byte, b ForeignBinding,
) (wrong, err error) {
	c := j.Certificate
	sum, spki := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	if err := tx.LockBinding(ctx, spki[:]); err != nil {
		return nil, err
	}
	blocked, err := tx.KeyIsBlocked(ctx, spki[:])
	if err != nil {
		return nil, err
	}
	if blocked {
		return &lifecycle.FieldError{Field: "certificate", Why: "has a key that is blocked for ever"}, nil
	}
	bound, err := tx.BoundKeys(ctx, spki[:])
	if err != nil {
		return nil, err
	}
	for _, other := range bound {
		if other.HolderID != holder || bytes.Equal(other.SHA256, sum[:]) {
			return fmt.Errorf("%w: this certificate, or its key, is somebody's means already or waits to be", lifecycle.Conflict), nil
		}
	}
	at := s.now()
	err = tx.InsertForeignMeans(ctx, db.InsertForeignMeansParams{
		ID: id, HolderID: holder, State: lifecycle.MeansProposed, Label: b.Label, RequestedBy: by.ID, CreatedAt: at,
	})
	if err != nil {
		return nil, err
	}
	err = tx.InsertForeignCertificate(ctx, db.InsertForeignCertificateParams{
		MeansID: id, Trusted: trusted, DER: c.Raw, SHA256: sum[:], SPKISHA256: spki[:], Subject: trust.Subject(c), Issuer: trust.Short(c.Issuer.String()),
		Serial: trust.Serial(c), NotAfter: c.NotAfter, Signed: text, Signature: b.Signature,
	})
	if err != nil {
		return nil, err
	}
	return nil, s.born(ctx, tx, lifecycle.Means.Thing, string(id), string(lifecycle.MeansProposed), by, map[string]string{
		"kind": string(lifecycle.MeansForeign), "holder": string(holder), "trusted": trusted, "sha256": hex.EncodeToString(sum[:]),
	})
}

// ForeignCertificate is a certificate of another CA that is a holder's means, or was to
// be.
type ForeignCertificate struct {
	ID                   lifecycle.MeansID
	State                lifecycle.MeansState
	Holder               lifecycle.HolderID
	ClientID, UserNumber string
	Name, Company        string // of the holder; in a list none
	Label                string
	RequestedBy          string
	Trusted              string // the entry's name
	Subject, Issuer      string
	Serial               []byte
	NotAfter             time.Time
	DER                  []byte // nil in a list
	SHA256               [32]byte
	Updated              time.Time
}

// ForeignCertificate reads one.
func (s *Service) ForeignCertificate(ctx context.Context, id lifecycle.MeansID) (ForeignCertificate, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixMeans, string(id)); err != nil {
		return ForeignCertificate{}, err
	}
	r, err := s.store.ForeignCertificate(ctx, id)
	if err != nil {
		return ForeignCertificate{}, fmt.Errorf("foreign certificate %s: %w", id, err)
	}
	return ForeignCertificate{
		ID: r.ID, State: r.State, Holder: r.HolderID, ClientID: r.ClientID, UserNumber: r.UserNumber, Name: r.GivenName + " " + r.Surname,
		Company: r.Company, Label: r.Label, RequestedBy: r.RequestedBy, Trusted: r.Trusted, Subject: r.Subject, Issuer: r.Issuer,
		Serial: r.Serial, NotAfter: r.NotAfter.UTC(), DER: r.DER, SHA256: [32]byte(r.SHA256), Updated: r.UpdatedAt.UTC(),
	}, nil
}

// ForeignCertificates lists those that wait for an approver, or every one, oldest first.
func (s *Service) ForeignCertificates(ctx context.Context, every bool, after lifecycle.MeansID) ([]ForeignCertificate, error) {
	rows, err := s.store.ForeignCertificates(ctx, after, every, pageSize)
	if err != nil {
		return nil, fmt.Errorf("foreign certificates: %w", err)
	}
	list := make([]ForeignCertificate, len(rows))
	for i, r := range rows {
		list[i] = ForeignCertificate{
			ID: r.ID, State: r.State, Holder: r.HolderID, ClientID: r.ClientID, UserNumber: r.UserNumber, Label: r.Label, RequestedBy: r.RequestedBy,
			Trusted: r.Trusted, Subject: r.Subject, Issuer: r.Issuer, Serial: r.Serial, NotAfter: r.NotAfter.UTC(), Updated: r.UpdatedAt.UTC(),
		}
	}
	return list, nil
}

// ApproveForeign makes a certificate its holder's means, if it is the one that the
// approver saw and it would still be accepted.
func (s *Service) ApproveForeign(ctx context.Context, by lifecycle.Actor, id lifecycle.MeansID, seen [32]byte) error {
	kept, err := s.ForeignCertificate(ctx, id)
	if err != nil {
		return err
	}
	if kept.SHA256 != seen {
		return fmt.Errorf("approve %s: %w: that is not the hash of its certificate: approve what you see", id, lifecycle.Conflict)
	}
	if _, _, err := s.judgeForeign(ctx, kept.DER); err != nil {
		return fmt.Errorf("approve %s: %w", id, err)
	}
	return s.decideForeign(ctx, by, id, lifecycle.Approve, "")
}

// RefuseForeign turns one down, with the reason.
func (s *Service) RefuseForeign(ctx context.Context, by lifecycle.Actor, id lifecycle.MeansID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	if err := lifecycle.CheckID(lifecycle.PrefixMeans, string(id)); err != nil {
		return err
	}
	return s.decideForeign(ctx, by, id, lifecycle.Refuse, why)
}

func (s *Service) decideForeign(ctx context.Context, by lifecycle.Actor, id lifecycle.MeansID, on lifecycle.Event, why string) error {
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		row, err := tx.LockForeignCertificate(ctx, id)
		if err != nil {
			return err
		}
		detail := map[string]string{"sha256": hex.EncodeToString(row.SHA256)}
		if why != "" {
			detail["why"] = why
		}
		_, err = apply(ctx, s, tx, lifecycle.Means, row.State, change{id: string(id), on: on, by: by, requester: row.RequestedBy, detail: detail},
			func(to lifecycle.MeansState) (int64, error) {
				return tx.SetForeignState(ctx, db.SetForeignStateParams{ToState: to, SuspendedBy: "", At: s.now(), ID: id, FromState: row.State})
			}, noJob)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s foreign certificate %s: %w", on, id, err)
	}
	return nil
}
