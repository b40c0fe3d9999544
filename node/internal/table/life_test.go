package table

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const second = int64(time.Second)

// hearing is one limit as one node has heard of it so far.
type hearing struct {
	rules   []*limit.Rule // by revision
	version uint64
	account tally.Account
}

func (h *hearing) hear(r limit.Rule) {
	i, some := slices.BinarySearchFunc(h.rules, r.Revision, func(a *limit.Rule, s crdt.Stamp) int { return a.Revision.Compare(s) })
	if !some {
		r.Past = h
		h.rules = slices.Insert(h.rules, i, &r)
		h.version++
	}
}

// at is the rule in force.
func (h *hearing) at(now int64) *limit.Rule {
	for _, r := range slices.Backward(h.rules) {
		if r.Revision.At <= now {
			return r
		}
	}
	return h.rules[0]
}

func (h *hearing) Version() uint64 { return h.version }

func (h *hearing) Between(after, before crdt.Stamp, _ uint16) (rules []*limit.Rule) {
	for _, r := range h.rules {
		if r.Revision.Compare(after) > 0 && r.Revision.Compare(before) < 0 {
			rules = append(rules, r)
		}
	}
	return rules
}

func (h *hearing) InForce(now int64, _ uint16) *limit.Rule { return h.at(now) }

func (h *hearing) RuleOf(_ int64, d *crdt.Delta, alike bool) (*limit.Rule, *tally.Account, bool, bool) {
	for _, r := range h.rules {
		if r.Revision == d.Revision {
			return r, &h.account, alike, true
		}
	}
	return nil, nil, false, false
}

func (h *hearing) Windows(now int64) (all []deltasync.Window) {
	for _, r := range h.rules {
		start := r.Frame.Start(now)
		all = append(all, deltasync.Window{Width: r.Frame.Width, Start: start}, deltasync.Window{Width: r.Frame.Width, Start: r.Frame.Before(start)})
	}
	return all
}

// lifeNode is one of the nodes of TestLivesAgreeInAnyOrder. Each run has a client of its own.
type lifeNode struct {
	*hearing
	*Table
	key   crdt.Key
	reset crdt.Stamp
	seen  map[total]crdt.Count // this node's own totals
}

// total names one of a node's own totals for good.
type total struct {
	life  crdt.Life
	slot  int
	start int64
}

func newLifeNode(self crdt.Replica) *lifeNode {
	n := &lifeNode{hearing: &hearing{}, key: crdt.Key{Hi: 1}}
	n.Table = New(Config{
		Self: self, Size: 1 << 20, Tolerance: second, Limits: n.hearing, Isolation: &isolation.Watch{}, Dropped: &tally.Drops{}, Urgent: func() {},
	})
	return n
}

// begin is for the next run: of another client, and of a limit of which nobody heard before.
func (n *lifeNode) begin(first limit.Rule) *lifeNode {
	n.key = crdt.Key{Hi: n.key.Hi + 1, Lo: n.key.Lo + 1<<slotBits} // in a row, all would be one chain of the index
	n.reset, n.seen = crdt.Stamp{}, map[total]crdt.Count{}
	n.rules = nil
	n.hear(first)
	return n
}

// with passes the client's entry to do, if there is one.
func (n *lifeNode) with(do func(*Entry)) {
	s := n.Shard(n.key)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(n.key); e != nil {
		do(e)
	}
}

// imitated is the entry as a decision at now would find it.
func (n *lifeNode) imitated(now int64) *Entry {
	var look Entry
	look.Imitate(nil, n.key, n.at(now), now)
	n.with(func(e *Entry) { look.Imitate(e, n.key, n.at(now), now) })
	return &look
}

// open makes the client's entry, if there is none.
func (n *lifeNode) open(now int64) {
	s := n.Shard(n.key)
	s.Lock()
	s.Open(n.key, n.at(now), now)
	s.Unlock()
}

// admit counts units and returns the reset after which they were counted.
func (n *lifeNode) admit(now, units int64) crdt.Stamp {
	s := n.Shard(n.key)
	s.Lock()
	defer s.Unlock()
	e := s.Open(n.key, n.at(now), now)
	e.rule.Charge(e.States(), now, units)
	return e.Reset()
}

func (n *lifeNode) restart(stamp crdt.Stamp, now int64) {
	n.reset = stamp
	n.Reset(n.key, n.at(now), stamp, now)
}

