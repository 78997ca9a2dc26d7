package issuance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Device is where a holder's key was made and stays, as their tool says.
type Device struct{ Manufacturer, Model, Serial string }

func (d Device) check() error {
	var errs lifecycle.FieldErrors
	for _, part := range []struct{ name, value string }{{"manufacturer", d.Manufacturer}, {"model", d.Model}, {"serial", d.Serial}} {
		const longest = 64
		if part.value == "" || len(part.value) > longest || !printable(part.value) {
			errs.Add("device."+part.name, "has 1 to 64 printable characters, as the device says")
		}
	}
	return errs.Err()
}

func printable(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(text)
}

// TakeKey takes the holder's certificate request. It is refused, and nothing
// changes, unless it proves possession of a good key, names nobody else, and
// its key is in no other certificate, nobody else's and not blocked. device says
// where the key is, nil for a file, which some profiles refuse. Serial and CRL
// shard are reserved here, long before the signature: whatever happens, they can
// be revoked.
func (s *Service) TakeKey(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, csr []byte, device *Device) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCertificate, string(id)); err != nil {
		return err
	}
	if device != nil {
		if err := device.check(); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
	}
	subject, err := s.SubjectOf(ctx, id)
	if err != nil {
		return err
	}
	profile, err := s.ProfileOf(ctx, id)
	if err != nil {
		return err
	}
	spki, err := s.ca.CheckCSR(csr, subject, profile.Profile) // outside the transaction: it costs a signature check
	if err != nil {
		return fmt.Errorf("certificate %s: %w", id, err)
	}
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		if cert.State == lifecycle.CertIssuing && subtle.ConstantTimeCompare(cert.SPKISHA256, spki[:]) == 1 {
			return nil // the same key again: taken already
		}
		if device == nil && profile.Device {
			return &lifecycle.FieldError{Field: "device", Why: "is missing: this certificate's key must be made on a device and stay there"}
		}
		if err := s.usableTx(ctx, tx, spki[:]); err != nil {
			return err
		}
		if cert.State == lifecycle.CertAwaitingKey { // else the move says what is wrong
			if err := s.drawSerialTx(ctx, tx, cert); err != nil {
				return err
			}
		}
		if err := tx.SetCertificateKey(ctx, csr, spki[:], id); err != nil {
			if errors.Is(err, lifecycle.Conflict) {
				return &lifecycle.FieldError{Field: "csr", Why: "this key is in another certificate: make a new key"}
			}
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		detail, err := s.keepDeviceTx(ctx, tx, id, device)
		if err != nil {
			return fmt.Errorf("device of certificate %s: %w", id, err)
		}
		return s.moveCertificate(ctx, tx, cert, lifecycle.TakeKey, by, "", detail)
	})
}

// keepDeviceTx records where the key is said to be, in the place of what an
// earlier request said.
func (s *Service) keepDeviceTx(ctx context.Context, tx store.Tx, id lifecycle.CertificateID, device *Device) (map[string]string, error) {
	if device == nil {
		return nil, tx.ForgetKeyDevice(ctx, id)
	}
	return map[string]string{"manufacturer": device.Manufacturer, "model": device.Model, "serial": device.Serial},
		tx.SetKeyDevice(ctx, db.SetKeyDeviceParams{
			CertificateID: id, Manufacturer: device.Manufacturer, Model: device.Model, Serial: device.Serial, ClaimedAt: s.now(),
		})
}

// usableTx refuses keys that are blocked, and those of the house. It waits for
// whoever blocks this key now.
func (s *Service) usableTx(ctx context.Context, tx store.Tx, spki []byte) error {
	if err := tx.LockKey(ctx, spki); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	blocked, err := tx.KeyIsBlocked(ctx, spki)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if blocked {
		return &lifecycle.FieldError{Field: "csr.key", Why: "is blocked: it was reported as compromised; make a new key"}
	}
	house, err := tx.HouseCertificateFiles(ctx)
	if err != nil {
		return fmt.Errorf("keys of the house: %w", err)
	}
	for _, der := range house {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			continue // it has no key that a request could have
		}
		if digest := sha256.Sum256(c.RawSubjectPublicKeyInfo); bytes.Equal(digest[:], spki) {
			return &lifecycle.FieldError{Field: "csr.key", Why: "is a key of this house: make a new key"}
		}
	}
	return nil
}

// BlockKey has a key never certified again, for ever: somebody else has it, or can
// compute it. A certificate that has it is revoked for keyCompromise, and named.
func (s *Service) BlockKey(ctx context.Context, by lifecycle.Actor, spki [32]byte, why string) (lifecycle.CertificateID, error) {
	const longest = 400
	if by.Role != lifecycle.RoleSecurityOfficer {
		return "", fmt.Errorf("key: %w: %s blocks no key", lifecycle.Forbidden, by.Role)
	}
	if n := utf8.RuneCountInString(why); n == 0 || n > longest || !utf8.ValidString(why) {
		return "", &lifecycle.FieldError{Field: "why", Why: fmt.Sprintf("has 1 to %d characters: say how it became known", longest)}
	}
	var used lifecycle.CertificateID
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		var err error
		used, err = tx.CertificateIDByKey(ctx, spki[:])
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("key: %w", err)
		}
		if used != "" { // the certificate first, then the key, as everybody does
			cert, err := tx.LockCertificate(ctx, used)
			if err != nil {
				return fmt.Errorf("certificate %s: %w", used, err)
			}
			if lifecycle.Certificates.Can(cert.State, lifecycle.Revoke) {
				at := s.now().Truncate(time.Second)
				if cert.RevokedAt != nil { // on hold
					at = *cert.RevokedAt
				}
				if err := s.revokeTx(ctx, tx, by, &cert, at, Revocation{Reason: lifecycle.ReasonKeyCompromise}); err != nil {
					return err
				}
			}
		}
		if err := s.blockKeyTx(ctx, tx, by, spki[:], why); err != nil || used != "" {
			return err
		}
		// Somebody may have had it certified before this transaction had the key.
		if again, err := tx.CertificateIDByKey(ctx, spki[:]); err == nil {
			return fmt.Errorf("key: %w: certificate %s was asked for with it just now: block it again", lifecycle.Conflict, again)
		} else if !isNotFound(err) {
			return fmt.Errorf("key: %w", err)
		}
		return nil
	})
	return used, err
}

// blockKeyTx blocks a key; once blocked, it stays as it is.
func (s *Service) blockKeyTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, spki []byte, why string) error {
	if err := tx.LockKey(ctx, spki); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	n, err := tx.BlockKey(ctx, db.BlockKeyParams{SPKISHA256: spki, Why: why, BlockedBy: by.ID, BlockedAt: s.now()})
	if err != nil {
		return fmt.Errorf("block a key: %w", err)
	}
	if n == 0 {
		return nil
	}
	const block lifecycle.Event = "block"
	return s.audit(ctx, tx, "key", change{id: fmt.Sprintf("%x", spki), on: block, by: by, detail: map[string]string{"why": why}}, "", "blocked")
}
