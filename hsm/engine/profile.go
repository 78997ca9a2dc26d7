package engine

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/emv"
)

// storedProfile is a card profile with the names of its master keys.
type storedProfile struct {
	emv.CAPProfile

	AC  string `json:"imk_ac"`
	SMI string `json:"imk_smi"`
	SMC string `json:"imk_smc"`
}

const maxProfile = 8 << 10

func (b *backend) pathProfile() *framework.Path {
	operations := write("Write a card profile.", b.writeProfile)
	operations[logical.ReadOperation] = &framework.PathOperation{Callback: answered(b.readProfile), Summary: "Read a card profile."}
	return &framework.Path{
		Pattern: "profiles/" + framework.GenericNameRegex("name"),
		Fields: map[string]*framework.FieldSchema{
			"name":    nameField(),
			"profile": {Type: framework.TypeString, Description: "The profile as JSON; it holds no secret."},
		},
		Operations:   operations,
		HelpSynopsis: "What the cards of one kind have in common. securaccess is built in.",
	}
}

// writeProfile stores a profile once: cards made under it must stay verifiable.
func (b *backend) writeProfile(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, body := text(data, "name"), text(data, "profile")
	if !keyName.MatchString(name) || len(body) > maxProfile {
		return nil, refuse("invalid", "a profile has a name of lower-case letters, digits and dashes, and at most 8 KiB")
	}
	var p storedProfile
	if strict([]byte(body), &p) != nil {
		return nil, refuse("invalid", "the profile is not the JSON of a card profile")
	}
	p.Name = name
	if err := p.Check(); err != nil {
		return nil, err
	}
	lock := locksutil.LockForKey(b.locks, profilePrefix+name)
	lock.Lock()
	defer lock.Unlock()
	var there storedProfile
	found, err := get(ctx, r.Storage, profilePrefix+name, &there)
	if err != nil {
		return nil, err
	}
	if found || name == emv.SecurAccess().Name {
		return nil, refuse("conflict", "profile %s is there: cards were made under it; write another", name)
	}
	if err := put(ctx, r.Storage, profilePrefix+name, p.withKeys()); err != nil {
		return nil, err
	}
	b.forget()
	return nil, nil //nolint:nilnil // Vault's 204
}

// withKeys fills the usual names of the master keys in.
func (p storedProfile) withKeys() storedProfile {
	for into, name := range map[*string]string{&p.AC: usageIMKAC, &p.SMI: usageIMKSMI, &p.SMC: usageIMKSMC} {
		if *into == "" {
			*into = name
		}
	}
	return p
}

func (b *backend) readProfile(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	p, err := readProfile(ctx, r.Storage, text(data, "name"))
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"profile": p}}, nil
}

func readProfile(ctx context.Context, s logical.Storage, name string) (storedProfile, error) {
	var p storedProfile
	found, err := get(ctx, s, profilePrefix+name, &p)
	if err != nil || found {
		return p, err
	}
	if name == emv.SecurAccess().Name {
		return storedProfile{CAPProfile: emv.SecurAccess()}.withKeys(), nil
	}
	return p, refuse("unknown_profile", "%s", shown(name))
}
