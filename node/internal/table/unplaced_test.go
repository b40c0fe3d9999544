package table

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// homeless policies are one of each way to count.
func homelessPolicy(t *rapid.T) limit.Policy {
	p := limit.Policy{Limit: rapid.Int64Range(1, 12).Draw(t, "limit"), Window: rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "window")}
	switch rapid.IntRange(0, 4).Draw(t, "algorithm") {
	case 0:
		p.Burst = rapid.Int64Range(1, 12).Draw(t, "burst")
	case 1:
		p.Algorithm = limit.FixedWindow
	case 2:
		p.Algorithm, p.Window, p.Calendar, p.TimeZone = limit.FixedWindow, 0, gcra.Day, "Europe/Berlin"
	case 3:
		p.Algorithm = limit.SlidingWindow
	case 4:
		p.Algorithm, p.Resolution = limit.SlidingWindow, rapid.IntRange(2, 7).Draw(t, "resolution")
	}
	return p
}

// admission is what a client got, and when.
type admission struct{ at, cost int64 }

// within is what was admitted from one instant on and before another.
func within(log []admission, from, to int64) (units int64) {
	for _, a := range log {
		if from <= a.at && a.at < to {
			units += a.cost
		}
	}
	return units
}

// over says by how much a client that was admitted something just now got more than a rule promises
// that one node admits: "" for not at all. It reads the promises of docs/algorithms.md, not the code.
func over(r *limit.Rule, log []admission) string {
	p, now := &r.Policy, log[len(log)-1].at
	width := int64(p.Window)
	switch {
	case p.Algorithm == limit.GCRA:
		for i := range log { // any stretch of length x has at most B + r·x, here times W
			if sum, x := within(log, log[i].at, now+1), now-log[i].at; sum*width > p.Burst*width+p.Limit*x {
				return fmt.Sprintf("%d units in %v", sum, time.Duration(x))
			}
		}
	case p.Algorithm == limit.FixedWindow:
		if sum := within(log, r.Frame.Start(now), now+1); sum > p.Limit {
			return fmt.Sprintf("%d units in a window", sum)
		}
	case p.Resolution > 1:
		if sum := within(log, now-width+1, now+1); sum > p.Limit {
			return fmt.Sprintf("%d units in the last window", sum)
		}
	default:
		start := now - now%width
		used := new(big.Int).Mul(big.NewInt(within(log, start-width, start)), big.NewInt(width-(now-start)))
		used.Add(used, big.NewInt(within(log, start, now+1)*width))
		if most := new(big.Int).Mul(big.NewInt(p.Limit), big.NewInt(width)); used.Cmp(most) > 0 {
			return fmt.Sprintf("an estimate of %v/%v units", used, big.NewInt(width))
		}
	}
	return ""
}

// TestNobodyWithoutRoomGetsMoreThanTheLimit lets random clients, many of which share cells of the
// sketch, ask at random times while the table is full, and later when it has room. Whoever asks,
// nobody is admitted more than one limiter with a memory for all would admit.
func TestNobodyWithoutRoomGetsMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := make([]*limit.Rule, rapid.IntRange(1, 2).Draw(t, "rules"))
		for i := range rules {
			c, err := limit.Compile(homelessPolicy(t))
			if err != nil {
				t.Fatal(err)
			}
			rules[i] = &c.Rules[0]
		}
		table := (&limits{}).sized(1, 0) // full from the beginning
		bit := rapid.Uint64Range(0, 1)
		type client struct {
			key  crdt.Key
			rule int
		}
		pool := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) client {
			// Of the four cells of a client, each is one of two.
			return client{crdt.Key{
				Hi: bit.Draw(t, "hi") | bit.Draw(t, "hi2")<<28, Lo: bit.Draw(t, "lo") | bit.Draw(t, "lo2")<<28 | rapid.Uint64Range(0, 3).Draw(t, "more")<<56,
			}, rapid.IntRange(0, len(rules)-1).Draw(t, "rule")}
		}), 1, 8).Draw(t, "clients")
		ruleOf := map[crdt.Key]int{} // a key is of one limit, as hashes are
		logs := map[crdt.Key][]admission{}
		now := begin
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			c := rapid.SampledFrom(pool).Draw(t, "client")
			if of, known := ruleOf[c.key]; known {
				c.rule = of
			}
			ruleOf[c.key] = c.rule
			r := rules[c.rule]
			width := int64(r.Policy.Window)
			now += rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, width/8), rapid.Int64Range(0, 3*width), rapid.Just(int64(1))).Draw(t, "later")
			if rapid.IntRange(0, 40).Draw(t, "room") == 0 {
				table.cfg.Size = 5000
			}
			if rapid.IntRange(0, 20).Draw(t, "sweep") == 0 {
				table.unplaced.sweep(now)
			}
			cost := rapid.Int64Range(1, max(1, r.Policy.Burst/2)).Draw(t, "cost")
			if s := table.Shard(c.key); decide(s, c.key, r, now, cost) {
				logs[c.key] = append(logs[c.key], admission{now, cost})
				if why := over(r, logs[c.key]); why != "" {
					t.Fatalf("%v of %+v got %s", c.key, r.Policy, why)
				}
			}
		}
	})
}

// decide decides as a node does, with room in the table or without.
func decide(s *Shard, k crdt.Key, r *limit.Rule, now, cost int64) bool {
	s.Lock()
	defer s.Unlock()
	e := s.Open(k, r, now)
	if e == nil {
		e = s.OpenUnplaced(k, r, now)
	}
	ok, origin := r.Admits(e.States(), now, cost)
	if ok {
		st := r.Current(e.States(), now)
		if origin > crdt.Never {
			st.Raise(origin)
		}
		st.Admit(uint64(cost)) //nolint:gosec // positive
	}
	return ok
}

