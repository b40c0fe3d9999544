package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// MaxFile is the largest configuration file that is read, in bytes.
const MaxFile = 1 << 20

// ReadFile reads a configuration file over what is set already.
func (s *Settings) ReadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	if len(text) > MaxFile {
		return fmt.Errorf("configuration file: %s is larger than %d bytes", path, MaxFile)
	}
	return s.Parse(path, text)
}

// Parse reads a configuration file's text; name is what errors call it.
func (s *Settings) Parse(name string, text []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil // an empty file sets nothing
	case err != nil:
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: there is more than one document in the file: give one", name)
	}
	f := &file{name: name, settings: s}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil // nothing but comments
	}
	f.mapping(root, "", f.topLevel)
	return errors.Join(f.faults...)
}

// file is one being read. It goes on after a fault, to find all.
type file struct {
	name     string
	settings *Settings
	faults   []error
}

func (f *file) origin(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

func (f *file) refuse(n *yaml.Node, format string, args ...any) {
	f.faults = append(f.faults, fmt.Errorf("%s: %w", f.origin(n), fmt.Errorf(format, args...)))
}

// mapping calls each for every key, once. what is the mapping's own key.
func (f *file) mapping(n *yaml.Node, what string, each func(key string, at, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		if what == "" {
			f.refuse(n, "must be keys with values, such as \"limit: 100\"")
		} else {
			f.refuse(n, "%s: must be a mapping, such as {limit: 100, window: 60}", what)
		}
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		name := key.Value
		if what != "" {
			name = what + "." + name
		}
		switch first, twice := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			f.refuse(key, "a key must be a plain word")
		case twice:
			f.refuse(key, "%s: is set twice: first in line %d", name, first)
		case value.Tag == "!!null":
			f.refuse(key, "%s: has no value: leave it out for its default", name)
		default:
			seen[key.Value] = key.Line
			each(key.Value, key, value)
		}
	}
}

func (f *file) topLevel(key string, at, value *yaml.Node) {
	if key == "limits" {
		f.mapping(value, "limits", f.limit)
		return
	}
	var fields []spec.Field
	for _, set := range f.settings.All() {
		fields = append(fields, spec.Field{Name: set.Key, Into: set.into})
		if set.Key != key {
			continue
		}
		if value.Kind == yaml.SequenceNode && set.list {
			value = joined(value)
		}
		if f.value(fields[len(fields)-1], "", value) {
			f.set(key, at)
		}
		return
	}
	_, err := spec.Find(append(fields, spec.Field{Name: "limits"}), key)
	f.refuse(at, "%w", err)
}

// joined turns a list of plain values into the one with commas.
func joined(list *yaml.Node) *yaml.Node {
	var all []string
	for _, item := range list.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return list
		}
		all = append(all, item.Value)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Join(all, ","), Line: list.Line}
}

var limitName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (f *file) limit(name string, at, value *yaml.Node) {
	if !limitName.MatchString(name) {
		f.refuse(at, "limits.%s: the name of a limit must be 1 to 64 of A-Z, a-z, 0-9, _, - and .", name)
		return
	}
	l := spec.NewLimit()
	what := "limits." + name
	f.mapping(value, what, func(key string, at, value *yaml.Node) {
		field, err := spec.Find(l.Fields(), key)
		if err != nil {
			f.refuse(at, "%s: %w", what, err)
			return
		}
		if f.value(field, what+".", value) {
			f.settings.origins[what+"."+key] = f.origin(at)
		}
	})
	if name == node.DefaultLimit {
		// The same limit as the keys limit, window and so on, which flags override.
		f.settings.Default = l
		for _, field := range l.Fields() {
			f.set(field.Name, at)
			if origin := f.settings.origins[what+"."+field.Name]; origin != "" {
				f.settings.origins[field.Name] = origin
			}
		}
		return
	}
	f.settings.limits[name] = l
	f.settings.origins[what] = f.origin(at)
}

// set notes where a key was set. The default limit has two spellings: both are one
// too many.
func (f *file) set(key string, at *yaml.Node) {
	if other := f.settings.origins[key]; strings.HasPrefix(other, f.name+":") {
		f.refuse(at, "%s: is set twice: here and at %s", key, other)
	}
	f.settings.origins[key] = f.origin(at)
}

// value reads one value and reports whether it fitted.
func (f *file) value(field spec.Field, prefix string, n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		f.refuse(n, "%s%s: must be a single value", prefix, field.Name)
		return false
	}
	field.Name = prefix + field.Name
	if err := field.Set(spec.Text, n.Value); err != nil {
		f.refuse(n, "%w", err)
		return false
	}
	return true
}
