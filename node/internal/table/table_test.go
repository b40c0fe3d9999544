package table

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const begin = int64(1_700_000_040e9)

var hourly = limit.Policy{Limit: 100, Window: time.Hour}

// limits are one limit, "default", over revisions that begin one second apart.
type limits struct {
	rules   []limit.Rule // by revision, oldest first
	account tally.Account
	dropped tally.Drops
	watch   isolation.Watch
	urgent  int
}

func newLimits(t testing.TB, revisions ...limit.Policy) *limits {
	t.Helper()
	l := &limits{}
	for i, p := range revisions {
		c, err := limit.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		r := c.Rules[0]
		r.Limit = "default"
		if i > 0 {
			r.Revision = crdt.Stamp{At: begin + int64(i)*int64(time.Second), By: 9}
		}
		l.rules = append(l.rules, r)
	}
	return l
}

func (l *limits) RuleOf(_ int64, d *crdt.Delta, alike bool) (*limit.Rule, *tally.Account, bool, bool) {
	for i := range l.rules {
		if r := &l.rules[i]; r.Limit == d.Limit && r.Revision == d.Revision {
			return r, &l.account, alike, true
		}
	}
	return nil, nil, false, false
}

func (l *limits) Windows(now int64) (all []deltasync.Window) {
	for i := range l.rules {
		f := &l.rules[i].Frame
		start := f.Start(now)
		all = append(all, deltasync.Window{Width: f.Width, Start: start}, deltasync.Window{Width: f.Width, Start: f.Before(start)})
	}
	return all
}

func (l *limits) table(self crdt.Replica) *Table { return l.sized(self, 5000) }

func (l *limits) sized(self crdt.Replica, size int) *Table {
	return New(Config{
		Self: self, Size: size, Tolerance: int64(time.Second), Limits: l, Isolation: &l.watch, Dropped: &l.dropped,
		Urgent: func() { l.urgent++ },
	})
}

// newTable is a table of which a test uses one shard.
func newTable() *Table { return (&limits{}).table(1) }

// delta is one without rows, of the first revision.
func (l *limits) delta(of crdt.Replica) *crdt.Delta {
	r := &l.rules[0]
	return &crdt.Delta{Limit: r.Limit, Revision: r.Revision, Replica: of, Width: r.Frame.Width, Start: r.Frame.Start(begin)}
}

// used is a row that says that units were admitted in the window from start.
func used(k crdt.Key, start int64, units uint64) crdt.Row {
	return crdt.Row{Key: k, Cur: crdt.Part{Origin: start, Count: crdt.Count{P: units}}, Prev: crdt.Part{Origin: crdt.Never}}
}

// take charges units by a rule, as a decision does.
func take(t *testing.T, table *Table, k crdt.Key, r *limit.Rule, now, units int64) Charge {
	t.Helper()
	s := table.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Open(k, r, now)
	if e == nil {
		t.Fatal("the table is full")
	}
	r.Charge(e.States(), now, units)
	s.Note(e, r.Current(e.States(), now), now)
	return s.Charged(e, now, units)
}

func count(table *Table, k crdt.Key) uint64 {
	if e := table.Shard(k).Find(k); e != nil {
		return e.First().Count()
	}
	return 0
}

func TestUnsentCostCallsForAFlushAtItsQuantum(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 100, Window: time.Hour, MaxOvershoot: 0.1}) // slack is 10 units
	table, k := l.table(1), crdt.Key{Hi: 1}
	take(t, table, k, &l.rules[0], begin, 50)
	if l.urgent != 0 {
		t.Error("a flush without a peer to send to")
	}
	table.SetView(4, 0)
	k.Lo++
	take(t, table, k, &l.rules[0], begin, 2) // 2 units unseen by 4 peers are 8
	if l.urgent != 0 {
		t.Error("a flush before the quantum")
	}
	take(t, table, k, &l.rules[0], begin, 1)
	take(t, table, k, &l.rules[0], begin, 1)
	if l.urgent != 1 {
		t.Errorf("%d flushes were called for, want one", l.urgent)
	}
	var b deltasync.Batch
	if more := table.Collect(begin, 1, true, &b); more || b.Len() != 2 {
		t.Errorf("%d rows, want both of the partition", b.Len())
	}
	b.Reset()
	if table.Collect(begin, 2, false, &b); b.Len() != 0 {
		t.Errorf("%d rows are sent twice", b.Len())
	}
}

