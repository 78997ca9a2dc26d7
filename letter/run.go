package letter

import (
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

// RunInfo is what the document of a print run says of itself.
type RunInfo struct {
	Reference string // the run's identifier
	Bank      string
	Language  party.Language
	Date      time.Time
}

func (i RunInfo) metadata() metadata {
	return metadata{title: i.Reference, author: i.Bank, language: string(i.Language), date: i.Date}
}

// CardRun is the card letters of a print run, in one document: a page each, or
// in large print some more, in the order in which they were added. The zero value is not used: see
// [NewCardRun].
type CardRun struct {
	info RunInfo
	doc  *document
}

// PINRun is PIN letters in one document, as [CardRun] is card letters.
type PINRun struct {
	info RunInfo
	doc  *document
}

// NewCardRun begins a run in one language.
func NewCardRun(info RunInfo) (*CardRun, error) {
	t, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	return &CardRun{info, newDocument(t)}, nil
}

// NewPINRun begins a run of PIN letters.
func NewPINRun(info RunInfo) (*PINRun, error) {
	t, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	return &PINRun{info, newDocument(t)}, nil
}

// Add sets a letter on the next pages. A letter that is refused, as [CardLetter]
// refuses it, leaves the run as it was.
func (r *CardRun) Add(d CardLetterData) error {
	if err := r.info.speaks(d.Language); err != nil {
		return err
	}
	return r.doc.cardPage(d)
}

// Add sets a letter on the next pages. A letter that is refused, as [PINLetter]
// refuses it, leaves the run as it was.
func (r *PINRun) Add(d PINLetterData) error {
	if err := r.info.speaks(d.Language); err != nil {
		return err
	}
	return r.doc.pinPage(d)
}

func (i RunInfo) speaks(l party.Language) error {
	if l != i.Language {
		return &lifecycle.FieldError{Field: "language", Why: fmt.Sprintf("is %s, the run's is %s: a run has one language", l, i.Language)}
	}
	return nil
}

// Pages is how many pages the run has.
func (r *CardRun) Pages() int { return len(r.doc.pages) }

// Pages is how many pages the run has.
func (r *PINRun) Pages() int { return len(r.doc.pages) }

// PDF is the document. Equal letters give equal bytes.
func (r *CardRun) PDF() ([]byte, error) { return r.doc.bytes(r.info.metadata()) }

// PDF is the document, which the caller encrypts at once and clears. The run is
// over: its pages are cleared.
func (r *PINRun) PDF() ([]byte, error) {
	defer r.Forget()
	return r.doc.bytes(r.info.metadata())
}

// Forget clears the pages, which have PINs.
func (r *PINRun) Forget() { r.doc.forget() }
