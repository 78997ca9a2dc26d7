package holder

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed pages/style.css
var style []byte

// The pages.
const (
	pageDoor        = "door.html"
	pageCertificate = "certificate.html"
	pageError       = "error.html"
	pageRevoke      = "revoke.html"  // reference and code
	pageReason      = "reason.html"  // what happened
	pageConfirm     = "confirm.html" // once more, before it is final
	pageReceipt     = "receipt.html"
	pageAdvice      = "advice.html"   // about suspicious messages, calls and sites
	pageReport      = "report.html"   // of one
	pageReported    = "reported.html" // with the receipt
)

var pages = func() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, name := range []string{pageDoor, pageCertificate, pageError, pageRevoke, pageReason, pageConfirm, pageReceipt, pageAdvice, pageReport, pageReported} {
		all[name] = template.Must(template.ParseFS(pageFiles, "pages/frame.html", "pages/"+name))
	}
	return all
}()

// answer is what a handler has to say; one of page, file and redirect.
type answer struct {
	status   int // 0: 200
	page     string
	shown    *shown
	revoking *revoking
	reported *reported
	file     []byte
	kind     string
	name     string // of the file, once saved
	redirect string
}

type handler func(v *visit) (answer, error)

// serve is the one place where answers and errors are written.
func (d *door) serve(w http.ResponseWriter, r *http.Request, handle handler) {
	v := newVisit(w, r)
	a, err := handle(v)
	switch {
	case err != nil:
		d.fail(v, err)
	case a.redirect != "":
		http.Redirect(w, r, a.redirect, http.StatusSeeOther)
	case a.page != "":
		d.write(v, max(a.status, http.StatusOK), screen{name: a.page, Certificate: a.shown, Revoking: a.revoking, Reported: a.reported})
	case a.file != nil:
		w.Header().Set("Content-Type", a.kind)
		if a.name != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
		}
		_, _ = w.Write(a.file)
	default:
		w.WriteHeader(a.status)
	}
}

// screen is what a page shows.
type screen struct {
	name        string
	Language    party.Language
	Typed       string
	Certificate *shown
	Revoking    *revoking
	Reported    *reported
	Notice      string            // what went wrong
	Wrong       map[string]string // by field
	Detail      string            // the same in English, for who helps
}

// T is a text in the visitor's language.
func (s screen) T(key string) string { return text(key, s.Language) }

// Languages are offered on every page, each in its own.
func (s screen) Languages() []offered {
	return []offered{{party.French, "Français"}, {party.Dutch, "Nederlands"}, {party.German, "Deutsch"}, {party.English, "English"}}
}

type offered struct {
	Code party.Language
	Name string
}

// Title heads the page.
func (s screen) Title() string {
	switch {
	case s.revokes():
		return s.T("revoke.title")
	case s.name == pageAdvice:
		return s.T("advice.title")
	case s.name == pageReport || s.name == pageReported:
		return s.T("report.title")
	}
	return s.T("title")
}

func (s screen) revokes() bool {
	return s.name == pageRevoke || s.name == pageReason || s.name == pageConfirm || s.name == pageReceipt
}

// Path is where the page is looked at again, in another language.
func (s screen) Path() string {
	switch {
	case s.name == pageCertificate:
		return certificatePath
	case s.name == pageRevoke:
		return revokePath
	case s.revokes():
		return revokePath + "/reason"
	case s.name == pageAdvice:
		return advicePath
	case s.name == pageReport || s.name == pageReported:
		return reportPath
	}
	return "/"
}

// Day is a date in figures that no language reads another way.
func (s screen) Day(t time.Time) string { return t.Format("2006-01-02") }

// fail renders an error: on the page of the form that it is about, with the
// session's certificate, or on a page of its own.
func (d *door) fail(v *visit, err error) {
	ctx := v.r.Context()
	status := statusOf(err)
	s := screen{name: v.page, Wrong: map[string]string{}, Reported: v.reported}
	s.Notice = text(noticeOf(err, s.revokes()), v.language)
	if status >= http.StatusInternalServerError {
		d.Logger.ErrorContext(ctx, "door for holders", slog.String("path", v.r.URL.Path), slog.String("error", err.Error()))
	} else {
		s.Detail = err.Error()
	}
	var fields lifecycle.FieldErrors
	wrong := []map[string]string{}
	if errors.Is(err, lifecycle.Invalid) {
		fields.Merge(err)
	}
	for _, f := range fields {
		if f.Field != "" {
			s.Wrong[f.Field] = fieldText(f.Field, v.language)
			wrong = append(wrong, map[string]string{"field": f.Field, "why": f.Why})
		}
	}
	if s.name == pageCertificate {
		e, err := d.Service.EnrolmentBySession(ctx, v.session)
		if err == nil {
			s.Certificate, err = d.shown(ctx, e)
		}
		if err != nil {
			s.name = pageError
		}
	}
	if s.name == pageReason {
		var err error
		if _, s.Revoking, err = d.revoked(v); err != nil {
			s.name = pageError
		}
	}
	if s.name == "" {
		s.name = pageError
	}
	if v.json {
		d.writeJSON(v, status, "application/problem+json", map[string]any{
			"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": s.Detail, "errors": wrong,
		})
		return
	}
	d.write(v, status, s)
}

