package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// listPath is {issuer}/{shard}.crl or {issuer}/{shard}-delta.crl.
var listPath = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}/[a-z0-9][a-z0-9-]{0,39}\.crl$`)

// list serves a list from the folder: GET and HEAD, ranges, and conditions on
// ETag and Last-Modified. It costs the same for any size: only the start of
// the file is read for its dates, and its end, the signature, for its ETag.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, path string) error {
	if !listPath.MatchString(path) {
		return lifecycle.NotFound
	}
	if err := allow(r, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	file, err := h.lists.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lifecycle.NotFound
	}
	if err != nil {
		return fmt.Errorf("open list %s: %w", path, err)
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("look at list %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return lifecycle.NotFound
	}
	thisUpdate, nextUpdate, etag, err := inspect(file, info.Size())
	if err != nil {
		return fmt.Errorf("inspect list %s: %w", path, err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/pkix-crl")
	header.Set("ETag", etag)
	h.cacheUntil(header, nextUpdate, h.config.ListMaxAge)
	http.ServeContent(w, r, "", thisUpdate, file)
	return nil
}

// inspect reads a list's dates from its first octets and makes the ETag from
// its last: they hold the signature, hence depend on every octet before.
func inspect(file *os.File, size int64) (thisUpdate, nextUpdate time.Time, etag string, err error) {
	var start [4096]byte
	n, err := file.ReadAt(start[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return thisUpdate, nextUpdate, "", err
	}
	if thisUpdate, nextUpdate, err = ca.CRLWindow(start[:n]); err != nil {
		return thisUpdate, nextUpdate, "", err
	}
	end := make([]byte, min(size, 512))
	if _, err = file.ReadAt(end, size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return thisUpdate, nextUpdate, "", err
	}
	return thisUpdate, nextUpdate, entityTag(end), nil
}

// tagSize is how much of a hash an entity tag has.
const tagSize = 16

func tagOf(content []byte) [tagSize]byte {
	sum := sha256.Sum256(content)
	return [tagSize]byte(sum[:tagSize])
}

func entityTag(content []byte) string { return quoted(tagOf(content)) }

func quoted(tag [tagSize]byte) string { return `"` + hex.EncodeToString(tag[:]) + `"` }

// cacheUntil lets caches keep an answer until its nextUpdate, at most for the
// given time: a revocation must come through (RFC 9919 §7). What has expired
// is not cached.
func (h *Handler) cacheUntil(header http.Header, nextUpdate time.Time, most time.Duration) {
	now := h.config.Now().UTC()
	age := min(nextUpdate.Sub(now), most).Truncate(time.Second)
	if age <= 0 {
		header["Cache-Control"] = []string{"no-cache"}
		return
	}
	header["Cache-Control"] = []string{"max-age=" + strconv.Itoa(int(age/time.Second)) + ", public, no-transform, must-revalidate"}
	header["Expires"] = []string{now.Add(age).Format(http.TimeFormat)}
}

// certificateFiles prepares /ca/{id}.cer and /ca/{id}.p7c.
func certificateFiles(authorities []Authority) (map[string]certificateFile, error) {
	files := make(map[string]certificateFile, 2*len(authorities))
	for _, a := range authorities {
		if a.Certificate == nil || a.ID == "" || strings.Contains(a.ID, "/") {
			return nil, fmt.Errorf("%w: an authority needs a name and a certificate", lifecycle.Invalid)
		}
		bundle, err := ca.CertsOnly(append([]*x509.Certificate{a.Certificate}, a.Chain...)...)
		if err != nil {
			return nil, fmt.Errorf("bundle the certificates of %s: %w", a.ID, err)
		}
		files[a.ID+".cer"] = certificateFile{"application/pkix-cert", a.Certificate.Raw, entityTag(a.Certificate.Raw)}
		files[a.ID+".p7c"] = certificateFile{"application/pkcs7-mime; smime-type=certs-only", bundle, entityTag(bundle)}
	}
	return files, nil
}

// certificate serves a CA certificate (RFC 5280 §4.2.2.1).
func (h *Handler) certificate(w http.ResponseWriter, r *http.Request, name string) error {
	file, ok := h.voice.Load().certs[name]
	if !ok {
		return lifecycle.NotFound
	}
	if err := allow(r, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", file.kind)
	header.Set("ETag", file.etag)
	header.Set("Cache-Control", "max-age=86400, public, no-transform")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.der))
	return nil
}
