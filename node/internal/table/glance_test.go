package table

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/racing"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// levelOf is how a client stands at a glance: that of a request for more than can ever be.
func levelOf(s *Shard, k crdt.Key, r *limit.Rule, now int64, a *tally.Account) (level gcra.Level, ok bool) {
	var g Glance
	v, _, _ := s.Decide(&g, k, r, now, r.Policy.Burst+1, false, a)
	return g.Level, v == Denied
}

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
	key := func(i uint64) crdt.Key { return crdt.Key{Hi: i % 7, Lo: i << 32} }
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
			for i, a := uint64(1), new(tally.Account); !stop.Load(); i = i%watched + 1 {
				level, ok := levelOf(s, key(i), r, begin, a)
				if !ok || level.Count == 0 {
					continue
				}
				seen.Add(1)
				if level.Base != start+int64(level.Count) || level.Count/step != i { //nolint:gosec // small
					t.Errorf("client %d is seen at %+v", i, level)
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
		_, c := s.clients.cells.find(k)
		word := c.word.Load()
		s.Lock()
		change(s.Find(k))
		s.Unlock()
		if c.stands(word, k) || c.word.Load() == word {
			t.Errorf("%s went unnoticed", name)
		}
	}
}

// A cell that became another client's while it was looked for says nothing of this one.
func TestAGlanceIsNotOfTheNextClient(t *testing.T) {
	l := newLimits(t, hourly)
	table, r := l.table(1), &l.rules[0]
	k, next := crdt.Key{Hi: 1, Lo: 2}, crdt.Key{Hi: 3, Lo: 4}
	s := table.Shard(k)
	take(t, table, k, r, begin, 5)
	_, c := s.clients.cells.find(k)
	s.Lock()
	s.remove(s.Find(k).slot)
	s.Unlock()
	take(t, table, next, r, begin, 1)
	if _, same := s.clients.cells.find(next); same != c {
		t.Fatal("the next client has another cell")
	}
	if word := c.word.Load(); c.stands(word, k) || !c.stands(word, next) {
		t.Error("the cell stands for the client that it was of")
	}
}

