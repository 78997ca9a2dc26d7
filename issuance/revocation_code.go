package issuance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// The code is no life cycle: it bars nothing but wrong codes.
const (
	revocationCode                 = "revocation code"
	giveCode       lifecycle.Event = "give"
)

// GiveRevocationCode makes the code with which a certificate is revoked without
// signing in, and voids the one before. It is shown once, to its holder who has
// accepted the certificate, or by staff to a holder whom they recognised as for a
// revocation; kept is a hash.
func (s *Service) GiveRevocationCode(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, asked []Answer) (lifecycle.RevocationCode, error) {
	holder := by.Role == lifecycle.RoleHolder
	if !holder && !slices.Contains(lifecycle.TakesRevocations(), by.Role) {
		return lifecycle.RevocationCode{}, fmt.Errorf("certificate %s: %w: %s gives no code", id, lifecycle.Forbidden, by.Role)
	}
	call := RevocationCall{Act: lifecycle.Hold, Caller: lifecycle.CallerHolder, Answers: asked, Requested: s.now()}
	if err := call.check(by, s.now()); err != nil {
		return lifecycle.RevocationCode{}, err
	}
	var random [16]byte
	_, _ = rand.Read(random[:])
	code := lifecycle.NewRevocationCode(random)
	err := s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		if holder && by != holderOf(*cert) {
			return fmt.Errorf("certificate %s: %w: it is another holder's", id, lifecycle.Forbidden)
		}
		if cert.State != lifecycle.CertActive && cert.State != lifecycle.CertHeld {
			return fmt.Errorf("certificate %s: %w: one that is %s has no revocation code", id, lifecycle.Illegal, cert.State)
		}
		if !holder {
			if err := s.recognisedTx(ctx, tx, by, cert, call); err != nil {
				return err
			}
		}
		hash := code.Hash(id)
		err := tx.SetRevocationCode(ctx, db.SetRevocationCodeParams{CertificateID: id, CodeSHA256: hash[:], MadeBy: by.ID, MadeAt: s.now()})
		if err != nil {
			return fmt.Errorf("certificate %s: keep its revocation code: %w", id, err)
		}
		detail := map[string]string{}
		for _, a := range asked {
			detail["asked "+string(a.Question)] = map[bool]string{true: "right", false: "wrong"}[a.Right]
		}
		return s.audit(ctx, tx, revocationCode, change{id: string(id), on: giveCode, by: by, detail: detail}, "", "valid")
	})
	if err != nil {
		return lifecycle.RevocationCode{}, err
	}
	return code, nil
}

// recognisedTx refuses a caller who is not recognised.
func (s *Service) recognisedTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, call RevocationCall) error {
	company, err := companyOfTx(ctx, tx, cert)
	if err != nil {
		return err
	}
	if err := ownBranchTx(ctx, tx, by, company); err != nil {
		return err
	}
	profile, err := profileOf(ctx, tx.Queries, *cert)
	if err != nil {
		return err
	}
	_, why, err := recogniseTx(ctx, tx, call, company, profile.Profile)
	if err == nil && why != "" {
		err = fmt.Errorf("certificate %s: %w: %s", cert.ID, lifecycle.Forbidden, why)
	}
	return err
}

// HasRevocationCode tells whether a code was given.
func (s *Service) HasRevocationCode(ctx context.Context, id lifecycle.CertificateID) (bool, error) {
	has, err := s.store.HasRevocationCode(ctx, id)
	if err != nil {
		return false, fmt.Errorf("revocation code of %s: %w", id, err)
	}
	return has, nil
}

// errRevocationCode is a code that opens nothing: unknown, wrong or void, whichever.
func errRevocationCode() error {
	return fmt.Errorf("%w: this reference and this code open nothing; look at both again, or call the bank, day and night", lifecycle.Forbidden)
}

var clientForm = regexp.MustCompile(`^([0-9]{8})(?:-([0-9]{4}))?$`)

// reference is what a certificate is looked for by, in one form: its reference, its
// serial number, or its holder's client ID with or without the user number.
type reference struct {
	text         string
	certificate  lifecycle.CertificateID
	serial       *lifecycle.Serial
	client, user string
}

// hash stands for the reference where wrong codes are counted.
func (r reference) hash() []byte {
	sum := sha256.Sum256([]byte(r.text))
	return sum[:]
}

func parseReference(typed string) (reference, error) {
	text := strings.ToUpper(strings.TrimSpace(typed))
	if lifecycle.CheckID(lifecycle.PrefixCertificate, text) == nil {
		return reference{text: text, certificate: lifecycle.CertificateID(text)}, nil
	}
	if m := clientForm.FindStringSubmatch(text); m != nil {
		return reference{text: text, client: m[1], user: m[2]}, nil
	}
	if serial, err := lifecycle.ParseSerial(text); err == nil {
		return reference{text: serial.String(), serial: &serial}, nil
	}
	return reference{}, &lifecycle.FieldError{
		Field: "reference", Why: "use the certificate's reference (N-…), its serial number, or the client ID (8 digits) with or without -user number",
	}
}