func TestAFullShardKnowsWhomItHolds(t *testing.T) {
	l := newLimits(t, hourly)
	table, r := l.sized(1, 2), &l.rules[0]
	for i := range uint64(2) {
		take(t, table, crdt.Key{Hi: i << 60}, r, begin, 1)
	}
	s := table.Shard(crdt.Key{Lo: 7})
	if s.Open(crdt.Key{Lo: 7}, r, begin) != nil || s.Open(crdt.Key{}, r, begin) == nil {
		t.Error("an unknown client got in, or a known one was turned away")
	}
	if s.OpenShared(crdt.Key{Lo: 7}, r, begin) == nil || table.Clients() != 2 {
		t.Errorf("%d clients, want those without the shared entry", table.Clients())
	}
	d := l.delta(2)
	d.Rows = []crdt.Row{used(crdt.Key{Lo: 9}, d.Start, 1), used(crdt.Key{}, d.Start, 1)}
	table.Merge(begin, d, true, begin)
	if table.Clients() != 2 || l.dropped.Of(tally.DropFull) != 1 || count(table, crdt.Key{}) != 2 {
		t.Errorf("%d clients, %d dropped, %d counted", table.Clients(), l.dropped.Of(tally.DropFull), count(table, crdt.Key{}))
	}
}

func TestRowsOutOfReachAreDropped(t *testing.T) {
	l := newLimits(t, hourly)
	table := l.table(1)
	good := l.delta(2)
	start := good.Start
	for name, c := range map[string]struct {
		change func(*crdt.Delta)
		why    tally.Drop
	}{
		"another width":       {func(d *crdt.Delta) { d.Width++ }, tally.DropRevision},
		"no such slot":        {func(d *crdt.Delta) { d.Slot = 1 }, tally.DropRevision},
		"a window to come":    {func(d *crdt.Delta) { d.Start += d.Width }, tally.DropFuture},
		"no window's start":   {func(d *crdt.Delta) { d.Start++ }, tally.DropFuture},
		"a reset to come":     {func(d *crdt.Delta) { d.Reset.At = begin + int64(time.Minute) }, tally.DropFuture},
		"an origin to come":   {func(d *crdt.Delta) { d.Rows[0].Cur.Origin = begin + int64(time.Minute) }, tally.DropFuture},
		"the end of all time": {func(d *crdt.Delta) { d.Rows[0].Prev.Origin = crdt.End }, tally.DropFuture},
	} {
		d := *good
		d.Rows = []crdt.Row{used(crdt.Key{Hi: 1}, start, 1)}
		c.change(&d)
		before := l.dropped.Of(c.why)
		if known := table.Merge(begin, &d, true, begin); !known || l.dropped.Of(c.why) != before+1 || table.Clients() != 0 {
			t.Errorf("%s: known %v, %d dropped, %d clients", name, known, l.dropped.Of(c.why)-before, table.Clients())
		}
	}
	d := *good
	d.Revision.At = 1
	if table.Merge(begin, &d, true, begin) {
		t.Error("a revision that nobody knows is known")
	}
	own := l.delta(1)
	own.Rows = []crdt.Row{used(crdt.Key{Hi: 1}, start, 1)}
	if table.Merge(begin, own, true, begin); count(table, crdt.Key{Hi: 1}) != 0 {
		t.Error("counts of its own were merged")
	}
}

// One forged total used to lock a client out for years.
func TestTotalsThatNobodyCanHaveAdmittedAreRefused(t *testing.T) {
	l := newLimits(t, hourly)
	table := l.table(1)
	start := l.delta(2).Start
	most := hourly.Limit + hourly.Limit // a burst and the debt cap
	for name, c := range map[string]struct {
		cur, prev    crdt.Count
		other, taken bool
	}{
		"what a node can have admitted": {cur: crdt.Count{P: uint64(most)}, taken: true},
		"a forged total":                {cur: crdt.Count{P: 1 << 53}},
		"a little too much":             {cur: crdt.Count{P: uint64(3 * most)}},
		"much that was given back":      {cur: crdt.Count{P: 1 << 53, N: 1<<53 - 5}, taken: true},
		"a forged total of before":      {prev: crdt.Count{P: 1 << 53}},
		"nodes with other files":        {cur: crdt.Count{P: uint64(3 * most)}, other: true, taken: true},
		"other files, before":           {prev: crdt.Count{P: uint64(3 * most)}, other: true, taken: true},
	} {
		k := crdt.Key{Hi: uint64(len(name)) << 56, Lo: uint64(len(name))}
		row := crdt.Row{Key: k, Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: crdt.Never}}
		if c.cur.P > 0 {
			row.Cur = crdt.Part{Origin: start, Count: c.cur}
		}
		if c.prev.P > 0 {
			row.Prev = crdt.Part{Origin: start - int64(time.Minute), Count: c.prev}
		}
		d := l.delta(2)
		d.Rows = []crdt.Row{row}
		before := l.dropped.Of(tally.DropExcess)
		table.Merge(begin, d, !c.other, begin)
		refused := l.dropped.Of(tally.DropExcess) > before
		if refused == c.taken || refused && table.Liar() != 2 {
			t.Errorf("%s: refused %v, of %d", name, refused, table.Liar())
		}
	}
}