func (d *door) write(v *visit, status int, s screen) {
	if v.json {
		value := any(s.Certificate)
		if s.Revoking != nil {
			value = s.Revoking
		}
		if s.Reported != nil {
			value = s.Reported
		}
		d.writeJSON(v, status, "application/json", value)
		return
	}
	s.Language, s.Typed = v.language, v.typed
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", string(v.language))
	v.w.WriteHeader(status)
	if err := pages[s.name].ExecuteTemplate(v.w, "frame.html", s); err != nil {
		d.Logger.ErrorContext(v.r.Context(), "page", slog.String("page", s.name), slog.String("error", err.Error()))
	}
}

func (d *door) writeJSON(v *visit, status int, kind string, value any) {
	content, err := json.Marshal(value)
	if err != nil {
		d.Logger.ErrorContext(v.r.Context(), "answer", slog.String("error", err.Error()))
		status = http.StatusInternalServerError
	}
	v.w.Header().Set("Content-Type", kind)
	v.w.WriteHeader(status)
	_, _ = v.w.Write(content)
}

// statusOf turns an error's kind into an HTTP status.
func statusOf(err error) int {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.status
	}
	var kind lifecycle.Kind
	if !errors.As(err, &kind) {
		return http.StatusInternalServerError
	}
	switch kind {
	case lifecycle.NotFound:
		return http.StatusNotFound
	case lifecycle.Invalid:
		return http.StatusUnprocessableEntity
	case lifecycle.Forbidden, lifecycle.Locked:
		return http.StatusForbidden
	case lifecycle.Illegal, lifecycle.Conflict:
		return http.StatusConflict
	case lifecycle.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// noticeOf names the text that an error is told with.
func noticeOf(err error, revokes bool) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.key
	}
	switch status := statusOf(err); {
	case revokes && status == http.StatusForbidden:
		return "revoke.refused"
	case revokes && status == http.StatusConflict:
		return "revoke.409"
	}
	return "error." + strconv.Itoa(statusOf(err))
}

// shown is a certificate as pages and programs see it.
type shown struct {
	ID           lifecycle.CertificateID    `json:"certificate"`
	State        lifecycle.CertificateState `json:"state"`
	Rejection    string                     `json:"rejection,omitempty"`
	Name         string                     `json:"name"`
	Organisation string                     `json:"organisation"`
	Identifier   string                     `json:"organisation_identifier"`
	Country      string                     `json:"country"`
	Profile      string                     `json:"profile"`
	NeedsDevice  bool                       `json:"needs_device"`
	From         time.Time                  `json:"from,omitzero"`
	Until        time.Time                  `json:"until"`
	Serial       string                     `json:"serial,omitempty"`
	Issuer       string                     `json:"issuer,omitempty"`
	Key          string                     `json:"key,omitempty"`
	Fingerprint  string                     `json:"fingerprint,omitempty"`
	PEM          string                     `json:"pem,omitempty"`
	Chain        []string                   `json:"chain,omitempty"`
	Statement    string                     `json:"statement,omitempty"`
	// RevocationCode is shown once.
	RevocationCode string `json:"revocation_code,omitempty"`
}

// Is tells whether the certificate is in one of the states: what a page shows
// hangs on it.
func (s *shown) Is(states ...lifecycle.CertificateState) bool {
	for _, state := range states {
		if s.State == state {
			return true
		}
	}
	return false
}

// shown describes what will be certified by the order, and what was certified by
// the certificate itself.
func (d *door) shown(ctx context.Context, e issuance.Enrolment) (*shown, error) {
	s := &shown{
		ID: e.ID, State: e.State, Rejection: e.Rejection, Name: cmp.Or(e.Subject.Service, e.Subject.GivenName+" "+e.Subject.Surname), Organisation: e.Subject.Organization,
		Identifier: e.Subject.OrganizationID, Country: e.Subject.Country, Profile: e.Profile.Name, NeedsDevice: e.Profile.Device,
	}
	if len(e.DER) == 0 {
		s.Until = d.Now().UTC().AddDate(e.Profile.Years, 0, e.Profile.Days) // if it began now
		return s, nil
	}
	c, err := x509.ParseCertificate(e.DER)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", e.ID, err)
	}
	s.From, s.Until, s.Serial, s.Issuer, s.Key = c.NotBefore, c.NotAfter, e.Serial, c.Issuer.CommonName, keyName(c)
	s.Name, s.Fingerprint, s.PEM = c.Subject.CommonName, issuance.Fingerprint(e.DER), string(certificatePEM(e.DER))
	s.Organisation, s.Identifier = first(c.Subject.Organization), ""
	s.Country = first(c.Subject.Country)
	for _, a := range c.Subject.Names {
		if a.Type.String() == "2.5.4.97" { // organizationIdentifier
			s.Identifier, _ = a.Value.(string)
		}
	}
	s.Statement = e.Statement(party.Language(e.Language))
	chain, err := d.Chain(ctx, e.Issuer)
	for _, der := range chain {
		s.Chain = append(s.Chain, string(certificatePEM(der)))
	}
	return s, err
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func keyName(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return key.Curve.Params().Name
	case *rsa.PublicKey:
		return "RSA " + strconv.Itoa(key.N.BitLen())
	}
	return ""
}
