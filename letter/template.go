package letter

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"strings"
	"sync"

	"sceau/lifecycle"
	"sceau/party"
)

//go:embed templates/card.yaml templates/pin.yaml
var builtIn embed.FS

// Template is what a bank says in one kind of letter, in each language, and its
// logo: data, never a program. [ParseTemplate] makes one; it never changes, so
// that many may set letters with it at the same time.
type Template struct {
	kind      lifecycle.PrintKind
	words     map[party.Language]*words
	logo      *logo // nil: the bank's initial and name
	canonical []byte
}

// Kind is the kind of letter that it is for.
func (t *Template) Kind() lifecycle.PrintKind { return t.kind }

// Canonical is the template as it is kept: the same texts give the same bytes,
// however the file was written.
func (t *Template) Canonical() []byte { return t.canonical }

// Sum is the SHA-256 of the canonical form: what is previewed, and approved.
func (t *Template) Sum() [32]byte { return sha256.Sum256(t.canonical) }

// BuiltIn is the template of a bank that has none of its own.
func BuiltIn(kind lifecycle.PrintKind) (*Template, error) {
	if kind == lifecycle.PrintPIN {
		return builtInPIN()
	}
	return builtInCard()
}

// They are parsed once a process.
var (
	builtInCard = sync.OnceValues(func() (*Template, error) { return readBuiltIn("card") })
	builtInPIN  = sync.OnceValues(func() (*Template, error) { return readBuiltIn("pin") })
)

func readBuiltIn(name string) (*Template, error) {
	file, err := builtIn.ReadFile("templates/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read the built-in template: %w", err)
	}
	t, err := ParseTemplate(file)
	if err != nil {
		return nil, fmt.Errorf("the built-in %s template: %w", name, err)
	}
	return t, nil
}

// placeholder is what a text may name and each letter fills in.
type placeholder int

const (
	thePhone placeholder = iota
	theWebsite
	theBank
	theHolder
	theCompany
	theProduct
	theLast4
	theExpiry
	theClientID
	theUserNumber
	theBranch
	thePIN
	placeholders
	theWarning // filled in when the template is read
)

// placeholderNames are all that there are; a slot says which of them it may
// have.
func placeholderNames() map[string]placeholder {
	return map[string]placeholder{
		"phone": thePhone, "website": theWebsite, "bank": theBank, "holder": theHolder, "company": theCompany, "product": theProduct,
		"last4": theLast4, "expiry": theExpiry, "client_id": theClientID, "user_number": theUserNumber, "branch": theBranch,
		"pin": thePIN, "warning": theWarning,
	}
}

func (p placeholder) String() string {
	for name, known := range placeholderNames() {
		if known == p {
			return "{" + name + "}"
		}
	}
	return "{?}"
}

// ofTheHouse tells what is the same in all letters to a country: it may stand in
// the content that pages share.
func (p placeholder) ofTheHouse() bool {
	return p == thePhone || p == theWebsite || p == theBank || p == theWarning
}

// text is a text of a template, cut at its placeholders.
type text struct {
	parts    []piece
	personal bool // it names what only one letter has
}

// piece is a literal, or a placeholder.
type piece struct {
	literal string
	filled  bool
	by      placeholder
}

// values are what one letter fills in.
type values [placeholders]string

// fill gives the text of one letter. A value is set as it is, whatever it
// contains: nothing in it is a placeholder.
func (t text) fill(v *values) string {
	if len(t.parts) == 1 && !t.parts[0].filled {
		return t.parts[0].literal
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.filled {
			b.WriteString(v[p.by])
		} else {
			b.WriteString(p.literal)
		}
	}
	return b.String()
}

// wants tells whether some text of the letter has the placeholder.
func (w *words) wants(p placeholder) bool { return w.wanted[p] }

// slot is a text that a template has: where it stands in the file, how long it
// may be, what may be filled in and what must be.
type slot struct {
	path string
	most int // characters
	may  []placeholder
	must []placeholder
	into func(*words) *text
}

