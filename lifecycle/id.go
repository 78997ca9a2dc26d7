package lifecycle

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Typed identifiers: a CardID does not fit where an OrderID is asked. Each is
// a one- or two-letter prefix, a dash and 16 Crockford base-32 characters (48
// bits of milliseconds, 32 random bits), so that they sort by age, can be read
// aloud, and cannot be guessed from a neighbour.
type (
	CompanyID     string
	BranchID      string
	HolderID      string
	StaffID       string
	OrderID       string
	CardID        string
	CardLetterID  string
	PINLetterID   string
	PrintRunID    string
	WorkItemID    string
	CertificateID string
	DossierID     string
	ScanID        string
	BatchID       string
	CampaignID    string
	ReturnFileID  string
	ImportID      string
	APIKeyID      string
	ConsignmentID string
	CountID       string
	DestructionID string
	ShortfallID   string
	NoticeID      string
	MeansID       string
	AttemptID     string // one try at an external act; the same ID gets the same answer

	RepresentativeID    string
	RevocationRequestID string
	AuthenticationID    string
	RegistrationID      string
	StopID              string
	FraudReportID       string
	ServiceID           string
	EventID             string // of a relying service's feed: it sorts as the feed does
	EntitlementID       string
	SettingID           string
)

// IDPrefix are the prefixes, by kind of thing.
const (
	PrefixCompany     = "CO"
	PrefixBranch      = "BR"
	PrefixHolder      = "H"
	PrefixStaff       = "S"
	PrefixOrder       = "O"
	PrefixCard        = "C"
	PrefixCardLetter  = "L"
	PrefixPINLetter   = "P"
	PrefixPrintRun    = "PR"
	PrefixWorkItem    = "W"
	PrefixCertificate = "N"
	PrefixDossier     = "D"
	PrefixScan        = "DS"
	PrefixBatch       = "B"
	PrefixCampaign    = "CM"
	PrefixReturnFile  = "R"
	PrefixImport      = "I"
	PrefixAPIKey      = "K"
	PrefixAttempt     = "A"
	PrefixConsignment = "SC"
	PrefixCount       = "SN"
	PrefixDestruction = "SD"
	PrefixShortfall   = "SF"
	PrefixNotice      = "NT"
	PrefixMeans       = "M"

	PrefixRepresentative    = "RP"
	PrefixRevocationRequest = "RV"
	PrefixAuthentication    = "AU"
	PrefixRegistration      = "MR"
	PrefixStop              = "ES"
	PrefixFraudReport       = "FR"
	PrefixService           = "SV"
	PrefixEvent             = "EV"
	PrefixEntitlement       = "EN"
	PrefixSetting           = "SG"
)

// alphabet is Crockford's: no I, L, O or U, in the order of ASCII.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var crockford = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// NewID makes an identifier from a prefix, the time and 32 random bits.
func NewID(prefix string, now time.Time, random uint32) string {
	var raw [10]byte
	ms := uint64(now.UnixMilli()) // after 1970, by the wall clock or an injected one
	binary.BigEndian.PutUint16(raw[0:2], uint16(ms>>32&0xFFFF))
	binary.BigEndian.PutUint32(raw[2:6], uint32(ms&0xFFFFFFFF))
	binary.BigEndian.PutUint32(raw[6:10], random)
	return prefix + "-" + crockford.EncodeToString(raw[:])
}

// CheckID tells whether s is an identifier with the prefix, before it is used
// in a query, a file name or a Vault path.
func CheckID(prefix, s string) error {
	rest, ok := strings.CutPrefix(s, prefix+"-")
	if !ok || len(rest) != 16 {
		return fmt.Errorf("%w: %q is not an identifier of the form %s-…16 characters", Invalid, truncate(s, 40), prefix)
	}
	// Not by decoding it: the decoder passes over line feeds.
	if strings.Trim(rest, alphabet) != "" {
		return fmt.Errorf("%w: %q has a character that identifiers never have", Invalid, s)
	}
	return nil
}

func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