// What one table collects is what another holds after merging, and both digest it alike.
func TestWhatIsCollectedIsMerged(t *testing.T) {
	l := newLimits(t, hourly)
	a, b := l.table(1), l.table(2)
	var keys []crdt.Key
	for i := range uint64(300) {
		k := crdt.Key{Hi: i << 55, Lo: i}
		keys = append(keys, k)
		take(t, a, k, &l.rules[0], begin, int64(i%7+1))
	}
	pass(t, a, b, begin)
	for i, k := range keys {
		if got := count(b, k); got != uint64(i%7+1) {
			t.Fatalf("client %d has %d", i, got)
		}
	}
	w := l.Windows(begin)[0]
	var x, y [crdt.Partitions]crdt.Digest
	a.Digests(1, w, &x)
	b.Digests(1, w, &y)
	if x != y || x == ([crdt.Partitions]crdt.Digest{}) {
		t.Error("digests differ, or are of nothing")
	}
}

// pass sends the states of all clients of a table to another, as their rows say them.
func pass(t *testing.T, from, to *Table, now int64) {
	t.Helper()
	sent, rows := 0, 0
	for more := true; more; {
		var b deltasync.Batch
		more = from.Collect(now, 1, false, &b)
		sent += b.Len()
	}
	for e := range from.All {
		row := e.state.Own()
		row.Key = e.key
		d := head(e.rule, e.Reset(), from.cfg.Self, 0, e.state.Start())
		d.Rows = []crdt.Row{row}
		to.Merge(now, &d, true, now)
		rows++
	}
	if sent != rows {
		t.Errorf("%d rows were collected of %d", sent, rows)
	}
}

func TestAChargeIsSettledForItsLifeAlone(t *testing.T) {
	l := newLimits(t, hourly, limit.Policy{Limit: 50, Window: time.Hour})
	table, k := l.table(1), crdt.Key{Hi: 5}
	c := take(t, table, k, &l.rules[0], begin, 40)
	if back := table.Settle(&c, 10, begin, true); back != 30 {
		t.Errorf("gave %d back", back)
	}
	c = take(t, table, k, &l.rules[0], begin, 5)
	if back := table.Settle(&c, 9, begin, true); back != -4 || count(table, k) != 19 {
		t.Errorf("gave %d back, %d are counted", back, count(table, k))
	}
	c = take(t, table, k, &l.rules[0], begin, 5)
	table.Reset(k, &l.rules[0], crdt.Stamp{At: begin + 1, By: 1}, begin+1)
	if back := table.Settle(&c, 0, begin+1, true); back != 0 {
		t.Errorf("gave %d back to a client that was reset", back)
	}
	now := begin + 2*int64(time.Second)
	c = take(t, table, k, &l.rules[0], now-int64(time.Second), 5)
	take(t, table, k, &l.rules[1], now, 1)
	if back := table.Settle(&c, 0, now, true); back != 0 {
		t.Errorf("gave %d back after the limit was changed", back)
	}
}

func TestAResetIsLaterThanTheLifeThatItEnds(t *testing.T) {
	l := newLimits(t, hourly)
	table, k := l.table(1), crdt.Key{Hi: 5}
	if got := table.After(k, begin); got != begin {
		t.Errorf("of an unknown client: %d", got-begin)
	}
	take(t, table, k, &l.rules[0], begin, 40)
	table.Reset(k, &l.rules[0], crdt.Stamp{At: begin + 10, By: 2}, begin)
	if got := table.After(k, begin); got != begin+11 || count(table, k) != 0 {
		t.Errorf("%d ns later, %d are counted", got-begin, count(table, k))
	}
	take(t, table, k, &l.rules[0], begin, 40)
	table.Reset(k, &l.rules[0], crdt.Stamp{At: begin + 5, By: 2}, begin)
	if count(table, k) != 40 {
		t.Error("an older reset ended a newer life")
	}
}