// OpenRevocation opens a session for who has the revocation code of a certificate.
// A right code is always let through: it has 128 bits, so that guesses cannot find
// it, and must not keep its holder from it. Wrong ones are counted, for what was
// typed, whether there is such a certificate or not: both cost the same.
func (s *Service) OpenRevocation(ctx context.Context, typed string, code lifecycle.RevocationCode) (SessionToken, error) {
	ref, err := parseReference(typed)
	if err != nil {
		return "", err
	}
	id, hash, err := s.codeFor(ctx, ref, code)
	if err != nil {
		if !errors.Is(err, lifecycle.Forbidden) {
			return "", err
		}
		key, now := ref.hash(), s.now()
		if countErr := s.store.CountRevocationTry(ctx, key, now, now.Add(-s.policy.RevocationTryWindow)); countErr != nil {
			return "", fmt.Errorf("count a try: %w", countErr)
		}
		return "", err
	}
	var random [32]byte
	_, _ = rand.Read(random[:])
	token := SessionToken(base64.RawURLEncoding.EncodeToString(random[:]))
	return token, s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		n, err := tx.OpenRevocationSession(ctx, db.OpenRevocationSessionParams{
			SessionSHA256: token.hash(), SessionExpires: s.now().Add(RevocationSessionLife), CertificateID: id, CodeSHA256: hash[:],
		})
		if err != nil {
			return fmt.Errorf("certificate %s: open a session: %w", id, err)
		}
		if n != 1 { // a new code was given meanwhile
			return errRevocationCode()
		}
		wrong, err := s.wrongCodes(ctx, tx.Queries, cert)
		if err != nil {
			return err
		}
		detail := map[string]string{"wrong codes before": strconv.FormatInt(wrong, 10)}
		return s.audit(ctx, tx, revocationCode, change{id: string(id), on: openCode, by: holderOf(*cert), detail: detail}, "valid", "valid")
	})
}

// WrongRevocationCodes is how many wrong codes were tried lately for a certificate,
// by whatever reference.
func (s *Service) WrongRevocationCodes(ctx context.Context, id lifecycle.CertificateID) (int64, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("certificate %s: %w", id, err)
	}
	return s.wrongCodes(ctx, s.store.Queries, &cert)
}

func (s *Service) wrongCodes(ctx context.Context, q *db.Queries, cert *db.Certificate) (int64, error) {
	holder, err := q.Holder(ctx, cert.HolderID)
	if err != nil {
		return 0, fmt.Errorf("holder of certificate %s: %w", cert.ID, err)
	}
	company, err := q.Company(ctx, holder.CompanyID)
	if err != nil {
		return 0, fmt.Errorf("company of certificate %s: %w", cert.ID, err)
	}
	hashes := [][]byte{
		reference{text: string(cert.ID)}.hash(), reference{text: company.ClientID}.hash(),
		reference{text: company.ClientID + "-" + holder.UserNumber}.hash(),
	}
	if len(cert.Serial) > 0 {
		hashes = append(hashes, reference{text: lifecycle.Serial(cert.Serial).String()}.hash())
	}
	n, err := q.RevocationTries(ctx, hashes, s.now().Add(-s.policy.RevocationTryWindow))
	if err != nil {
		return 0, fmt.Errorf("wrong codes for certificate %s: %w", cert.ID, err)
	}
	return n, nil
}

// RevocationSessionLife is how long a session lasts in which a certificate can be
// revoked.
const RevocationSessionLife = 15 * time.Minute

// codeFor finds the certificate that a code is of, among those that a reference
// may mean.
func (s *Service) codeFor(ctx context.Context, ref reference, code lifecycle.RevocationCode) (lifecycle.CertificateID, [32]byte, error) {
	const most = 200
	type kept struct {
		id   lifecycle.CertificateID
		hash []byte
	}
	var candidates []kept
	var err error
	switch {
	case ref.certificate != "":
		var rows []db.CodeOfCertificateRow
		rows, err = s.store.CodeOfCertificate(ctx, ref.certificate)
		for _, r := range rows {
			candidates = append(candidates, kept{r.CertificateID, r.CodeSHA256})
		}
	case ref.serial != nil:
		var rows []db.CodeOfSerialRow
		rows, err = s.store.CodeOfSerial(ctx, ref.serial[:])
		for _, r := range rows {
			candidates = append(candidates, kept{r.CertificateID, r.CodeSHA256})
		}
	default:
		var rows []db.CodesOfClientRow
		rows, err = s.store.CodesOfClient(ctx, ref.client, ref.user, most)
		for _, r := range rows {
			candidates = append(candidates, kept{r.CertificateID, r.CodeSHA256})
		}
	}
	if err != nil {
		return "", [32]byte{}, fmt.Errorf("codes: %w", err)
	}
	for _, c := range candidates {
		if hash := code.Hash(c.id); subtle.ConstantTimeCompare(c.hash, hash[:]) == 1 {
			return c.id, hash, nil
		}
	}
	return "", [32]byte{}, errRevocationCode()
}

