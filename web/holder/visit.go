package holder

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

// visit is one request.
type visit struct {
	w        http.ResponseWriter
	r        *http.Request
	language party.Language
	session  issuance.SessionToken
	// revocation is the session of one who revokes.
	revocation issuance.SessionToken
	json       bool      // the answer is for a program
	page       string    // that an error is shown on
	typed      string    // the reference, so that it need not be typed again
	reported   *reported // the same of a report
}

const languageCookie = "__Host-sceau-language"

// newVisit reads what every page needs of a request. The visitor's choice of a
// language goes before the browser's, and is kept.
func newVisit(w http.ResponseWriter, r *http.Request) *visit {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v := &visit{w: w, r: r, language: preferred(r.Header.Get("Accept-Language")), json: strings.Contains(r.Header.Get("Accept"), "application/json")}
	if c, err := r.Cookie(languageCookie); err == nil {
		if l, err := party.ParseLanguage(c.Value); err == nil {
			v.language = l
		}
	}
	if l, err := party.ParseLanguage(r.URL.Query().Get("lang")); err == nil {
		v.language = l
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: string(l), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		v.session = issuance.SessionToken(c.Value)
	}
	if c, err := r.Cookie(revocationCookie); err == nil {
		v.revocation = issuance.SessionToken(c.Value)
	}
	return v
}

// preferred is the first of our languages that a browser likes best (RFC 9110
// §12.5.4), else French.
func preferred(header string) party.Language {
	best, weight := party.French, 0.0
	for n, part := range strings.Split(header, ",") {
		const longest = 20
		if n == longest {
			break
		}
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		l, err := party.ParseLanguage(strings.TrimSpace(primary))
		if err != nil {
			continue
		}
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			if q, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
		}
		if q > weight && q <= 1 {
			best, weight = l, q
		}
	}
	return best
}

// form is what a browser sent.
type form struct{ r *http.Request }

func (f form) text(name string) string { return f.r.PostFormValue(name) }

// file is an uploaded file, as it is; nil where none was chosen. A signature that
// somebody copied as text is taken too.
func (f form) file(name string) ([]byte, error) {
	if f.r.MultipartForm == nil || len(f.r.MultipartForm.File[name]) == 0 {
		return nil, nil
	}
	opened, err := f.r.MultipartForm.File[name][0].Open()
	if err != nil {
		return nil, fmt.Errorf("uploaded file: %w", err)
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, maxBody))
	if err != nil {
		return nil, fmt.Errorf("uploaded file: %w", err)
	}
	if text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(content)), "")); err == nil && len(text) > 0 {
		return text, nil
	}
	return content, nil
}

// read takes the body: JSON into v's value, or a form.
func (v *visit) read(into any, fill func(form) error) error {
	kind, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil {
		return errMediaType
	}
	switch kind {
	case "application/json":
		decoder := json.NewDecoder(v.r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			return unreadable(err)
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return unreadable(err)
		}
		return nil
	case "application/x-www-form-urlencoded":
		if err := v.r.ParseForm(); err != nil {
			return unreadable(err)
		}
	case "multipart/form-data":
		if err := v.r.ParseMultipartForm(maxBody); err != nil {
			return unreadable(err)
		}
	default:
		return errMediaType
	}
	return fill(form{v.r})
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return errUnreadable
}

// problem is an error that the door itself finds.
type problem struct {
	status int
	key    string // of its text
	detail string // in English, for programs
	kind   lifecycle.Kind
}

func (p *problem) Error() string { return p.detail }
func (p *problem) Unwrap() error { return p.kind }

var (
	errNoPage     = &problem{http.StatusNotFound, "error.page", "there is no such page", lifecycle.NotFound}
	errForeign    = &problem{http.StatusForbidden, "error.foreign", "the request comes from another site", lifecycle.Forbidden}
	errTooMany    = &problem{http.StatusTooManyRequests, "error.busy", "too many codes are tried at this door: wait a minute", lifecycle.Unavailable}
	errMediaType  = &problem{http.StatusUnsupportedMediaType, "error.unreadable", "send a form or application/json", lifecycle.Invalid}
	errTooLarge   = &problem{http.StatusRequestEntityTooLarge, "error.large", "the request is longer than 64 KiB", lifecycle.Invalid}
	errUnreadable = &problem{http.StatusBadRequest, "error.unreadable", "the request cannot be read", lifecycle.Invalid}
)
