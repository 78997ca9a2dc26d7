package issuance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// statements are what a holder signs, in their language: certificate, serial
// number, fingerprint.
var statements = map[party.Language]string{
	party.French: "Je reconnais avoir reçu le certificat %s, numéro de série %s, empreinte SHA-256 %s. " +
		"J'ai vérifié son contenu, il est exact, et je l'accepte.\n",
	party.Dutch: "Ik heb het certificaat %s, serienummer %s, SHA-256-vingerafdruk %s ontvangen. " +
		"Ik heb de inhoud gecontroleerd, die is juist, en ik aanvaard het certificaat.\n",
	party.German: "Ich habe das Zertifikat %s, Seriennummer %s, SHA-256-Fingerabdruck %s erhalten. " +
		"Ich habe seinen Inhalt geprüft, er ist richtig, und ich nehme es an.\n",
	party.English: "I have received certificate %s, serial number %s, SHA-256 fingerprint %s. " +
		"I have checked its content, it is right, and I accept it.\n",
}

// Statement is the text that the holder of an issued certificate signs to accept
// it, in a language, French for any other. It holds nothing but what the
// certificate's own bytes fix.
func (v CertificateView) Statement(language party.Language) string {
	text, ok := statements[language]
	if !ok {
		text = statements[party.French]
	}
	return fmt.Sprintf(text, v.ID, v.Serial, Fingerprint(v.DER))
}

// Fingerprint is a certificate's SHA-256 as openssl prints it.
func Fingerprint(der []byte) string {
	digest := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", digest), " ", ":")
}

// Accept records that the holder has the certificate and finds its content
// right (ETSI EN 319 411-1 §6.3.4), with the statement that they signed by its
// key as evidence. Accepting again changes nothing.
func (s *Service) Accept(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, signature []byte) error {
	const longest = 2048
	if len(signature) == 0 || len(signature) > longest {
		return &lifecycle.FieldError{Field: "signature", Why: "is empty or too long: send the signature of the statement, at most 2048 octets"}
	}
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		if cert.State == lifecycle.CertActive && by == holderOf(*cert) {
			return nil
		}
		detail := map[string]string{}
		if cert.State == lifecycle.CertIssued { // else the move says what is wrong
			statement, language := s.signed(certificateView(*cert), signature)
			if statement == "" {
				return &lifecycle.FieldError{Field: "signature", Why: "is not that of the statement by the certificate's key, with SHA-256"}
			}
			detail["language"] = string(language)
			err := tx.InsertAcceptance(ctx, db.InsertAcceptanceParams{CertificateID: id, Statement: statement, Signature: signature, AcceptedAt: s.now()})
			if err != nil {
				return fmt.Errorf("certificate %s: keep its acceptance: %w", id, err)
			}
		}
		if err := s.moveCertificate(ctx, tx, cert, lifecycle.Accept, by, "", detail); err != nil {
			return err
		}
		return s.endCodeTx(ctx, tx, id)
	})
}

// signed finds the statement that was signed: the holder may have read it in any
// of the languages.
func (s *Service) signed(v CertificateView, signature []byte) (statement string, language party.Language) {
	for language := range statements {
		if text := v.Statement(language); s.ca.CheckAcceptance(v.DER, []byte(text), signature) == nil {
			return text, language
		}
	}
	return "", ""
}

// RefuseContent ends a certificate whose holder finds its content wrong, and has
// a member of staff see to it. The reason on the lists is superseded: its key is
// as good as ever, and a certificate with the right content comes in its place.
func (s *Service) RefuseContent(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, why string) error {
	const longest = 400
	why = strings.TrimSpace(why)
	if n := utf8.RuneCountInString(why); n == 0 || n > longest || !utf8.ValidString(why) {
		return &lifecycle.FieldError{Field: "reason", Why: fmt.Sprintf("has 1 to %d characters: say what is wrong in the certificate", longest)}
	}
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		switch {
		case cert.State == lifecycle.CertRevoked && by == holderOf(*cert):
			return nil
		case cert.State != lifecycle.CertIssued:
			return fmt.Errorf("certificate %s: %w: the content of one that is %s is not refused", id, lifecycle.Illegal, cert.State)
		}
		at := s.now().Truncate(time.Second)
		if err := s.revokeTx(ctx, tx, by, cert, at, Revocation{Reason: lifecycle.ReasonSuperseded}); err != nil {
			return err
		}
		if _, err := s.openWorkTx(ctx, tx, by, lifecycle.Certificates.Thing, string(id), nil, why); err != nil {
			return err
		}
		return s.endCodeTx(ctx, tx, id)
	})
}

func (s *Service) endCodeTx(ctx context.Context, tx store.Tx, id lifecycle.CertificateID) error {
	if err := tx.EndEnrolmentCode(ctx, id); err != nil {
		return fmt.Errorf("certificate %s: end its code: %w", id, err)
	}
	return nil
}

// Evidence is what is kept of a holder's enrolment.
type Evidence struct {
	Device    *Device // where the key is, as the holder's tool said; nil: in a file, or nobody said
	Statement string  // that was signed; "" before
	Signature []byte
	Accepted  time.Time
}

// EvidenceOf reads what is kept of an enrolment.
func (s *Service) EvidenceOf(ctx context.Context, id lifecycle.CertificateID) (Evidence, error) {
	var e Evidence
	device, err := s.store.KeyDevice(ctx, id)
	if err == nil {
		e.Device = &Device{Manufacturer: device.Manufacturer, Model: device.Model, Serial: device.Serial}
	} else if !isNotFound(err) {
		return e, fmt.Errorf("device of certificate %s: %w", id, err)
	}
	accepted, err := s.store.Acceptance(ctx, id)
	if err == nil {
		e.Statement, e.Signature, e.Accepted = accepted.Statement, accepted.Signature, accepted.AcceptedAt.UTC()
	} else if !isNotFound(err) {
		return e, fmt.Errorf("acceptance of certificate %s: %w", id, err)
	}
	return e, nil
}
