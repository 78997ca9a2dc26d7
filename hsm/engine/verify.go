package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/emv"
)

func (b *backend) verifyPaths() []*framework.Path {
	verify, resync := checkFields(), checkFields()
	verify["items"] = &framework.FieldSchema{Type: framework.TypeSlice, Description: "1 to 200 codes, each an object of these fields and an id, in the place of one at the top."}
	verify["batch"] = &framework.FieldSchema{Type: framework.TypeString, Description: "1 to 200 codes as one text, in the place of items. A line each: " + strings.Join(batchColumns, ", ") + ", with commas between, those at the end left out if empty, and spaces between the values of a list. " +
		"Answered as one text, a line each: valid, counter and scripts; or wrong; or a refusal. Vault's audit log hashes one text a call, and Vault reads a third of the bytes."}
	resync["next_code"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "The code that the reader showed right after it, in the same mode with the same data."}
	resync["window"] = &framework.FieldSchema{Type: framework.TypeString, Default: "1024", Description: "How many counters after last_atc are tried: 1 to 4096."}
	return []*framework.Path{
		{
			Pattern: "cap/verify", Fields: verify,
			Operations:   operations{logical.UpdateOperation: b.quick("Verify CAP codes.", b.verify)},
			HelpSynopsis: "Tell whether codes of the Chip Authentication Program are right, and at which counter.",
			HelpDescription: "Answers valid and, of a right code, its counter atc; never a cryptogram. One code at the top of the request is answered at the top, a list in items. " +
				"Counters and guesses are the caller's to remember: store atc before accepting, so that a code counts once. A window is 1 to 256.",
		},
		{
			Pattern: "cap/resync", Fields: resync,
			Operations:   operations{logical.UpdateOperation: b.quick("Find a card's counter by two codes in a row.", b.resync)},
			HelpSynopsis: "Find a card's counter by two consecutive codes in a larger window.",
			HelpDescription: "For a card whose counter ran ahead of the window: two codes in a row, of counters n and n+1, are as hard to guess in a large window " +
				"as one in a small. Answers valid and the counter atc of the second.",
		},
		b.pathARQC(),
	}
}

func (b *backend) verify(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if batch := text(data, "batch"); batch != "" {
		return b.verifyBatch(ctx, r.Storage, batch)
	}
	items, given := data.GetOk("items")
	if !given {
		one := checkOf(data)
		v, err := b.verifyOne(ctx, r.Storage, &one)
		if err != nil {
			return nil, err
		}
		return &logical.Response{Data: v.members()}, nil
	}
	checks, err := checksOf(items)
	if err != nil {
		return nil, err
	}
	verdicts, err := b.verifyAll(ctx, r.Storage, checks)
	if err != nil {
		return nil, err
	}
	results := make([]map[string]any, len(checks))
	for i, v := range verdicts {
		results[i] = v.members()
		results[i]["id"] = checks[i].ID
	}
	return &logical.Response{Data: map[string]any{"items": results}}, nil
}

// verifyBatch is for codes that come and go as one text.
func (b *backend) verifyBatch(ctx context.Context, s logical.Storage, batch string) (*logical.Response, error) {
	checks, err := checksOfText(batch)
	if err != nil {
		return nil, err
	}
	verdicts, err := b.verifyAll(ctx, s, checks)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(verdicts))
	for i, v := range verdicts {
		lines[i] = v.line()
	}
	return &logical.Response{Data: map[string]any{"batch": strings.Join(lines, "\n")}}, nil
}

// verdict is what is said about one code.
type verdict struct {
	match emv.Match
	valid bool
	wrong *refusal // a check that could not be made
}

func (v verdict) members() map[string]any {
	switch {
	case v.wrong != nil:
		return map[string]any{"valid": false, "error": v.wrong.Error()}
	case v.valid:
		return map[string]any{"valid": true, "atc": strconv.Itoa(int(v.match.ATC)), "scripts": strconv.Itoa(v.match.Scripts)}
	}
	return map[string]any{"valid": false}
}

