package issuance

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/passkey"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// PasskeyRegistration is a passkey that a user is about to make.
type PasskeyRegistration struct {
	ID          lifecycle.RegistrationID
	Challenge   [32]byte
	Handle      []byte // by which the passkey knows its user: not their name
	Name, Shown string
	Exclude     []passkey.Descriptor // those that the user has
	Expires     time.Time
}

const registrationLife = 5 * time.Minute

// BeginPasskey begins to add a passkey, by a consent of its user's, which is spent
// when the passkey is there.
func (s *Service) BeginPasskey(ctx context.Context, by lifecycle.Actor, clientID, userNumber, label string, c Consent) (PasskeyRegistration, error) {
	fail := func(err error) (PasskeyRegistration, error) {
		return PasskeyRegistration{}, fmt.Errorf("begin a passkey of user %s of %s: %w", userNumber, clientID, err)
	}
	if err := checkLabel(label); err != nil {
		return fail(err)
	}
	holder, err := s.store.HolderByUser(ctx, clientID, userNumber)
	if isNotFound(err) {
		err = errConsent
	}
	if err != nil {
		return fail(err)
	}
	of := act{holder: holder.ID, kind: lifecycle.MeansPasskey, says: signing.AddMeans}
	if err := s.checkConsent(ctx, s.store.Queries, by, c, of); err != nil {
		return fail(err)
	}
	r := PasskeyRegistration{
		ID: lifecycle.RegistrationID(s.newID(lifecycle.PrefixRegistration)), Handle: []byte(holder.ID), Name: clientID + "/" + userNumber,
		Shown: holder.GivenName + " " + holder.Surname, Exclude: []passkey.Descriptor{}, Expires: s.now().Add(registrationLife),
	}
	_, _ = rand.Read(r.Challenge[:]) // never fails since Go 1.24: it ends the process instead
	there, err := s.store.PasskeysOf(ctx, holder.ID, true)
	if err != nil {
		return fail(err)
	}
	for _, p := range there {
		r.Exclude = append(r.Exclude, passkey.Describe(p.CredentialID, p.Transports))
	}
	row := db.InsertMeansRegistrationParams{
		ID: r.ID, HolderID: holder.ID, Kind: lifecycle.MeansPasskey, Label: label, Service: by.ID, Challenge: r.Challenge[:],
		CreatedAt: s.now(), ExpiresAt: r.Expires,
	}
	if c.coded() {
		row.CodeSHA256 = c.hash(of)
	} else {
		row.SignedBy = &c.Authentication
	}
	if err := s.store.InsertMeansRegistration(ctx, row); err != nil {
		return fail(err)
	}
	return r, nil
}

// errRegistration is a registration that cannot be finished, whatever is wrong.
var errRegistration = fmt.Errorf("%w: this registration is over, or is somebody else's: begin another", lifecycle.Conflict)

// FinishPasskey adds the passkey that made answers for the registration's challenge.
func (s *Service) FinishPasskey(ctx context.Context, by lifecycle.Actor, clientID, userNumber string, id lifecycle.RegistrationID,
	made func(challenge [32]byte) (passkey.Credential, error),
) (lifecycle.MeansID, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixRegistration, string(id)); err != nil {
		return "", err
	}
	fail := func(err error) (lifecycle.MeansID, error) {
		return "", fmt.Errorf("finish registration %s: %w", id, err)
	}
	row, err := s.store.MeansRegistration(ctx, id)
	if isNotFound(err) {
		return fail(errRegistration)
	}
	if err != nil {
		return fail(err)
	}
	holder, err := s.store.HolderByUser(ctx, clientID, userNumber)
	if isNotFound(err) || err == nil && (holder.ID != row.HolderID || row.Service != by.ID || row.Kind != lifecycle.MeansPasskey) {
		return fail(errRegistration)
	}
	if err != nil {
		return fail(err)
	}
	credential, err := made([32]byte(row.Challenge))
	if err != nil {
		return fail(err)
	}
	var means lifecycle.MeansID
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.EndMeansRegistration(ctx, s.now(), id)
		if err != nil {
			return err
		}
		if n != 1 {
			return errRegistration
		}
		if _, err := tx.LockHolder(ctx, holder.ID); err != nil {
			return err
		}
		consent := Consent{Authentication: deref(row.SignedBy), sha256: row.CodeSHA256}
		means, err = s.bornMeans(ctx, tx, by, consent, act{holder: holder.ID, kind: lifecycle.MeansPasskey, says: signing.AddMeans}, row.Label)
		if err != nil {
			return err
		}
		transports := credential.Transports
		if transports == nil {
			transports = []string{}
		}
		return tx.InsertPasskey(ctx, db.InsertPasskeyParams{
			MeansID: means, CredentialID: credential.ID, PublicKey: credential.PublicKey, SignCount: int64(credential.SignCount),
			AAGUID: credential.AAGUID, BackedUp: credential.BackedUp, Transports: transports,
		})
	})
	if err != nil {
		return fail(err)
	}
	return means, nil
}

// checkLabel takes the word that a user has for a means of theirs.
func checkLabel(label string) error {
	const longest = 40
	wrong := label == "" || !utf8.ValidString(label) || utf8.RuneCountInString(label) > longest
	for _, r := range label {
		wrong = wrong || !unicode.IsPrint(r)
	}
	if wrong {
		return &lifecycle.FieldError{Field: "label", Why: "name it in 1 to 40 printable characters"}
	}
	return nil
}
