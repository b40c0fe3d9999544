package spec

import (
	"errors"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Base finds the limit that "use" names. The error is the reason why a limit cannot use it,
// or ErrTold.
type Base func(name string) (Limit, error)

// ErrTold is a Base's error if the named limit is at fault itself, and the reader has
// reported that.
var ErrTold = errors.New("the limit is at fault itself")

// BaseOf finds policies in force. Those of a node have no faults, so it never returns ErrTold.
func BaseOf(policies map[string]node.Policy) Base {
	return func(name string) (Limit, error) {
		p, found := policies[name]
		if !found {
			return Limit{}, NoLimit(name, slices.Sorted(maps.Keys(policies)))
		}
		return LimitOf(p), nil
	}
}

// NoLimit is the reason why nothing can use a name that no limit has.
func NoLimit(name string, known []string) error {
	if len(known) == 0 {
		return errors.New("is no limit, and there is none")
	}
	return errors.New("is no limit: there are " + Among(name, known))
}

// use reads the name of another limit and finds it. ok is false if nothing can use it, and the reader
// knows why. A burst that equals the limit counts as not given. Otherwise {use: a, limit: 200} would
// keep the burst of a, which nobody wrote.
func (r *Reader) use(path string, v Value, base Base) (l Limit, ok bool) {
	if v.Kind != Text && v.Kind != String {
		if v.Kind != Null { // Mapping has refused that
			r.Refuse(v.Line, path, v.shown(), "must be the name of a limit")
		}
		return Limit{}, false
	}
	l, err := base(v.Text)
	if err != nil {
		if !errors.Is(err, ErrTold) {
			r.Refuse(v.Line, path, Quote(v.Text), err.Error())
		}
		return Limit{}, false
	}
	if l.Burst == l.Limit {
		l.Burst = 0 // as if not given: it follows the limit
	}
	return l, true
}
