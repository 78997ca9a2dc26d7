package revocation

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sceau/ca"
	"sceau/lifecycle"
)

// maxEncodedRequest bounds the path of a GET: base64 of the largest request,
// every character of it percent-encoded.
const maxEncodedRequest = (ca.MaxOCSPRequestSize + 2) / 3 * 4 * 3

var ocspType = []string{"application/ocsp-response"}

// ocspPost takes the request as the body (RFC 6960 appendix A.1). The type of
// the body is not looked at: only DER of a request is understood anyway.
func (h *Handler) ocspPost(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	der := make([]byte, 0, 256+bytes.MinRead) // ReadFrom grows what has not MinRead free
	buf := bytes.NewBuffer(der)
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, ca.MaxOCSPRequestSize+1)); err != nil {
		// The client broke off, or was too slow.
		h.sendError(w, ca.OCSPMalformed)
		return nil //nolint:nilerr // the answer says it
	}
	h.ocsp(w, r, buf.Bytes())
	return nil
}

// ocspGet takes the request from the path, in base64. Slashes, %2F, %2B, a
// plus that became a space and missing padding are all met in the wild.
func (h *Handler) ocspGet(w http.ResponseWriter, r *http.Request, encoded string) error {
	if err := allow(r, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	der, err := decodePath(encoded)
	if err != nil {
		h.sendError(w, ca.OCSPMalformed)
		return nil //nolint:nilerr // the answer says it
	}
	h.ocsp(w, r, der)
	return nil
}

func decodePath(encoded string) ([]byte, error) {
	if len(encoded) > maxEncodedRequest {
		return nil, fmt.Errorf("%w: the path is too long", lifecycle.Invalid)
	}
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	text = strings.ReplaceAll(strings.TrimRight(text, "="), " ", "+")
	der, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	return der, nil
}

// ocsp answers one request. Whatever goes wrong is an OCSP error with HTTP
// status 200, as RFC 6960 §4.2.1 has it, and is never cached.
func (h *Handler) ocsp(w http.ResponseWriter, r *http.Request, der []byte) {
	req, err := ca.ParseOCSPRequest(der)
	if err != nil {
		h.sendError(w, ca.OCSPMalformed)
		return
	}
	responder := h.responder(req)
	if responder == nil {
		h.sendError(w, ca.OCSPUnauthorized)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.config.SourceLimit)
	defer cancel()
	answer, cacheable, err := h.answer(ctx, responder, req)
	switch {
	case err == nil:
		h.sendAnswer(w, r, answer, cacheable)
	case errors.Is(err, lifecycle.Forbidden):
		h.sendError(w, ca.OCSPUnauthorized)
	default:
		// Source or signer failed: the status is not known now.
		h.config.Logger.ErrorContext(ctx, "ocsp", slog.String("issuer", responder.IssuerID), slog.String("error", err.Error()))
		h.sendError(w, ca.OCSPTryLater)
	}
}

// responder finds who speaks for the first certificate that anybody here
// speaks for. Certificates of other issuers in the same request are answered
// unknown by it.
func (h *Handler) responder(req *ca.OCSPRequest) *Responder {
	for _, id := range req.IDs {
		for n := range h.config.Responders {
			if r := &h.config.Responders[n]; r.Covers(id) {
				return r
			}
		}
	}
	return nil
}

// answer takes the answer signed ahead when it fits, and signs one otherwise.
func (h *Handler) answer(ctx context.Context, responder *Responder, req *ca.OCSPRequest) (answer ca.Answer, cacheable bool, err error) {
	statuses := make([]ca.Status, len(req.IDs))
	for n, id := range req.IDs {
		if !responder.Covers(id) || len(id.Serial) == 0 {
			continue // unknown
		}
		status, ahead, err := h.config.Source.Status(ctx, responder.IssuerID, id.Serial)
		if err != nil {
			return answer, false, fmt.Errorf("read status: %w", err)
		}
		if len(req.IDs) == 1 && req.Nonce == nil && h.fits(ahead, status, id) {
			return ahead.Answer, true, nil
		}
		statuses[n] = status
	}
	select {
	case h.live <- struct{}{}:
		defer func() { <-h.live }()
	default:
		return answer, false, fmt.Errorf("%w: %d answers are being signed", lifecycle.Unavailable, cap(h.live))
	}
	signer, err := responder.Signer(ctx)
	if err != nil {
		return answer, false, fmt.Errorf("open the responder's key: %w", err)
	}
	answer, err = responder.Answer(req, statuses, h.config.Now(), signer)
	if err != nil {
		return answer, false, err
	}
	// A serial that is unknown now may be issued in a second; caches must not
	// hold that against it.
	unknown := slices.ContainsFunc(statuses, func(s ca.Status) bool { return s.State != ca.StateGood && s.State != ca.StateRevoked })
	return answer, req.Nonce == nil && !unknown, nil
}

// fits tells whether an answer signed ahead may be sent: it says what the
// status says, is fresh, and is about the CertID that was sent.
func (h *Handler) fits(ahead *Presigned, status ca.Status, id ca.CertID) bool {
	if ahead == nil || ahead.State != status.State || status.State == ca.StateUnknown {
		return false
	}
	now := h.config.Now()
	return now.Before(ahead.NextUpdate) && !now.Before(ahead.ThisUpdate) && bytes.Contains(ahead.DER, id.Raw())
}

// sendAnswer writes an answer with the headers of RFC 9919 §7.2: cacheable
// ones until their nextUpdate at most, answers to a nonce never.
func (h *Handler) sendAnswer(w http.ResponseWriter, r *http.Request, answer ca.Answer, cacheable bool) {
	header := w.Header()
	header["Content-Type"] = ocspType
	if !cacheable {
		header["Cache-Control"] = []string{"no-store"}
		h.send(w, r, answer.DER)
		return
	}
	etag := entityTag(answer.DER)
	header["Etag"] = []string{etag}
	header["Last-Modified"] = []string{answer.ThisUpdate.UTC().Format(http.TimeFormat)}
	h.cacheUntil(header, answer.NextUpdate, h.config.MaxAge)
	if r.Method != http.MethodPost && matches(r.Header.Get("If-None-Match"), etag) {
		delete(header, "Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.send(w, r, answer.DER)
}

// matches applies If-None-Match (RFC 9110 §13.1.2).
func matches(condition, etag string) bool {
	for tag := range strings.SplitSeq(condition, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" && etag != "" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

func (h *Handler) sendError(w http.ResponseWriter, e ca.OCSPError) {
	header := w.Header()
	header["Content-Type"] = ocspType
	header["Cache-Control"] = []string{"no-store"}
	_, _ = w.Write(ca.ErrorResponse(e)) // a client that left needs no answer
}

func (h *Handler) send(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left needs no answer
	}
}
