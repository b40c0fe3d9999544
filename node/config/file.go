package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/document"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// MaxFile is the largest configuration file in bytes. Higher costs memory for a file that
// is there by mistake; lower refuses files with many overrides.
const MaxFile = 8 << 20

// ReadFile reads a configuration file. Its values replace those that are set already.
func (s *Settings) ReadFile(path string) error {
	text, err := Content(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	return s.Parse(path, text)
}

// Content is a configuration file's text, for Parse and Watch.
func Content(path string) ([]byte, error) { return ReadRegular(path, MaxFile) }

// Parse reads a configuration file's text. Errors call the file name.
func (s *Settings) Parse(name string, text []byte) error {
	doc, err := document.Parse(name, text)
	if doc == nil {
		return err // an empty file sets nothing
	}
	f := &file{name: name, settings: s}
	root, ok := document.Value(&f.reader, doc, document.Form{})
	if ok && root.Kind != spec.Null { // which is nothing but comments
		f.read(root)
	}
	_, faults := s.resolve()
	return errors.Join(append(document.Faults(name, &f.reader), faults...)...)
}

// file is a configuration file that Parse reads.
type file struct {
	name     string
	settings *Settings
	reader   spec.Reader
	fields   []spec.Field
}

func (f *file) origin(line int) string { return fmt.Sprintf("%s:%d", f.name, line) }

func (f *file) read(root spec.Value) {
	if root.Kind != spec.Mapping {
		f.reader.Refuse(root.Line, "the file", "has no keys", `must be keys with values, such as "limit: 100"`)
		return
	}
	for _, set := range f.settings.All() {
		field := spec.Field{Name: set.Key, Into: set.into}
		if into, text := set.into.(*string); text && set.list {
			field.Into = func(r *spec.Reader, path string, v spec.Value) { *into = strings.Join(r.Strings(path, v), ",") }
		}
		f.fields = append(f.fields, field)
	}
	f.fields = append(f.fields, spec.Field{Name: "limits", Into: f.limits})
	f.reader.Mapping("", root, "", func(path string, m spec.Member) {
		if m.Name == "limit" && m.Value.Kind == spec.Mapping {
			f.reader.Refuse(m.Value.Line, path, "is a mapping", "must be a whole number; limits by name stand under limits: did you mean that?")
			return
		}
		if f.reader.Member(path, m, f.fields) && m.Name != "limits" {
			f.set(m.Name, m.Line)
		}
	})
}

var limitName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// limits keeps the limits as written. Their values are clear only once all limits are
// read, and for the default limit also environment and flags.
func (f *file) limits(r *spec.Reader, path string, v spec.Value) {
	r.Mapping(path, v, `{"login": `+spec.Example+`}`, func(path string, m spec.Member) {
		if !limitName.MatchString(m.Name) {
			r.Refuse(m.Line, path, "is no name", "the name of a limit must be 1 to 64 of A-Z, a-z, 0-9, _, - and .")
			return
		}
		if m.Name == node.DefaultLimit {
			// The same limit as the keys limit, window and so on, which flags override.
			for _, key := range defaultKeys {
				if m.Value.Has(key) {
					f.set(key, m.Value.LineOf(key))
				}
			}
		}
		w := written{file: f.name, value: m.Value}
		w.value.Line = m.Line
		f.settings.limits[m.Name] = w
	})
}

// set notes where a key was set. A file may have the default limit in one of its two
// spellings, not in both.
func (f *file) set(key string, line int) {
	if other := f.settings.origins[key]; strings.HasPrefix(other, f.name+":") {
		f.reader.Refuse(line, key, "is given more than once", "it is at "+other+" already")
	}
	f.settings.origins[key] = f.origin(line)
}
