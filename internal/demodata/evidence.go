package demodata

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"

	"sceau/evidence"
	"sceau/issuance"
	"sceau/lifecycle"
)

// Evidence is what a user of the sample bank's customers brings for a certificate.
type Evidence struct {
	Identity evidence.Identity
	Mandate  evidence.Mandate
	Extract  evidence.Extract
	Terms    evidence.Terms
	Scan     []byte // of the identity document
}

// EvidenceOf is a person's, of a company with the registry number: a French passport
// seen face to face a week ago, and the rest. The number follows from the person.
func EvidenceOf(givenName, surname, registryNumber string, now time.Time) (Evidence, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	sum := sha256.Sum256([]byte(givenName + "|" + surname + "|" + registryNumber))
	number, err := lifecycle.NewDocumentNumber(strings.ToUpper(hex.EncodeToString(sum[:5])))
	if err != nil {
		return Evidence{}, err
	}
	const week, years = 7, 5
	lately := today.AddDate(0, 0, -week)
	return Evidence{
		Identity: evidence.Identity{
			Type: evidence.Passport, Country: "FR", Number: number, Expires: today.AddDate(years, 0, 0), GivenName: givenName, Surname: surname,
			How: evidence.FaceToFace, Where: "Rennes", SeenOn: lately,
		},
		Mandate: evidence.Mandate{SignedBy: "Claire Montclair", SignedOn: lately.AddDate(0, 0, -week), AcceptedOn: lately},
		Extract: evidence.Extract{RegistryNumber: registryNumber, IssuedOn: lately},
		Terms:   evidence.Terms{Version: "2026-01", AcceptedOn: lately},
		Scan:    ScanOf(sum),
	}, nil
}

// ScanOf is a small picture that stands for the scan of a document.
func ScanOf(sum [32]byte) []byte {
	const cell = 8
	picture := image.NewGray(image.Rect(0, 0, cell*cell, 4*cell))
	for i, b := range sum {
		for y := range cell {
			for x := range cell {
				picture.SetGray(i%cell*cell+x, i/cell*cell+y, color.Gray{Y: b})
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return nil // memory only: cannot happen
	}
	return file.Bytes()
}

// Prove opens a dossier with all of it for the holder of a certificate's order, unless
// nothing is missing there.
func Prove(ctx context.Context, s *issuance.Service, by lifecycle.Actor, order lifecycle.OrderID, now time.Time) error {
	o, err := s.Order(ctx, order)
	if err != nil || o.Dossier == nil || len(o.Dossier.Missing) == 0 {
		return err
	}
	subject, err := s.SubjectOf(ctx, o.Certificate.ID)
	if err != nil {
		return err
	}
	e, err := EvidenceOf(o.GivenName, o.Surname, subject.RegistryNumber, now)
	if err != nil {
		return err
	}
	_, err = s.OpenDossier(ctx, by, o.Certificate.Holder, issuance.Paperwork{
		Identity: &e.Identity, Mandate: &e.Mandate, Extract: &e.Extract, Terms: &e.Terms,
		Scans: []issuance.ScanFile{{Kind: evidence.IdentityScan, Content: e.Scan}},
	})
	return err
}
