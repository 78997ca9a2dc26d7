package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/emv"
)

func (b *backend) verifyPaths() []*framework.Path {
	verify, resync := checkFields(), checkFields()
	verify["items"] = &framework.FieldSchema{Type: framework.TypeSlice, Description: "1 to 200 codes, each an object of these fields and an id, in the place of one at the top."}
	verify["batch"] = &framework.FieldSchema{Type: framework.TypeString, Description: "The list of items as one JSON text, answered as one: Vault's audit log then hashes one text a call."}
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
		result, err := b.verifyOne(ctx, r.Storage, &one)
		if err != nil {
			return nil, err
		}
		return &logical.Response{Data: result}, nil
	}
	results, err := b.verifyAll(ctx, r.Storage, items)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"items": results}}, nil
}

// verifyBatch is verifyAll for items that come and go as one text.
func (b *backend) verifyBatch(ctx context.Context, s logical.Storage, batch string) (*logical.Response, error) {
	if len(batch) > maxBatch {
		return nil, refuse("batch_too_large", "batch is a text of at most %d bytes", maxBatch)
	}
	var items []any
	decoder := json.NewDecoder(strings.NewReader(batch))
	decoder.UseNumber()
	if decoder.Decode(&items) != nil {
		return nil, refuse("invalid", "batch is the JSON text of a list of items")
	}
	results, err := b.verifyAll(ctx, s, items)
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(results)
	if err != nil {
		return nil, fmt.Errorf("write the answers as JSON: %w", err)
	}
	return &logical.Response{Data: map[string]any{"batch": string(answer)}}, nil
}

func (b *backend) verifyAll(ctx context.Context, s logical.Storage, items any) ([]map[string]any, error) {
	checks, err := checksOf(items)
	if err != nil {
		return nil, err
	}
	results := make([]map[string]any, len(checks))
	for i := range checks {
		if len(checks[i].ID) > maxItemText {
			return nil, refuse("invalid", "an item's id has at most %d characters", maxItemText)
		}
		result, err := b.verifyOne(ctx, s, &checks[i])
		if err != nil {
			// A malformed check is answered in its place, and the others stand; a
			// failure of the storage is everybody's.
			r, ours := refused(err)
			if !ours {
				return nil, err
			}
			result = map[string]any{"valid": false, "error": r.Error()}
		}
		result["id"] = checks[i].ID
		results[i] = result
	}
	return results, nil
}

func (b *backend) verifyOne(ctx context.Context, s logical.Storage, check *checkRequest) (map[string]any, error) {
	keys, sets, err := b.setsOf(ctx, s, check.Profile, check.KeyVersion)
	if err != nil {
		return nil, err
	}
	q, err := check.query(keys.profile, maxWindow)
	if err != nil {
		return nil, err
	}
	match, valid, err := find(sets, q)
	if err != nil {
		return nil, err
	}
	if !valid {
		return map[string]any{"valid": false}, nil
	}
	return map[string]any{"valid": true, "atc": strconv.Itoa(int(match.ATC)), "scripts": strconv.Itoa(match.Scripts)}, nil
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
