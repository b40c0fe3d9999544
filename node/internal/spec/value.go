package spec

import (
	"strconv"
	"strings"
)

// Value is a part of a document, in whatever format somebody wrote it. It is immutable once made, so
// several limits may read one value.
type Value struct {
	Kind    Kind
	Line    int      // line in the document, 0 if unknown
	Text    string   // a scalar as written, without quotes; "" for other kinds
	Items   []Value  // of a List
	Members []Member // of a Mapping, in the order in which they are written
}

// Member is one name in a mapping and its value. Names may repeat in Value.Members. Reader.Mapping
// refuses that, and can then say in which line the first one stands.
type Member struct {
	Name  string
	Line  int
	Value Value
}

// Kind is the kind of a value as the document writes it.
type Kind uint8

// The kinds. Text has no type, as in flags, environment variables and YAML's plain scalars. The field
// that takes it decides the type, so the client 0123 keeps its zero. The others have the type that
// JSON, or quotes in YAML, give them.
const (
	Text   Kind = iota
	String      // also a scalar in quotes in YAML
	Number      // as written, since a float would lose digits of large numbers
	Bool        // of JSON; in YAML, true and false are Text
	Null        // always a fault, see Reader.Mapping
	List
	Mapping
)

// MaxDepth is how deep a document may nest. Sensible documents need six levels. Higher lets
// a hostile document use more stack; lower refuses honest ones.
const MaxDepth = 16

// shown is the value as a message shows it.
func (v Value) shown() string {
	switch v.Kind {
	case Null:
		return "null"
	case List:
		return "is a list"
	case Mapping:
		return "is a mapping"
	default:
		return Quote(v.Text)
	}
}

// Has reports whether a mapping has a member of that name.
func (v Value) Has(name string) bool {
	_, found := v.member(name)
	return found
}

func (v Value) member(name string) (Member, bool) {
	for _, m := range v.Members {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// LineOf is the line of the value at path. If the document has none there, as for a missing
// field, it is the line of the innermost part around it. 0 means that the document has no
// lines.
func (v Value) LineOf(path string) int {
	line := v.Line
	for path != "" {
		var step string
		step, path = cutStep(path)
		if text, ok := strings.CutPrefix(step, "["); ok {
			i, err := strconv.Atoi(text)
			if err != nil || i < 0 || i >= len(v.Items) {
				return line
			}
			v = v.Items[i]
			line = v.Line
			continue
		}
		m, found := v.member(step)
		if !found {
			return line
		}
		line, v = m.Line, m.Value
	}
	return line
}

// cutStep takes the first step off a path: a name, or an index with its opening bracket, such as
// "[1". It takes a name with a point in it for two steps, so LineOf finds the part around such a name.
func cutStep(path string) (step, rest string) {
	path = strings.TrimPrefix(path, ".")
	if path != "" && path[0] == '[' {
		step, rest, _ = strings.Cut(path, "]")
		return step, rest
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end], path[end:]
}
