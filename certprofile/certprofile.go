// Package certprofile is what a certificate profile says, as data: whose
// certificates they are, at which level of the RGS, with which switches, for how
// long, with which keys and extensions. It reads an author's YAML, keeps it in
// one canonical form, and refuses what the level forbids. The profiles that the
// house has by itself are here too, as version 0 of their names.
//
// It never does I/O, knows a clock or makes a certificate: ca turns a [Profile]
// into X.509, issuance asks it for level and switches. Data runs in as bytes that
// were proposed or are on record, and out as a checked value.
package certprofile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sceau/lifecycle"
)

// Kind says whose a certificate is and what for.
type Kind string

// The kinds.
const (
	PersonAuthentication Kind = "person_authentication" // a holder signs in (ETSI EN 319 412-2 type C)
	PersonSignature      Kind = "person_signature"      // a holder signs documents (type A)
	Staff                Kind = "staff"                 // back-office staff sign in
	ServiceClient        Kind = "service_client"        // an organisation's system, as TLS client
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{PersonAuthentication, PersonSignature, Staff, ServiceClient} }

// Person tells whether the subject is a person, not a system.
func (k Kind) Person() bool { return k != ServiceClient }

// Level is a level of the RGS, by which the house treats a certificate. That it
// conforms is the auditor's word.
type Level string

// The levels.
const (
	LevelNone  Level = "none"
	LevelOne   Level = "*"
	LevelTwo   Level = "**"
	LevelThree Level = "***"
)

// demand is what a level asks of a profile (RGS A2; pki.md §4.2).
//
// Two sources are doubtful (ADR 0026): a copy of RGS A2 XII.2 is weaker on the
// device at **, where all certification authorities read one is needed; and one
// says nothing of suspension, which a policy made from the same model forbids.
// So the device is demanded, and hold is a switch that nobody sets by default.
type demand struct {
	device, faceToFace bool
	retention          int // years that the dossier is kept after the certificate's end
	questions          int // that a caller who revokes answers
	bothUsages         bool
}

var demands = map[Level]demand{
	LevelNone:  {},
	LevelOne:   {retention: 5, questions: 2, bothUsages: true},
	LevelTwo:   {device: true, retention: 7, questions: 4, bothUsages: true},
	LevelThree: {device: true, faceToFace: true, retention: 10, questions: 5},
}

// fewest is how few questions a level allows; the defaults are its most.
func (l Level) fewest() int {
	const one, two, three = 1, 3, 4
	switch l {
	case LevelOne:
		return one
	case LevelTwo:
		return two
	case LevelThree:
		return three
	case LevelNone:
	}
	return 0
}

// KeyKind is a kind of key that a request may have.
type KeyKind string

// The kinds of key.
const (
	P256 KeyKind = "P-256"
	P384 KeyKind = "P-384"
	RSA  KeyKind = "RSA-3072" // or longer
)

// KeyUsage is what a key is for (RFC 5280 §4.2.1.3).
type KeyUsage string

// The key usages of end entities that are not TLS servers.
const (
	DigitalSignature KeyUsage = "digital_signature" // authentication
	NonRepudiation   KeyUsage = "non_repudiation"   // signature
)

// Purpose is an extended key usage.
type Purpose string

// The purposes.
const (
	ClientAuth      Purpose = "client_auth"
	EmailProtection Purpose = "email_protection"
	DocumentSigning Purpose = "document_signing" // RFC 9336
)

// MaxYears is the longest life of a key and its certificate (RGS A2 and A3, all
// levels).
const MaxYears = 3

// Profile is what certificates of one name are like. A value that [Parse] or
// [Read] gave, and a built-in one, is valid.
type Profile struct {
	Name                string     `json:"name" yaml:"name"`
	Kind                Kind       `json:"kind" yaml:"kind"`
	Level               Level      `json:"level" yaml:"level"`
	Device              bool       `json:"device" yaml:"device"`                             // the key is in a cryptographic device, where it was made
	FaceToFace          bool       `json:"face_to_face" yaml:"face_to_face"`                 // the holder is met
	Hold                bool       `json:"hold" yaml:"hold"`                                 // certificateHold is allowed
	RetentionYears      int        `json:"retention_years" yaml:"retention_years"`           // of the dossier, after the certificate's end
	RevocationQuestions int        `json:"revocation_questions" yaml:"revocation_questions"` // that a caller who revokes answers
	Years               int        `json:"years" yaml:"years"`                               // calendar years of life
	Days                int        `json:"days" yaml:"days"`                                 // and days
	Keys                []KeyKind  `json:"keys" yaml:"keys"`
	KeyUsage            []KeyUsage `json:"key_usage" yaml:"key_usage"`
	Purposes            []Purpose  `json:"extended_key_usage" yaml:"extended_key_usage"`
	Policies            []string   `json:"policies" yaml:"policies"` // dotted identifiers, the bank's own first
	Deltas              bool       `json:"deltas" yaml:"deltas"`     // certificates point to delta lists
	OCSP                bool       `json:"ocsp" yaml:"ocsp"`         // and to the OCSP responder
}

// SameTreatment tells whether certificates of both profiles are ordered, proved
// and revoked alike: what was approved for one holds for the other.
func (p Profile) SameTreatment(q Profile) bool {
	return p.Name == q.Name && p.Kind == q.Kind && p.Level == q.Level && p.Device == q.Device && p.FaceToFace == q.FaceToFace
}