// TestAClientWithoutRoomAloneGetsItsLimit: whoever shares no cell is denied nothing in the windows in
// which a client of the table is not, but for a window in parts, which is counted as a whole.
func TestAClientWithoutRoomAloneGetsItsLimit(t *testing.T) {
	for _, p := range []limit.Policy{
		{Limit: 10, Window: time.Minute},
		{Limit: 10, Window: time.Minute, Algorithm: limit.FixedWindow},
		{Limit: 7, Window: 6 * time.Second, Algorithm: limit.FixedWindow},
		{Limit: 10, Algorithm: limit.FixedWindow, Calendar: gcra.Month},
		{Limit: 10, Window: time.Minute, Algorithm: limit.SlidingWindow},
		{Limit: 7, Window: time.Minute, Algorithm: limit.SlidingWindow},
	} {
		l := newLimits(t, p)
		r, full, roomy := &l.rules[0], l.sized(1, 0), l.table(1)
		k := crdt.Key{Hi: 5, Lo: 6}
		now, allowed := begin, 0
		for i := range int64(400) {
			now += i * i % 37 * r.Frame.Width / 300
			a, b := decide(full.Shard(k), k, r, now, 1+i%2), decide(roomy.Shard(k), k, r, now, 1+i%2)
			if a != b {
				t.Fatalf("%+v: request %d: %t without room, %t with room", p, i, a, b)
			}
			if a {
				allowed++
			}
		}
		if allowed == 0 || allowed == 400 {
			t.Errorf("%+v: %d of 400 passed", p, allowed)
		}
	}
	l := newLimits(t, limit.Policy{Limit: 10, Window: time.Minute, Algorithm: limit.SlidingWindow, Resolution: 6})
	r, full := &l.rules[0], l.sized(1, 0)
	width, k, now := r.Frame.Width, crdt.Key{Hi: 5, Lo: 6}, begin
	for round := range 3 {
		for i := range 11 {
			if ok := decide(full.Shard(k), k, r, now, 1); ok != (i < 10) {
				t.Fatalf("round %d: request %d of a limit of 10: %t", round, i, ok)
			}
		}
		now += 2 * width
	}
}

// TestPartsCountForLongEnough: what was used at the end of one whole of parts counts in the next one
// until its last part.
func TestPartsCountForLongEnough(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 10, Window: time.Minute, Algorithm: limit.SlidingWindow, Resolution: 6})
	r, table, k := &l.rules[0], l.sized(1, 0), crdt.Key{Hi: 5, Lo: 6}
	s, width := table.Shard(k), r.Frame.Width
	start := r.Frame.Start(begin) + width
	for range 10 {
		decide(s, k, r, start-1, 1)
	}
	part := width / int64(r.Slots)
	for i := range int64(r.Slots) {
		if ok, last := decide(s, k, r, start+i*part, 1), i == int64(r.Slots)-1; ok != last {
			t.Errorf("in part %d after 10 of 10 units: %t", i, ok)
		}
	}
}

// TestOneDecisionCountsAClientTwice if it names it twice.
func TestOneDecisionCountsAClientTwice(t *testing.T) {
	for _, a := range []limit.Algorithm{limit.GCRA, limit.FixedWindow, limit.SlidingWindow} {
		l := newLimits(t, limit.Policy{Limit: 10, Window: time.Minute, Algorithm: a})
		r, table, k := &l.rules[0], l.sized(1, 0), crdt.Key{Hi: 5, Lo: 6}
		s := table.Shard(k)
		s.Lock()
		for range 2 {
			e := s.OpenUnplaced(k, r, begin)
			r.Charge(e.States(), begin, 4)
		}
		s.Unlock()
		s.Lock()
		if used := r.Used(s.OpenUnplaced(k, r, begin).States(), begin); used != 8 {
			t.Errorf("%v: %d units are counted, want 8", a, used)
		}
		s.Unlock()
	}
}

// TestASketchIsKeptWhileItCounts: what a window algorithm wrote counts for longer than its instants
// are in the future.
func TestASketchIsKeptWhileItCounts(t *testing.T) {
	for _, p := range []limit.Policy{
		{Limit: 10, Window: time.Hour, Algorithm: limit.FixedWindow},
		{Limit: 10, Window: time.Hour, Algorithm: limit.SlidingWindow},
		{Limit: 10, Window: time.Hour, Algorithm: limit.SlidingWindow, Resolution: 5},
	} {
		l := newLimits(t, p)
		r, table, k := &l.rules[0], l.sized(1, 0), crdt.Key{Hi: 5, Lo: 6}
		start := r.Frame.Start(begin)
		for range 10 {
			decide(table.Shard(k), k, r, start, 1)
		}
		table.unplaced.sweep(start + r.Frame.Width - 1)
		if decide(table.Shard(k), k, r, start+r.Frame.Width-1, 1) {
			t.Errorf("%+v: an eleventh unit of 10 passes at the end of the window", p)
		}
		table.unplaced.sweep(start + 2*r.Frame.Width + keepSketch + 1)
		for i := range table.unplaced.sketches {
			if table.unplaced.sketches[i].Load() != nil {
				t.Errorf("%+v: a sketch stays after all of it is over", p)
			}
		}
	}
}