func TestSweepForgetsWhoHasDrained(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 60, Window: time.Minute})
	table := l.table(1)
	for i := range uint64(2000) {
		take(t, table, crdt.Key{Hi: i << 56, Lo: i}, &l.rules[0], begin, 1)
	}
	sweep := func(now int64) {
		for range sweepParts {
			table.Sweep(now)
		}
	}
	sweep(begin + int64(time.Minute))
	if got := table.Clients(); got != 2000 {
		t.Errorf("%d clients are left while their windows live", got)
	}
	sweep(begin + int64(10*time.Minute))
	if got := table.Clients(); got != 0 {
		t.Errorf("%d clients are left for ever", got)
	}
	for range table.All {
		t.Fatal("there is still an entry")
	}
}

func TestDecisionsAreSummedOverAllShards(t *testing.T) {
	l := newLimits(t, hourly)
	table := l.table(1)
	for i := range uint64(10) {
		s := table.Shard(crdt.Key{Hi: i << 60})
		s.Lock()
		s.Counts.Count(&l.account, 3, i%2 == 0, false)
		s.Unlock()
	}
	if got, want := table.Decisions(&l.account), (tally.Decisions{Allowed: 5, Denied: 5, AllowedUnits: 15, DeniedUnits: 15}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Among many nodes one unit is a quantum. It waits for the flush while the client uses little for
// all that is known, and is looked at again when a peer's row says more.
func TestASingleUnitWaitsWhileItsClientUsesLittle(t *testing.T) {
	for name, c := range map[string]struct {
		burst int64
		peers int
		waits bool
	}{
		"few nodes":             {100, 4, true}, // it is less than the quantum anyway
		"many nodes":            {100, 63, true},
		"as many as leave room": {100, 89, true},
		"more":                  {100, 90, false},
		"a small burst":         {10, 8, false}, // one unit is all of the slack
		"too small a burst":     {10, 15, false},
		"a burst of one":        {1, 2, false},
	} {
		for way, charge := range map[string]func(*Table, crdt.Key, *limit.Rule, int64){
			"opened":  func(table *Table, k crdt.Key, r *limit.Rule, n int64) { take(t, table, k, r, begin, n) },
			"glanced": func(table *Table, k crdt.Key, r *limit.Rule, n int64) { takeAtAGlance(t, table, k, r, n) },
		} {
			l := newLimits(t, limit.Policy{Limit: c.burst, Window: time.Hour, MaxOvershoot: 0.1})
			r := &l.rules[0]
			table, k := l.table(1), crdt.Key{Hi: 1}
			take(t, table, k, r, begin-1, 0) // it is known
			table.SetView(c.peers, 0)
			var b deltasync.Batch
			table.Collect(begin, 1, false, &b)
			charge(table, k, r, 1)
			if l.urgent > 0 == c.waits {
				t.Errorf("%s, %s: waits %v", name, way, l.urgent == 0)
			}
			if !c.waits || c.peers*1 < int(0.1*float64(c.burst)) {
				continue
			}
			d := l.delta(2)
			d.Rows = []crdt.Row{used(k, begin, uint64(r.Slack))} // now it uses more than the slack
			table.Merge(begin, d, false, begin)
			if l.urgent == 0 {
				t.Errorf("%s, %s: it waits though the client uses much", name, way)
			}
			l.urgent = 0
			b.Reset()
			table.Collect(begin, 2, true, &b)
			charge(table, k, r, 1)
			if l.urgent == 0 {
				t.Errorf("%s, %s: the next one waits", name, way)
			}
		}
	}
}

// Two units do not wait: more than one at each node is more than the burst leaves free.
func TestTwoUnitsDoNotWait(t *testing.T) {
	l := newLimits(t, hourly)
	table := l.table(1)
	table.SetView(63, 0)
	take(t, table, crdt.Key{Hi: 1}, &l.rules[0], begin, 1)
	if take(t, table, crdt.Key{Hi: 1}, &l.rules[0], begin, 1); l.urgent == 0 {
		t.Error("two units wait")
	}
}

// takeAtAGlance charges units to a client that is known, as a decision does without opening it.
func takeAtAGlance(t *testing.T, table *Table, k crdt.Key, r *limit.Rule, units int64) {
	t.Helper()
	s := table.Shard(k)
	if v, _, _ := s.Decide(&Glance{}, k, r, begin, units, true, &tally.Account{}); v != Admitted {
		t.Fatal("the client has to be opened")
	}
}
