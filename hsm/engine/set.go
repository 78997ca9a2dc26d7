package engine

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

// setVersions are the versions of the master keys that one card was made under.
type setVersions struct {
	AC  int `json:"ac"`
	SMI int `json:"smi"`
	SMC int `json:"smc"`
}

// firstSet is what cards were made under before keys had versions.
func firstSet() setVersions { return setVersions{1, 1, 1} }

// profileKeys is a card profile with the master keys of its cards. The first set
// is that of new cards; the others are of cards made before a rotation.
type profileKeys struct {
	profile     emv.CAPProfile
	environment string // of its keys: test or live, never both
	sets        []*keySet
	recorded    bool // the first set is on record in storage
}

// keySet is one generation of master keys.
type keySet struct {
	setVersions

	ac, smi, smc *crypt.TDES
	verifier     *emv.Verifier
}

// profileKeys reads a profile and its keys, once.
func (b *backend) profileKeys(ctx context.Context, s logical.Storage, name string) (*profileKeys, error) {
	b.mu.RLock()
	known, epoch := b.profiles[name], b.epoch
	b.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	p, err := loadProfileKeys(ctx, s, name)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.epoch == epoch { // no key changed meanwhile
		b.profiles[name] = p
	}
	return p, nil
}

func loadProfileKeys(ctx context.Context, s logical.Storage, name string) (*profileKeys, error) {
	profile, err := readProfile(ctx, s, name)
	if err != nil {
		return nil, err
	}
	p := &profileKeys{profile: profile.CAPProfile}
	var keys [3]*storedKey
	names := [3]string{profile.AC, profile.SMI, profile.SMC}
	for i, usage := range []string{usageIMKAC, usageIMKSMI, usageIMKSMC} {
		key, err := usableKey(ctx, s, names[i], usage, toDerive)
		defer key.wipe()
		if err != nil {
			return nil, err
		}
		if p.environment == "" {
			p.environment = key.Environment
		}
		if key.Environment != p.environment {
			return nil, refuse("mixed_environment", "profile %s has test and live keys", shown(name))
		}
		keys[i] = key
	}
	var made []setVersions
	if _, err := get(ctx, s, setsPrefix+name, &made); err != nil {
		return nil, err
	}
	current := setVersions{keys[0].latest(), keys[1].latest(), keys[2].latest()}
	p.recorded = slices.Contains(made, current)
	for _, versions := range generations(current, made) {
		set := &keySet{setVersions: versions}
		if err := set.load(p.profile, keys, names); err != nil {
			if r, ok := refused(err); ok && r.code == "key_retired" && versions != current {
				continue
			}
			return nil, err
		}
		p.sets = append(p.sets, set)
	}
	return p, nil
}

// generations are the sets to try, newest first: that of new cards, then those
// on record. Cards older than the record were made under the first.
func generations(current setVersions, made []setVersions) []setVersions {
	all := []setVersions{current}
	for _, v := range slices.Backward(append([]setVersions{firstSet()}, made...)) {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func (set *keySet) load(profile emv.CAPProfile, keys [3]*storedKey, names [3]string) error {
	numbers := [3]int{set.AC, set.SMI, set.SMC}
	for i, into := range []**crypt.TDES{&set.ac, &set.smi, &set.smc} {
		v, err := keys[i].version(names[i], numbers[i])
		if err != nil {
			return err
		}
		if *into, err = crypt.NewTDES(v.Value); err != nil {
			return err
		}
	}
	var err error
	set.verifier, err = emv.NewVerifier(profile, set.ac)
	return err
}

// set is the generation of a card.
func (p *profileKeys) set(v setVersions) (*keySet, error) {
	for _, set := range p.sets {
		if set.setVersions == v {
			return set, nil
		}
	}
	return nil, refuse("key_retired", "the card's keys, versions %d, %d and %d, are retired", v.AC, v.SMI, v.SMC)
}

// candidates are the sets that a card may have been made under: all, or those of
// one version of the cryptogram key.
func (p *profileKeys) candidates(version int) ([]*keySet, error) {
	if version == 0 {
		return p.sets, nil
	}
	var of []*keySet
	for _, set := range p.sets {
		if set.AC == version {
			of = append(of, set)
		}
	}
	if len(of) == 0 {
		return nil, refuse("key_retired", "no card of this profile has version %d of its key, or the version is retired", version)
	}
	return of, nil
}

// recordSet keeps, before the first card of a generation leaves, that there are
// cards of it.
func (b *backend) recordSet(ctx context.Context, s logical.Storage, p *profileKeys) error {
	if p.recorded {
		return nil
	}
	path := setsPrefix + p.profile.Name
	defer b.lock(path)()
	var made []setVersions
	if _, err := get(ctx, s, path, &made); err != nil {
		return err
	}
	current := p.sets[0].setVersions
	if !slices.Contains(made, current) {
		if err := put(ctx, s, path, append(made, current)); err != nil {
			return err
		}
	}
	b.forget()
	return nil
}
