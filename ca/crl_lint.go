package ca

import (
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// maxZlintList is up to how many octets zlint is asked about a list: it builds
// some hundred octets for each entry. The rules of our own walk a list of any
// size.
const maxZlintList = 8 << 20

// LintList holds a certificate revocation list, DER or PEM, against RFC 5280,
// ETSI EN 319 411 and the RGS: by zlint, and by rules of our own. Bytes that are
// no list are [lifecycle.Invalid].
func LintList(file []byte) ([]Finding, error) {
	der := listBytes(file)
	l, err := ReadCRL(der)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	if len(der) <= maxZlintList {
		if findings, err = zlintList(der); err != nil {
			return nil, err
		}
	}
	return append(findings, l.ownRules()...), nil
}

// IsList tells whether a file, DER or PEM, is a list and no certificate.
func IsList(file []byte) bool {
	if block, _ := pem.Decode(file); block != nil {
		return block.Type == "X509 CRL"
	}
	_, err := ReadCRL(file)
	return err == nil
}

func listBytes(file []byte) []byte {
	if block, _ := pem.Decode(file); block != nil {
		return block.Bytes
	}
	return file
}

func zlintList(der []byte) ([]Finding, error) {
	parsed, err := zx509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("%w: zlint cannot read the list: %w", lifecycle.Invalid, err)
	}
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: append(lintSources(), lint.Community)})
	if err != nil {
		return nil, fmt.Errorf("choose lints: %w", err)
	}
	result := zlint.LintRevocationListEx(parsed, registry)
	if result == nil {
		return nil, fmt.Errorf("%w: zlint does not judge the list", lifecycle.Invalid)
	}
	var findings []Finding
	for name, r := range result.Results {
		if r.Status < lint.Warn {
			continue
		}
		f := Finding{Rule: name, Severity: SeverityError, Text: r.Details}
		if r.Status == lint.Warn {
			f.Severity = SeverityWarning
		}
		if l := registry.RevocationListLints().ByName(name); l != nil {
			f.Source = l.Citation
			if f.Text == "" {
				f.Text = l.Description
			}
		}
		findings = append(findings, f)
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Rule, b.Rule) })
	return findings, nil
}

// longestCAList is how long a list of CAs may last (EN 319 411-1 CSS-6.3.9-12).
const longestCAList = 366 * 24 * time.Hour

// ownRules applies the rules of our own.
func (l *List) ownRules() []Finding {
	var findings []Finding
	broken := func(ok bool, rule, source, text string) {
		if !ok {
			findings = append(findings, Finding{rule, source, SeverityError, text})
		}
	}
	critical := l.criticality()
	has := func(oid []byte) bool { _, ok := critical[string(oid)]; return ok }
	delta := l.BaseNumber != 0
	broken(has(derAuthorityKeyID), "list-authority-key", "RFC 5280 §5.2.1", "authorityKeyIdentifier is missing")
	broken(!critical[string(derCRLNumber)], "list-number-not-critical", "RFC 5280 §5.2.3, RGS A4 III", "cRLNumber is critical")
	broken(!has(derDeltaCRLIndicator) || critical[string(derDeltaCRLIndicator)], "list-delta-critical", "RFC 5280 §5.2.4", "deltaCRLIndicator is not critical")
	broken(!has(derIssuingDP) || critical[string(derIssuingDP)], "list-scope-critical", "RFC 5280 §5.2.5", "issuingDistributionPoint is not critical")
	broken(!critical[string(derFreshestCRL)], "list-freshest-not-critical", "RFC 5280 §5.2.6", "freshestCRL is critical")
	broken(!delta || !has(derFreshestCRL), "list-delta-freshest", "RFC 5280 §5.2.6", "a delta carries freshestCRL")
	broken(!delta || l.BaseNumber < l.Number, "list-delta-base", "RFC 5280 §5.2.4", "the base's number is not below the delta's own")
	broken(l.NextUpdate.After(l.ThisUpdate), "list-times", "RFC 5280 §5.1.2.5", "nextUpdate does not follow thisUpdate")
	last := l.NextUpdate.Equal(lastOfAll) // EN 319 411-1 CSS-6.3.9-06
	broken(last || !l.ofCAs() || l.NextUpdate.Sub(l.ThisUpdate) <= longestCAList, "list-of-cas-life", "EN 319 411-1 CSS-6.3.9-12", "it lasts longer than a year")
	if text := l.entryRules(); text != "" {
		broken(false, "list-entries", "RFC 5280 §5.3", text)
	}
	return findings
}

// lastOfAll is the nextUpdate of a last list.
var lastOfAll = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ofCAs tells whether the scope is CA certificates alone.
func (l *List) ofCAs() bool {
	scope := CRL{OnlyCA: true}
	var body, name cryptobyte.String
	distribution := cryptobyte.String(l.Distribution)
	if !distribution.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadOptionalASN1(&name, nil, explicit(0)) {
		return false
	}
	var own cryptobyte.String
	scoped := cryptobyte.String(scope.Scope())
	return scoped.ReadASN1(&own, cbasn1.SEQUENCE) && string(body) == string(own)
}

// criticality tells of each extension whether it is critical.
func (l *List) criticality() map[string]bool {
	critical := map[string]bool{}
	tbs, body, outer, extensions := cryptobyte.String(l.tbs), cryptobyte.String(nil), cryptobyte.String(nil), cryptobyte.String(nil)
	var name cryptobyte.String
	var thisUpdate, nextUpdate time.Time
	if !tbs.ReadASN1(&body, cbasn1.SEQUENCE) || !readCRLHead(&body, &name, &thisUpdate, &nextUpdate) ||
		!body.SkipOptionalASN1(cbasn1.SEQUENCE) || !body.ReadASN1(&outer, explicit(0)) || !outer.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return critical // never: the list was read
	}
	for !extensions.Empty() {
		oid, is, _, ok := readExtension(&extensions)
		if !ok {
			return critical
		}
		critical[oid] = is
	}
	return critical
}

// entryRules looks at each entry: serials rise, none is revoked after
// thisUpdate, a reason is one, and removeFromCRL stands in deltas only.
func (l *List) entryRules() string {
	var before lifecycle.Serial
	for r, err := range l.All() {
		switch {
		case err != nil:
			return "an entry is malformed"
		case slices.Compare(before[:], r.Serial[:]) >= 0:
			return "its serials do not rise: one stands twice, or in the wrong place"
		case r.At.After(l.ThisUpdate):
			return "serial " + r.Serial.String() + " is revoked after thisUpdate"
		case checkReason(r.Reason, l.BaseNumber != 0) != nil:
			return "serial " + r.Serial.String() + " has a reason that no such list may have"
		}
		before = r.Serial
	}
	return ""
}
