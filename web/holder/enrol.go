package holder

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// The cookie that keeps a session: for this host alone, over TLS alone, out of
// reach of other sites.
const sessionCookie = "__Host-sceau-enrolment"

// credentials are what a holder was handed.
type credentials struct {
	Certificate string `json:"certificate"`
	Code        string `json:"code"`
}

func (d *door) showDoor(*visit) (answer, error) { return answer{page: pageDoor}, nil }

// enter opens a session.
func (d *door) enter(v *visit) (answer, error) {
	v.page = pageDoor
	var typed credentials
	if err := v.read(&typed, func(f form) error {
		typed = credentials{Certificate: f.text("certificate"), Code: f.text("code")}
		return nil
	}); err != nil {
		return answer{}, err
	}
	id := lifecycle.CertificateID(strings.ToUpper(strings.TrimSpace(typed.Certificate)))
	v.typed = string(id)
	code, err := lifecycle.ParseEnrolmentCode(typed.Code)
	if err != nil {
		return answer{}, err
	}
	if !d.tries.take(d.Now()) {
		return answer{}, errTooMany
	}
	token, err := d.Service.OpenEnrolment(v.r.Context(), id, code)
	if err != nil {
		return answer{}, err
	}
	v.session = token
	http.SetCookie(v.w, &http.Cookie{
		Name: sessionCookie, Value: string(token), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	return d.seen(v)
}

// leave ends the session.
func (d *door) leave(v *visit) (answer, error) {
	http.SetCookie(v.w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	if err := d.Service.CloseEnrolment(v.r.Context(), v.session); err != nil {
		return answer{}, err
	}
	return answer{redirect: "/"}, nil
}

// seen is where a form leads: a browser to the certificate's page, a program to
// what it shows.
func (d *door) seen(v *visit) (answer, error) {
	if !v.json {
		return answer{redirect: certificatePath + "?wait=1"}, nil
	}
	return d.showCertificate(v)
}

const certificatePath = "/certificate"

func (d *door) showCertificate(v *visit) (answer, error) {
	e, err := d.enrolment(v)
	if err != nil {
		return answer{}, err
	}
	if e.State == lifecycle.CertIssuing && v.r.URL.Query().Get("wait") != "" {
		if e, err = d.awaited(v); err != nil {
			return answer{}, err
		}
	}
	shown, err := d.shown(v.r.Context(), e)
	return answer{page: pageCertificate, shown: shown}, err
}

// enrolment is what the session is about.
func (d *door) enrolment(v *visit) (issuance.Enrolment, error) {
	v.page = pageCertificate
	e, err := d.Service.EnrolmentBySession(v.r.Context(), v.session)
	if err != nil {
		v.page = pageDoor
	}
	return e, err
}

// awaited looks for a while whether a certificate is issued.
func (d *door) awaited(v *visit) (issuance.Enrolment, error) {
	ctx, cancel := context.WithTimeout(v.r.Context(), maxWait)
	defer cancel()
	for {
		e, err := d.enrolment(v)
		if err != nil || e.State != lifecycle.CertIssuing {
			return e, err
		}
		select {
		case <-ctx.Done():
			return e, v.r.Context().Err()
		case <-time.After(lookEach):
		}
	}
}

// keyRequest is a certificate request, and where its key is.
type keyRequest struct {
	CSR    string  `json:"csr"` // PEM
	Device *device `json:"device"`
}

type device struct {
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`
}

// takeRequest takes the holder's key.
func (d *door) takeRequest(v *visit) (answer, error) {
	e, err := d.enrolment(v)
	if err != nil {
		return answer{}, err
	}
	var sent keyRequest
	if err := v.read(&sent, func(f form) error {
		csr, err := f.file("csr")
		if err != nil {
			return err
		}
		if len(csr) == 0 {
			csr = []byte(strings.TrimSpace(f.text("csr_text")))
		}
		sent.CSR = string(csr)
		if f.text("key_in") == "device" {
			sent.Device = &device{Manufacturer: f.text("manufacturer"), Model: f.text("model"), Serial: f.text("serial")}
		}
		return nil
	}); err != nil {
		return answer{}, err
	}
	if err := d.Service.TakeKey(v.r.Context(), e.Actor(), e.ID, []byte(sent.CSR), (*issuance.Device)(sent.Device)); err != nil {
		return answer{}, err
	}
	return d.seen(v)
}

// takeAcceptance takes the signature of the statement.
func (d *door) takeAcceptance(v *visit) (answer, error) {
	e, err := d.enrolment(v)
	if err != nil {
		return answer{}, err
	}
	var sent struct {
		Signature []byte `json:"signature"`
	}
	if err := v.read(&sent, func(f form) (err error) {
		sent.Signature, err = f.file("signature")
		return err
	}); err != nil {
		return answer{}, err
	}
	if err := d.Service.Accept(v.r.Context(), e.Actor(), e.ID, sent.Signature); err != nil {
		return answer{}, err
	}
	return d.accepted(v, e)
}

// takeRefusal ends a certificate whose content is wrong.
func (d *door) takeRefusal(v *visit) (answer, error) {
	e, err := d.enrolment(v)
	if err != nil {
		return answer{}, err
	}
	var sent struct {
		Reason string `json:"reason"`
	}
	if err := v.read(&sent, func(f form) error { sent.Reason = f.text("reason"); return nil }); err != nil {
		return answer{}, err
	}
	if err := d.Service.RefuseContent(v.r.Context(), e.Actor(), e.ID, sent.Reason); err != nil {
		return answer{}, err
	}
	return d.seen(v)
}

// issued is the enrolment of a certificate that there is.
func (d *door) issued(v *visit) (issuance.Enrolment, error) {
	e, err := d.enrolment(v)
	if err == nil && len(e.DER) == 0 {
		err = fmt.Errorf("certificate %s: %w: it is not issued yet", e.ID, lifecycle.NotFound)
	}
	return e, err
}

func (d *door) certificatePEM(v *visit) (answer, error) {
	e, err := d.issued(v)
	return answer{file: certificatePEM(e.DER), kind: "application/x-pem-file", name: "certificate.pem"}, err
}

func (d *door) certificateBundle(v *visit) (answer, error) {
	e, err := d.issued(v)
	if err != nil {
		return answer{}, err
	}
	chain, err := d.Chain(v.r.Context(), e.Issuer)
	if err != nil {
		return answer{}, err
	}
	bundle, err := d.Bundle(append([][]byte{e.DER}, chain...)...)
	return answer{file: bundle, kind: "application/pkcs7-mime; smime-type=certs-only", name: "certificate.p7c"}, err
}

// statement is the text to be signed, octet by octet.
func (d *door) statement(v *visit) (answer, error) {
	e, err := d.issued(v)
	return answer{file: []byte(e.Statement(v.language)), kind: "text/plain; charset=utf-8", name: "acceptance.txt"}, err
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
