package lifecycle

import (
	"fmt"
	"strings"
)

// RevocationReason is a CRLReason (RFC 5280 §5.3.1).
type RevocationReason int

// The reasons that Sceau uses. removeFromCRL (8) appears only in delta CRLs;
// 7 is unused by the RFC.
const (
	ReasonUnspecified          RevocationReason = 0
	ReasonKeyCompromise        RevocationReason = 1
	ReasonCACompromise         RevocationReason = 2
	ReasonAffiliationChanged   RevocationReason = 3
	ReasonSuperseded           RevocationReason = 4
	ReasonCessationOfOperation RevocationReason = 5
	ReasonCertificateHold      RevocationReason = 6
	ReasonRemoveFromCRL        RevocationReason = 8
	ReasonPrivilegeWithdrawn   RevocationReason = 9
	ReasonAACompromise         RevocationReason = 10
)

var reasonNames = map[RevocationReason]string{
	ReasonUnspecified: "unspecified", ReasonKeyCompromise: "keyCompromise", ReasonCACompromise: "cACompromise",
	ReasonAffiliationChanged: "affiliationChanged", ReasonSuperseded: "superseded",
	ReasonCessationOfOperation: "cessationOfOperation", ReasonCertificateHold: "certificateHold",
	ReasonRemoveFromCRL: "removeFromCRL", ReasonPrivilegeWithdrawn: "privilegeWithdrawn", ReasonAACompromise: "aACompromise",
}

// String is the name in RFC 5280.
func (r RevocationReason) String() string {
	if n, ok := reasonNames[r]; ok {
		return n
	}
	return fmt.Sprintf("reason(%d)", int(r))
}

// ParseRevocationReason reads a name of RFC 5280 that a person may give for a
// final revocation of an end-entity certificate: hold has its own event,
// removeFromCRL and the CA's reasons are not theirs to give.
func ParseRevocationReason(s string) (RevocationReason, error) {
	switch s {
	case "unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn":
		for r, n := range reasonNames {
			if n == s {
				return r, nil
			}
		}
	}
	return 0, &FieldError{Field: "reason", Why: "use unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn"}
}

// CardReason says why a card is replaced or opposed.
type CardReason string

// The reasons for a replacement or an opposition.
const (
	CardLost         CardReason = "lost"
	CardStolen       CardReason = "stolen"
	CardFraud        CardReason = "fraud"
	CardDamaged      CardReason = "damaged"
	CardPINBlocked   CardReason = "pin_blocked"
	CardNameChange   CardReason = "name_change"
	CardNotReceived  CardReason = "not_received"
	CardEndOfService CardReason = "end_of_contract"
	CardDeath        CardReason = "death"
	CardPINForgotten CardReason = "pin_forgotten"   // of a PIN re-issue
	CardRenewed      CardReason = "renewal"         // of a renewal
	CardOrderEnded   CardReason = "order_cancelled" // the house's own: what was made for the order is worthless
)

// MailReason says why the post brought a letter back, as its label does (La
// Poste: pli non distribuable).
type MailReason string

// The reasons for a letter that comes back.
const (
	MailUnknown   MailReason = "unknown"   // nobody of this name at the address
	MailAddress   MailReason = "address"   // the address is wrong or cannot be reached
	MailUnclaimed MailReason = "unclaimed" // not fetched in time
	MailRefused   MailReason = "refused"   // by the addressee
)

// MailReasons lists them.
func MailReasons() []MailReason {
	return []MailReason{MailUnknown, MailAddress, MailUnclaimed, MailRefused}
}

// ReplacementReasons are the reasons a replacement can be ordered for.
func ReplacementReasons() []CardReason {
	return []CardReason{CardLost, CardStolen, CardFraud, CardDamaged, CardPINBlocked, CardNameChange, CardNotReceived}
}

// HolderReasons are the reasons a holder can oppose their own card for; of a death
// or the end of the contract the bank decides.
func HolderReasons() []CardReason {
	return []CardReason{CardLost, CardStolen, CardFraud, CardNotReceived}
}

// OppositionReasons are the reasons a card can be opposed for.
func OppositionReasons() []CardReason {
	return []CardReason{CardLost, CardStolen, CardFraud, CardNotReceived, CardDeath, CardEndOfService}
}

// happened is what a holder says has happened, and the reason that follows, in the
// order in which it is offered.
var happened = []struct {
	what   string
	reason RevocationReason
}{
	{"lost", ReasonKeyCompromise}, // who found it may use it
	{"stolen", ReasonKeyCompromise},
	{"left", ReasonAffiliationChanged},
	{"changed", ReasonAffiliationChanged},
	{"replaced", ReasonSuperseded},
	{"unused", ReasonCessationOfOperation},
	{"other", ReasonUnspecified},
}

// Happened is what a holder can say has happened to a key.
func Happened() []string {
	all := make([]string, len(happened))
	for i, h := range happened {
		all[i] = h.what
	}
	return all
}

// ReasonFor is the reason on the list for what has happened.
func ReasonFor(what string) (RevocationReason, error) {
	for _, h := range happened {
		if h.what == what {
			return h.reason, nil
		}
	}
	return 0, &FieldError{Field: "what", Why: "use " + strings.Join(Happened(), ", ")}
}

// RevocationStatement is what a holder signs by the certificate's own key to have it
// revoked, in French and English at once: there is one text.
func RevocationStatement(id CertificateID, serial string, reason RevocationReason) string {
	return fmt.Sprintf("Je révoque mon certificat. I revoke my certificate.\n%s\n%s\n%s\n", id, serial, reason)
}