func (v verdict) line() string {
	switch {
	case v.wrong != nil:
		return v.wrong.Error()
	case v.valid:
		return "valid," + strconv.Itoa(int(v.match.ATC)) + "," + strconv.Itoa(v.match.Scripts)
	}
	return "wrong"
}

// verifyAll judges each code. A malformed check is answered in its place, and the
// others stand; a failure of the storage is everybody's.
func (b *backend) verifyAll(ctx context.Context, s logical.Storage, checks []checkRequest) ([]verdict, error) {
	verdicts := make([]verdict, len(checks))
	err := spread(len(checks), func(i int) error {
		v, err := b.verifyOne(ctx, s, &checks[i])
		if r, ours := refused(err); ours {
			v, err = verdict{wrong: r}, nil
		}
		verdicts[i] = v
		return err
	})
	return verdicts, err
}

func (b *backend) verifyOne(ctx context.Context, s logical.Storage, check *checkRequest) (verdict, error) {
	keys, sets, err := b.setsOf(ctx, s, check.Profile, check.KeyVersion)
	if err != nil {
		return verdict{}, err
	}
	q, err := check.query(keys.profile, maxWindow)
	if err != nil {
		return verdict{}, err
	}
	match, valid, err := find(sets, q)
	return verdict{match: match, valid: valid}, err
}

// setsOf are a profile and the generations of keys that a card may be of.
func (b *backend) setsOf(ctx context.Context, s logical.Storage, profile, keyVersion string) (*profileKeys, []*keySet, error) {
	version, err := versionOf(keyVersion)
	if err != nil {
		return nil, nil, err
	}
	keys, err := b.profileKeys(ctx, s, profile)
	if err != nil {
		return nil, nil, err
	}
	sets, err := keys.candidates(version)
	return keys, sets, err
}

// find tries a code under each generation, newest first.
func find(sets []*keySet, q emv.Query) (emv.Match, bool, error) {
	for i, set := range sets {
		if i > 0 && set.AC == sets[i-1].AC { // only its other keys differ
			continue
		}
		if match, valid, err := set.verifier.Verify(q); err != nil || valid {
			return match, valid, err
		}
	}
	return emv.Match{}, false, nil
}

// resync looks for the counter at which the first code stands, and for the
// second right behind it. The first may stand at several by chance.
func (b *backend) resync(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	check := checkOf(data)
	keys, sets, err := b.setsOf(ctx, r.Storage, check.Profile, check.KeyVersion)
	if err != nil {
		return nil, err
	}
	q, err := check.query(keys.profile, maxResync)
	if err != nil {
		return nil, err
	}
	next := text(data, "next_code")
	if err := checkCode(next); err != nil {
		return nil, err
	}
	for _, set := range sets {
		match, valid, err := pair(set, q, next)
		if err != nil {
			return nil, err
		}
		if valid {
			return &logical.Response{Data: map[string]any{"valid": true, "atc": strconv.Itoa(int(match.ATC)), "scripts": strconv.Itoa(match.Scripts)}}, nil
		}
	}
	return &logical.Response{Data: map[string]any{"valid": false}}, nil
}

// pair finds two codes at counters in a row within the window.
func pair(set *keySet, q emv.Query, next string) (emv.Match, bool, error) {
	end := int(q.LastATC) + q.Window
	for int(q.LastATC) < end {
		q.Window = end - int(q.LastATC)
		first, valid, err := set.verifier.Verify(q)
		if err != nil || !valid {
			return emv.Match{}, false, err
		}
		after := q
		after.Code, after.LastATC, after.Window = next, first.ATC, 1
		if second, valid, err := set.verifier.Verify(after); err != nil || valid {
			return second, valid, err
		}
		q.LastATC = first.ATC
	}
	return emv.Match{}, false, nil
}
