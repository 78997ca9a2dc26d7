package holder

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// The cookie that keeps the session of a revocation.
const revocationCookie = "__Host-sceau-revocation"

const revokePath = "/revoke"

// revoking is a revocation as pages and programs see it.
type revoking struct {
	Certificate *shown    `json:"certificate,omitempty"`
	Choices     []string  `json:"choices,omitempty"`
	WrongCodes  int64     `json:"wrong_codes,omitempty"` // that were tried lately
	What        string    `json:"what,omitempty"`
	Since       string    `json:"since,omitempty"`
	Receipt     string    `json:"receipt,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Revoked     time.Time `json:"revoked,omitzero"`
}

// told is what a holder says.
type told struct {
	What  string `json:"what"`
	Since string `json:"since"` // a day, or nothing
}

func (t told) revocation() (issuance.Revocation, error) {
	reason, err := lifecycle.ReasonFor(t.What)
	if err != nil {
		return issuance.Revocation{}, err
	}
	r := issuance.Revocation{Reason: reason}
	if t.Since != "" {
		if r.InvalidityDate, err = time.Parse(time.DateOnly, t.Since); err != nil {
			return r, &lifecycle.FieldError{Field: "invalidity_date", Why: "is a day, as 2026-03-02"}
		}
	}
	return r, nil
}

func (d *door) showRevoke(*visit) (answer, error) { return answer{page: pageRevoke}, nil }

// sameTime is how long every refusal of a code takes at least, so that its time
// tells nothing.
const sameTime = 300 * time.Millisecond

// refused has a refusal wait until the time is over. Who was wrong too often is told
// so; who is right is never asked how often others were wrong.
func (d *door) refused(v *visit, over <-chan time.Time, err error) error {
	if !errors.Is(err, lifecycle.Forbidden) {
		return err
	}
	select {
	case <-over:
	case <-v.r.Context().Done():
	}
	if !d.revocations.take(v.r.RemoteAddr, d.Now()) {
		return errTooMany
	}
	return err
}

// openRevocation opens a session for who has a revocation code.
func (d *door) openRevocation(v *visit) (answer, error) {
	v.page = pageRevoke
	over := time.After(sameTime)
	var typed struct {
		Reference string `json:"reference"`
		Code      string `json:"code"`
	}
	if err := v.read(&typed, func(f form) error {
		typed.Reference, typed.Code = f.text("reference"), f.text("code")
		return nil
	}); err != nil {
		return answer{}, err
	}
	v.typed = typed.Reference
	code, err := lifecycle.ParseRevocationCode(typed.Code)
	if err != nil {
		return answer{}, err
	}
	token, err := d.Service.OpenRevocation(v.r.Context(), typed.Reference, code)
	if err != nil {
		return answer{}, d.refused(v, over, err)
	}
	v.revocation = token
	http.SetCookie(v.w, &http.Cookie{
		Name: revocationCookie, Value: string(token), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	if !v.json {
		return answer{redirect: revokePath + "/reason"}, nil
	}
	return d.showReasons(v)
}

// revoked is the certificate that the session is about.
func (d *door) revoked(v *visit) (issuance.Enrolment, *revoking, error) {
	v.page = pageReason
	e, err := d.Service.RevocationBySession(v.r.Context(), v.revocation)
	if err != nil {
		v.page = pageRevoke
		return e, nil, err
	}
	s, err := d.shown(v.r.Context(), e)
	return e, &revoking{Certificate: s, Choices: lifecycle.Happened()}, err
}

func (d *door) showReasons(v *visit) (answer, error) {
	e, shown, err := d.revoked(v)
	if err != nil {
		return answer{}, err
	}
	shown.WrongCodes, err = d.Service.WrongRevocationCodes(v.r.Context(), e.ID)
	return answer{page: pageReason, revoking: shown}, err
}

func (v *visit) told() (told, error) {
	var t told
	err := v.read(&t, func(f form) error { t = told{f.text("what"), f.text("since")}; return nil })
	return t, err
}

// confirmRevocation shows once more what will be done.
func (d *door) confirmRevocation(v *visit) (answer, error) {
	_, shown, err := d.revoked(v)
	if err != nil {
		return answer{}, err
	}
	t, err := v.told()
	if err != nil {
		return answer{}, err
	}
	r, err := t.revocation()
	if err != nil {
		return answer{}, err
	}
	if r.InvalidityDate.After(d.Now()) {
		return answer{}, &lifecycle.FieldError{Field: "invalidity_date", Why: "lies in the future"}
	}
	shown.What, shown.Since, shown.Reason = t.What, t.Since, r.Reason.String()
	return answer{page: pageConfirm, revoking: shown}, nil
}

// revoke revokes, and gives the receipt.
func (d *door) revoke(v *visit) (answer, error) {
	e, shown, err := d.revoked(v)
	if err != nil {
		return answer{}, err
	}
	t, err := v.told()
	if err != nil {
		return answer{}, err
	}
	r, err := t.revocation()
	if err != nil {
		return answer{}, err
	}
	made, err := d.Service.RevokeByHolder(v.r.Context(), e, r)
	if err != nil {
		return answer{}, err
	}
	return answer{page: pageReceipt, revoking: receiptOf(shown, made)}, nil
}

func receiptOf(shown *revoking, made issuance.RevocationRequest) *revoking {
	shown.Choices, shown.Receipt, shown.Reason, shown.Revoked = nil, string(made.ID), made.Reason.String(), made.Ended.UTC()
	return shown
}

// revokeSigned revokes a certificate for who signs by its key.
func (d *door) revokeSigned(v *visit) (answer, error) {
	v.page = pageRevoke
	over := time.After(sameTime)
	var sent struct {
		Reference string `json:"reference"`
		What      string `json:"what"`
		Signature []byte `json:"signature"`
	}
	if err := v.read(&sent, func(f form) (err error) {
		sent.Reference, sent.What = f.text("reference"), f.text("what")
		sent.Signature, err = f.file("signature")
		return err
	}); err != nil {
		return answer{}, err
	}
	v.typed = sent.Reference
	reason, err := lifecycle.ReasonFor(sent.What)
	if err != nil {
		return answer{}, err
	}
	made, err := d.Service.RevokeBySignature(v.r.Context(), sent.Reference, reason, sent.Signature)
	if err != nil {
		return answer{}, d.refused(v, over, err)
	}
	return answer{page: pageReceipt, revoking: receiptOf(&revoking{}, made)}, nil
}

// leaveRevocation ends the session.
func (d *door) leaveRevocation(v *visit) (answer, error) {
	http.SetCookie(v.w, &http.Cookie{Name: revocationCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	if err := d.Service.CloseRevocation(v.r.Context(), v.revocation); err != nil {
		return answer{}, err
	}
	return answer{redirect: revokePath}, nil
}

// giveCode shows the holder of an accepted certificate its revocation code, once.
func (d *door) giveCode(v *visit) (answer, error) {
	e, err := d.enrolment(v)
	if err != nil {
		return answer{}, err
	}
	return d.withCode(v, e.Actor(), e.ID)
}

func (d *door) withCode(v *visit, by lifecycle.Actor, id lifecycle.CertificateID) (answer, error) {
	code, err := d.Service.GiveRevocationCode(v.r.Context(), by, id, nil)
	if err != nil {
		return answer{}, fmt.Errorf("its revocation code: %w", err)
	}
	a, err := d.showCertificate(v)
	if err == nil {
		a.shown.RevocationCode = code.Reveal()
	}
	return a, err
}

// accepted shows the certificate that was just accepted, the first time with its
// revocation code.
func (d *door) accepted(v *visit, e issuance.Enrolment) (answer, error) {
	has, err := d.Service.HasRevocationCode(v.r.Context(), e.ID)
	if err != nil {
		return answer{}, err
	}
	if !has {
		return d.withCode(v, e.Actor(), e.ID)
	}
	return d.seen(v)
}

// Moment is a time in UTC, to the second.
func (s screen) Moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
