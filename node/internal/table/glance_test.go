package table

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/racing"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Readers without a lock see every client as it was at some instant, and never another one,
// while it is charged, rolled, forgotten and admitted anew, and while the index grows and
// shrinks around it.
func TestAGlanceIsOfOneClientAtOneInstant(t *testing.T) {
	l := newLimits(t, hourly)
	table, r := l.table(1), &l.rules[0]
	s := &table.shards[0]
	f := &r.Frame
	start := f.Start(begin)
	// Client i has units and an origin that tell i apart, and that fit together.
	// Readers watch few of them, so that they often meet the writer.
	const clients, watched, step = 300, 3, 1 << 24
	key := func(i uint64) crdt.Key { return crdt.Key{Lo: i%7 | i<<32} }
	change := func(i, units uint64) {
		s.Lock()
		defer s.Unlock()
		e := s.Open(key(i), r, begin)
		if e.First().Count() == 0 {
			e.First().Admit(i * step)
		}
		for range units {
			e.First().Admit(1)
		}
		e.First().Raise(start + int64(e.First().Count())) //nolint:gosec // small
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	var seen atomic.Uint64
	for range 3 {
		readers.Go(func() {
			for i := uint64(1); !stop.Load(); i = i%watched + 1 {
				var g Glance
				if !s.Glance(&g, key(i), r, begin) || g.Level.Count == 0 {
					continue
				}
				seen.Add(1)
				if g.Level.Base != start+int64(g.Level.Count) || g.Level.Count/step != i { //nolint:gosec // small
					t.Errorf("client %d is seen at %+v", i, g.Level)
					return
				}
			}
		})
	}
	rounds := uint64(40)
	if racing.Detected {
		rounds = 5
	}
	for round := uint64(0); round < rounds || seen.Load() < 1000; round++ {
		for i := uint64(1); i <= clients; i++ {
			change(i, round%5)
			change(1+i%watched, 1)
		}
		s.Lock()
		for i := 1 + round%3; i <= clients; i += 1 + round%4 {
			if slot, c := s.clients.cells.find(key(i)); c != nil {
				s.remove(slot)
			}
		}
		s.trim()
		s.Unlock()
	}
	stop.Store(true)
	readers.Wait()
}

// A glance sees any change that falls between its first and its last look.
func TestAGlanceNoticesAChange(t *testing.T) {
	l := newLimits(t, hourly)
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	s := table.Shard(k)
	take(t, table, k, r, begin, 5)
	for name, change := range map[string]func(*Entry){
		"an origin":        func(e *Entry) { e.First().Raise(e.First().Base() + 1) },
		"a refund":         func(e *Entry) { e.First().GiveBack(&r.Frame, e.First().Start(), 1) },
		"another's charge": func(e *Entry) { e.First().Merge(&r.Frame, 9, e.First().Start(), used(k, 0, 3)) },
		"nothing":          func(*Entry) {},
		"forgetting":       func(e *Entry) { s.remove(e.slot) },
	} {
		take(t, table, k, r, begin, 5)
		var g Glance
		if !s.Glance(&g, k, r, begin) {
			t.Fatal("no glance")
		}
		s.Lock()
		change(s.Find(k))
		s.Unlock()
		if g.read(&s.clients.rules, k, r, begin) || g.Still() {
			t.Errorf("%s went unnoticed", name)
		}
	}
}

// However many goroutines decide at once, with and without the lock, a burst is admitted
// exactly once.
func TestGlancesAdmitABurstExactly(t *testing.T) {
	l := newLimits(t, hourly)
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	s := table.Shard(k)
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				var g Glance
				if !s.Glance(&g, k, r, begin) {
					s.Lock()
					s.Open(k, r, begin)
					s.Unlock()
					continue
				}
				conforms, _ := r.GCRA.Admit(g.Level, begin, 1)
				if !conforms {
					continue
				}
				s.Lock()
				if s.Renew(&g, k, r, begin) {
					if conforms, origin := r.GCRA.Admit(g.Level, begin, 1); conforms && s.Take(&g, r, begin, 1, origin, true) {
						admitted.Add(1)
					}
				}
				s.Unlock()
			}
		})
	}
	all.Wait()
	if got := admitted.Load(); got != r.Policy.Burst || count(table, k) != uint64(got) { //nolint:gosec // positive
		t.Errorf("%d were admitted and %d counted, want %d", got, count(table, k), r.Policy.Burst)
	}
}

// No insert moves more than moveStep places, however many clients there are, and both lengths
// of the index hold them all meanwhile.
func TestTheIndexGrowsInSmallSteps(t *testing.T) {
	s := &newTable().shards[0]
	grew, last := 0, s.clients.cells.index.Load()
	for i := range uint64(20_000) {
		k := crdt.Key{Lo: i * 0x9e3779b97f4a7c15}
		s.insert(k, anyRule, 0)
		s.closeViews()
		x := s.clients.cells.index.Load()
		moved := x.moved
		if x.places != nil && len(x.places) == len(last.places) {
			moved -= last.moved
		} else if grew++; last.old != nil {
			t.Fatalf("client %d: the index grows again before all of it was moved", i)
		}
		if x.old == nil && last.old != nil {
			moved = len(last.old) - last.moved
		}
		if moved > moveStep {
			t.Fatalf("client %d: its insert moved %d places", i, moved)
		}
		for _, j := range []uint64{0, i / 2, i} {
			if _, c := s.clients.cells.find(crdt.Key{Lo: j * 0x9e3779b97f4a7c15}); c == nil {
				t.Fatalf("client %d is not found when there are %d", j, i+1)
			}
		}
		copied := *x
		last = &copied
	}
	if grew < 10 {
		t.Errorf("the index grew %d times", grew)
	}
}

// A limit that came with requests, was forgotten and came again is another value of the same
// rule. Its clients go back to the fast path.
func TestTheSameRuleAgainIsAsFast(t *testing.T) {
	p := limit.Policy{Limit: 100, Window: time.Minute}
	l, again, other := newLimits(t, p), newLimits(t, p), newLimits(t, limit.Policy{Limit: 90, Window: time.Minute})
	table, k := l.table(1), crdt.Key{Lo: 1}
	s := table.Shard(k)
	take(t, table, k, &l.rules[0], begin, 1)
	for name, c := range map[string]struct {
		rule *limit.Rule
		fast bool
	}{"the same": {&again.rules[0], true}, "another": {&other.rules[0], false}} {
		take(t, table, k, c.rule, begin, 1)
		var g Glance
		if got := s.Glance(&g, k, c.rule, begin); got != c.fast {
			t.Errorf("%s: a glance tells: %v", name, got)
		}
	}
	if got := count(table, k); got != 3 {
		t.Errorf("%d units are counted, want 3", got)
	}
}
