// Package trust is what the bank's trust list says of another certification
// authority, as data: its certificates, the policies that are accepted, where its
// lists and its responder are, what is done while they are away, until when. It
// reads an author's YAML, keeps an entry in one canonical form, and says what a
// certificate of such a CA was found to be: [Judged], [Status].
//
// It never does I/O, knows a clock or judges a certificate: ca does, over what is
// here. Data runs in as bytes that were proposed or are on record, and out as a
// checked value.
package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
)

// Bounds of an entry.
const (
	MaxFile         = 256 << 10 // octets of an author's file
	maxCertificates = 16
	maxPolicies     = 16
	maxLists        = 64
	maxGrace        = 7 * 24 // hours
)

// Ask says where the status of a certificate comes from.
type Ask string

// The ways to ask.
const (
	AskLists     Ask = "lists"     // as they were fetched last
	AskResponder Ask = "responder" // OCSP, live; its last answer while it holds
	AskEither    Ask = "either"    // OCSP, and the lists while the responder is away
)

// Asks lists them.
func Asks() []Ask { return []Ask{AskLists, AskResponder, AskEither} }

// Entry is another CA that the bank accepts. What [Parse] and [Read] give is
// checked; it is never changed after.
type Entry struct {
	Name         string   `json:"name" yaml:"name"`
	Title        string   `json:"title" yaml:"title"`                       // as staff call it
	Level        string   `json:"level" yaml:"level"`                       // none, *, **, ***: as the bank ranks it, in the words of the RGS
	Certificates [][]byte `json:"certificates" yaml:"-"`                    // DER: roots, and every CA below them that is accepted
	Policies     []string `json:"policies" yaml:"policies"`                 // of which a certificate must have one
	Lists        []string `json:"lists,omitempty" yaml:"lists,omitempty"`   // addresses
	Responder    string   `json:"responder,omitempty" yaml:"responder"`     // address
	Ask          Ask      `json:"ask" yaml:"ask"`                           // where a status comes from
	GraceHours   int      `json:"grace_hours,omitempty" yaml:"grace_hours"` // that a list is believed after its end; 0: closed
	Private      bool     `json:"private,omitempty" yaml:"private"`         // its addresses may be of a private network
	Until        string   `json:"until" yaml:"until"`                       // the last day, 2006-01-02

	parsed []*x509.Certificate // as Certificates
	pools  struct{ roots, others *x509.CertPool }
}

// author is an author's file: an entry, its certificates in PEM.
type author struct {
	Entry `yaml:",inline"`

	PEM string `yaml:"certificates"`
}

// Parse reads an author's file. More certificates may come beside it, in PEM or DER.
// Every wrong field is named.
func Parse(file []byte, more ...[]byte) (*Entry, error) {
	if len(file) > MaxFile {
		return nil, &lifecycle.FieldError{Field: "file", Why: fmt.Sprintf("has more than %d bytes", MaxFile)}
	}
	var a author
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	decoder.KnownFields(true)
	if err := decoder.Decode(&a); err != nil {
		return nil, &lifecycle.FieldError{Field: "file", Why: "is no trust list entry in YAML: " + err.Error()}
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, &lifecycle.FieldError{Field: "file", Why: "holds more than one document"}
	}
	e := a.Entry
	if e.Level == "" {
		e.Level = "none"
	}
	if e.Ask == "" {
		e.Ask = AskLists
	}
	var errs lifecycle.FieldErrors
	for _, text := range append([][]byte{[]byte(a.PEM)}, more...) {
		ders, err := Certificates(text)
		errs.AddError("certificates", err)
		e.Certificates = append(e.Certificates, ders...)
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return &e, e.check()
}

// Certificates takes the certificates out of a file: any number in PEM, or one in
// DER.
func Certificates(file []byte) ([][]byte, error) {
	if len(file) > MaxFile {
		return nil, &lifecycle.FieldError{Field: "certificate", Why: fmt.Sprintf("has more than %d bytes", MaxFile)}
	}
	if len(file) > 0 && file[0] == 0x30 {
		return [][]byte{file}, nil
	}
	var ders [][]byte
	rest := bytes.TrimSpace(file)
	for len(rest) > 0 {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, &lifecycle.FieldError{Field: "certificate", Why: "is neither certificates in PEM nor one in DER"}
		}
		ders, rest = append(ders, block.Bytes), bytes.TrimSpace(rest)
	}
	return ders, nil
}

