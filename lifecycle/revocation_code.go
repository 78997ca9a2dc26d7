package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// RevocationCode is the secret with which a certificate is revoked without signing
// in. It looks and hides itself as an enrolment code does, and is none: its hash
// is another.
type RevocationCode struct{ EnrolmentCode }

// NewRevocationCode makes a code of 16 random octets.
func NewRevocationCode(random [16]byte) RevocationCode {
	return RevocationCode{NewEnrolmentCode(random)}
}

// ParseRevocationCode takes a code as a person types it.
func ParseRevocationCode(typed string) (RevocationCode, error) {
	code, err := ParseEnrolmentCode(typed)
	return RevocationCode{code}, err
}

// Hash is what is kept of the code, bound to its certificate.
func (c RevocationCode) Hash(id CertificateID) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "sceau revocation\n%s\n%s", id, c.text.reveal()))
}

// ParseSerial reads a serial number in hexadecimal as people paste it: case,
// colons and spaces do not matter.
func ParseSerial(typed string) (Serial, error) {
	const longest = 100
	var raw []byte
	err := error(Invalid)
	if len(typed) <= longest {
		raw, err = hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(strings.TrimSpace(typed)))
	}
	if err != nil || len(raw) != len(Serial{}) {
		return Serial{}, &FieldError{Field: "serial", Why: "a serial number has 32 hexadecimal digits"}
	}
	return Serial(raw), nil
}
