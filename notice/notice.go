// Package notice writes what a holder is told of a certificate, of a correction of
// what the bank has on record, or of a security setting that is to be loosened, by e-mail: a
// subject and a plain text, in the holder's language. Each says that the bank
// asks for no code, and none carries a code, a link, or an identifier with which
// somebody could try to sign in.
//
// It never sends anything, and knows no address. Data runs in one direction:
// values in, text out.
package notice

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
)

// Notice is what there is to tell.
type Notice struct {
	Kind         lifecycle.NoticeKind
	Days         int // before the end, of an expiry notice
	Corrected    lifecycle.Corrections
	Setting      int                 // its number, from 1
	Change       lifecycle.SettingID // by which it can be stopped
	Language     party.Language
	GivenName    string
	Surname      string
	Organisation string
	Serial       lifecycle.Serial // its end is shown
	At           time.Time        // when it happened
	Ends         time.Time        // of the certificate; or when the change of a setting takes effect
	Reason       lifecycle.RevocationReason
	Bank         string
	Phone        string
}

// Text is a notice as it is sent.
type Text struct{ Subject, Body string }

// serialEnd are the octets of a serial number that tell a holder's certificates
// apart.
const serialEnd = 4

// width of a line, so that no mail program breaks it elsewhere (RFC 3676 §4.2).
const width = 72

// Compose writes a notice. Names are held against the rules by which they were
// taken: nothing in them can end a line or begin a header.
func Compose(n Notice) (Text, error) {
	w, ok := tongues()[n.Language]
	if !ok {
		return Text{}, &lifecycle.FieldError{Field: "language", Why: "use fr, nl, de or en"}
	}
	if err := n.check(); err != nil {
		return Text{}, err
	}
	told, ok := w.told[n.Kind]
	if n.Kind == lifecycle.NoticeExpiring {
		told, ok = w.expiring[n.Days]
	}
	if !ok {
		return Text{}, &lifecycle.FieldError{Field: "kind", Why: fmt.Sprintf("nothing is told of %q, %d days", n.Kind, n.Days)}
	}
	// One pass: what stands in a name is not looked at again. Dates are those of
	// UTC, by which a certificate ends.
	fill := strings.NewReplacer("{bank}", n.Bank, "{phone}", n.Phone, "{name}", n.GivenName+" "+n.Surname, "{company}", n.Organisation,
		"{at}", n.Language.Date(n.At.UTC()), "{ends}", n.Language.Date(n.Ends.UTC()), "{corrected}", w.list(n.Corrected),
		"{setting}", w.setting(n.Setting), "{change}", string(n.Change), "{hour}", n.Ends.UTC().Format("15:04"), "{serial}", fmt.Sprintf("%X", n.Serial[len(n.Serial)-serialEnd:]))
	paragraphs := append([]string{w.salutation}, told.text...)
	if reason := w.reasons[n.Reason]; n.Kind == lifecycle.NoticeRevoked && reason != "" {
		paragraphs = append(paragraphs[:2:2], append([]string{reason}, paragraphs[2:]...)...)
	}
	about := w.certificate
	if n.Kind == lifecycle.NoticeCorrected || n.Kind == lifecycle.NoticeSetting {
		about = w.holder
	}
	paragraphs = append(paragraphs, about, w.warning, "{bank}")
	for i, p := range paragraphs {
		paragraphs[i] = wrap(fill.Replace(p))
	}
	return Text{Subject: fill.Replace("{bank}" + w.colon + told.subject), Body: strings.Join(paragraphs, "\n\n") + "\n"}, nil
}

func (n Notice) check() error {
	var wrong lifecycle.FieldErrors
	wrong.AddError("given_name", party.CheckName("given_name", n.GivenName))
	wrong.AddError("surname", party.CheckName("surname", n.Surname))
	wrong.AddError("organisation", party.CheckOrganisation("organisation", n.Organisation))
	wrong.AddError("bank", party.CheckOrganisation("bank", n.Bank))
	if n.Phone == "" || strings.Trim(n.Phone, "+0123456789 ().-/") != "" {
		wrong.Add("phone", "write the bank's telephone number in digits, as +33 2 61 91 00 00")
	}
	if n.Kind == lifecycle.NoticeCorrected && (n.Corrected < 1 || n.Corrected >= 1<<len(words{}.corrected)) {
		wrong.Add("corrected", "say what was corrected")
	}
	if n.Kind == lifecycle.NoticeSetting && (n.Setting < 1 || n.Setting > len(words{}.settings) || lifecycle.CheckID(lifecycle.PrefixSetting, string(n.Change)) != nil) {
		wrong.Add("setting", "say which one is loosened, by which change")
	}
	if n.At.IsZero() || n.Ends.IsZero() && n.Kind != lifecycle.NoticeRevoked && n.Kind != lifecycle.NoticeCorrected {
		wrong.Add("date", "is missing")
	}
	return wrong.Err()
}

// wrap breaks lines at spaces.
func wrap(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		column := 0
		for word := range strings.FieldsSeq(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case column == 0:
			case column+1+n > width:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
	}
	return b.String()
}
