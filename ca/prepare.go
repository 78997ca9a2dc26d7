package ca

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"go.step.sm/crypto/x509util"

	"sceau/lifecycle"
)

// Draft is a linted certificate that is not signed yet. It can be signed once.
type Draft struct {
	linted *x509.Certificate // signed with a throwaway key
	serial lifecycle.Serial
	spki   [32]byte
	used   atomic.Bool
}

// TBS is the to-be-signed certificate (RFC 5280 §4.1.1.1) in DER: the caller
// stores it before the CA key is used.
func (d *Draft) TBS() []byte { return bytes.Clone(d.linted.RawTBSCertificate) }

// SubjectHash is the SHA-256 of the distinguished name, encoded: it is never
// another's (EN 319 412-2 NAT-4.2.4-13).
func (d *Draft) SubjectHash() [32]byte { return sha256.Sum256(d.linted.RawSubject) }

// SPKIHash is the SHA-256 of the subject's SubjectPublicKeyInfo.
func (d *Draft) SPKIHash() [32]byte { return d.spki }

// Serial is the reserved serial number.
func (d *Draft) Serial() lifecycle.Serial { return d.serial }

// NotBefore is the first second of the certificate's life.
func (d *Draft) NotBefore() time.Time { return d.linted.NotBefore }

// NotAfter is the last second of the certificate's life.
func (d *Draft) NotAfter() time.Time { return d.linted.NotAfter }

// blueprint is what a certificate will say: the draft is built from it, and
// the linter compares the draft with it.
type blueprint struct {
	profile    Profile
	key        crypto.PublicKey
	subject    []attribute
	email      string
	dnsNames   []string
	ips        []string
	serial     lifecycle.Serial
	urls       URLs // of the issuer; empty for a root
	selfSigned bool
	now        time.Time
	until      time.Time // a cross-certificate's end, unless the profile's is earlier
}

// validity is the profile's, cut where the blueprint ends.
func (b blueprint) validity() (notBefore, notAfter time.Time) {
	notBefore, notAfter = b.profile.Validity(b.now)
	if !b.until.IsZero() && b.until.Before(notAfter) {
		notAfter = b.until
	}
	return notBefore, notAfter
}

// Prepare builds a person's or a system's certificate from the approved subject and the
// request's public key, and lints it, without the CA key. The serial and the
// shard are the caller's, reserved beforehand. The same arguments always give
// the same TBS bytes, so a step that was cut short can be repeated with its
// stored time. Errors: [lifecycle.Invalid], with *FieldError(s) for the subject.
func (i *Issuer) Prepare(p Profile, r *Request, s Subject, serial lifecycle.Serial, shard int, now time.Time) (*Draft, error) {
	if p.Kind != KindPerson && p.Kind != KindService {
		return nil, fmt.Errorf("%w: profile %s is not for persons or systems", lifecycle.Invalid, p.Name)
	}
	if (p.Kind == KindService) != (s.Service != "") {
		return nil, &lifecycle.FieldError{Field: "service", Why: "is the name of a system, in a certificate of a system"}
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("prepare certificate: %w", err)
	}
	if err := r.CheckKey(p); err != nil {
		return nil, fmt.Errorf("prepare certificate: %w", err)
	}
	if err := r.CheckSubject(s); err != nil {
		return nil, fmt.Errorf("prepare certificate: %w", err)
	}
	if shard < 0 {
		return nil, fmt.Errorf("%w: shard %d is negative", lifecycle.Invalid, shard)
	}
	return i.prepare(blueprint{
		profile: p, key: r.key, subject: s.attributes(), email: s.Email,
		serial: serial, urls: i.URLs(shard), now: now,
	})
}

