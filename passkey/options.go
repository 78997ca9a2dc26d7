package passkey

import "time"

// Creation is what navigator.credentials.create is given, as publicKey, in the JSON
// form of PublicKeyCredential.parseCreationOptionsFromJSON.
type Creation struct {
	Challenge   string       `json:"challenge"`
	RP          party        `json:"rp"`
	User        user         `json:"user"`
	Parameters  []parameter  `json:"pubKeyCredParams"`
	Exclude     []Descriptor `json:"excludeCredentials"`
	Selection   selection    `json:"authenticatorSelection"`
	Attestation string       `json:"attestation"`
	Timeout     int64        `json:"timeout"` // ms
}

// Request is what navigator.credentials.get is given, as publicKey.
type Request struct {
	Challenge    string       `json:"challenge"`
	RPID         string       `json:"rpId"`
	Allow        []Descriptor `json:"allowCredentials" doc:"A page may leave the list empty: the browser then offers the passkeys that it has"`
	Verification string       `json:"userVerification"`
	Timeout      int64        `json:"timeout" doc:"In milliseconds"`
}

// Descriptor names a passkey.
type Descriptor struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

type party struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type user struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

type parameter struct {
	Type      string `json:"type"`
	Algorithm int    `json:"alg"`
}

type selection struct {
	ResidentKey  string `json:"residentKey"`
	Verification string `json:"userVerification"`
}

const (
	publicKey = "public-key"
	required  = "required"
)

// Describe names a passkey to a browser.
func Describe(id []byte, transports []string) Descriptor {
	return Descriptor{publicKey, b64(id), transports}
}

// Creation asks for a passkey of a user, whose handle is not their name; those that
// they have are excluded.
func (r RelyingParty) Creation(challenge [32]byte, handle []byte, name, shown string, exclude []Descriptor, timeout time.Duration) Creation {
	c := Creation{
		Challenge: b64(challenge[:]), RP: party{r.ID, r.Name}, User: user{b64(handle), name, shown}, Exclude: exclude,
		Selection: selection{"preferred", required}, Attestation: "none", Timeout: timeout.Milliseconds(),
	}
	for _, a := range algorithms() {
		c.Parameters = append(c.Parameters, parameter{publicKey, int(a.Algorithm)})
	}
	return c
}

// Request asks for a signature of the challenge by one of the passkeys.
func (r RelyingParty) Request(challenge [32]byte, allow []Descriptor, timeout time.Duration) Request {
	return Request{Challenge: b64(challenge[:]), RPID: r.ID, Allow: allow, Verification: required, Timeout: timeout.Milliseconds()}
}