// However many goroutines decide at once, with and without the lock, a burst is admitted
// exactly once.
func TestGlancesAdmitABurstExactly(t *testing.T) {
	l := newLimits(t, hourly)
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	s, account := table.Shard(k), &tally.Account{}
	var admitted, denied atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				switch v, _, _ := s.Decide(&Glance{}, k, r, begin, 1, true, account); v {
				case Unsure:
					s.Lock()
					s.Open(k, r, begin)
					s.Unlock()
				case Denied:
					denied.Add(1)
				case Admitted:
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := admitted.Load(); got != r.Policy.Burst || count(table, k) != uint64(got) { //nolint:gosec // positive
		t.Errorf("%d were admitted and %d charged, want %d", got, count(table, k), r.Policy.Burst)
	}
	if d := table.Decisions(account); d.Allowed != uint64(admitted.Load()) || d.Denied != uint64(denied.Load()) { //nolint:gosec // positive
		t.Errorf("%+v were counted", d)
	}
}

// If somebody changes a client between a glance and the lock, the verdict is by the change.
func TestAnAdmissionJudgesAnewIfTheClientChanged(t *testing.T) {
	const burst, ms = 10, int64(time.Millisecond)
	charge := func(s *Shard, k crdt.Key, r *limit.Rule, now, units int64) {
		r.Charge(s.Open(k, r, now).States(), now, units)
	}
	for name, c := range map[string]struct {
		between func(*Shard, crdt.Key, *limit.Rule)
		want    Verdict
		count   uint64
		base    int64 // after it, beyond begin
	}{
		"nothing": {func(*Shard, crdt.Key, *limit.Rule) {}, Admitted, 2, 20*ms - ms},
		"a charge by an older clock, which has not drained": {
			func(s *Shard, k crdt.Key, r *limit.Rule) { charge(s, k, r, begin+18*ms, 5) }, Admitted, 7, 18*ms - ms,
		},
		"a charge of all": {
			func(s *Shard, k crdt.Key, r *limit.Rule) { charge(s, k, r, begin+20*ms, burst) }, Denied, 1 + burst, 20*ms - ms,
		},
		"forgetting": {func(s *Shard, k crdt.Key, _ *limit.Rule) { s.remove(s.Find(k).slot) }, Unsure, 0, 0},
	} {
		l := newLimits(t, limit.Policy{Limit: 1000, Window: time.Second, Burst: burst})
		table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
		s, account := table.Shard(k), &tally.Account{}
		take(t, table, k, r, begin, 1)
		var g Glance
		var v Verdict
		behind(t, s, func() { c.between(s, k, r) }, func() { v, _, _ = s.Decide(&g, k, r, begin+20*ms, 1, true, account) })
		if v != c.want || count(table, k) != c.count {
			t.Errorf("%s: %v, with %d charged, want %v and %d", name, v, count(table, k), c.want, c.count)
		}
		if level, ok := levelOf(s, k, r, begin+20*ms, &tally.Account{}); v != Unsure && (!ok || level != g.Level || level.Base != begin+c.base) {
			t.Errorf("%s: the client stands at %+v, the glance has %+v, want an origin of %v", name, level, g.Level, time.Duration(c.base))
		}
		var want tally.Decisions
		switch v {
		case Admitted:
			want.Allowed, want.AllowedUnits = 1, 1
		case Denied:
			want.Denied, want.DeniedUnits = 1, 1
		}
		if got := table.Decisions(account); got != want {
			t.Errorf("%s: %+v were counted, want %+v", name, got, want)
		}
	}
}

// A charge shows its count first, and then lists the client to be sent. A decision that looks in between
// sees under the lock that the client is listed, and does not list it again.
func TestAnAdmissionListsNoClientTwice(t *testing.T) {
	l := newLimits(t, hourly)
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	s := table.Shard(k)
	s.Lock()
	s.Open(k, r, begin)
	s.closeViews()
	slot, c := s.clients.cells.find(k)
	publish(c, c.origin.Load(), c.word.Load()+1)
	s.Unlock()
	behind(t, s, func() {
		c.what.Store(c.what.Load() | isDirty | isListed)
		s.out.add(slot)
	}, func() { s.Decide(&Glance{}, k, r, begin, 1, true, &tally.Account{}) })
	if len(s.out.slots) != 1 || count(table, k) != 2 {
		t.Errorf("%d units are counted, and clients %v listed", count(table, k), s.out.slots)
	}
}

// behind lets a decision look, and wait for the lock while the client changes.
func behind(t *testing.T, s *Shard, change, decide func()) {
	t.Helper()
	decided := make(chan struct{})
	func() {
		s.Lock()
		defer s.Unlock()
		go func() {
			defer close(decided)
			decide()
		}()
		awaitWaiter(t, decided)
		change()
	}()
	<-decided
}

// A node that is joining keeps what it admits apart from the states, so no cell decides.
func TestNoCellDecidesWhileANodeJoins(t *testing.T) {
	l := newLimits(t, hourly)
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	table.Join()
	take(t, table, k, r, begin, 1)
	if _, ok := levelOf(table.Shard(k), k, r, begin, &tally.Account{}); ok {
		t.Error("a cell decides")
	}
}

// In a cell with records, a record holds the unsent units of the previous window. Until they are sent, only
// the client's entry can be charged.
func TestACellWithUnsentUnitsInARecordIsNotCharged(t *testing.T) {
	l := newLimits(t, hourly)
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	s, start := table.Shard(k), r.Frame.Start(begin)
	later := start + r.Frame.Width
	take(t, table, k, r, begin, 5)
	table.Merge(later, &crdt.Delta{
		Limit: "default", Replica: 9, Width: r.Frame.Width, Start: later, Rows: []crdt.Row{used(k, later, 3)},
	}, true, later)
	s.Lock()
	s.Open(k, r, later)
	s.Unlock()
	_, c := s.clients.cells.find(k)
	if what := c.what.Load(); what&(hasRecords|sentAll) != hasRecords {
		t.Fatalf("the cell has flags %x", what)
	}
	decide := func() (v Verdict) {
		v, _, _ = s.Decide(&Glance{}, k, r, later, 1, true, &tally.Account{})
		return v
	}
	if v := decide(); v != Unsure {
		t.Errorf("%v before the units are sent", v)
	}
	var b deltasync.Batch
	if table.Collect(later, 1, false, &b) {
		t.Fatal("one client does not fit into a message")
	}
	if v := decide(); v != Admitted {
		t.Errorf("%v behind it", v)
	}
}

// awaitWaiter waits until a decision waits for its shard's lock.
func awaitWaiter(t *testing.T, decided <-chan struct{}) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for range 30_000 {
		for one := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(one, "[sync.Mutex.Lock]") && strings.Contains(one, "(*Shard).Decide(") {
				return
			}
		}
		select {
		case <-decided:
			t.Fatal("the decision did not wait for the lock")
		case <-time.After(time.Millisecond):
		}
	}
	t.Fatal("no decision waits for the lock")
}

