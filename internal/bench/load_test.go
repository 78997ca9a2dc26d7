package bench_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"sceau/internal/bench"
)

// load sends one prepared HTTP request again and again over connections that
// stay open, without net/http: the client shares the cores with the server and
// must not be what is measured.
type load struct {
	address     string
	request     []byte
	connections int
	requests    int // in all
}

const loadPatience = time.Minute

func postLoad(address string, der []byte) load {
	return load{address: address, request: fmt.Appendf(nil,
		"POST /ocsp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n%s", address, len(der), der)}
}

func getLoad(address string, der []byte) load {
	path := url.PathEscape(base64.StdEncoding.EncodeToString(der))
	return load{address: address, request: fmt.Appendf(nil, "GET /ocsp/%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, address)}
}

// run sends them all. Any answer but 200 is an error.
func (l load) run() error {
	var next atomic.Int64
	return bench.Parallel(l.connections, l.connections, func(int) error {
		var c conn
		defer c.close()
		for next.Add(1) <= int64(l.requests) {
			if _, err := c.roundTrip(l); err != nil {
				return fmt.Errorf("request to %s: %w", l.address, err)
			}
		}
		return nil
	})
}

// one sends it once and gives the body.
func (l load) one() ([]byte, error) {
	var c conn
	defer c.close()
	return c.roundTrip(l)
}

// conn is a connection that is opened when it is needed: some servers close it
// after each answer.
type conn struct {
	net.Conn

	in   *bufio.Reader
	body []byte
}

func (c *conn) close() {
	if c.Conn != nil {
		_ = c.Close()
		c.Conn = nil
	}
}

// roundTrip gives a body that holds until the next call.
func (c *conn) roundTrip(l load) ([]byte, error) {
	if c.Conn == nil {
		var err error
		if c.Conn, err = net.Dial("tcp", l.address); err != nil {
			return nil, err
		}
		if err := c.SetDeadline(time.Now().Add(loadPatience)); err != nil {
			return nil, err
		}
		c.in = bufio.NewReader(c.Conn)
	}
	if _, err := c.Write(l.request); err != nil {
		return nil, err
	}
	status, length, keep, err := readHead(c.in)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d", status)
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	if _, err := io.ReadFull(c.in, c.body); err != nil {
		return nil, err
	}
	if !keep {
		c.close()
	}
	return c.body, nil
}

var contentLength = []byte("content-length:")

// readHead reads an answer up to its body, and tells whether the connection
// stays open, which HTTP/1.0 answers never leave it.
func readHead(in *bufio.Reader) (status, length int, keep bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, 0, false, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, false, fmt.Errorf("%q is no status line", line)
	}
	keep = line[7] == '1'
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, false, err
	}
	for length = -1; ; {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, 0, false, err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return 0, 0, false, err
			}
		}
	}
	if length < 0 {
		return 0, 0, false, fmt.Errorf("the answer with status %d does not say its length", status)
	}
	return status, length, keep, nil
}
