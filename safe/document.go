package safe

import "sceau/lifecycle"

const (
	numberName = "document number"
	scanName   = "scan"
)

// SealDocumentNumber seals the number of an identity document in a dossier, with the
// mark by which the same document is found in another: a number is one country's and
// one kind's.
func (s *Safe) SealDocumentNumber(dossier lifecycle.DossierID, kind, country string, n lifecycle.DocumentNumber) (sealed, mark []byte, err error) {
	text := n.Reveal()
	if sealed, err = s.Seal(numberName, string(dossier), []byte(text)); err != nil {
		return nil, nil, err
	}
	mark, err = s.Mark(numberName, kind+" "+country+" "+text)
	return sealed, mark, err
}

// OpenDocumentNumber gives back the number of a dossier's document.
func (s *Safe) OpenDocumentNumber(dossier lifecycle.DossierID, sealed []byte) (lifecycle.DocumentNumber, error) {
	text, err := s.Open(numberName, string(dossier), sealed)
	if err != nil {
		return lifecycle.DocumentNumber{}, err
	}
	return lifecycle.NewDocumentNumber(string(text))
}

// ResealDocumentNumber seals the number again; its mark stays.
func (s *Safe) ResealDocumentNumber(dossier lifecycle.DossierID, sealed []byte) ([]byte, error) {
	return s.Reseal(numberName, string(dossier), sealed)
}

// SealScan seals a scan.
func (s *Safe) SealScan(scan lifecycle.ScanID, content []byte) ([]byte, error) {
	return s.Seal(scanName, string(scan), content)
}

// OpenScan gives back a scan.
func (s *Safe) OpenScan(scan lifecycle.ScanID, sealed []byte) ([]byte, error) {
	return s.Open(scanName, string(scan), sealed)
}

// ResealScan seals a scan again.
func (s *Safe) ResealScan(scan lifecycle.ScanID, sealed []byte) ([]byte, error) {
	return s.Reseal(scanName, string(scan), sealed)
}