// Each admission of this client finds a full bucket, so it raises the origin with the count. A
// reader may see the new origin with the old count. It never sees the new count with the old
// origin, for then the client would seem to have drained what was just charged.
func TestAChargeShowsItsOriginFirst(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 1e9, Window: time.Second, Burst: 10})
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	s, account := table.Shard(k), &tally.Account{}
	charges := int64(1_000_000)
	if racing.Detected {
		charges = 30_000
	}
	first := r.Frame.Start(begin) + int64(time.Second)
	take(t, table, k, r, first-int64(time.Second), 1)
	origin := func(i int64) int64 { return first + i*int64(time.Microsecond) }
	now := func(i int64) int64 { return origin(i) + r.GCRA.Drain(uint64(i)) } //nolint:gosec // positive
	var stop atomic.Bool
	var readers sync.WaitGroup
	var seen atomic.Int64
	for range 2 {
		readers.Go(func() {
			for a := new(tally.Account); !stop.Load(); {
				level, ok := levelOf(s, k, r, first, a)
				if !ok || level.Count < 2 {
					continue
				}
				seen.Add(1)
				if i := int64(level.Count) - 1; level.Base < origin(i) { //nolint:gosec // small
					t.Errorf("admission %d is seen with an origin from before it", i)
					return
				}
			}
		})
	}
	for i := int64(1); i <= charges || seen.Load() < 1000; i++ {
		var g Glance
		if v, _, _ := s.Decide(&g, k, r, now(i), 1, false, account); v != Admitted || g.Level.Base != origin(i) {
			t.Fatalf("admission %d: %v, at %+v", i, v, g.Level)
		}
	}
	stop.Store(true)
	readers.Wait()
}

// No insert moves more than moveStep places, however many clients there are, and both lengths
// of the index hold them all meanwhile.
func TestTheIndexGrowsInSmallSteps(t *testing.T) {
	s := &newTable().shards[0]
	grew, last := 0, s.clients.cells.index.Load()
	for i := range uint64(20_000) {
		k := crdt.Key{Hi: i * 0x9e3779b97f4a7c15 >> 8}
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
			if _, c := s.clients.cells.find(crdt.Key{Hi: j * 0x9e3779b97f4a7c15 >> 8}); c == nil {
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
		if _, got := levelOf(s, k, c.rule, begin, &tally.Account{}); got != c.fast {
			t.Errorf("%s: a glance tells: %v", name, got)
		}
	}
	if got := count(table, k); got != 3 {
		t.Errorf("%d units are counted, want 3", got)
	}
}
