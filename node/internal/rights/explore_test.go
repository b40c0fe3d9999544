package rights

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestNoShortScheduleExceedsTheCap tries every schedule of few steps on two and three nodes whose
// buckets hold a few tokens: wants and loans that arrive in any order, late or never, spending,
// time, crashes. It follows one schedule to each state.
func TestNoShortScheduleExceedsTheCap(t *testing.T) {
	for _, x := range []struct {
		nodes, depth    int
		room, overdraft int64
	}{{2, 5, 2, 0}, {2, 5, 1, 1}, {3, 3, 1, 1}} {
		terms := &Terms{Parts: int64(x.nodes), Room: x.room, Overdraft: x.overdraft, Loan: 4, Epoch: 4}
		c := newCluster(x.nodes, terms)
		c.now += 1000 // all are full
		known, level := map[string]bool{}, []*cluster{c}
		for range x.depth {
			var deeper []*cluster
			for _, c := range level {
				for _, next := range c.successors(t) {
					if name := next.String(); !known[name] {
						known[name] = true
						deeper = append(deeper, next)
					}
				}
			}
			level = deeper
		}
		t.Logf("%d nodes, room %d, credit %d: %d states in %d steps", x.nodes, x.room, x.overdraft, len(known), x.depth)
		if len(known) < 100 {
			t.Error("that is too few to prove anything")
		}
	}
}

// successors are the clusters after each step that can follow.
func (c *cluster) successors(t *testing.T) (out []*cluster) {
	t.Helper()
	try := func(step string, do func(*cluster)) {
		next := c.clone()
		do(next)
		if err := next.check(); err != nil {
			t.Fatalf("%s, in\n%s\n%v", step, c, err)
		}
		out = append(out, next)
	}
	for i := range c.nodes {
		try(fmt.Sprintf("spend %d", i), func(c *cluster) {
			if _, excess := c.spend(c.nodes[i], 1); excess > 0 {
				t.Fatalf("node %d spends: %d over the cap of %d, in\n%s", i, excess, c.cap, c)
			}
		})
		if len(c.mail) < 4 {
			try(fmt.Sprintf("ask %d", i), func(c *cluster) { c.ask(c.nodes[i], false) })
			if c.nodes[i].record.Borrowed() > 0 {
				try(fmt.Sprintf("give back %d", i), func(c *cluster) { c.ask(c.nodes[i], true) })
			}
		}
		try(fmt.Sprintf("restart %d", i), func(c *cluster) { c.start(c.nodes[i]) })
		if len(c.nodes[i].asked) > 0 {
			try(fmt.Sprintf("give up %d", i), func(c *cluster) { c.nodes[i].giveUp() })
		}
	}
	for i := range c.mail {
		try(fmt.Sprintf("deliver %d", i), func(c *cluster) {
			l := c.mail[i]
			c.mail = slices.Delete(c.mail, i, i+1)
			c.deliver(l, 1)
		})
		try(fmt.Sprintf("repeat %d", i), func(c *cluster) { c.deliver(c.mail[i], 1) })
	}
	for _, d := range []int64{1, 4} {
		try(fmt.Sprintf("wait %d", d), func(c *cluster) { c.now += d })
	}
	return out
}

func (c *cluster) clone() *cluster {
	next := *c
	next.mail, next.nodes, next.spent = slices.Clone(c.mail), nil, nil
	for _, n := range c.nodes {
		m := *n
		m.asked = slices.Clone(n.asked)
		m.numbers = maps.Clone(n.numbers)
		record := *n.record
		m.record = &record
		next.nodes = append(next.nodes, &m)
	}
	return &next
}

// String names the state: all times as seen from now.
func (c *cluster) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "tat %d\n", max(0, c.tat-c.now))
	for _, n := range c.nodes {
		a, t := c.account(n)
		r := n.record
		fmt.Fprintf(&s, "node %d.%d owns %d, opens %d, lent %v to %d.%d, epoch ends %d, lots %v", n.place, n.self, a.Own(t), max(0, a.Opens-t.Own),
			r.lent, r.to, r.last, t.Own%a.Terms.Epoch, r.Borrowed())
		for _, l := range r.lots {
			fmt.Fprintf(&s, " %d of %d.%d", max(0, l.mono-t.Mono), l.from, t.Own/a.Terms.Epoch-l.epoch)
		}
		for _, q := range n.asked {
			fmt.Fprintf(&s, ", asked %d.%d %d ago", q.to, q.number, min(c.terms.Loan, t.Mono-q.at.Mono))
		}
		fmt.Fprintln(&s)
	}
	fmt.Fprintln(&s, c.mail)
	return s.String()
}