// prepare builds and lints what the blueprint says, below this issuer.
func (i *Issuer) prepare(b blueprint) (*Draft, error) {
	if err := i.Check(b.now); err != nil {
		return nil, err
	}
	if samePublicKey(i.Certificate.PublicKey, b.key) {
		return nil, &lifecycle.FieldError{Field: "csr.key", Why: "is the issuer's: make a key of your own"}
	}
	template, err := b.template()
	if err != nil {
		return nil, err
	}
	if template.NotAfter.After(i.Certificate.NotAfter) {
		return nil, fmt.Errorf("%w: issuer %s ends on %s, before the certificate would: put the next issuer in service",
			lifecycle.Invalid, i.ID, i.Certificate.NotAfter.Format(time.DateOnly))
	}
	alg, err := signatureAlgorithm(i.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	template.SignatureAlgorithm = alg.x509
	key, registry, err := i.linting()
	if err != nil {
		return nil, fmt.Errorf("make the linter's key: %w", err)
	}
	parent := *i.Certificate
	parent.PublicKey = key.Public()
	return lintDraft(b, template, &parent, key, registry)
}

// template turns the blueprint into a certificate template by way of
// x509util's certificate model. Values are set as data, never as template
// text: no name can become an extension.
func (b blueprint) template() (*x509.Certificate, error) {
	p := b.profile
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	if b.serial[0]&0x80 != 0 || b.serial == (lifecycle.Serial{}) {
		return nil, fmt.Errorf("%w: a serial number is positive (RFC 5280 §4.1.2.2)", lifecycle.Invalid)
	}
	skid, err := keyIdentifier(b.key)
	if err != nil {
		return nil, err
	}
	model := x509util.Certificate{
		KeyUsage:           x509util.KeyUsage(p.KeyUsage),
		ExtKeyUsage:        x509util.ExtKeyUsage(p.ExtKeyUsage),
		SubjectKeyID:       skid,
		PublicKey:          b.key,
		UnknownExtKeyUsage: p.unknownUsages(),
		DNSNames:           b.dnsNames,
		SerialNumber:       x509util.SerialNumber{Int: new(big.Int).SetBytes(b.serial[:])},
	}
	for _, a := range b.subject {
		model.Subject.ExtraNames = append(model.Subject.ExtraNames,
			x509util.DistinguishedName{Type: dottedOID(a.oid), Value: a.value})
	}
	if b.email != "" {
		model.EmailAddresses = x509util.MultiString{b.email}
	}
	for _, ip := range b.ips {
		model.SANs = append(model.SANs, x509util.SubjectAlternativeName{Type: x509util.IPType, Value: ip})
	}
	for _, policy := range p.Policies {
		oid, err := x509.ParseOID(policy)
		if err != nil {
			return nil, fmt.Errorf("%w: policy %q: %w", lifecycle.Invalid, policy, err)
		}
		model.PolicyIdentifiers = append(model.PolicyIdentifiers, oid)
	}
	if p.IsCA() {
		model.BasicConstraints = &x509util.BasicConstraints{IsCA: true, MaxPathLen: p.MaxPathLen}
	}
	b.addresses(&model)
	leaf := model.GetCertificate()
	leaf.NotBefore, leaf.NotAfter = b.validity()
	if b.selfSigned { // else crypto/x509 copies the issuer's
		leaf.AuthorityKeyId = skid
	}
	return leaf, nil
}

// addresses sets the extensions that point to the issuer's services.
func (b blueprint) addresses(model *x509util.Certificate) {
	if b.profile.Kind == KindResponder { // never asked about itself (RFC 6960 §4.2.2.2.1)
		model.Extensions = append(model.Extensions, x509util.Extension{ID: dottedOID(oidOCSPNoCheck), Value: []byte{5, 0}})
	}
	if b.selfSigned {
		return
	}
	model.IssuingCertificateURL = x509util.IssuingCertificateURL{b.urls.CA}
	if b.profile.Kind == KindResponder {
		return
	}
	model.CRLDistributionPoints = x509util.CRLDistributionPoints{b.urls.CRL}
	if b.profile.OCSP {
		model.OCSPServer = x509util.OCSPServer{b.urls.OCSP}
	}
	if b.profile.Deltas {
		model.Extensions = append(model.Extensions,
			x509util.Extension{ID: dottedOID(oidFreshestCRL), Value: distributionPoints(b.urls.Delta)})
	}
}

// lintDraft signs the template with the throwaway key and lets zlint and the
// profile's own rules read the result.
func lintDraft(b blueprint, template, parent *x509.Certificate, key crypto.Signer, registry zlintRegistry) (*Draft, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, b.key, key)
	if err != nil {
		return nil, fmt.Errorf("build certificate: %w", err)
	}
	linted, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate built: %w", err)
	}
	if err := b.check(linted, parent); err != nil {
		return nil, err
	}
	if err := refuse(linted, registry); err != nil {
		return nil, err
	}
	return &Draft{
		linted: linted, serial: b.serial,
		spki: sha256.Sum256(linted.RawSubjectPublicKeyInfo),
	}, nil
}

// dottedOID reads a dotted identifier that this package wrote itself; anything
// else gives an empty identifier, which no encoder accepts.
func dottedOID(dotted string) x509util.ObjectIdentifier {
	var oid asn1.ObjectIdentifier
	for part := range bytes.SplitSeq([]byte(dotted), []byte(".")) {
		arc, err := strconv.Atoi(string(part))
		if err != nil {
			return nil
		}
		oid = append(oid, arc)
	}
	return x509util.ObjectIdentifier(slices.Clip(oid))
}
