package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// examineVault looks at Vault and, when it answers, at what the card keys need
// of it. What the token's policy does not show is told as unseen: an auditor's
// shows all.
func (c doctorCmd) examineVault(w *world, h *house.House) (vault *hsm.Client, table []examination) {
	vault, err := c.vaultFlags.open(w.ctx)
	if err == nil {
		err = vault.Ping(w.ctx)
	}
	table = append(table, examination{what: "vault", found: "unsealed, the token is good", err: err})
	if err != nil {
		return vault, table
	}
	table = append(table, audited(w, vault), engine(w, vault))
	if h != nil {
		table = append(table, marks(w, h, vault))
		table = append(table, cardKeys(w, h, vault)...)
		table = append(table, products(w, h, vault)...)
	}
	return vault, table
}

func audited(w *world, vault *hsm.Client) examination {
	e := examination{what: "audit device"}
	devices, err := vault.AuditDevices(w.ctx)
	if err == nil && len(devices) == 0 {
		err = fmt.Errorf("%w: none is on: turn one on, so that every command is on record", lifecycle.Invalid)
	}
	e.found, e.err = strings.Join(devices, ", ")+" on", err
	return e.unlessForbidden()
}

func engine(w *world, vault *hsm.Client) examination {
	sum, err := vault.CardEngine(w.ctx)
	return examination{what: "card engine", found: "mounted, SHA-256 " + sum, err: err}.unlessForbidden()
}

// unlessForbidden tells a thing that the token's policy hides as unseen.
func (e examination) unlessForbidden() examination {
	if errors.Is(e.err, lifecycle.Forbidden) {
		e.err, e.unseen, e.found = nil, true, "this token's policy does not show it: an auditor's does"
	}
	return e
}

// recorded is what the minutes say of one version of a card key.
type recorded struct {
	kcv     string
	retired bool
}

// recordedKeys are the card keys that ceremonies made, version by version.
func recordedKeys(acts []issuance.CeremonyAct) map[string]map[int]recorded {
	keys := map[string]map[int]recorded{}
	for _, a := range acts {
		name, ok := strings.CutPrefix(a.Detail["key"], "hsm/")
		version, err := strconv.Atoi(a.Detail["version"])
		if !ok || err != nil || a.Detail["kcv"] == "" { // a rotation that only began has no check value
			continue
		}
		if keys[name] == nil {
			keys[name] = map[int]recorded{}
		}
		keys[name][version] = recorded{kcv: a.Detail["kcv"], retired: strings.HasPrefix(a.Name, "retire ")}
	}
	return keys
}

// cardKeys compares the card engine's keys with the ceremonies' minutes.
func cardKeys(w *world, h *house.House, vault *hsm.Client) []examination {
	acts, err := h.Service.AllActs(w.ctx)
	keys := recordedKeys(acts)
	if err != nil || len(keys) == 0 {
		if err == nil {
			err = fmt.Errorf("%w: no ceremony is on record that made one", lifecycle.NotFound)
		}
		return []examination{{what: "card keys", err: err}}
	}
	var table []examination
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		e := examination{what: "card key " + name}
		info, err := vault.KeyInfo(w.ctx, name)
		if e.err = err; err == nil {
			e.found, e.err = asRecorded(info, keys[name])
		}
		table = append(table, e.unlessForbidden())
	}
	return table
}

