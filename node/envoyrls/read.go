package envoyrls

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/document"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// File is a file of rules: its name, for messages, and its text in YAML.
type File struct {
	Name string
	Text []byte
}

// Options say how files are read. The zero value reads as envoyproxy/ratelimit does by
// default.
type Options struct {
	// MergeDomains lets several files give rules of one domain. Otherwise a second file of a
	// domain is an error.
	MergeDomains bool
}

// maxDepth is how deep a file may nest. Each level of descriptors takes two. Higher lets a
// hostile file use more stack; lower refuses trees that gateways generate.
const maxDepth = 64

// Read reads files of rules as envoyproxy/ratelimit has them, one domain in each. The error
// has all faults, each with its file and line.
func Read(files []File, o Options) (*Rules, error) {
	b := newBuilder(o)
	var faults []error
	for _, f := range files {
		doc, err := document.Parse(f.Name, f.Text)
		switch {
		case err != nil:
			faults = append(faults, err)
			continue
		case doc == nil:
			faults = append(faults, fmt.Errorf("%s is empty: it must have a domain and descriptors", f.Name))
			continue
		}
		var r spec.Reader
		if root, ok := document.Value(&r, doc, document.Form{Depth: maxDepth, Merge: true}); ok {
			b.domain(&r, f.Name, root)
		}
		faults = append(faults, document.Faults(f.Name, &r)...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return b.rules, nil
}

// Named is a domain's rules as a tree with the keys of a file, and the name that messages
// give it.
type Named struct {
	Name string
	Tree spec.Value
}

// FromTrees is Read for rules that come as trees.
func FromTrees(trees []Named, o Options) (*Rules, error) {
	b := newBuilder(o)
	var faults []error
	for _, t := range trees {
		var r spec.Reader
		b.domain(&r, t.Name, t.Tree)
		if err := r.Err(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", t.Name, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return b.rules, nil
}

// written is a descriptor as a file has it, before its rate_limit and its place are judged.
type written struct {
	key, value                          string
	limit                               *writtenLimit
	children                            []spec.Value
	shadow, quota                       bool
	detailed, valueToMetric, shareValue bool
	metadata                            spec.Value
	hasMetadata                         bool
}

// writtenLimit is a rate_limit as a file has it.
type writtenLimit struct {
	requests  uint32
	unit      string
	unlimited bool
	name      string
	replaces  []string
}

// What messages show of how a file, a descriptor and a limit are written.
const (
	fileExample       = `{domain: mydomain, descriptors: [` + descriptorExample + `]}`
	descriptorExample = `{key: remote_address, ` + limitExample + `}`
	limitExample      = `rate_limit: {unit: minute, requests_per_unit: 100}`
)

// domain reads the root of a file. Files of one domain come in the order in which they were given: of
// patterns that match alike, the one in the earlier file wins.
func (b *builder) domain(r *spec.Reader, file string, root spec.Value) {
	var name string
	var children []spec.Value
	r.Fields("", given(root), fileExample, []spec.Field{
		{Name: "domain", Into: text(&name)},
		{Name: "descriptors", Into: list(&children)},
	})
	switch other, twice := b.files[name]; {
	case name == "":
		r.Refuse(root.Line, "domain", `""`, "must be given, and must not be empty")
		return
	case twice && !b.options.MergeDomains:
		r.Refuse(root.LineOf("domain"), "domain", spec.Quote(name), "is in "+other+" already: a domain has one file")
		return
	case !twice:
		b.files[name] = file
		b.rules.domains[name] = new(branch)
	}
	b.descriptors(r, "", "", b.rules.domains[name], false, children)
}

// descriptors reads the descriptors below a branch, and all below those. label names the branch to
// people: keys and values joined by dots, as envoyproxy/ratelimit names its metrics. values says that
// metrics name values of the branch, or of one above it. Those below a
// descriptor with a fault are not read.
func (b *builder) descriptors(r *spec.Reader, path, label string, at *branch, values bool, list []spec.Value) {
	for i, v := range list {
		where := spec.Index(spec.Join(path, "descriptors"), i)
		var w written
		if !b.descriptor(r, where, v, &w) {
			continue
		}
		below := strings.TrimPrefix(label+"."+w.key, ".")
		if w.value != "" {
			below += "_" + w.value
		}
		to := b.branchOf(r, where, v, at, &w, below)
		if to == nil {
			continue
		}
		to.names = w.valueToMetric
		above := values || to.names
		if w.limit != nil {
			to.rule = b.rule(r, where, v, &w, below)
			to.rule.values = above
		}
		b.descriptors(r, where, below, to, above, w.children)
	}
}

// descriptor reads the fields of one descriptor. It reports whether they are without fault.
func (b *builder) descriptor(r *spec.Reader, path string, v spec.Value, w *written) bool {
	before, more := r.Faults()
	r.Fields(path, given(v), descriptorExample, []spec.Field{
		{Name: "key", Into: text(&w.key)},
		{Name: "value", Into: text(&w.value)},
		{Name: "rate_limit", Into: func(r *spec.Reader, path string, v spec.Value) {
			w.limit = new(writtenLimit)
			w.limit.read(r, path, v)
		}},
		{Name: "descriptors", Into: list(&w.children)},
		{Name: "shadow_mode", Into: boolean(&w.shadow)},
		{Name: "quota_mode", Into: boolean(&w.quota)},
		{Name: "detailed_metric", Into: boolean(&w.detailed)},
		{Name: "value_to_metric", Into: boolean(&w.valueToMetric)},
		{Name: "share_threshold", Into: boolean(&w.shareValue)},
		{Name: "metadata", Into: func(_ *spec.Reader, _ string, v spec.Value) { w.metadata, w.hasMetadata = v, true }},
	})
	if w.key == "" {
		r.Refuse(v.Line, spec.Join(path, "key"), `""`, "must be given, and must not be empty")
	}
	if w.shareValue && !strings.Contains(w.value, "*") {
		r.Refuse(v.LineOf("share_threshold"), spec.Join(path, "share_threshold"), "true", "needs a value with a *: other values have one bucket anyway")
	}
	after, still := r.Faults()
	return len(after) == len(before) && more == still
}

// read reads a rate_limit. Whether its unit and its number can be together is for the builder to say.
func (l *writtenLimit) read(r *spec.Reader, path string, v spec.Value) {
	r.Fields(path, given(v), "{unit: minute, requests_per_unit: 100}", []spec.Field{
		{Name: "unit", Into: text(&l.unit)},
		{Name: "requests_per_unit", Into: count(&l.requests)},
		{Name: "unlimited", Into: boolean(&l.unlimited)},
		{Name: "name", Into: text(&l.name)},
		{Name: "replaces", Into: func(r *spec.Reader, path string, v spec.Value) {
			var items []spec.Value
			list(&items)(r, path, v)
			for i, item := range items {
				var name string
				at := spec.Index(path, i)
				r.Fields(at, given(item), "{name: other}", []spec.Field{{Name: "name", Into: text(&name)}})
				if name == "" {
					r.Refuse(item.Line, spec.Join(at, "name"), `""`, "must be the name of another rule")
				}
				l.replaces = append(l.replaces, name)
			}
		}},
	})
	for _, name := range l.replaces {
		if name != "" && name == l.name {
			r.Refuse(v.LineOf("replaces"), spec.Join(path, "replaces"), spec.Quote(name), "is the name of this rule: a rule cannot replace itself")
		}
	}
}
