package spec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// mostFaults is the most faults of one document that a message lists; it counts the others.
// More make messages that nobody reads, fewer make an operator start more often.
const mostFaults = 20

// Reader reads fields from documents and collects their faults. The zero value is ready.
// It is for one goroutine.
type Reader struct {
	faults []Fault
	more   int
}

// Fault is one fault and its line in the document, 0 where lines are unknown.
type Fault struct {
	Line int
	Err  *node.FieldError
}

// Refuse notes a fault; field is the path of the value at fault.
func (r *Reader) Refuse(line int, field string, value any, reason string) {
	if len(r.faults) == mostFaults {
		r.more++
		return
	}
	r.faults = append(r.faults, Fault{line, &node.FieldError{Field: field, Value: value, Reason: reason}})
}

// count is the number of all faults so far. Two counts show whether a part of a document has any.
func (r *Reader) count() int { return len(r.faults) + r.more }

// Faults lists the faults so far, and counts those beyond the cap.
func (r *Reader) Faults() (faults []Fault, more int) { return r.faults, r.more }

// Err joins the faults, nil if there are none.
func (r *Reader) Err() error {
	all := make([]error, 0, len(r.faults)+1)
	for _, f := range r.faults {
		all = append(all, f.Err)
	}
	if r.more > 0 {
		all = append(all, More(r.more))
	}
	return errors.Join(all...)
}

// More counts the faults that a message leaves out.
func More(n int) error { return fmt.Errorf("and %d more", n) }

// Mapping calls each once for every member of a mapping, with its path. A value that is no
// mapping is a fault, whose message shows the example.
func (r *Reader) Mapping(path string, v Value, example string, each func(path string, m Member)) {
	if v.Kind != Mapping {
		r.Refuse(v.Line, path, v.shown(), "must be a mapping, such as "+example)
		return
	}
	seen := make(map[string]int, len(v.Members))
	for _, m := range v.Members {
		at := Join(path, m.Name)
		switch first, twice := seen[m.Name]; {
		case twice && first == 0:
			r.Refuse(m.Line, at, "is given more than once", "give it once")
		case twice:
			r.Refuse(m.Line, at, "is given more than once", fmt.Sprintf("it is in line %d already", first))
		case m.Value.Kind == Null:
			r.Refuse(m.Line, at, "null", "must have a value, or be left out for its default")
		default:
			seen[m.Name] = m.Line
			each(at, m)
		}
	}
}

// Fields reads the members of a mapping into the fields of their names.
func (r *Reader) Fields(path string, v Value, example string, fields []Field) {
	r.Mapping(path, v, example, func(at string, m Member) { r.Member(at, m, fields) })
}

// Member reads one member into the field of its name, and reports whether it is without
// a fault.
func (r *Reader) Member(path string, m Member, fields []Field) bool {
	before := r.count()
	f, err := Find(fields, m.Name)
	if fault := new(node.FieldError); errors.As(err, &fault) {
		r.Refuse(m.Line, path, fault.Value, fault.Reason)
		return false
	}
	switch into := f.Into.(type) {
	case func(r *Reader, path string, v Value):
		into(r, path, m.Value)
	case *[]string:
		*into = r.Strings(path, m.Value)
	default:
		if want := f.set(m.Value); want != "" {
			r.Refuse(m.Value.Line, path, m.Value.shown(), want)
		}
	}
	return r.count() == before
}

// Strings reads a string or a list of them.
func (r *Reader) Strings(path string, v Value) []string {
	if v.Kind == Text || v.Kind == String {
		return []string{v.Text}
	}
	if v.Kind != List || len(v.Items) == 0 {
		r.Refuse(v.Line, path, v.shown(), "must be a string, or a list of at least one")
		return nil
	}
	out := make([]string, 0, len(v.Items))
	for i, item := range v.Items {
		if item.Kind != Text && item.Kind != String {
			r.Refuse(item.Line, Index(path, i), item.shown(), "must be a string")
			continue
		}
		out = append(out, item.Text)
	}
	return out
}

// Join is the path of a member.
func Join(path, name string) string {
	if path == "" {
		return plain(name)
	}
	return path + "." + plain(name)
}

// Index is the path of an item of a list.
func Index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// OneLine returns an error's text on one line: joined errors come on several.
func OneLine(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}
