package engine

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// Bounds of the marks under one name: one entry of Raft storage holds them.
const (
	maxMarks    = 4096
	maxMarkName = 48
)

// markName is the name of a mark among those under one name.
var markName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,47}$`)

// pathMarks are numbers that only rise: what a database restored to an earlier
// day cannot take back.
func (b *backend) pathMarks() *framework.Path {
	return &framework.Path{
		Pattern: "marks/" + framework.GenericNameRegex("name"),
		Fields: map[string]*framework.FieldSchema{
			"name":  {Type: framework.TypeString, Required: true, Description: "Whose marks: lower-case letters, digits and dashes, at most 48."},
			"marks": {Type: framework.TypeKVPairs, Description: "Marks by their names, whole numbers as text; all are raised or none."},
		},
		Operations: operations{
			logical.UpdateOperation: b.command("Raise marks; what is lower than before is refused.", b.raiseMarks),
			logical.ReadOperation:   b.quick("Read all marks under the name.", readMarks),
		},
		HelpSynopsis: "Keep numbers that only rise.",
		HelpDescription: "A mark is raised, or written again as it is, never lowered and never deleted. Whoever finds its own numbers below its marks " +
			"has been restored to an earlier day. Marks that are not named stay as they are.",
	}
}

func (b *backend) raiseMarks(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := text(data, "name")
	if err := checkKeyName(name); err != nil {
		return nil, err
	}
	given, _ := data.Get("marks").(map[string]string)
	if len(given) == 0 {
		return nil, refuse("invalid", "marks is an object of names and whole numbers")
	}
	defer b.lock(markPrefix + name)()
	marks := map[string]int64{}
	if _, err := get(ctx, r.Storage, markPrefix+name, &marks); err != nil {
		return nil, err
	}
	raised := maps.Clone(marks)
	for _, mark := range slices.Sorted(maps.Keys(given)) {
		if !markName.MatchString(mark) {
			return nil, refuse("invalid", "a mark's name has at most %d small letters, digits, dots and dashes", maxMarkName)
		}
		value, err := strconv.ParseInt(given[mark], 10, 64)
		if err != nil || value < 0 {
			return nil, refuse("invalid", "a mark is a whole number from 0")
		}
		if value < marks[mark] {
			return nil, refuse("conflict", "mark %s stands at %d: it only rises", mark, marks[mark])
		}
		raised[mark] = value
	}
	if len(raised) > maxMarks {
		return nil, refuse("invalid", "under one name there are at most %d marks", maxMarks)
	}
	if maps.Equal(raised, marks) {
		return nil, nil //nolint:nilnil // Vault's 204
	}
	if err := put(ctx, r.Storage, markPrefix+name, raised); err != nil {
		return nil, fmt.Errorf("raise marks: %w", err)
	}
	return nil, nil //nolint:nilnil // Vault's 204
}

func readMarks(ctx context.Context, r *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	marks := map[string]int64{}
	if _, err := get(ctx, r.Storage, markPrefix+text(data, "name"), &marks); err != nil {
		return nil, err
	}
	answer := make(map[string]string, len(marks))
	for mark, value := range marks {
		answer[mark] = strconv.FormatInt(value, 10)
	}
	return &logical.Response{Data: map[string]any{"marks": answer}}, nil
}