// tell gives all that n knows to another node, rows last or first.
func (n *lifeNode) tell(to *lifeNode, now int64, rowsFirst bool) {
	rows := func() {
		var all []*crdt.Delta
		add := func(head crdt.Delta, row crdt.Row) bool {
			row.Key = n.key
			head.Rows = []crdt.Row{row}
			all = append(all, &head)
			return true
		}
		n.with(func(e *Entry) {
			e.bring(now, now)
			for r, of := range e.each {
				n.exportLife(&deltasync.Query{}, r, e.Reset(), of, add)
			}
		})
		for _, d := range all {
			if d.Replica == 0 {
				d.Replica = n.cfg.Self
			}
			to.Merge(now, d, true, now)
		}
	}
	if rowsFirst {
		rows()
	}
	for _, r := range n.rules {
		to.hear(*r)
	}
	if n.reset != (crdt.Stamp{}) {
		to.restart(n.reset, now)
	}
	rows()
}

// agree is for two nodes to tell each other all, twice: what one keeps for good when it hears the
// other, the other hears of then.
func (n *lifeNode) agree(to *lifeNode, now int64, rowsFirst bool) {
	for range 2 {
		n.tell(to, now, rowsFirst)
		to.tell(n, now, rowsFirst)
	}
}

// looks is what a decision at now would find: all lives, and what is used.
func (n *lifeNode) looks(now int64) string {
	look := n.imitated(now)
	var all []string
	for r, of := range look.each {
		for slot, st := range of.All {
			st.Rows(n.cfg.Self, func(of crdt.Replica, row crdt.Row) {
				for start, c := range map[int64]crdt.Count{st.Start(): row.Cur.Count, r.Frame.Before(st.Start()): row.Prev.Count} {
					if c != (crdt.Count{}) && start+2*r.Frame.Width > now {
						all = append(all, fmt.Sprintf("%d.%d %d: %d of %d %v", r.Revision.At-begin, slot, start-begin, of, look.Reset().At-begin, c))
					}
				}
			})
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("used %d\n%s", look.rule.Used(look.States(), now), strings.Join(all, "\n"))
}

// watch reports an own total that ran backwards, or ended before its window did.
func (n *lifeNode) watch(now int64) error {
	is, reset := map[total]crdt.Count{}, crdt.Stamp{}
	n.with(func(e *Entry) {
		reset = e.Reset()
		for r, of := range e.each {
			for slot, st := range of.All {
				own := st.Own()
				is[total{e.name(r), slot, st.Start()}] = own.Cur.Count
				is[total{e.name(r), slot, r.Frame.Before(st.Start())}] = own.Prev.Count
			}
		}
	})
	for k, was := range n.seen {
		width := n.rules[0].Frame.Width
		for _, r := range n.rules {
			if r.Revision == k.life.Revision {
				width = r.Frame.Width
			}
		}
		if c := is[k]; (c.P < was.P || c.N < was.N) && k.life.Reset == reset && k.start+2*width > now {
			return fmt.Errorf("the total of %+v ran backwards from %v to %v", k, was, c)
		}
	}
	maps.Copy(n.seen, is)
	return nil
}

// lifeStep is one thing that happens at one of two nodes.
type lifeStep struct {
	what string
	at   int
}

// permutations yields all orders of the steps. The slice is the same each time.
func permutations(steps []lifeStep, yield func([]lifeStep)) {
	var from func(i int)
	from = func(i int) {
		if i == len(steps) {
			yield(steps)
		}
		for j := i; j < len(steps); j++ {
			steps[i], steps[j] = steps[j], steps[i]
			from(i + 1)
			steps[i], steps[j] = steps[j], steps[i]
		}
	}
	from(0)
}

// Two nodes that do not hear each other admit, change the limit twice, reset the client and
// come to another window, in all orders, before or after the instants that the changes and the
// reset name. Own totals never run backwards. When the nodes have told each other all, in any
// order, they hold the same, and a node that joins then does as well. They still do when the
// earlier lives are folded. What was used after the reset is used, and no more.
func TestLivesAgreeInAnyOrder(t *testing.T) {
	window := func(n int64, a limit.Algorithm, parts int) limit.Policy {
		return limit.Policy{Limit: n, Window: time.Hour, Algorithm: a, Resolution: parts}
	}
	for name, chain := range map[string][]limit.Policy{
		"gcra":            {window(100, limit.GCRA, 0), window(150, limit.GCRA, 0), window(90, limit.GCRA, 0)},
		"gcra by minutes": {{Limit: 60, Window: time.Minute}, {Limit: 6, Window: time.Minute}, {Limit: 600, Window: time.Minute}},
		"fixed":           {window(100, limit.FixedWindow, 0), window(150, limit.FixedWindow, 0), window(90, limit.FixedWindow, 0)},
		"sliding":         {window(100, limit.SlidingWindow, 0), window(150, limit.SlidingWindow, 0), window(90, limit.SlidingWindow, 0)},
		"parts":           {window(100, limit.SlidingWindow, 4), window(150, limit.SlidingWindow, 4), window(90, limit.SlidingWindow, 4)},
		"to windows":      {window(100, limit.GCRA, 0), window(150, limit.FixedWindow, 0), window(90, limit.SlidingWindow, 0)},
		"to gcra":         {window(100, limit.SlidingWindow, 4), window(150, limit.FixedWindow, 0), window(90, limit.GCRA, 0)},
		"to longer ones":  {{Limit: 60, Window: time.Minute}, {Limit: 60, Window: 6 * time.Minute}, window(150, limit.SlidingWindow, 4)},
		"to shorter ones": {window(100, limit.SlidingWindow, 0), {Limit: 60, Window: 6 * time.Minute, Algorithm: limit.FixedWindow}, {Limit: 60, Window: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs, nodes := 0, []*lifeNode{newLifeNode(1), newLifeNode(2), newLifeNode(3)}
			late := []*lifeNode{newLifeNode(4), newLifeNode(5), newLifeNode(6), newLifeNode(7)}
			rules := newLimits(t, chain...).rules
			for places := range 8 { // where the two changes are made, and whether there is a reset
				steps := []lifeStep{{"admit", 0}, {"admit", 1}, {"change 1", places & 1}, {"change 2", places >> 1 & 1}, {"roll", 0}, {"reset", 0}}
				if places >= 4 {
					steps = steps[:5]
				}
				permutations(steps, func(order []lifeStep) {
					if t.Failed() {
						return
					}
					runs++
					past, rowsFirst := (runs+places)%2 == 0, (runs/2+places/2)%2 == 0
					if err := playLives(nodes, late, rules, order, past, rowsFirst); err != nil {
						t.Errorf("%v, past %t, rows first %t: %v", order, past, rowsFirst, err)
					}
				})
			}
			t.Logf("%d runs", runs)
		})
	}
}

// late are nodes that join one after the other when all is told; past says that changes and resets name
// instants that are over.
func playLives(nodes, late []*lifeNode, rules []limit.Rule, order []lifeStep, past, rowsFirst bool) error {
	for _, n := range nodes {
		n.begin(rules[0])
	}
	joiner := nodes[2]
	width, least := int64(0), int64(math.MaxInt64)
	for i := range rules {
		width, least = max(width, rules[i].Frame.Width), min(least, rules[i].Frame.Width)
	}
	now := begin + 3*second
	admitted := map[crdt.Stamp]int64{}
	rolled := int64(0) // units admitted before the roll, after the last reset
	for i, s := range order {
		now += second
		n := nodes[s.at]
		stamp := crdt.Stamp{At: now, By: 9}
		switch s.what {
		case "admit":
			units := int64(7 + 4*s.at)
			admitted[n.admit(now, units)] += units
		case "change 1", "change 2":
			k := int(s.what[len(s.what)-1] - '0')
			r := rules[k]
			if r.Revision = stamp; past {
				r.Revision.At = begin + int64(k)*second
			}
			n.hear(r)
		case "reset":
			if past {
				stamp.At = begin + 3*second/2
			}
			n.restart(stamp, now)
		case "roll":
			now += width
			rolled = int64(i + 1)
		}
		for _, n := range nodes {
			if err := n.watch(now); err != nil {
				return err
			}
		}
	}
	now += second
	nodes[0].agree(nodes[1], now, rowsFirst)
	nodes[1].tell(joiner, now, rowsFirst)
	for i, n := range nodes {
		if a, b := nodes[0].looks(now), n.looks(now); a != b {
			return fmt.Errorf("nodes 0 and %d differ:\n%s\n%s", i, a, b)
		}
		if err := differ(nodes[0], n, now); err != nil {
			return fmt.Errorf("after the heal, nodes 0 and %d: %w", i, err)
		}
	}
	// All rules but those by minutes are for one hour, of which little drains in a few minutes.
	if r := nodes[0].at(now); r.Policy.Algorithm == limit.GCRA && r.Policy.Window == time.Hour && rules[0].Policy.Algorithm == limit.GCRA {
		used := int64(joiner.used(now))
		want := admitted[nodes[0].reset]
		if used > want+2 || used < want-5 {
			return fmt.Errorf("%d used of %d, %d steps before the roll", used, want, rolled)
		}
	}
	for i, n := range late {
		now += least * 4 / 5
		n.begin(rules[0])
		if i%2 == 1 {
			n.open(now) // by a request, which is charged once the node has joined
		}
		nodes[0].tell(n, now, rowsFirst)
		if a, b := nodes[0].used(now), n.used(now); a != b {
			return fmt.Errorf("later, when node %d joins, %d and %d are used", n.cfg.Self, a, b)
		}
	}
	for _, n := range late {
		nodes[0].agree(n, now, rowsFirst)
		if err := differ(nodes[0], n, now); err != nil {
			return fmt.Errorf("later, nodes 0 and %d: %w", n.cfg.Self, err)
		}
	}
	for range 4 {
		now += width
		for i, n := range nodes { // one after the other folds what is over
			n.with(func(e *Entry) { e.foldOver(now) })
			if a, b := nodes[0].used(now), joiner.used(now); a != b {
				return fmt.Errorf("later, when %d have folded, %d and %d are used", i+1, a, b)
			}
		}
		for i, n := range nodes[1:] {
			if differ(nodes[0], n, now) != nil { // one has folded what the other was not asked for since
				nodes[0].agree(n, now, rowsFirst)
			}
			if err := differ(nodes[0], n, now); err != nil {
				return fmt.Errorf("later, nodes 0 and %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// differ says how the use that two nodes know of differs, and whether repair would look for it.
func differ(a, b *lifeNode, now int64) error {
	if err := errors.Join(a.watch(now), b.watch(now)); err != nil {
		return err
	}
	if a.used(now) != b.used(now) {
		return fmt.Errorf("%d and %d are used", a.used(now), b.used(now))
	}
	for _, w := range a.hearing.Windows(now) {
		if a.origins(now, w) != b.origins(now, w) {
			return fmt.Errorf("their origins in %+v have other digests", w)
		}
	}
	return nil
}

func (n *lifeNode) used(now int64) uint64 {
	look := n.imitated(now)
	return look.rule.Used(look.States(), now)
}

// origins is what digests of origins tell of the client.
func (n *lifeNode) origins(now int64, w deltasync.Window) (d crdt.Digest) {
	n.with(func(e *Entry) { e.addOrigins(&d, now, w) })
	return d
}

// An idle client whose use has drained by a rule that is over may have some left by the one in force.
func TestAnIdleClientIsNotForgottenByARuleThatIsOver(t *testing.T) {
	rules := newLimits(t, limit.Policy{Limit: 60, Window: time.Minute}, limit.Policy{Limit: 60, Window: time.Hour, Algorithm: limit.SlidingWindow}).rules
	n := newLifeNode(1).begin(rules[0])
	now := begin + second
	n.admit(now, 40)
	rules[1].Revision = crdt.Stamp{At: now + second, By: 9}
	n.hear(rules[1])
	for range 4 {
		now += rules[0].Frame.Width
		for range sweepParts {
			n.Sweep(now)
		}
		if got := n.used(now); got < 39 {
			t.Fatalf("%v later, %d are used, want 39", time.Duration(now-begin), got)
		}
	}
}

// A peer whose clock is ahead counts by a change that is still to come here, also for a client that was
// reset before.
func TestARowUnderAChangeToComeIsTakenForAClientThatWasReset(t *testing.T) {
	rules := newLimits(t, limit.Policy{Limit: 60, Window: time.Hour}, limit.Policy{Limit: 90, Window: time.Hour}).rules
	here, ahead := newLifeNode(1).begin(rules[0]), newLifeNode(2).begin(rules[0])
	now := begin + second
	rules[1].Revision = crdt.Stamp{At: now + second/2, By: 9}
	for _, n := range []*lifeNode{here, ahead} {
		n.admit(now, 3)
		n.restart(crdt.Stamp{At: now, By: 9}, now)
		n.hear(rules[1])
	}
	ahead.admit(now+second, 5)
	ahead.tell(here, now+second/4, true)
	if got := here.used(now + second); got != 5 {
		t.Errorf("%d are used, want 5", got)
	}
}

// A node hears late of a change in between two others. It takes back what that one does not carry over.
func TestAChangeInBetweenIsTakenIntoAccountLate(t *testing.T) {
	rules := newLimits(t, limit.Policy{Limit: 100, Window: time.Hour}, limit.Policy{Limit: 10, Window: time.Hour}, limit.Policy{Limit: 100, Window: time.Hour}).rules
	n := newLifeNode(1).begin(rules[0])
	now := begin + second
	n.admit(now, 80)
	for i := range rules {
		rules[i].Revision.At = now + int64(i)*second
	}
	n.hear(rules[2])
	n.open(now + 3*second)
	if got := n.used(now + 3*second); got < 79 {
		t.Fatalf("%d are used after the second change, want 80", got)
	}
	n.hear(rules[1])
	n.open(now + 4*second)
	if got := n.used(now + 4*second); got > 10 {
		t.Errorf("%d are used, want the 10 that the change in between left", got)
	}
}
