// Command openapi writes docs/openapi.yaml, the description of the API for relying
// services, and docs/api.md, the same for people. It never serves anything.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"sceau/web/api"
)

func main() {
	folder := flag.String("folder", "docs", "folder to write to")
	flag.Parse()
	if err := write(*folder); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// Version is that of the paths: what is written does not change with the program's.
const version = "1"

func write(folder string) error {
	text, err := api.Description(version)
	if err != nil {
		return err
	}
	page, err := reference(text)
	if err != nil {
		return err
	}
	const mode = 0o644
	if err := os.WriteFile(filepath.Join(folder, "openapi.yaml"), text, mode); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "api.md"), page, mode)
}

// document is what the page shows of a description.
type document struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas map[string]schema `yaml:"schemas"`
	} `yaml:"components"`
}

type operation struct {
	Summary     string                `yaml:"summary"`
	Description string                `yaml:"description"`
	Tags        []string              `yaml:"tags"`
	Security    []map[string][]string `yaml:"security"`
	Parameters  []struct {
		Name        string `yaml:"name"`
		In          string `yaml:"in"`
		Required    bool   `yaml:"required"`
		Description string `yaml:"description"`
		Schema      schema `yaml:"schema"`
	} `yaml:"parameters"`
	RequestBody struct {
		Content map[string]media `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Content map[string]media `yaml:"content"`
	} `yaml:"responses"`
}

type media struct {
	Schema schema `yaml:"schema"`
}

type schema struct {
	Ref         string            `yaml:"$ref"`
	Type        any               `yaml:"type"` // one, or with null
	Format      string            `yaml:"format"`
	Pattern     string            `yaml:"pattern"`
	Enum        []any             `yaml:"enum"`
	Default     any               `yaml:"default"`
	Description string            `yaml:"description"`
	Items       *schema           `yaml:"items"`
	Properties  map[string]schema `yaml:"properties"`
	Required    []string          `yaml:"required"`
}

// reference is the page of a description.
func reference(text []byte) ([]byte, error) {
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	var page bytes.Buffer
	page.WriteString("# The API for relying services\n\nWritten by `make generate` from [openapi.yaml](openapi.yaml), which the door serves at `/openapi.yaml`; what to do with it stands in [relying-services.md](relying-services.md).\n")
	for _, tag := range tags(d) {
		fmt.Fprintf(&page, "\n## %s\n", tag)
		for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
			for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
				if o := d.Paths[path][method]; slices.Contains(o.Tags, tag) {
					o.show(&page, strings.ToUpper(method)+" "+path)
				}
			}
		}
	}
	page.WriteString("\n## Bodies\n")
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		d.Components.Schemas[name].show(&page, name)
	}
	return page.Bytes(), nil
}

func tags(d document) []string {
	var all []string
	for _, methods := range d.Paths {
		for _, o := range methods {
			all = append(all, o.Tags...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (o operation) show(page *bytes.Buffer, title string) {
	fmt.Fprintf(page, "\n### `%s`\n\n%s.", title, o.Summary)
	if o.Description != "" {
		fmt.Fprintf(page, " %s", o.Description)
	}
	for _, s := range o.Security {
		for _, scopes := range s {
			fmt.Fprintf(page, " Scope `%s`.", strings.Join(scopes, " "))
		}
	}
	page.WriteString("\n\n")
	for _, p := range o.Parameters {
		must := ""
		if p.Required {
			must = ", required"
		}
		fmt.Fprintf(page, "- `%s` (%s%s): %s\n", p.Name, p.In, must, cmp.Or(p.Description, p.Schema.Description, p.Schema.name()))
	}
	for _, m := range o.RequestBody.Content {
		fmt.Fprintf(page, "- body: %s\n", m.Schema.name())
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		for _, kind := range slices.Sorted(maps.Keys(o.Responses[status].Content)) {
			if strings.HasPrefix(status, "2") {
				fmt.Fprintf(page, "- answer %s: %s\n", status, o.Responses[status].Content[kind].Schema.name())
			}
		}
	}
}

func (s schema) show(page *bytes.Buffer, name string) {
	fmt.Fprintf(page, "\n### %s\n\n| member | is | |\n| --- | --- | --- |\n", name)
	for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[member]
		must := ""
		if slices.Contains(s.Required, member) {
			must = ", always"
		}
		fmt.Fprintf(page, "| `%s` | %s%s | %s |\n", member, p.name(), must, strings.ReplaceAll(p.Description, "|", "\\|"))
	}
}

// name says what a value is.
func (s schema) name() string {
	switch {
	case s.Ref != "":
		name := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	case s.Items != nil:
		return "list of " + s.Items.name()
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, w := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", w)
		}
		return strings.Join(words, ", ")
	case s.Pattern != "":
		return "text of the form `" + strings.ReplaceAll(s.Pattern, "|", "\\|") + "`"
	case s.Format != "":
		return s.Format
	case s.Type == "string":
		return "text"
	}
	return fmt.Sprint(s.Type)
}