// defaults are what a kind and a level say of whatever an author leaves out.
func defaults(kind Kind, level Level) Profile {
	d := demands[level]
	p := Profile{
		Kind: kind, Level: level, Device: d.device, FaceToFace: d.faceToFace, RetentionYears: d.retention, RevocationQuestions: d.questions,
		Keys: []KeyKind{P256, P384, RSA}, KeyUsage: []KeyUsage{DigitalSignature}, Purposes: []Purpose{ClientAuth}, Deltas: true, OCSP: true,
	}
	if kind == PersonSignature {
		p.KeyUsage, p.Purposes = []KeyUsage{NonRepudiation}, []Purpose{DocumentSigning}
	}
	return p
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	policyForm = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]{0,9})){2,15}$`)
)

// CheckName tells whether a profile can have the name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return &lifecycle.FieldError{Field: "name", Why: "use 1 to 40 small letters, digits and dashes, a letter or digit first"}
	}
	return nil
}

// check says all that is wrong with a profile.
func (p Profile) check() error {
	var errs lifecycle.FieldErrors
	errs.AddError("name", CheckName(p.Name))
	if !slices.Contains(Kinds(), p.Kind) {
		errs.Add("kind", "use person_authentication, person_signature, staff or service_client")
	}
	p.checkLevel(&errs)
	p.checkLife(&errs)
	chosen(&errs, "keys", p.Keys, true, P256, P384, RSA)
	p.checkUsage(&errs)
	const most = 5
	if len(p.Policies) == 0 || len(p.Policies) > most {
		errs.Add("policies", "name 1 to 5 certificate policies, the bank's own first (EN 319 412-2 GEN-4.3.3)")
	}
	for i, oid := range p.Policies {
		if !policyForm.MatchString(oid) || slices.Contains(p.Policies[:i], oid) {
			errs.Add("policies", "are object identifiers in dotted form, each once")
			break
		}
	}
	if p.Kind.Person() && !p.OCSP {
		errs.Add("ocsp", "a person's certificate names the OCSP responder (EN 319 412-2 GEN-4.4.1-5)")
	}
	return errs.Err()
}

func (p Profile) checkLevel(errs *lifecycle.FieldErrors) {
	d, ok := demands[p.Level]
	if !ok {
		errs.Add("level", `use none, "*", "**" or "***", the stars in quotes`)
		return
	}
	if p.Level != LevelNone && (p.Kind == Staff || p.Kind == ServiceClient) {
		errs.Add("level", "is none: the levels that are known here are those of holders' certificates (RGS A2)")
	}
	if d.device && !p.Device {
		errs.Add("device", fmt.Sprintf("level %s needs a key in a cryptographic device", p.Level))
	}
	if d.faceToFace && !p.FaceToFace {
		errs.Add("face_to_face", fmt.Sprintf("level %s needs the holder to be met", p.Level))
	}
	const longest, most = 30, 8
	if p.RetentionYears < d.retention || p.RetentionYears > longest {
		errs.Add("retention_years", fmt.Sprintf("level %s keeps the dossier for %d to %d years after the certificate's end", p.Level, d.retention, longest))
	}
	if fewest := p.Level.fewest(); p.RevocationQuestions < fewest || p.RevocationQuestions > most {
		errs.Add("revocation_questions", fmt.Sprintf("at level %s a caller answers %d to %d", p.Level, fewest, most))
	}
}

func (p Profile) checkLife(errs *lifecycle.FieldErrors) {
	const longYear = 365 // a life in days alone may be three of these
	switch {
	case p.Years < 0 || p.Days < 0 || p.Years+p.Days == 0:
		errs.Add("years", "give a life of at least one day, in years and days")
	case p.Years > MaxYears || p.Days > MaxYears*longYear || p.Years*longYear+p.Days > MaxYears*longYear:
		errs.Add("years", "a certificate lives three years at most (RGS A2)")
	}
}

func (p Profile) checkUsage(errs *lifecycle.FieldErrors) {
	if !chosen(errs, "key_usage", p.KeyUsage, true, DigitalSignature, NonRepudiation) {
		return
	}
	both := len(p.KeyUsage) > 1
	switch p.Kind {
	case PersonAuthentication:
		if !both && p.KeyUsage[0] != DigitalSignature {
			errs.Add("key_usage", "authentication is digital_signature (EN 319 412-2 type C)")
		}
		if both && !demands[p.Level].bothUsages {
			errs.Add("key_usage", "a key for authentication and signature is of level * or ** only (RGS A2 I.1.1)")
		}
		chosen(errs, "extended_key_usage", p.Purposes, false, ClientAuth, EmailProtection, DocumentSigning)
	case PersonSignature:
		if both || p.KeyUsage[0] != NonRepudiation {
			errs.Add("key_usage", "signature is non_repudiation alone (EN 319 412-2 type A)")
		}
		chosen(errs, "extended_key_usage", p.Purposes, false, EmailProtection, DocumentSigning)
	case Staff, ServiceClient:
		if both || p.KeyUsage[0] != DigitalSignature {
			errs.Add("key_usage", "a TLS client's is digital_signature")
		}
		chosen(errs, "extended_key_usage", p.Purposes, true, ClientAuth)
	}
}

// chosen tells whether each of a list is one of some, and no one there twice.
func chosen[T ~string](errs *lifecycle.FieldErrors, field string, list []T, needed bool, of ...T) bool {
	for i, v := range list {
		if !slices.Contains(of, v) || slices.Contains(list[:i], v) {
			errs.Add(field, "use "+words(of)+", each once")
			return false
		}
	}
	if needed && len(list) == 0 {
		errs.Add(field, "use at least one of "+words(of))
		return false
	}
	return true
}

func words[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}