// RevocationBySession is the certificate that a session is about. One that is over
// is [lifecycle.Forbidden].
func (s *Service) RevocationBySession(ctx context.Context, token SessionToken) (Enrolment, error) {
	id, err := s.store.RevocationBySession(ctx, token.hash(), s.now())
	if isNotFound(err) {
		return Enrolment{}, fmt.Errorf("%w: the session is over: type reference and code again", lifecycle.Forbidden)
	}
	if err != nil {
		return Enrolment{}, fmt.Errorf("session: %w", err)
	}
	return s.enrolment(ctx, id)
}

// CloseRevocation ends a session.
func (s *Service) CloseRevocation(ctx context.Context, token SessionToken) error {
	if err := s.store.CloseRevocationSession(ctx, token.hash()); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// RevokeByHolder revokes a certificate for its holder, who had its code. Revoking
// again answers the first receipt.
func (s *Service) RevokeByHolder(ctx context.Context, e Enrolment, r Revocation) (RevocationRequest, error) {
	return s.revokeByHolder(ctx, e.ID, r, lifecycle.ByCode, nil)
}

// RevocationStatement is what a holder signs to have this certificate revoked.
func (v CertificateView) RevocationStatement(reason lifecycle.RevocationReason) string {
	return lifecycle.RevocationStatement(v.ID, v.Serial, reason)
}

// RevokeBySignature revokes a certificate for who has its key, be it the holder or a
// thief: neither may keep it.
func (s *Service) RevokeBySignature(ctx context.Context, typed string, reason lifecycle.RevocationReason, signature []byte) (RevocationRequest, error) {
	const longest = 2048
	refused := fmt.Errorf("%w: this is no signature of the statement by the key of such a certificate", lifecycle.Forbidden)
	ref, err := parseReference(typed)
	if err != nil {
		return RevocationRequest{}, err
	}
	id := ref.certificate
	if ref.serial != nil {
		if id, err = s.CertificateBySerial(ctx, *ref.serial); err != nil && !isNotFound(err) {
			return RevocationRequest{}, err
		}
	}
	if id == "" || len(signature) == 0 || len(signature) > longest {
		return RevocationRequest{}, refused
	}
	v, err := s.Certificate(ctx, id)
	if isNotFound(err) {
		return RevocationRequest{}, refused
	}
	if err != nil {
		return RevocationRequest{}, err
	}
	if len(v.DER) == 0 || s.ca.CheckAcceptance(v.DER, []byte(v.RevocationStatement(reason)), signature) != nil {
		return RevocationRequest{}, refused
	}
	return s.revokeByHolder(ctx, id, Revocation{Reason: reason}, lifecycle.BySignature, signature)
}

func (s *Service) revokeByHolder(ctx context.Context, id lifecycle.CertificateID, r Revocation, how lifecycle.Recognition, evidence []byte) (RevocationRequest, error) {
	call := RevocationCall{Act: lifecycle.Revoke, Caller: lifecycle.CallerHolder, Revocation: r, Requested: s.now()}
	var made RevocationRequest
	err := s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		by := holderOf(*cert)
		if err := call.check(by, s.now()); err != nil {
			return err
		}
		if cert.State == lifecycle.CertRevoked {
			return s.firstReceiptTx(ctx, tx, id, &made)
		}
		var err error
		made, err = s.requestTx(ctx, tx, by, cert, call, how, "", evidence)
		return err
	})
	return made, err
}

// firstReceiptTx is the receipt of the request by which a certificate was revoked;
// where there is none, it has no number.
func (s *Service) firstReceiptTx(ctx context.Context, tx store.Tx, id lifecycle.CertificateID, into *RevocationRequest) error {
	rows, err := tx.RevocationRequests(ctx, db.RevocationRequestsParams{Certificate: string(id), State: string(lifecycle.RevocationDone), MaxRows: pageSize})
	if err != nil {
		return fmt.Errorf("requests on certificate %s: %w", id, err)
	}
	for _, r := range rows {
		if r.Act == lifecycle.Revoke {
			*into = requestOf(r)
			return nil
		}
	}
	cert, err := tx.Certificate(ctx, id)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", id, err)
	}
	*into = RevocationRequest{
		Certificate: id, State: lifecycle.RevocationDone, Act: lifecycle.Revoke, Reason: lifecycle.RevocationReason(deref(cert.Reason)), Ended: deref(cert.RevokedAt),
	}
	return nil
}

// enrolment reads what a holder sees of a certificate.
func (s *Service) enrolment(ctx context.Context, id lifecycle.CertificateID) (Enrolment, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return Enrolment{}, fmt.Errorf("certificate %s: %w", id, err)
	}
	holder, err := s.store.Holder(ctx, cert.HolderID)
	if err != nil {
		return Enrolment{}, fmt.Errorf("holder of certificate %s: %w", id, err)
	}
	profile, err := profileOf(ctx, s.store.Queries, cert)
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{
		CertificateView: certificateView(cert), Profile: profile, Issuer: deref(cert.IssuerID), Language: holder.Language,
	}
	e.Subject, _, err = subjectOf(ctx, s.store.Queries, cert)
	return e, err
}