// asRecorded tells what differs between a key and its record: another check
// value is another key.
func asRecorded(info hsm.KeyInfo, versions map[int]recorded) (found string, err error) {
	var wrong, live []string
	if info.State != "active" {
		wrong = append(wrong, "the key is "+info.State)
	}
	for _, v := range info.Versions {
		on, known := versions[v.Version]
		switch retired := v.State == "retired"; {
		case !known && v.Version > slices.Min(slices.Collect(maps.Keys(versions))):
			wrong = append(wrong, fmt.Sprintf("version %d is in no ceremony's minutes", v.Version))
		case known && on.kcv != v.KCV:
			wrong = append(wrong, fmt.Sprintf("version %d has check value %s, the minutes say %s", v.Version, v.KCV, on.kcv))
		case known && on.retired != retired:
			wrong = append(wrong, fmt.Sprintf("version %d is %s, which the minutes do not say", v.Version, v.State))
		case !retired:
			live = append(live, fmt.Sprintf("version %d %s %s", v.Version, v.State, v.KCV))
		}
	}
	for version := range versions {
		if version > info.Version {
			wrong = append(wrong, fmt.Sprintf("version %d of the minutes is gone: was Vault restored to an earlier day?", version))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return "", fmt.Errorf("%w: %s", lifecycle.Conflict, strings.Join(wrong, "; "))
	}
	return fmt.Sprintf("%s, %s: %s", info.State, info.Environment, strings.Join(live, ", ")), nil
}

// products compares what the bank says of its cards with what the engine does.
func products(w *world, h *house.House, vault *hsm.Client) []examination {
	all, err := h.Service.Products(w.ctx)
	if err != nil {
		return []examination{{what: "products", err: err}}
	}
	var table []examination
	for _, p := range all {
		e := examination{what: "product " + p.Code, found: "as the engine's profile " + p.CAPProfile}
		profile, err := vault.Profile(w.ctx, p.CAPProfile)
		if e.err = err; err == nil {
			e.err = asProfiled(p, profile)
		}
		table = append(table, e.unlessForbidden())
	}
	return table
}

// asProfiled tells what differs between a product and the engine's profile of it:
// whoever orders would be told wrong.
func asProfiled(p issuance.Product, profile hsm.Profile) error {
	var wrong []string
	differ := func(what string, ours, theirs any) {
		if ours != theirs {
			wrong = append(wrong, fmt.Sprintf("%s is %v, the engine's profile %s has %v", what, ours, p.CAPProfile, theirs))
		}
	}
	differ("PIN length", p.PINLength, profile.PINLength)
	differ("PIN try limit", p.PINTries, profile.PINTries)
	differ("bitmap", p.IPB, profile.IPB)
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s", lifecycle.Conflict, strings.Join(wrong, "; "))
	}
	return nil
}

// examineSigning looks for the keys of the online CAs and their delegates where
// the certificates say they are. A token's PIN is tried once.
func (c doctorCmd) examineSigning(w *world, h *house.House, vault *hsm.Client) []examination {
	store, closeStore, err := c.store(w.ctx, vault)
	var table []examination
	if c.Keystore == inModule {
		table = append(table, examination{what: "token " + c.PKCS11Token, found: "there, its PIN is taken", err: err})
	}
	if err != nil || h == nil {
		return table
	}
	defer closeStore()
	all, err := h.Service.Authorities(w.ctx)
	if err != nil {
		return append(table, examination{what: "signing keys", err: err})
	}
	ring := hsm.NewKeyring(store)
	for _, a := range all {
		if !a.Online || a.State == lifecycle.IssuerEnded {
			continue // the root's store is closed, and an ended CA's key may be destroyed
		}
		table = append(table, signing(w, ring, store, "key of CA "+a.ID, a.Key, a.Certificate))
		for _, of := range delegates() {
			if d, err := h.Service.NewestDelegate(w.ctx, a.ID, of.purpose); err == nil { // its absence is told already
				table = append(table, signing(w, ring, store, "key of the "+of.what+a.ID, d.Key, d.Certificate))
			}
		}
	}
	return table
}

func signing(w *world, ring *hsm.Keyring, store hsm.Keystore, what, key string, der []byte) examination {
	e := examination{what: what}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		e.err = err
		return e
	}
	signer, err := ring.Signer(w.ctx, key, certificate.PublicKey)
	if e.err = err; err == nil {
		e.found = fmt.Sprintf("%s/%s, %s, the certificate's", store.Where(), key, hsm.AlgorithmOf(signer.Public()))
	}
	return e.unlessForbidden()
}
