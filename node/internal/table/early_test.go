package table

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// admit decides one unit as a node does while it joins, and counts it.
func admit(t *testing.T, table *Table, k crdt.Key, r *limit.Rule, now int64) bool {
	t.Helper()
	s := table.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Open(k, r, now)
	admitted, _ := s.Admits(e, now, 1)
	if admitted && !s.ChargeEarly(e, now, 1) {
		t.Fatal("it counts like that of a node that has joined")
	}
	return admitted
}

// A node that joins late in a window hears that another counted thousands of units there,
// which have drained. It denies no more than those that have not, before it has joined and
// after, and then counts what has not drained of its own.
func TestAJoinerChargesNothingThatHasDrained(t *testing.T) {
	const second = int64(time.Second)
	l := newLimits(t, limit.Policy{Limit: 100, Window: time.Second})
	r, k := &l.rules[0], crdt.Key{Hi: 1}
	table := l.table(1)
	table.Join()
	start := r.Frame.Start(begin)
	now := start + 10*second
	for i := range 60 {
		if !admit(t, table, k, r, now) {
			t.Fatalf("unit %d is denied, of 100", i)
		}
	}
	now += second / 2 // 10 are left
	row := crdt.Row{Key: k, Cur: crdt.Part{Origin: start + 2*second, Count: crdt.Count{P: 860}}, Prev: crdt.Part{Origin: crdt.Never}}
	table.Merge(now, &crdt.Delta{Limit: "default", Replica: 7, Width: r.Frame.Width, Start: start, Rows: []crdt.Row{row}}, true, now) // 10 are left
	passed := 0
	for admit(t, table, k, r, now) {
		passed++
	}
	if passed != 80 {
		t.Errorf("%d units pass, want 80", passed)
	}
	if held := table.Shard(k).Find(k).First().Own(); held.Cur.Count != (crdt.Count{}) || held.Cur.Origin != row.Cur.Origin {
		t.Errorf("the state holds %+v of the joiner", held)
	}
	now += second / 10 // 80 are left of its own, nothing of the other's
	table.Joined(now)
	e := table.Shard(k).Find(k)
	if got := e.First().Own().Cur.Count.P; got != 80 {
		t.Errorf("it tells %d units, want 80", got)
	}
	if got := e.First().TAT(&r.Frame) - now; got != int64(800*time.Millisecond) {
		t.Errorf("the bucket is full after %v, want 800ms", time.Duration(got))
	}
	if !e.dirty {
		t.Error("nobody is to be told")
	}
	if table.Shard(k).Level(e, now) != (gcra.Level{Base: e.state.Base(), Count: e.state.Count()}) {
		t.Error("something is still kept apart")
	}
}

// What a joiner gives back is of what it keeps apart.
func TestAJoinerGivesBackWhatItKeptApart(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 100, Window: time.Hour})
	r, k := &l.rules[0], crdt.Key{Hi: 1}
	table := l.table(1)
	table.Join()
	for range 100 {
		admit(t, table, k, r, begin)
	}
	s := table.Shard(k)
	s.Lock()
	c := s.Charged(s.Find(k), begin, 30)
	s.Unlock()
	if back := table.Settle(&c, 10, begin, true); back != 20 {
		t.Errorf("%d came back, want 20", back)
	}
	table.Joined(begin)
	if got := s.Find(k).First().Own().Cur.Count; got != (crdt.Count{P: 80}) {
		t.Errorf("it counts %+v, want 80", got)
	}
}

// A joiner's own units have drained where others hold all that still counts: it says that it
// gave back nothing of these, so that those who hold them are asked.
func TestAJoinerGivesBackNothingThatHasDrained(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 100, Window: 100 * time.Second, Burst: 100})
	table, r, k := l.table(1), &l.rules[0], crdt.Key{Lo: 1}
	table.Join()
	s, now := table.Shard(k), begin
	s.Lock()
	s.Charge(s.Open(k, r, now), nil, now, 20, false)
	c := s.Charged(s.Find(k), now, 20)
	s.Unlock()
	now += 19 * second // 1 of its own is left
	d := l.delta(2)
	d.Start = r.Frame.Start(now)
	d.Rows = []crdt.Row{{Key: k, Cur: crdt.Part{Origin: now, Count: crdt.Count{P: 30}}, Prev: crdt.Part{Origin: crdt.Never}}}
	table.Merge(now, d, true, now)
	for name, give := range map[string]func(now int64) int64{
		"a refund":     func(now int64) int64 { return table.Refund(k, r, 20, now, true).Given },
		"a settlement": func(now int64) int64 { at := c; return table.Settle(&at, 0, now, true) },
	} {
		held := s.aside.of[k]
		did := Refunded{Given: give(now)}
		if did.Given != 1 {
			t.Errorf("%s gives %d back, of 1 that has not drained", name, did.Given)
		}
		if did = table.Refund(k, r, 40, now, true); did.Given != 0 || did.Left != 30 || len(did.Held) != 1 || did.Held[0].Units != 30 {
			t.Errorf("%s, then another one: %+v", name, did)
		}
		if did = table.Refund(k, r, 40, now+5*second, true); did.Given != 0 || did.Left != 25 {
			t.Errorf("%s, then one 5 s later: %+v", name, did)
		}
		s.aside.of[k] = held
	}
}
