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

// contents is the content of the bucket, by limit. It is for one goroutine.
type contents struct {
	entries map[string]*entry
	before  map[string]*entry // during a new reading: the content until then
	created time.Time         // of the bucket
	limits  int               // entries that are not gone
}

// begin starts a new reading of the bucket.
func (c *contents) begin(created time.Time) {
	if c.before == nil {
		c.before = c.entries
	}
	c.entries, c.created, c.limits = map[string]*entry{}, created, 0
}

// done ends the reading. A key that did not come is not in the bucket any more. Nobody
// deleted it; it went with the bucket or by its age.
func (c *contents) done() { c.before = nil }

// hear takes a value of the bucket. The error is the reason why it refuses the value.
func (c *contents) hear(name string, in jetstream.KeyValueEntry) (*entry, error) {
	old := c.entries[name]
	if old == nil {
		old = c.before[name]
	}
	e, err := readEntry(in)
	if old != nil {
		e.last = old.last
		if old.revision == e.revision {
			e.told, e.refused = old.told, old.refused // the value is not new
		}
	}
	had := c.entries[name] != nil && !c.entries[name].gone
	switch {
	case e.gone && had:
		c.limits--
	case e.gone && c.entries[name] == nil && len(c.entries)-c.limits >= mostGone:
		return e, nil
	case !e.gone && !had && c.limits == node.MaxLimits:
		return e, fmt.Errorf("it is one too many: at most %d limits", node.MaxLimits)
	case !e.gone && !had:
		c.limits++
	}
	c.entries[name] = e
	return e, err
}

// forget drops a deleted key once it has nothing left to undo.
func (c *contents) forget(name string) { delete(c.entries, name) }

// resolver reads limits that use others: those of the bucket, or else those in force.
type resolver struct {
	contents *contents
	inForce  map[string]node.Policy
	done     map[string]*spec.Limit // limits that use others; nil: at fault
	stack    []string               // limits under way, each used by the one before
	faults   map[string]error
}

func (c *contents) resolver(inForce map[string]node.Policy) *resolver {
	return &resolver{contents: c, inForce: inForce, done: map[string]*spec.Limit{}, faults: map[string]error{}}
}

// limit is the limit under a name that the bucket has, nil if it is at fault.
func (v *resolver) limit(name string) *spec.Limit {
	e := v.contents.entries[name]
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
	if e := v.contents.entries[name]; e != nil && !e.gone {
		if l := v.limit(name); l != nil {
			return *l, nil
		}
		return spec.Limit{}, errors.New("is at fault itself")
	}
	return spec.BaseOf(v.inForce)(name)
}