// Canonical is the form in which an entry is kept, hashed and approved.
func (e *Entry) Canonical() []byte {
	text, err := json.Marshal(e)
	if err != nil {
		return nil // texts, numbers and octets only: cannot happen
	}
	return text
}

// Sum is the SHA-256 of the canonical form.
func (e *Entry) Sum() [32]byte { return sha256.Sum256(e.Canonical()) }

// Read reads an entry that is on record: nothing but the canonical form.
func Read(canonical []byte) (*Entry, error) {
	var e Entry
	decoder := json.NewDecoder(bytes.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return nil, fmt.Errorf("%w: trust list: %w", lifecycle.Invalid, err)
	}
	if !bytes.Equal(e.Canonical(), canonical) {
		return nil, fmt.Errorf("%w: trust list: not in its canonical form", lifecycle.Invalid)
	}
	return &e, e.check()
}

// YAML writes an entry as an author would, its certificates in PEM.
func (e *Entry) YAML() []byte {
	a := author{Entry: *e}
	for _, der := range e.Certificates {
		a.PEM += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	text, err := yaml.Marshal(a)
	if err != nil {
		return nil // texts and numbers only: cannot happen
	}
	return text
}

var (
	entryName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	levels    = []string{"none", "*", "**", "***"}
)

func (e *Entry) check() error {
	var errs lifecycle.FieldErrors
	if !entryName.MatchString(e.Name) {
		errs.Add("name", "has 1 to 40 small letters, digits and dashes")
	}
	if e.Title == "" || len(e.Title) > 100 {
		errs.Add("title", "says in 1 to 100 characters whose CA it is")
	}
	if !slices.Contains(levels, e.Level) {
		errs.Add("level", fmt.Sprintf("use one of %v", levels))
	}
	if len(e.Policies) == 0 || len(e.Policies) > maxPolicies {
		errs.Add("policies", fmt.Sprintf("name 1 to %d object identifiers, of which a certificate must have one", maxPolicies))
	}
	for _, p := range e.Policies {
		if oid, err := x509.ParseOID(p); err != nil || oid.String() == anyPolicy {
			errs.Add("policies", fmt.Sprintf("%q is no object identifier of a policy, like 1.2.250.1.1", p))
		}
	}
	e.checkStatus(&errs)
	if _, err := time.Parse(time.DateOnly, e.Until); err != nil {
		errs.Add("until", "is the last day on which the CA is accepted, like 2028-12-31")
	}
	e.checkCertificates(&errs)
	return errs.Err()
}

const anyPolicy = "2.5.29.32.0"

// checkStatus looks at where a status comes from.
func (e *Entry) checkStatus(errs *lifecycle.FieldErrors) {
	if !slices.Contains(Asks(), e.Ask) {
		errs.Add("ask", fmt.Sprintf("use one of %v", Asks()))
	}
	if e.Ask != AskResponder && len(e.Lists) == 0 || len(e.Lists) > maxLists {
		errs.Add("lists", fmt.Sprintf("name 1 to %d addresses, or ask the responder alone", maxLists))
	}
	if e.Ask != AskLists && e.Responder == "" {
		errs.Add("responder", "name its address, or ask the lists alone")
	}
	for i, address := range e.Lists {
		errs.AddError("lists", checkAddress(address))
		if slices.Contains(e.Lists[:i], address) {
			errs.Add("lists", "stands twice: "+address)
		}
	}
	if e.Responder != "" {
		errs.AddError("responder", checkAddress(e.Responder))
	}
	if e.GraceHours < 0 || e.GraceHours > maxGrace {
		errs.Add("grace_hours", fmt.Sprintf("is 0 (an ended list closes the door) to %d", maxGrace))
	}
}

func checkAddress(address string) error {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil || len(address) > 500 {
		return &lifecycle.FieldError{Field: "address", Why: fmt.Sprintf("%q is no http address", address)}
	}
	return nil
}

// checkCertificates wants CAs, one of which signed itself, and each other one signed
// by one of them: nothing that stands outside the entry is ever believed.
func (e *Entry) checkCertificates(errs *lifecycle.FieldErrors) {
	if len(e.Certificates) == 0 || len(e.Certificates) > maxCertificates {
		errs.Add("certificates", fmt.Sprintf("give 1 to %d certificates of CAs", maxCertificates))
		return
	}
	e.parsed = nil
	e.pools.roots, e.pools.others = x509.NewCertPool(), x509.NewCertPool()
	for _, der := range e.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			errs.Add("certificates", "one cannot be read: "+err.Error())
			return
		}
		if slices.ContainsFunc(e.parsed, c.Equal) {
			errs.Add("certificates", Subject(c)+" stands twice")
		}
		e.parsed = append(e.parsed, c)
	}
	for _, c := range e.parsed {
		if !c.IsCA || !c.BasicConstraintsValid || c.KeyUsage&x509.KeyUsageCertSign == 0 {
			errs.Add("certificates", Subject(c)+" is not a CA's")
		}
		if SelfSigned(c) {
			e.pools.roots.AddCert(c)
			continue
		}
		e.pools.others.AddCert(c)
		if !slices.ContainsFunc(e.parsed, func(by *x509.Certificate) bool { return by != c && c.CheckSignatureFrom(by) == nil }) {
			errs.Add("certificates", Subject(c)+" is signed by none of them: add the CA above it, up to its root")
		}
	}
	if !slices.ContainsFunc(e.parsed, SelfSigned) {
		errs.Add("certificates", "no root is among them")
	}
}