const (
	mostLabel   = 28
	mostTitle   = 70
	mostText    = 600
	mostStep    = 100
	mostSteps   = 6
	mostFurther = 2
)

// slotsOf are the texts of a kind of letter, in the order of the file.
func slotsOf(kind lifecycle.PrintKind) []slot {
	label := func(name string, into func(*words) *text) slot {
		return slot{path: "labels." + name, most: mostLabel, into: into}
	}
	opening := []slot{
		{path: "subject", most: 60, into: func(w *words) *text { return &w.subject }},
		{path: "salutation", most: mostLabel, into: func(w *words) *text { return &w.salutation }},
		{path: "closing", most: mostTitle, into: func(w *words) *text { return &w.closing }},
		label("date", func(w *words) *text { return &w.labels.date }),
		label("phone", func(w *words) *text { return &w.labels.phone }),
		label("website", func(w *words) *text { return &w.labels.website }),
	}
	if kind == lifecycle.PrintPIN {
		may := []placeholder{thePhone, theBank, theHolder}
		slots := append(opening,
			label("code", func(w *words) *text { return &w.labelCode }),
			slot{path: "intro", most: mostText, may: may, into: func(w *words) *text { return &w.intro }},
			slot{path: "code", most: len("{pin}"), may: []placeholder{thePIN}, must: []placeholder{thePIN}, into: func(w *words) *text { return &w.code }})
		slots = append(slots, sectionSlots("learn", may, nil, func(w *words) *section { return &w.learn })...)
		slots = append(slots, sectionSlots("use", may, nil, func(w *words) *section { return &w.use })...)
		slots = append(slots, sectionSlots("opened", may, []placeholder{thePhone}, func(w *words) *section { return &w.opened })...)
		return append(slots, adviceSlots(may)...)
	}
	may := []placeholder{
		thePhone, theWebsite, theBank, theHolder, theCompany, theProduct, theLast4, theExpiry, theClientID, theUserNumber,
	}
	atBranch := append([]placeholder{theBranch}, may...)
	slots := append(opening,
		label("product", func(w *words) *text { return &w.labels.product }),
		label("card", func(w *words) *text { return &w.labels.card }),
		label("expiry", func(w *words) *text { return &w.labels.expiry }),
		label("client_id", func(w *words) *text { return &w.labels.clientID }),
		label("user_number", func(w *words) *text { return &w.labels.userNumber }),
		label("card_here", func(w *words) *text { return &w.labels.cardHere }),
		slot{path: "intro.home", most: mostText, may: may, into: func(w *words) *text { return &w.intro }},
		slot{path: "intro.branch", most: mostText, may: atBranch, into: func(w *words) *text { return &w.introBranch }})
	slots = append(slots, sectionSlots("collect", atBranch, nil, func(w *words) *section { return &w.collect })...)
	slots = append(slots, slot{path: "reader.title", most: mostTitle, into: func(w *words) *text { return &w.reader.title }})
	slots = append(slots, sectionSlots("blocked", may, []placeholder{thePhone}, func(w *words) *section { return &w.blocked })...)
	slots = append(slots, sectionSlots("lost", may, []placeholder{thePhone}, func(w *words) *section { return &w.lost })...)
	slots = append(slots, sectionSlots("activate", may, nil, func(w *words) *section { return &w.activate })...)
	return append(slots, adviceSlots(may)...)
}

func sectionSlots(name string, may, must []placeholder, of func(*words) *section) []slot {
	return []slot{
		{path: name + ".title", most: mostTitle, into: func(w *words) *text { return &of(w).title }},
		{path: name + ".text", most: mostText, may: may, must: must, into: func(w *words) *text { return &of(w).text }},
	}
}

// adviceSlots are the advice on thieves: what nobody ever asks for stands in it,
// in the house's words.
func adviceSlots(may []placeholder) []slot {
	return sectionSlots("advice", append([]placeholder{theWarning}, may...), []placeholder{theWarning, thePhone},
		func(w *words) *section { return &w.advice })
}
