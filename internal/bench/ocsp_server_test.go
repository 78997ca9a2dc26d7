package bench_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// The OCSP servers that are measured. Each is a process of its own, this test
// binary started again, so that its processor time is its own.
const (
	serverVariable = "SCEAU_BENCH_OCSP" // which server to be
	serverSceau    = "sceau"            // the public door, answers signed ahead in memory
	serverDatabase = "sceau_database"   // the public door as it is wired: status and answer from PostgreSQL
	serverFixed    = "fixed"            // net/http with one body of the same size
	serverXCrypto  = "x_crypto"         // net/http and x/crypto/ocsp, which signs each answer

	databaseVariable = "SCEAU_BENCH_DATABASE" // its URL, for serverDatabase
	heldVariable     = "SCEAU_BENCH_HELD"     // how many other certificates serverSceau holds; a million
)

// hello is what a server says when it listens, and what the answers are checked
// with.
type hello struct {
	Address      string
	Plain, Nonce []byte // requests about the one certificate, DER
	Issuer       []byte // DER
}

// ocspHouse is a small PKI with one good certificate.
type ocspHouse struct {
	issuer, responder  *x509.Certificate
	ocspKey            *ecdsa.PrivateKey
	answers            *ca.Responder
	serial             lifecycle.Serial
	plain, nonce       []byte
	issuerKey, rootKey *ecdsa.PrivateKey
}

func newOCSPHouse(now time.Time) (*ocspHouse, error) {
	h := &ocspHouse{serial: serialOf(0)}
	for _, key := range []**ecdsa.PrivateKey{&h.rootKey, &h.issuerKey, &h.ocspKey} {
		var err error
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	named := func(cn string) ca.Name {
		return ca.Name{CommonName: cn, Organization: "Banque Exemple SA", RegistryNumber: "552100554", Country: "FR"}
	}
	root := &ca.Issuer{ID: "root", PublicBase: "http://pki.example.test"}
	var err error
	if root.Certificate, err = ca.SelfSignRoot(h.rootKey, named("Root"), now); err != nil {
		return nil, err
	}
	issuing := &ca.Issuer{ID: "issuing-1", PublicBase: root.PublicBase}
	if issuing.Certificate, err = ca.SignIssuing(root, h.rootKey, h.issuerKey.Public(), named("Issuing 1"), lifecycle.Serial{0x41}, now); err != nil {
		return nil, err
	}
	h.issuer = issuing.Certificate
	if h.responder, err = ca.SignOCSPResponder(issuing, h.issuerKey, h.ocspKey.Public(), named("OCSP 1"), lifecycle.Serial{0x42}, now); err != nil {
		return nil, err
	}
	if h.answers, err = ca.NewResponder(h.issuer, h.responder, 12*time.Hour); err != nil {
		return nil, err
	}
	return h, h.makeRequests()
}

func (h *ocspHouse) makeRequests() error {
	var err error
	if h.plain, err = h.requestWith(nil); err != nil {
		return err
	}
	h.nonce, err = h.requestWith([]byte("0123456789abcdef"))
	return err
}

// requestWith encodes an OCSP request (RFC 6960 §4.1.1), with a nonce if there
// is one, which x/crypto/ocsp cannot.
func (h *ocspHouse) requestWith(nonce []byte) ([]byte, error) {
	request, err := h.answers.Request(h.serial, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	type single struct{ ID asn1.RawValue }
	type extension struct {
		ID    asn1.ObjectIdentifier
		Value []byte
	}
	var whole struct {
		TBS struct {
			List       []single
			Extensions []extension `asn1:"explicit,tag:2,optional,omitempty"`
		}
	}
	whole.TBS.List = []single{{asn1.RawValue{FullBytes: request.IDs[0].Raw()}}}
	if nonce != nil {
		value, err := asn1.Marshal(nonce)
		if err != nil {
			return nil, err
		}
		whole.TBS.Extensions = []extension{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, value}}
	}
	return asn1.Marshal(whole)
}

// ahead is the answer about the one certificate, signed ahead.
func (h *ocspHouse) ahead(now time.Time) (ca.Answer, error) {
	request, err := h.answers.Request(h.serial, crypto.SHA1)
	if err != nil {
		return ca.Answer{}, err
	}
	return h.answers.Answer(request, []ca.Status{{State: ca.StateGood}}, now, h.ocspKey)
}

// serveOCSP is a server until its standard input ends, which is when the
// benchmark does.
func serveOCSP(kind string) error {
	h, err := newOCSPHouse(time.Now())
	if err != nil {
		return err
	}
	handler, err := h.handler(kind)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	if kind == serverSceau || kind == serverDatabase {
		server = revocation.Server("", handler)
	}
	go func() { _ = server.Serve(listener) }()
	err = json.NewEncoder(os.Stdout).Encode(hello{
		Address: listener.Addr().String(), Plain: h.plain, Nonce: h.nonce, Issuer: h.issuer.Raw,
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, server.Close())
}

func (h *ocspHouse) handler(kind string) (http.Handler, error) {
	presigned, err := h.ahead(time.Now())
	if err != nil {
		return nil, err
	}
	contentType := []string{"application/ocsp-response"}
	switch kind {
	case serverSceau:
		others, err := strconv.Atoi(cmp.Or(os.Getenv(heldVariable), "1000000"))
		if err != nil {
			return nil, err
		}
		return h.door(inMemory(others, h.serial, presigned))
	case serverDatabase:
		source, err := openSource(context.Background(), os.Getenv(databaseVariable), presigned)
		if err != nil {
			return nil, err
		}
		return h.door(source)
	case serverFixed:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header()["Content-Type"] = contentType
			_, _ = w.Write(presigned.DER)
		}), nil
	case serverXCrypto:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer, err := h.signByXCrypto(r.Body)
			if err != nil {
				http.Error(w, "malformed", http.StatusBadRequest)
				return
			}
			w.Header()["Content-Type"] = contentType
			_, _ = w.Write(answer)
		}), nil
	}
	return nil, fmt.Errorf("there is no OCSP server %q", kind)
}

// door is the public door.
func (h *ocspHouse) door(source revocation.StatusSource) (http.Handler, error) {
	return revocation.New(revocation.Config{
		Lists: os.TempDir(), Source: source, Now: time.Now,
		Responders: []revocation.Responder{{
			IssuerID: "issuing-1", Responder: h.answers, Signer: func(context.Context) (crypto.Signer, error) { return h.ocspKey, nil },
		}},
	})
}

func (h *ocspHouse) signByXCrypto(body io.Reader) ([]byte, error) {
	der, err := io.ReadAll(io.LimitReader(body, 4096))
	if err != nil {
		return nil, err
	}
	request, err := ocsp.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return ocsp.CreateResponse(h.issuer, h.responder, ocsp.Response{
		Status: ocsp.Good, SerialNumber: request.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour), Certificate: h.responder,
	}, h.ocspKey)
}