// SelfSigned tells whether a certificate is a root's. Old roots signed themselves by
// SHA-1: it is not their signature for which they are believed.
func SelfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	_, old := errors.AsType[x509.InsecureAlgorithmError](c.CheckSignatureFrom(c))
	return old || c.CheckSignatureFrom(c) == nil
}

// Subject is a certificate's subject, short enough to be shown.
func Subject(c *x509.Certificate) string { return Short(c.Subject.String()) }

// Short keeps what another wrote legible and short.
func Short(name string) string {
	const most = 300
	clean := []rune{}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r > 0xffff || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			r = '?'
		}
		clean = append(clean, r)
	}
	if len(clean) > most {
		clean = append(clean[:most-1], '…')
	}
	return string(clean)
}

// CAs are the entry's certificates.
func (e *Entry) CAs() []*x509.Certificate { return e.parsed }

// Pools are the roots, and the CAs below them.
func (e *Entry) Pools() (roots, others *x509.CertPool) { return e.pools.roots, e.pools.others }

// Ended tells whether the trust is over at a moment: its last day is the bank's, in
// UTC.
func (e *Entry) Ended(at time.Time) bool {
	last, err := time.Parse(time.DateOnly, e.Until)
	return err != nil || !at.Before(last.AddDate(0, 0, 1))
}

// Names tells whether one of the CAs has the name, DER.
func (e *Entry) Names(issuer []byte) bool {
	return slices.ContainsFunc(e.parsed, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, issuer) })
}

// Grace is how long after its end a list is believed.
func (e *Entry) Grace() time.Duration { return time.Duration(e.GraceHours) * time.Hour }

// KeyOf names a CA by name and key: certificates of the same CA differ, both do not.
func KeyOf(c *x509.Certificate) [32]byte {
	return sha256.Sum256(append(bytes.Clone(c.RawSubject), c.RawSubjectPublicKeyInfo...))
}

// Own are the CAs of the house as an entry: any policy of theirs is accepted.
func Own(certificates [][]byte) (*Entry, error) {
	e := &Entry{Name: "house", Certificates: certificates}
	e.pools.roots, e.pools.others = x509.NewCertPool(), x509.NewCertPool()
	for _, der := range certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate of a CA: %w", err)
		}
		e.parsed = append(e.parsed, c)
		if SelfSigned(c) {
			e.pools.roots.AddCert(c)
		} else {
			e.pools.others.AddCert(c)
		}
	}
	return e, nil
}
