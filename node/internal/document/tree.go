package document

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// mostRepeated caps the values that aliases repeat. Without a cap, a few lines of aliases
// to lists of aliases would become gigabytes. Raising it lets a hostile file take more memory and
// time. Lowering it refuses honest files with many aliases.
const mostRepeated = 100_000

// Form says which documents are read.
type Form struct {
	// Depth is how deep a document may nest. 0 means spec.MaxDepth.
	Depth int
	// Merge follows merge keys (<<), which files of Envoy's rules use. Without it, they are faults: a
	// limit builds on another one with use, which every form of a limit has.
	Merge bool
}

// Value makes a tree of a YAML node. It takes comments, aliases and plain scalars. It
// refuses everything else that JSON does not have, notes that as faults in r, and reports
// false if nothing is left of the document.
func Value(r *spec.Reader, n *yaml.Node, form Form) (spec.Value, bool) {
	if form.Depth == 0 {
		form.Depth = spec.MaxDepth
	}
	p := planter{reader: r, form: form}
	return p.value("", n, 1)
}

// planter makes a tree of YAML's nodes. It goes on after a fault, so that one run shows them all.
type planter struct {
	reader   *spec.Reader
	form     Form
	aliases  int // around the value at hand
	repeated int // values that aliases repeated so far; stays at or above mostRepeated once there
}

// value makes the value at path. It reports false after it has refused the value. depth counts an
// alias as well, so that one which contains itself ends.
func (p *planter) value(path string, n *yaml.Node, depth int) (spec.Value, bool) {
	v := spec.Value{Line: n.Line}
	switch {
	case depth > p.form.Depth:
		p.reader.Refuse(n.Line, subject(path), "is nested too deep", fmt.Sprintf("must be at most %d deep", p.form.Depth))
		return v, false
	case n.Style&yaml.TaggedStyle != 0:
		p.reader.Refuse(n.Line, subject(path), "has the tag "+spec.Quote(n.Tag), "tags are not supported")
		return v, false
	case p.aliases > 0:
		if p.repeated++; p.repeated == mostRepeated {
			p.reader.Refuse(n.Line, subject(path), "repeats too much", fmt.Sprintf("aliases must come to at most %d values together", mostRepeated))
		}
		if p.repeated >= mostRepeated {
			return v, false
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		p.aliases++
		v, ok := p.value(path, n.Alias, depth+1)
		p.aliases--
		return v, ok
	case yaml.MappingNode:
		return p.mapping(path, n, depth)
	case yaml.SequenceNode:
		v.Kind = spec.List
		v.Items = make([]spec.Value, len(n.Content))
		whole := true
		for i, item := range n.Content {
			var ok bool
			v.Items[i], ok = p.value(spec.Index(path, i), item, depth+1)
			whole = whole && ok
		}
		return v, whole
	default:
		v.Kind, v.Text = kind(n), n.Value
		return v, true
	}
}

// mapping makes a mapping without the members that it refuses. A member written out wins over one
// of a merge key, and of several merge keys the first wins, as YAML 1.1 has it.
func (p *planter) mapping(path string, n *yaml.Node, depth int) (spec.Value, bool) {
	v := spec.Value{Kind: spec.Mapping, Line: n.Line, Members: make([]spec.Member, 0, len(n.Content)/2)}
	var merged []spec.Value
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			p.reader.Refuse(key.Line, subject(path), "has a key that is none", "a key must be a plain word")
			continue
		case key.Tag == "!!merge" && p.form.Merge:
			if base, ok := p.value(path, value, depth); ok {
				merged = append(merged, base)
			}
			continue
		case key.Tag == "!!merge":
			p.reader.Refuse(key.Line, spec.Join(path, key.Value), "is not supported", "to build on another limit write use: NAME")
			continue
		}
		if member, ok := p.value(spec.Join(path, key.Value), value, depth+1); ok {
			v.Members = append(v.Members, spec.Member{Name: key.Value, Line: key.Line, Value: member})
		}
	}
	for _, base := range merged {
		p.merge(path, &v, base)
	}
	return v, true
}

// merge adds to v the members of base, a mapping or a list of them, that v does not have. base has
// been read at v's own depth, so a merge makes nothing deeper than the file is.
func (p *planter) merge(path string, v *spec.Value, base spec.Value) {
	switch base.Kind {
	case spec.Mapping:
		for _, m := range base.Members {
			if !v.Has(m.Name) {
				v.Members = append(v.Members, m)
			}
		}
	case spec.List:
		for _, item := range base.Items {
			p.merge(path, v, item)
		}
	default:
		p.reader.Refuse(base.Line, spec.Join(path, "<<"), spec.Quote(base.Text), "must be a mapping, or a list of them")
	}
}

// kind is the kind of a scalar. A plain one has the type that its field takes: `limit: 10` is a
// number and `client: 10` is an id, whatever YAML would make of them.
func kind(n *yaml.Node) spec.Kind {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	switch {
	case n.Style&quoted != 0:
		return spec.String
	case n.Tag == "!!null":
		return spec.Null
	default:
		return spec.Text
	}
}

// subject is a message's name for the part of the file at path, which is empty for all of it.
func subject(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
