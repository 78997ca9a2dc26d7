package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// Environments of keys. Test and live keys are never used together.
const (
	environmentTest = "test"
	environmentLive = "live"
)

// proposalLife is how long a second officer has to confirm.
const proposalLife = 15 * time.Minute

// officer is who makes a request, by what Vault knows of the token. It is kept
// to tell two people apart, and to name them in minutes.
type officer struct {
	Accessor string `json:"accessor"`
	Entity   string `json:"entity"`
	Name     string `json:"name"`
}

func officerOf(r *logical.Request) officer {
	return officer{Accessor: r.ClientTokenAccessor, Entity: r.EntityID, Name: r.DisplayName}
}

// accountable refuses who cannot be told from others: nobody without a Vault
// entity acts on live keys, so the root token and tokens made by hand do not;
// for test keys a token with an accessor is enough.
func (o officer) accountable(environment string) error {
	switch {
	case environment == environmentLive && o.Entity == "":
		return refuse("dual_control", "a live key wants people with a Vault identity: this token has no entity")
	case o.Entity == "" && o.Accessor == "":
		return refuse("dual_control", "this token has neither entity nor accessor: nobody can tell whose it is")
	}
	return nil
}

// same tells whether two requests may come from one person. Two entities are two
// people; where an entity is missing, two tokens of one display name are one.
func (o officer) same(other officer) bool {
	if o.Entity != "" && other.Entity != "" {
		return o.Entity == other.Entity
	}
	return o.Accessor == other.Accessor || o.Name == other.Name
}

// proposal is a step that waits for its second officer.
type proposal struct {
	By     officer   `json:"by"`
	Detail string    `json:"detail"`
	Until  time.Time `json:"until"`
}

// step is an act that two officers agree on: the second repeats the first's
// request, to the letter.
type step struct{ action, subject, detail, environment string }

// agree keeps a step that is proposed and tells when it is confirmed. Its caller
// holds the subject's lock. The answer, when not nil, is for the first officer.
func (b *backend) agree(ctx context.Context, r *logical.Request, s step) (*logical.Response, error) {
	by := officerOf(r)
	if err := by.accountable(s.environment); err != nil {
		return nil, err
	}
	path := proposalPrefix + s.action + "/" + s.subject
	var p proposal
	found, err := get(ctx, r.Storage, path, &p)
	if err != nil {
		return nil, err
	}
	now := b.now()
	if !found || p.Detail != s.detail || now.After(p.Until) {
		p = proposal{By: by, Detail: s.detail, Until: now.Add(proposalLife)}
		if err := put(ctx, r.Storage, path, p); err != nil {
			return nil, err
		}
		return &logical.Response{Data: map[string]any{"proposed": true, "by": by.Name, "until": stamp(p.Until)}}, nil
	}
	if p.By.same(by) {
		return nil, refuse("dual_control", "you proposed this yourself: another officer confirms it before %s", stamp(p.Until))
	}
	if err := r.Storage.Delete(ctx, path); err != nil {
		return nil, fmt.Errorf("take the proposal to %s %s: %w", s.action, s.subject, err)
	}
	return nil, nil //nolint:nilnil // agreed
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// activity is a window in which a sensitive command works for live cards.
type activity struct {
	Until    time.Time `json:"until"`
	Officers []string  `json:"officers"`
}

// The activities that two officers open.
const (
	activityPINLetter = "pin-letter"
	activityRekey     = "rekey"
	defaultWindow     = 60      // minutes
	maxOpen           = 12 * 60 // minutes: a working day
)

func (b *backend) pathActivity() *framework.Path {
	return &framework.Path{
		Pattern: "activities/" + framework.GenericNameRegex("name"),
		Fields: map[string]*framework.FieldSchema{
			"name":    {Type: framework.TypeString, Required: true, Description: "pin-letter or rekey."},
			"minutes": {Type: framework.TypeString, Default: "60", Description: "How long it stays open: 1 to 720 minutes."},
		},
		Operations: operations{
			logical.UpdateOperation: b.command("Open the activity: one officer proposes, another confirms.", b.openActivity),
			logical.ReadOperation:   b.quick("Tell whether the activity is open.", b.readActivity),
			logical.DeleteOperation: b.command("Close the activity.", b.closeActivity),
		},
		HelpSynopsis: "Open and close an authorised activity.",
		HelpDescription: "PIN letters and the re-keying of card data work for live cards only while two officers, " +
			"two Vault entities, have opened the activity. Anybody who may open it may close it alone. For test cards it is always open.",
	}
}

func activityName(data *framework.FieldData) (string, error) {
	name := text(data, "name")
	if name != activityPINLetter && name != activityRekey {
		return "", refuse("invalid", "the activities are %s and %s", activityPINLetter, activityRekey)
	}
	return name, nil
}

func (b *backend) openActivity(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, err := activityName(data)
	if err != nil {
		return nil, err
	}
	minutes := defaultWindow
	if given := text(data, "minutes"); given != "" {
		if minutes, err = bounded("minutes", given, 1, maxOpen); err != nil {
			return nil, err
		}
	}
	defer b.lock(activityPrefix + name)()
	var proposed proposal
	if _, err := get(ctx, r.Storage, proposalPrefix+"activity/"+name, &proposed); err != nil {
		return nil, err
	}
	answer, err := b.agree(ctx, r, step{"activity", name, fmt.Sprint(minutes), environmentLive})
	if answer != nil || err != nil {
		return answer, err
	}
	a := activity{Until: b.now().Add(time.Duration(minutes) * time.Minute), Officers: []string{proposed.By.Name, r.DisplayName}}
	if err := put(ctx, r.Storage, activityPrefix+name, a); err != nil {
		return nil, err
	}
	return a.describe(b.now()), nil
}

func (a activity) describe(now time.Time) *logical.Response {
	return &logical.Response{Data: map[string]any{"open": now.Before(a.Until), "until": stamp(a.Until), "officers": a.Officers}}
}

func (b *backend) readActivity(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, err := activityName(data)
	if err != nil {
		return nil, err
	}
	var a activity
	found, err := get(ctx, r.Storage, activityPrefix+name, &a)
	if err != nil || !found {
		return &logical.Response{Data: map[string]any{"open": false}}, err
	}
	return a.describe(b.now()), nil
}

func (b *backend) closeActivity(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, err := activityName(data)
	if err != nil {
		return nil, err
	}
	defer b.lock(activityPrefix + name)()
	if err := r.Storage.Delete(ctx, activityPrefix+name); err != nil {
		return nil, fmt.Errorf("close activity %s: %w", name, err)
	}
	return nil, nil //nolint:nilnil // Vault's 204
}

// permitted refuses a command on a card of live keys outside its activity.
func (b *backend) permitted(ctx context.Context, s logical.Storage, name, environment string) error {
	if environment != environmentLive {
		return nil
	}
	var a activity
	if _, err := get(ctx, s, activityPrefix+name, &a); err != nil {
		return err
	}
	if !b.now().Before(a.Until) {
		return refuse("activity_closed", "two officers must open the activity %s first", name)
	}
	return nil
}
