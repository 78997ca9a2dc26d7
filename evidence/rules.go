package evidence

import (
	"fmt"
	"slices"
	"time"

	"sceau/certprofile"
	"sceau/lifecycle"
)

// Dossier is what a completeness rule looks at; nil for what is not there.
type Dossier struct {
	Identity *Identity
	Mandate  *Mandate
	Extract  *Extract
	Terms    *Terms
	Scans    []ScanKind
	Contact  bool // the holder's e-mail and postal address are on record

	// Of a signed request: the level of the certificate, as it was when the evidence
	// came in.
	SignedAt certprofile.Level
}

// ways are those that a level takes (RGS A2 III.2.3): face to face only at ***; at **
// also a request signed at that level; at * a dossier on paper, too. A level that is
// not here asks for no dossier.
var ways = map[certprofile.Level][]Way{
	certprofile.LevelOne:   {FaceToFace, SignedRequest, PaperCopy},
	certprofile.LevelTwo:   {FaceToFace, SignedRequest},
	certprofile.LevelThree: {FaceToFace},
}

// Needed tells whether certificates of a profile take a dossier.
func Needed(p certprofile.Profile) bool {
	return p.Kind.Person() && len(ways[p.Level]) > 0 || p.FaceToFace
}

// Missing is everything that keeps certificates of a profile from being approved on a
// dossier, each with its field, the reason and what to do. Ages are those of a day:
// today, but for a re-key the one on which an approval relied on the dossier first.
// That the document is good is asked for today.
func Missing(d Dossier, p certprofile.Profile, asOf, today time.Time) lifecycle.FieldErrors {
	if !Needed(p) {
		return nil
	}
	var gaps lifecycle.FieldErrors
	missingIdentity(&gaps, d, p, asOf, today)
	if !slices.Contains(d.Scans, IdentityScan) {
		gaps.Add("scan.identity", "a copy of the document is missing: sceau dossier scan add")
	}
	switch m := d.Mandate; {
	case m == nil:
		gaps.Add("mandate", "is missing: have the legal representative sign one and the holder accept it, then sceau dossier add-mandate")
	case !fresh(m.SignedOn, asOf):
		gaps.Add("mandate.signed_on", fmt.Sprintf("is %d months ago or more: have a new one signed", FreshMonths))
	}
	switch e := d.Extract; {
	case e == nil:
		gaps.Add("extract", "is missing: ask the company for an extract from its register, then sceau dossier add-extract")
	case !fresh(e.IssuedOn, asOf):
		gaps.Add("extract.issued_on", fmt.Sprintf("is %d months ago or more: ask for a new extract", FreshMonths))
	}
	if d.Terms == nil {
		gaps.Add("terms", "are not accepted: have the holder accept them, then sceau dossier accept-terms")
	}
	if !d.Contact {
		gaps.Add("contact", "the holder's address is missing")
	}
	return gaps
}

func missingIdentity(gaps *lifecycle.FieldErrors, d Dossier, p certprofile.Profile, asOf, today time.Time) {
	i := d.Identity
	if i == nil {
		gaps.Add("identity", "is missing: see the holder's document, then sceau dossier add-identity")
		return
	}
	if i.Expires.Before(today) {
		gaps.Add("identity.expires", "the document has expired: open another dossier with one that is good")
	}
	if !fresh(i.SeenOn, asOf) {
		gaps.Add("identity.seen_on", fmt.Sprintf("is %d months ago or more: have the holder identified again", FreshMonths))
	}
	allowed := ways[p.Level]
	if p.FaceToFace {
		allowed = []Way{FaceToFace}
	}
	switch {
	case !slices.Contains(allowed, i.How):
		gaps.Add("identity.how", fmt.Sprintf("%s is too little for %s, level %s: use %s", i.How, p.Name, p.Level, list(allowed)))
	case i.How == SignedRequest && d.SignedAt != certprofile.LevelTwo && d.SignedAt != certprofile.LevelThree:
		gaps.Add("identity.signed_with", `the request is not signed at level ** or above: meet the holder`)
	}
}

func list(all []Way) string {
	text := ""
	for i, w := range all {
		if i > 0 {
			text += " or "
		}
		text += string(w)
	}
	return text
}
