package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"time"

	"sceau/lifecycle"
)

// Sample makes a certificate of a profile for nobody, signed with keys that are
// thrown away, and lints it: what an approver looks at before any real key signs
// by the profile. A draft that breaks a rule is [lifecycle.Invalid].
func Sample(p Profile, now time.Time) (*x509.Certificate, error) {
	root, issuing, end, err := threeKeys()
	if err != nil {
		return nil, err
	}
	bank := Name{CommonName: "Specimen Root", Organization: "Specimen Bank", OrganizationID: "NTRFR-732829320", RegistryNumber: "732829320", Country: "FR"}
	self, err := SelfSignRoot(root, bank, now)
	if err != nil || p.Kind == KindRoot {
		return self, err
	}
	above := &Issuer{ID: "specimen-root", PublicBase: "http://pki.example", Certificate: self}
	if p.Kind == KindCross {
		bank.CommonName = "Specimen Next Root"
		next, err := SelfSignRoot(end, bank, now)
		if err != nil {
			return nil, err
		}
		return SignCross(above, root, next, drawSerial(), now)
	}
	bank.CommonName = "Specimen Issuing"
	certificate, err := SignIssuing(above, root, issuing.Public(), bank, drawSerial(), now)
	if err != nil || p.Kind == KindIssuing {
		return certificate, err
	}
	issuer := &Issuer{ID: "specimen-issuing", PublicBase: "http://pki.example", Certificate: certificate}
	if p.Kind != KindPerson && p.Kind != KindService {
		bank.CommonName = "Specimen"
		b := blueprint{profile: p, key: end.Public(), serial: drawSerial(), now: now}
		if p.Kind == KindServer {
			b.dnsNames = []string{"specimen.example"}
		}
		return signNamed(issuer, issuing, b, bank)
	}
	subject := Subject{
		Organization: "Ateliers Spécimen", OrganizationID: "NTRFR-552100554", RegistryNumber: "552100554", Country: "FR", Test: true,
	}
	if p.Kind == KindService {
		subject.Service = "paie.example"
	} else {
		subject.GivenName, subject.Surname, subject.HolderNumber, subject.Email = "Personne", "D'Exemple", "00000000-0000", "personne@example.test"
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, end)
	if err != nil {
		return nil, fmt.Errorf("make a specimen's request: %w", err)
	}
	request, err := ParseRequest(der)
	if err != nil {
		return nil, err
	}
	p.Keys = append(p.Keys[:len(p.Keys):len(p.Keys)], "P-256") // whatever the profile takes, the specimen's is small
	draft, err := issuer.Prepare(p, request, subject, drawSerial(), 0, now)
	if err != nil {
		return nil, err
	}
	return issuer.Sign(draft, issuing)
}

// threeKeys are thrown away after use.
func threeKeys() (root, issuing, end crypto.Signer, err error) {
	var keys [3]crypto.Signer
	for i := range keys {
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, nil, nil, fmt.Errorf("make a specimen's key: %w", err)
		}
	}
	return keys[0], keys[1], keys[2], nil
}

func drawSerial() lifecycle.Serial {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return lifecycle.SerialFrom(random)
}
