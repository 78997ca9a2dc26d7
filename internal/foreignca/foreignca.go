// Package foreignca is another bank's certification authority, for tests and the
// demonstration: a root, a CA below it, certificates of persons, lists, OCSP answers.
//
// It is never part of the product, and knows nothing of the house: whoever tests
// makes entries of the trust list out of what it gives. Data runs out as certificates
// and DER.
package foreignca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Policy is the one of its certificates.
const Policy = "1.2.250.1.99.1"

// CA is the authority.
type CA struct {
	Root, Issuing *x509.Certificate

	now     time.Time
	rootKey *ecdsa.PrivateKey
	key     *ecdsa.PrivateKey
}

// Person is a certificate with its key.
type Person struct {
	*x509.Certificate

	Key *ecdsa.PrivateKey
}

// New makes one that is a year old. Two of them have the same names, and other keys.
func New(now time.Time) (*CA, error) {
	c := &CA{now: now}
	var err error
	if c.rootKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	root := authority("Autre racine", now)
	if c.Root, err = sign(root, root, &c.rootKey.PublicKey, c.rootKey); err != nil {
		return nil, err
	}
	below := authority("Autre CA", now)
	policy, err := x509.ParseOID(Policy)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	below.Policies = []x509.OID{policy}
	c.Issuing, err = sign(below, c.Root, &c.key.PublicKey, c.rootKey)
	return c, err
}

func authority(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name, Country: []string{"BE"}, Organization: []string{"Autre Banque"}},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24: it ends the process instead
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

func sign(c, by *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, by, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return signed, nil
}

// Issue makes a person's certificate of two years.
func (c *CA) Issue(name string) (Person, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Person{}, fmt.Errorf("make a key: %w", err)
	}
	signed, err := sign(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name, Country: []string{"BE"}}, NotBefore: c.now.AddDate(0, -1, 0), NotAfter: c.now.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
		Policies: c.Issuing.Policies,
	}, c.Issuing, &key.PublicKey, c.key)
	return Person{signed, key}, err
}

// Sign signs a text by the person's key, as openssl dgst -sha256 -sign does.
func (p Person) Sign(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	signature, err := ecdsa.SignASN1(rand.Reader, p.Key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

// List makes a list of an hour from a moment on, that revokes some for the compromise
// of their keys.
func (c *CA) List(number int64, at time.Time, revoked ...Person) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: at, NextUpdate: at.Add(time.Hour)}
	for _, p := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: p.SerialNumber, RevocationTime: at, ReasonCode: 1})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.Issuing, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign a list: %w", err)
	}
	return der, nil
}

// Answer makes an OCSP answer of an hour from a moment on.
func (c *CA) Answer(of Person, at time.Time, revoked bool) ([]byte, error) {
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: of.SerialNumber, ThisUpdate: at, NextUpdate: at.Add(time.Hour)}
	if revoked {
		r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, at, ocsp.KeyCompromise
	}
	der, err := ocsp.CreateResponse(c.Issuing, c.Issuing, r, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign an answer: %w", err)
	}
	return der, nil
}
