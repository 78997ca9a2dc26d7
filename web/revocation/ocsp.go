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
	"strconv"
	"strings"
	"time"

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
	req, responder, err := h.read(der)
	if err != nil {
		h.sendError(w, ca.OCSPMalformed)
		return
	}
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

// read reads a request and finds who speaks for the first certificate that
// anybody here speaks for, nil for nobody. Certificates of other issuers in the
// same request are answered unknown. The usual request is known by its octets.
func (h *Handler) read(der []byte) (*ca.OCSPRequest, *Responder, error) {
	responders := h.voice.Load().responders
	for n := range responders {
		if id, ok := responders[n].Usual(der); ok {
			return &ca.OCSPRequest{IDs: []ca.CertID{id}}, &responders[n], nil
		}
	}
	req, err := ca.ParseOCSPRequest(der)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range req.IDs {
		for n := range responders {
			if responders[n].Covers(id) {
				return req, &responders[n], nil
			}
		}
	}
	return req, nil, nil
}

// answer takes the answer signed ahead when it fits, and signs one otherwise.
func (h *Handler) answer(ctx context.Context, responder *Responder, req *ca.OCSPRequest) (answer *Presigned, cacheable bool, err error) {
	if len(req.IDs) > 1 || req.Nonce != nil {
		return h.signed(ctx, responder, req)
	}
	id := req.IDs[0]
	known, err := h.status(ctx, responder, id)
	if err != nil {
		return nil, false, err
	}
	if ahead := h.fitting(known, id); ahead != nil {
		return ahead, true, nil
	}
	answer, cacheable, err = h.sign(ctx, responder, req, known)
	if cacheable && h.config.Keep != nil {
		h.config.Keep(responder.IssuerID, id.Serial, known.Version, id.Hash, answer)
	}
	return answer, cacheable, err
}

// signed is an answer for this request alone.
func (h *Handler) signed(ctx context.Context, responder *Responder, req *ca.OCSPRequest) (answer *Presigned, cacheable bool, err error) {
	all := make([]Known, len(req.IDs))
	for n, id := range req.IDs {
		if all[n], err = h.status(ctx, responder, id); err != nil {
			return nil, false, err
		}
	}
	return h.sign(ctx, responder, req, all...)
}

// status is what is known of a certificate; of another issuer's, nothing.
func (h *Handler) status(ctx context.Context, responder *Responder, id ca.CertID) (Known, error) {
	if !responder.Covers(id) || len(id.Serial) == 0 {
		return Known{AsOf: h.config.Now()}, nil
	}
	known, err := h.config.Source.Status(ctx, responder.IssuerID, id.Serial)
	if err != nil {
		return Known{}, fmt.Errorf("read status: %w", err)
	}
	return known, nil
}

// sign signs an answer now, of what is known now: while nobody can tell what
// changed, nothing is signed.
func (h *Handler) sign(ctx context.Context, responder *Responder, req *ca.OCSPRequest, all ...Known) (answer *Presigned, cacheable bool, err error) {
	now := h.config.Now()
	statuses := make([]ca.Status, len(all))
	cacheable = req.Nonce == nil
	for n, k := range all {
		if now.Sub(k.AsOf) > h.config.Fresh {
			return nil, false, fmt.Errorf("%w: nothing is known since %s", lifecycle.Unavailable, k.AsOf.UTC().Format(time.RFC3339))
		}
		statuses[n] = k.Status
		// A serial that is unknown now may be issued in a second; caches must not
		// hold that against it.
		cacheable = cacheable && (k.Status.State == ca.StateGood || k.Status.State == ca.StateRevoked)
	}
	select {
	case h.live <- struct{}{}:
		defer func() { <-h.live }()
	default:
		return nil, false, fmt.Errorf("%w: %d answers are being signed", lifecycle.Unavailable, cap(h.live))
	}
	signer, err := responder.Signer(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("open the responder's key: %w", err)
	}
	signed, err := responder.Answer(req, statuses, now, signer)
	if err != nil {
		return nil, false, err
	}
	return NewPresigned(statuses[0].State, signed), cacheable, nil
}

// fitting is the answer signed ahead if it may be sent: it says what the status
// says, is in time, and is about the CertID that was sent.
func (h *Handler) fitting(known Known, id ca.CertID) *Presigned {
	ahead, state := known.Ahead[slot(id.Hash)], known.Status.State
	if ahead == nil || ahead.State != state || state != ca.StateGood && state != ca.StateRevoked {
		return nil
	}
	now := h.config.Now()
	if !now.Before(ahead.NextUpdate) || now.Before(ahead.ThisUpdate) || !bytes.Contains(ahead.DER, id.Raw()) {
		return nil
	}
	return ahead
}

// sendAnswer writes an answer with the headers of RFC 9919 §7.2: cacheable
// ones until their nextUpdate at most, answers to a nonce never.
func (h *Handler) sendAnswer(w http.ResponseWriter, r *http.Request, answer *Presigned, cacheable bool) {
	header := w.Header()
	header["Content-Type"] = ocspType
	if !cacheable {
		header["Cache-Control"] = []string{"no-store"}
		h.send(w, r, answer.DER)
		return
	}
	tag := quoted(answer.tag)
	header["Etag"] = []string{tag}
	header["Last-Modified"] = []string{answer.ThisUpdate.UTC().Format(http.TimeFormat)}
	h.cacheUntil(header, answer.NextUpdate, h.config.MaxAge)
	if r.Method != http.MethodPost && matches(r.Header.Get("If-None-Match"), tag) {
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
