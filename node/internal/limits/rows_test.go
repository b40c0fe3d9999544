package limits

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Rows are judged by this node's rule only where their author is certain to count by it.
func TestWhoCountsByTheSameRule(t *testing.T) {
	p := limit.Policy{Limit: 10, Window: time.Minute}
	large := p
	for i := range 600 {
		large.Overrides = append(large.Overrides, limit.Override{Clients: []string{fmt.Sprintf("%060d", i)}, Access: limit.Blocked})
	}
	set := func(g *Registry) error { return errorOf(g.Set(now, Default, p)) }
	for _, c := range []struct {
		name          string
		change        func(g *Registry) error // nil for none
		revision      func(l *Limit) *Revision
		alike, others bool // what is expected of nodes with this configuration, and with another one
	}{
		{name: "a limit of the configuration", alike: true},
		{name: "a limit that was set", alike: true, others: true, change: set},
		{name: "before it was set", change: set, revision: func(l *Limit) *Revision { return l.Revisions()[1] }},
		{name: "a set limit that was deleted", alike: true, change: func(g *Registry) error {
			return errors.Join(set(g), errorOf(g.Delete(now+int64(time.Minute), Default)))
		}},
		{name: "a changed configuration", alike: true, others: true, change: func(g *Registry) error {
			return errorOf(g.Configure(now, defaults(limit.Policy{Limit: 20, Window: time.Minute})))
		}},
		{name: "one that is too large to be stated", alike: true, change: func(g *Registry) error { return errorOf(g.Configure(now, defaults(large))) }},
	} {
		g := newRegistry(t, defaults(p), 0)
		if c.change != nil {
			if err := c.change(g); err != nil {
				t.Fatal(err)
			}
		}
		l := g.Get(Default)
		rev := l.Newest()
		if c.revision != nil {
			rev = c.revision(l)
		}
		d := crdt.Delta{Limit: Default, Revision: rev.Stamp, Replica: 2}
		for _, alike := range []bool{true, false} {
			want := c.others
			if alike {
				want = c.alike
			}
			if r, _, same, known := g.RuleOf(now, &d, alike); r == nil || !known || same != want {
				t.Errorf("%s: configured alike %v: the same rule %v, want %v", c.name, alike, same, want)
			}
		}
	}
	g := newRegistry(t, nil, 0)
	l, err := g.Inline(now, "", "gate", &p)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, same, known := g.RuleOf(now, &crdt.Delta{Limit: l.Name, Replica: 2}, false); !same || !known {
		t.Error("a policy that came with a request is another one elsewhere")
	}
}
