package hsm

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"sceau/lifecycle"
)

// KeyUsage is what a key of the card engine is for; the engine uses it for
// nothing else.
type KeyUsage string

// The usages.
const (
	UsageIMKAC     KeyUsage = "imk-ac"    // issuer master key for application cryptograms
	UsageIMKSMI    KeyUsage = "imk-smi"   // issuer master key for secure messaging, integrity
	UsageIMKSMC    KeyUsage = "imk-smc"   // issuer master key for secure messaging, confidentiality
	UsageIMKPerso  KeyUsage = "imk-perso" // master key of blank chips, for in-house personalisation
	UsageTransport KeyUsage = "transport" // enciphers keys and PINs for the card bureau
	UsageKBPK      KeyUsage = "kbpk"      // key block protection key (ASC X9.143, TR-31)
	UsagePIN       KeyUsage = "pin"       // enciphers PIN blocks between parties
	UsagePVV       KeyUsage = "pvk-visa"  // Visa PIN verification values
	UsageIBM       KeyUsage = "pvk-ibm"   // IBM 3624 PIN offsets
)

// KeyInfo describes a key of the card engine. Its value never leaves Vault; the
// key check value shows which one it is.
type KeyInfo struct {
	Name          string
	Usage         KeyUsage
	Mode          string // of use, as TR-31 writes it
	Algorithm     string // tdes2 or aes256, for instance
	Exportability string // E or N
	Version       int    // the latest
	KCV           string // its key check value, upper-case hexadecimal
	State         string // active, disabled or deleted
	Environment   string // test or live
	Versions      []CardKeyVersion
}

// CardKeyVersion is one version of a key: the latest makes new cards, earlier ones
// check cards made under them.
type CardKeyVersion struct {
	Version    int
	KCV        string
	State      string   // current, previous or retired
	Origin     string   // random, components or key-block
	Custodians []string // who entered its components
}

type keyAnswer struct {
	Name          string   `json:"name"`
	Usage         KeyUsage `json:"usage"`
	Mode          string   `json:"mode"`
	Algorithm     string   `json:"algorithm"`
	Exportability string   `json:"exportability"`
	Version       number   `json:"version"`
	KCV           string   `json:"kcv"`
	State         string   `json:"state"`
	Environment   string   `json:"environment"`
	Versions      []struct {
		Version    number   `json:"version"`
		KCV        string   `json:"kcv"`
		State      string   `json:"state"`
		Origin     string   `json:"origin"`
		Custodians []string `json:"custodians"`
	} `json:"versions"`
	Proposed bool      `json:"proposed"`
	Until    time.Time `json:"until"`
}

func (a keyAnswer) info() KeyInfo {
	info := KeyInfo{
		Name: a.Name, Usage: a.Usage, Mode: a.Mode, Algorithm: a.Algorithm, Exportability: a.Exportability,
		Version: int(a.Version), KCV: a.KCV, State: a.State, Environment: a.Environment,
	}
	for _, v := range a.Versions {
		info.Versions = append(info.Versions, CardKeyVersion{
			Version: int(v.Version), KCV: v.KCV, State: v.State, Origin: v.Origin, Custodians: v.Custodians,
		})
	}
	return info
}

// CreateKey makes a random key inside the engine; an empty algorithm is the
// usage's own. The same call again answers the key that is there; with another
// usage or algorithm it is [lifecycle.Conflict].
func (c *Client) CreateKey(ctx context.Context, name string, usage KeyUsage, algorithm string) (KeyInfo, error) {
	return c.CreateKeyIn(ctx, name, usage, algorithm, "")
}

// CreateKeyIn is CreateKey for an environment, test or live; empty is test.
func (c *Client) CreateKeyIn(ctx context.Context, name string, usage KeyUsage, algorithm, environment string) (KeyInfo, error) {
	path, err := c.keyPath(name, "")
	if err != nil {
		return KeyInfo{}, err
	}
	request := map[string]string{"usage": string(usage)}
	if algorithm != "" {
		request["algorithm"] = algorithm
	}
	if environment != "" {
		request["environment"] = environment
	}
	var answer keyAnswer
	if err := c.post(ctx, "create card key "+name, path, request, &answer); err != nil {
		return KeyInfo{}, err
	}
	return answer.info(), nil
}

// KeyInfo describes a key; [lifecycle.NotFound] when there is none.
func (c *Client) KeyInfo(ctx context.Context, name string) (KeyInfo, error) {
	path, err := c.keyPath(name, "")
	if err != nil {
		return KeyInfo{}, err
	}
	var answer keyAnswer
	if err := c.get(ctx, "look at card key "+name, path, &answer); err != nil {
		return KeyInfo{}, err
	}
	return answer.info(), nil
}

// KeyComponent is one custodian's part of a key: the key is the XOR of all
// parts, so that no part alone tells anything of it.
type KeyComponent struct {
	Key          string // its name
	Usage        KeyUsage
	Algorithm    string
	Index, Total int    // 1 of 2, 2 of 2
	Component    string // hexadecimal
	KCV          string // of this component, from the custodian's form
	Environment  string // test or live; empty is test
	Rotate       bool   // the components make the next version of a key that is there
}

// Format keeps the component out of every output.
func (k KeyComponent) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "component %d of %d of %s", k.Index, k.Total, k.Key)
}

// LogValue keeps it out of logs.
func (k KeyComponent) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// EnterComponent enters one part. The engine refuses two parts from one
// custodian's token, and a part whose check value is wrong. complete tells that
// the key is whole; kcv is then the key's own.
func (c *Client) EnterComponent(ctx context.Context, k KeyComponent) (complete bool, kcv string, err error) {
	path, err := c.keyPath(k.Key, "/components")
	if err != nil {
		return false, "", err
	}
	request := struct {
		Usage     KeyUsage `json:"usage"`
		Algorithm string   `json:"algorithm,omitempty"`
		Index     number   `json:"index"`
		Total     number   `json:"total"`
		Component string   `json:"component"`
		KCV       string   `json:"kcv"`
		Environ   string   `json:"environment,omitempty"`
		Rotate    bool     `json:"rotate,omitempty"`
	}{k.Usage, k.Algorithm, number(k.Index), number(k.Total), k.Component, k.KCV, k.Environment, k.Rotate}
	var answer struct {
		Complete bool   `json:"complete"`
		KCV      string `json:"kcv"`
	}
	if err := c.post(ctx, "enter a component of card key "+k.Key, path, request, &answer); err != nil {
		return false, "", err
	}
	return answer.Complete, answer.KCV, nil
}

func (c *Client) keyPath(name, below string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return c.config.CardMount + "/keys/" + name + below, nil
}

// checkName keeps a key's name to one plain segment of a Vault path.
func checkName(name string) error {
	if name == "" || len(name) > 64 {
		return fmt.Errorf("%w: a key name has 1 to 64 characters", lifecycle.Invalid)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return fmt.Errorf("%w: a key name has small letters, digits, - and _ only", lifecycle.Invalid)
		}
	}
	return nil
}
