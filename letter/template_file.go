package letter

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
)

// oneDocument reads the one YAML document of a file.
func oneDocument(file []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, &lifecycle.FieldError{Field: "template", Why: "is not YAML: " + err.Error()}
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &lifecycle.FieldError{Field: "template", Why: "has more than one document"}
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, &lifecycle.FieldError{Field: "template", Why: "begins with format, kind and languages"}
	}
	return document.Content[0], nil
}

// flatten lists the scalars below a node, by their paths: labels.date,
// reader.steps.0. Whatever YAML has beyond maps, lists and texts is refused.
func (p *templateParser) flatten(path string, n *yaml.Node, depth int) {
	const deepest = 5
	if p.nodes++; p.nodes > maxNodes || depth > deepest {
		p.wrong(path, n.Line, "has more in it than a template has")
		return
	}
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		p.wrong(path, n.Line, "anchors and aliases are not taken: write the text out")
		return
	}
	below := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch n.Kind { //nolint:exhaustive // aliases are refused above, a document has one node
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || key.Anchor != "" || strings.Contains(key.Value, ".") {
				p.wrong(path, key.Line, "has a key that is not a name")
				continue
			}
			p.flatten(below(key.Value), n.Content[i+1], depth+1)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			p.flatten(below(fmt.Sprint(i)), item, depth+1)
		}
	case yaml.ScalarNode:
		if n.ShortTag() != "!!str" && path != "format" {
			p.wrong(path, n.Line, "is not a text: put it in quotes")
			return
		}
		if p.at == nil {
			p.at = map[string]int{}
		}
		if first, twice := p.at[path]; twice {
			p.wrong(path, n.Line, "stands already in line %d", p.entries[first].line)
			return
		}
		p.at[path] = len(p.entries)
		p.entries = append(p.entries, entry{path: path, value: n.Value, line: n.Line})
	}
}

// canonical writes a template's entries: one order, one way to write each, no
// comment.
func canonical(entries []entry) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range entries {
		leaf := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.value}
		switch e.path {
		case "format":
			leaf.Tag = "!!int"
		case "logo":
			leaf.Style = yaml.LiteralStyle
		}
		hang(root, strings.Split(e.path, "."), leaf)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("write the template: %w", err)
	}
	return out.Bytes(), nil
}

// hang puts a leaf under a node; a number on its path is a place in a list.
func hang(n *yaml.Node, path []string, leaf *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		if at, err := strconv.Atoi(path[0]); err != nil || at < len(n.Content) {
			hang(n.Content[len(n.Content)-1], path[1:], leaf)
			return
		}
		n.Content = append(n.Content, branch(path[1:], leaf))
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == path[0] {
			hang(n.Content[i+1], path[1:], leaf)
			return
		}
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0]}
	n.Content = append(n.Content, key, branch(path[1:], leaf))
}

// branch is a new node that ends in the leaf.
func branch(path []string, leaf *yaml.Node) *yaml.Node {
	if len(path) == 0 {
		return leaf
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	if _, err := strconv.Atoi(path[0]); err == nil {
		n.Kind = yaml.SequenceNode
	}
	hang(n, path, leaf)
	return n
}

// inLines is a picture in base64, in lines that an editor shows.
func inLines(picture []byte) string {
	const width = 76
	var b strings.Builder
	for rest := base64.StdEncoding.EncodeToString(picture); rest != ""; {
		n := min(width, len(rest))
		b.WriteString(rest[:n] + "\n")
		rest = rest[n:]
	}
	return strings.TrimSuffix(b.String(), "\n")
}
