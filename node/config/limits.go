package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/document"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// written is a limit as a file has it. The value has the line of the limit's name.
type written struct {
	file  string
	value spec.Value
}

// origin is the place of a field, or of the limit if it has no such field.
func (w *written) origin(path string) string {
	return fmt.Sprintf("%s:%d", w.file, w.value.LineOf(path))
}

// defaultKeys are the settings that are fields of the limit "default", too.
var defaultKeys = []string{"limit", "window", "burst", "max_overshoot"}

// Policies returns all limits by name, validated. The error joins all faults, each with its
// origin.
func (s *Settings) Policies() (map[string]node.Policy, error) {
	limits, faults := s.resolve()
	out := map[string]node.Policy{}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		l := limits[name]
		out[name] = l.Policy()
		for _, f := range limit.FieldErrors(out[name].Validate()) {
			faults = append(faults, s.at(name, f))
		}
	}
	return out, errors.Join(faults...)
}

// Doubts lists the selectors of the limits that can hardly mean what they say, each with its
// origin and the reason. Nothing is wrong with them: whoever starts a node shows them to the
// operator. The limits are those that Policies returned.
func (s *Settings) Doubts(limits map[string]node.Policy) []error {
	var all []error
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		p := limits[name]
		for _, f := range p.Doubts() {
			all = append(all, s.at(name, f))
		}
	}
	return all
}

// at adds to a limit's faulty field the place where it stands.
func (s *Settings) at(name string, f *node.FieldError) error {
	w, found := s.limits[name]
	if name == node.DefaultLimit && slices.Contains(defaultKeys, f.Field) {
		under := found && w.value.Has(f.Field) && s.origins[f.Field] == w.origin(f.Field) // limits.default
		if origin := s.origins[f.Field]; origin != "" && !under {
			return fmt.Errorf("%s: %w", origin, f)
		}
	}
	if !found {
		return f
	}
	return fmt.Errorf("%s: %w", w.origin(f.Field), &node.FieldError{Field: "limits." + name + "." + f.Field, Value: f.Value, Reason: f.Reason})
}

// ServedLimits reads the answer of a node to GET /v1/limits: all its limits in force, by name.
func ServedLimits(answer []byte) (map[string]node.Policy, error) {
	doc, err := spec.ParseJSON(answer)
	if err != nil {
		return nil, fmt.Errorf("the answer %w", err)
	}
	out := map[string]node.Policy{}
	var r spec.Reader
	r.Fields("", doc, "{}", []spec.Field{{Name: "limits", Into: func(r *spec.Reader, path string, v spec.Value) {
		r.Mapping(path, v, "{}", func(path string, m spec.Member) {
			l := r.Limit(path, m.Value, spec.BaseOf(nil))
			out[m.Name] = l.Policy()
		})
	}}})
	return out, r.Err()
}

// resolver reads limits in the order in which they use each other.
type resolver struct {
	settings *Settings
	known    []string
	done     map[string]*spec.Limit // nil for a limit with faults
	stack    []string               // limits being read; each uses the next
	faults   []error
}

// resolve turns the written limits into limits.
func (s *Settings) resolve() (map[string]*spec.Limit, []error) {
	v := &resolver{settings: s, done: map[string]*spec.Limit{}}
	v.known = slices.Collect(maps.Keys(s.limits))
	if _, found := s.limits[node.DefaultLimit]; !found && s.wantsDefault() {
		v.known = append(v.known, node.DefaultLimit)
	}
	slices.Sort(v.known)
	for _, name := range v.known {
		v.limit(name)
	}
	maps.DeleteFunc(v.done, func(_ string, l *spec.Limit) bool { return l == nil })
	return v.done, v.faults
}

// wantsDefault reports whether there is a limit "default" although no file has it under
// limits: if there is no other limit, if another uses it, or if a key, the environment or a
// flag says a part of it.
func (s *Settings) wantsDefault() bool {
	for _, w := range s.limits {
		if usesDefault(&w.value) {
			return true
		}
	}
	return len(s.limits) == 0 || slices.ContainsFunc(defaultKeys, func(key string) bool { return s.origins[key] != "" })
}

// usesDefault reports whether a limit, or an override in it, uses the limit "default".
func usesDefault(v *spec.Value) bool {
	for i := range v.Members {
		m := &v.Members[i]
		if m.Name == "use" && m.Value.Text == node.DefaultLimit || usesDefault(&m.Value) {
			return true
		}
	}
	return slices.ContainsFunc(v.Items, func(item spec.Value) bool { return usesDefault(&item) })
}

// limit reads a limit, after those that it uses.
func (v *resolver) limit(name string) *spec.Limit {
	if l, done := v.done[name]; done {
		return l
	}
	w, found := v.settings.limits[name]
	l := v.settings.Default
	if found {
		v.stack = append(v.stack, name)
		var r spec.Reader
		l = r.Limit("limits."+name, w.value, v.base)
		v.stack = v.stack[:len(v.stack)-1]
		if faults := document.Faults(w.file, &r); len(faults) > 0 {
			v.faults = append(v.faults, faults...)
			v.done[name] = nil
			return nil
		}
		if name == node.DefaultLimit {
			v.overlay(&l)
		}
	}
	v.done[name] = &l
	return &l
}

// overlay puts keys, environment and flags over the default limit of a file.
func (v *resolver) overlay(l *spec.Limit) {
	s := v.settings
	w := s.limits[node.DefaultLimit]
	for _, key := range defaultKeys {
		origin := s.origins[key]
		if origin == "" || (w.value.Has(key) && origin == w.origin(key)) {
			continue // the file's own value holds
		}
		switch key {
		case "limit":
			l.Limit = s.Default.Limit
		case "window":
			l.Window = s.Default.Window
		case "burst":
			l.Burst = s.Default.Burst
		case "max_overshoot":
			l.MaxOvershoot = s.Default.MaxOvershoot
		}
	}
}

// base implements spec.Base.
func (v *resolver) base(name string) (spec.Limit, error) {
	if i := slices.Index(v.stack, name); i >= 0 {
		user := v.stack[len(v.stack)-1]
		circle := append([]string{user}, v.stack[i:]...)
		return spec.Limit{}, errors.New("goes in a circle: " + strings.Join(circle[:2], " uses ") + which(circle[2:]))
	}
	if !slices.Contains(v.known, name) {
		return spec.Limit{}, spec.NoLimit(name, v.known)
	}
	l := v.limit(name)
	if l == nil {
		return spec.Limit{}, spec.ErrTold
	}
	return *l, nil
}

// which continues a sentence about limits that use each other.
func which(names []string) string {
	var out strings.Builder
	for _, name := range names {
		out.WriteString(", which uses " + name)
	}
	return out.String()
}
