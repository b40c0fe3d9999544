package natskv

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// book is the content of the bucket, by limit. It is for one goroutine.
type book struct {
	entries map[string]*entry
	before  map[string]*entry // during a new reading: the content until then
	created time.Time         // of the bucket
	limits  int               // entries that are not gone
}

// begin starts a reading of the bucket from its beginning.
func (b *book) begin(created time.Time) {
	if b.before == nil {
		b.before = b.entries
	}
	b.entries, b.created, b.limits = map[string]*entry{}, created, 0
}

// done ends it: keys that did not come are not in the bucket any more, and were not
// deleted either, but went with it.
func (b *book) done() { b.before = nil }

// hear takes a value of the bucket. The error is the reason why it refuses the value.
func (b *book) hear(name string, in jetstream.KeyValueEntry) (*entry, error) {
	old := b.entries[name]
	if old == nil {
		old = b.before[name]
	}
	e, err := readEntry(in)
	if old != nil {
		e.last = old.last
		if old.revision == e.revision {
			e.told, e.refused = old.told, old.refused // it was read before
		}
	}
	had := b.entries[name] != nil && !b.entries[name].gone
	switch {
	case e.gone && had:
		b.limits--
	case e.gone && b.entries[name] == nil && len(b.entries)-b.limits >= mostGone:
		return e, nil
	case !e.gone && !had && b.limits == node.MaxLimits:
		return e, fmt.Errorf("it is one too many: at most %d limits", node.MaxLimits)
	case !e.gone && !had:
		b.limits++
	}
	b.entries[name] = e
	return e, err
}

// forget drops a key that is gone, once there is nothing left to take back.
func (b *book) forget(name string) { delete(b.entries, name) }

// resolver reads limits that use others: of the bucket, or else those in force.
type resolver struct {
	book    *book
	inForce map[string]node.Policy
	done    map[string]*spec.Limit // of those that use others; nil: it is at fault
	stack   []string               // being read, each used by the one before
	faults  map[string]error
}

func (b *book) resolver(inForce map[string]node.Policy) *resolver {
	return &resolver{book: b, inForce: inForce, done: map[string]*spec.Limit{}, faults: map[string]error{}}
}

// limit is what the bucket says under a name that it has, nil where that is not right.
func (v *resolver) limit(name string) *spec.Limit {
	e := v.book.entries[name]
	if e.value == nil {
		return e.limit
	}
	if l, done := v.done[name]; done {
		return l
	}
	v.stack = append(v.stack, name)
	var r spec.Reader
	l := r.Limit("", *e.value, v.base)
	v.stack = v.stack[:len(v.stack)-1]
	v.done[name] = nil
	if err := judge(&r, &l); err != nil {
		v.faults[name] = err
		return nil
	}
	v.done[name] = &l
	return &l
}

// base implements spec.Base.
func (v *resolver) base(name string) (spec.Limit, error) {
	if i := slices.Index(v.stack, name); i >= 0 {
		return spec.Limit{}, errors.New("goes in a circle: " + strings.Join(append(slices.Clone(v.stack[i:]), name), " uses "))
	}
	if e := v.book.entries[name]; e != nil && !e.gone {
		if l := v.limit(name); l != nil {
			return *l, nil
		}
		return spec.Limit{}, errors.New("is at fault itself")
	}
	return spec.BaseOf(v.inForce)(name)
}
