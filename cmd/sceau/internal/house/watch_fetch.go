package house

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sceau/lifecycle"
)

// Bounds of what is fetched at addresses that stand in certificates.
const (
	largestList   = 256 << 20
	largestAnswer = 64 << 10
	askPatience   = time.Minute
)

// fetcher fetches what certificates name: over http and https alone, within
// bounds, and never from elsewhere than where it was sent.
type fetcher struct {
	client *http.Client
	pause  time.Duration
}

// newFetcher makes one. Where resolve is given, host:port, every connection goes
// there whatever name stands in the address: for a house whose public name is not
// known here.
func newFetcher(resolve string, pause time.Duration) fetcher {
	const usual = 2 * time.Second
	if pause == 0 {
		pause = usual
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{
		ResponseHeaderTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if resolve != "" {
				address = resolve
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return fetcher{&http.Client{Transport: transport, CheckRedirect: stay}, pause}
}

func (f fetcher) close() { f.client.CloseIdleConnections() }

// patiently does something again that is away, twice: a responder that restarts
// is no alarm.
func (f fetcher) patiently(ctx context.Context, do func() error) error {
	const again = 2
	for n := 0; ; n++ {
		err := do()
		if n == again || !errors.Is(err, lifecycle.Unavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(f.pause):
		}
	}
}

// fetched is a body with its headers.
type fetched struct {
	body   []byte
	header http.Header
}

func (f fetcher) get(ctx context.Context, address string, most int64) (fetched, error) {
	return f.ask(ctx, http.MethodGet, address, nil, most)
}

// ask makes one request. What is not there, or sends elsewhere, or is too long is
// [lifecycle.Invalid]; a server that does not answer is [lifecycle.Unavailable].
func (f fetcher) ask(ctx context.Context, method, address string, body []byte, most int64) (fetched, error) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil {
		return fetched{}, fmt.Errorf("%w: %q is no http address", lifecycle.Invalid, address)
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fetched{}, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/ocsp-request")
	}
	answer, err := f.client.Do(request)
	if err != nil {
		return fetched{}, fmt.Errorf("%w: %w", lifecycle.Unavailable, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fetched{}, fmt.Errorf("%w: %s answers %s", lifecycle.Invalid, address, answer.Status)
	}
	got, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return fetched{}, fmt.Errorf("%w: read %s: %w", lifecycle.Unavailable, address, err)
	case int64(len(got)) > most:
		return fetched{}, fmt.Errorf("%w: %s is longer than %d octets", lifecycle.Invalid, address, most)
	}
	return fetched{got, answer.Header}, nil
}

// askGet asks by GET, as caches want it (RFC 9919 §4).
func (f fetcher) askGet(ctx context.Context, responder string, question []byte) (fetched, error) {
	encoded := url.QueryEscape(base64.StdEncoding.EncodeToString(question))
	return f.get(ctx, strings.TrimSuffix(responder, "/")+"/"+encoded, largestAnswer)
}

// cached judges the headers by which caches keep a list or an answer (RFC 9919
// §7.2): of the right type, no longer than until its end, with a tag.
func (f fetched) cached(kind string, nextUpdate, now time.Time) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{lifecycle.Invalid}, args...)...))
	}
	if got := f.header.Get("Content-Type"); got != kind {
		wrong("it is served as %q, not as %s", got, kind)
	}
	age, stated := maxAge(f.header.Get("Cache-Control"))
	if !stated {
		wrong("no max-age tells caches how long it may be kept")
	}
	if now.Add(age).After(nextUpdate.Add(5 * time.Second)) { // a CA's last list ends further off than a duration reaches
		wrong("caches may keep it for %s, it ends on %s", age, nextUpdate.Format(time.RFC3339))
	}
	if f.header.Get("ETag") == "" {
		wrong("it has no ETag")
	}
	return errors.Join(errs...)
}

// uncached judges those of an answer to a nonce.
func (f fetched) uncached() error {
	if age, _ := maxAge(f.header.Get("Cache-Control")); age > 0 {
		return fmt.Errorf("%w: caches may keep an answer to a nonce", lifecycle.Invalid)
	}
	return nil
}

func maxAge(control string) (age time.Duration, stated bool) {
	for directive := range strings.SplitSeq(control, ",") {
		text, ok := strings.CutPrefix(strings.TrimSpace(directive), "max-age=")
		if seconds, err := strconv.Atoi(text); ok && err == nil {
			return time.Duration(seconds) * time.Second, true
		}
	}
	return 0, false
}
