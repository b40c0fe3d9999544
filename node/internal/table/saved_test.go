package table

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/counts"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// fileOf is what a table saves.
func fileOf(t testing.TB, table *Table) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := counts.NewWriter(&b, &counts.Header{})
	if err != nil {
		t.Fatal(err)
	}
	var p counts.Page
	for at, done := (deltasync.Cursor{}), false; !done; {
		at, done = table.Save(at, &p)
		if err := w.Clients(&p); err != nil {
			t.Fatal(err)
		}
	}
	if end, err := w.Close(); err != nil || end.Left > 0 {
		t.Fatal(end, err)
	}
	return b.Bytes()
}

// restore brings a file back into a table, and returns how many clients were lost.
func restore(t testing.TB, file []byte, into *Table, of crdt.Replica, now int64) uint64 {
	t.Helper()
	r, _, err := counts.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	x := into.Restore(of)
	var p counts.Page
	for {
		more, err := r.Next(&p)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return x.Lost
		}
		x.Page()
		for c := p.Next(); c != nil; c = p.Next() {
			x.Client(now, &p, c)
		}
	}
}

// standing is all that matters of a client at now: what a decision by r goes by, and the counters
// of each replica in live windows.
func standing(table *Table, k crdt.Key, r *limit.Rule, now int64, self crdt.Replica) string {
	s := table.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Find(k)
	var look Entry
	look.Imitate(e, k, r, now)
	out := fmt.Sprintf("%+v", look.Rule().Explain(look.States(), now, 1, true))
	out += fmt.Sprintf(" reset %v", look.Reset().At)
	for slot, st := range look.States().All {
		if tat := st.TAT(&r.Frame); r.Policy.Algorithm == limit.GCRA {
			out += fmt.Sprintf(" tat %d", max(tat, now))
		}
		st.Rows(self, func(of crdt.Replica, row crdt.Row) {
			if row.Cur.Count != (crdt.Count{}) || row.Prev.Count != (crdt.Count{}) {
				out += fmt.Sprintf(" %d/%d: %v %v", slot, of, row.Cur.Count, row.Prev.Count)
			}
		})
	}
	return out
}

// savedPolicies are one of each algorithm.
var savedPolicies = map[string]limit.Policy{
	"gcra":     {Limit: 60, Window: time.Minute, Burst: 100},
	"long":     {Limit: 100, Window: time.Hour},
	"fixed":    {Limit: 50, Window: time.Minute, Algorithm: limit.FixedWindow},
	"day":      {Limit: 50, Calendar: gcra.Day, Algorithm: limit.FixedWindow, TimeZone: "Europe/Berlin"},
	"sliding":  {Limit: 50, Window: time.Minute, Algorithm: limit.SlidingWindow},
	"segments": {Limit: 50, Window: time.Minute, Algorithm: limit.SlidingWindow, Resolution: 6},
	"local":    {Limit: 50, Window: time.Hour, Consistency: limit.Local},
}

// used up to now by many clients, at this node and at others, over a few minutes.
func worn(t *testing.T, l *limits, r *rand.Rand, clients int) (table *Table, keys []crdt.Key, now int64) {
	t.Helper()
	table, now = l.table(1), begin
	rule := &l.rules[0]
	for range clients {
		keys = append(keys, crdt.Key{Hi: r.Uint64(), Lo: r.Uint64()})
	}
	for range 20 * clients {
		now += r.Int64N(int64(3*time.Second) / int64(clients/10+1))
		if len(l.rules) > 1 && now > l.rules[1].Revision.At {
			rule = &l.rules[1]
		}
		k := keys[r.IntN(len(keys))]
		switch r.IntN(20) {
		case 0:
			table.Reset(k, rule, crdt.Stamp{At: now, By: 1}, now)
		case 1, 2, 3, 4, 5:
			d := &crdt.Delta{Limit: rule.Limit, Revision: rule.Revision, Replica: crdt.Replica(2 + r.Uint64N(3)), Width: rule.Frame.Width, Start: rule.Frame.Start(now)}
			s := table.Shard(k)
			s.Lock()
			if e := s.Find(k); e != nil {
				d.Reset = e.Reset()
			}
			s.Unlock()
			d.Rows = []crdt.Row{used(k, d.Start, 1+r.Uint64N(9))}
			if !rule.Silent {
				table.Merge(now, d, true, now)
			}
		default:
			take(t, table, k, rule, now, 1+r.Int64N(3))
		}
	}
	return table, keys, now
}

func TestWhatIsSavedStandsAsItStood(t *testing.T) {
	for name, p := range savedPolicies {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1))
				l := newLimits(t, p)
				table, keys, now := worn(t, l, r, 1+r.IntN(200))
				file := fileOf(t, table)
				for _, away := range []time.Duration{0, time.Second, 20 * time.Second, 3 * time.Minute, 2 * time.Hour} {
					at := now + int64(away)
					again := l.table(7)
					if lost := restore(t, file, again, 1, at); lost > 0 {
						t.Fatalf("seed %d: %d clients are lost", seed, lost)
					}
					for _, k := range keys {
						want, got := standing(table, k, &l.rules[0], at, 1), standing(again, k, &l.rules[0], at, 7)
						if got != want && !forgotten(table, k, &l.rules[0], at) {
							t.Fatalf("seed %d, after %v: %s, want %s", seed, away, got, want)
						}
					}
				}
			}
		})
	}
}

// forgotten reports whether the table may have forgotten the client at now.
func forgotten(table *Table, k crdt.Key, r *limit.Rule, now int64) bool {
	s := table.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Find(k)
	if e == nil {
		return true
	}
	var look Entry
	look.Imitate(e, k, r, now)
	look.foldOver(now)
	return look.forgettable(now)
}

func TestSavedTwiceOrIntoWhatIsKnownAddsNothing(t *testing.T) {
	for name, p := range savedPolicies {
		t.Run(name, func(t *testing.T) {
			l := newLimits(t, p)
			table, keys, now := worn(t, l, rand.New(rand.NewPCG(3, 1)), 100)
			file := fileOf(t, table)
			again := l.table(7)
			for range 2 {
				restore(t, file, again, 1, now)
			}
			before := map[crdt.Key]string{}
			for _, k := range keys {
				if before[k] = standing(again, k, &l.rules[0], now, 7); before[k] != standing(table, k, &l.rules[0], now, 1) {
					t.Fatal("twice is not once")
				}
			}
			if p.Consistency == limit.Local {
				return // the node's own counters are its own in both
			}
			for range 2 { // the file of a table into itself
				restore(t, file, table, 1, now)
			}
			for _, k := range keys {
				if got := standing(table, k, &l.rules[0], now, 1); got != before[k] {
					t.Fatalf("%s, was %s", got, before[k])
				}
			}
		})
	}
}

func TestALaterResetWinsOverAFile(t *testing.T) {
	l := newLimits(t, hourly)
	table, k, r := l.table(1), crdt.Key{Hi: 5}, &l.rules[0]
	take(t, table, k, r, begin, 100)
	file := fileOf(t, table)
	again := l.table(7)
	again.Reset(k, r, crdt.Stamp{At: begin + 1, By: 3}, begin+1)
	take(t, again, k, r, begin+2, 10)
	restore(t, file, again, 1, begin+3)
	if got := count(again, k); got != 10 {
		t.Errorf("%d units count after a reset, want the 10 since", got)
	}
}

func TestAResetAloneIsSaved(t *testing.T) {
	l := newLimits(t, hourly)
	table, k, r := l.table(1), crdt.Key{Hi: 5}, &l.rules[0]
	take(t, table, k, r, begin, 100)
	old := fileOf(t, table)
	table.Reset(k, r, crdt.Stamp{At: begin + 1, By: 1}, begin+1)
	again := l.table(7)
	restore(t, fileOf(t, table), again, 1, begin+2)
	restore(t, old, again, 2, begin+2) // of another node, which had not heard
	if got := count(again, k); got != 0 {
		t.Errorf("%d units count after a reset", got)
	}
}

func TestAClockThatWasAheadLocksNobodyOut(t *testing.T) {
	for name, p := range savedPolicies {
		l := newLimits(t, p)
		table, k, r := l.table(1), crdt.Key{Hi: 5}, &l.rules[0]
		take(t, table, k, r, begin+int64(48*time.Hour), 10)
		again := l.table(7)
		if lost := restore(t, fileOf(t, table), again, 1, begin); lost != 1 || again.Clients() != 0 {
			t.Errorf("%s: %d clients are lost, %d held", name, lost, again.Clients())
		}
	}
}

func TestClientsOfRulesThatCountOtherwiseAreLost(t *testing.T) {
	l := newLimits(t, hourly)
	table, k := l.table(1), crdt.Key{Hi: 5}
	take(t, table, k, &l.rules[0], begin, 100)
	file := fileOf(t, table)
	other := newLimits(t, limit.Policy{Limit: 50, Window: time.Hour}) // the configuration changed
	again := other.table(7)
	if lost := restore(t, file, again, 1, begin); lost != 1 || again.Clients() != 0 {
		t.Errorf("%d lost, %d held", lost, again.Clients())
	}
	full := l.sized(7, 1)
	take(t, full, crdt.Key{Hi: 6}, &l.rules[0], begin, 1)
	if lost := restore(t, file, full, 1, begin); lost != 1 {
		t.Errorf("%d lost at a full table", lost)
	}
}

func TestUseBeforeAChangeIsSaved(t *testing.T) {
	for name, p := range savedPolicies {
		if p.Consistency == limit.Local {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				second := p
				second.Limit *= 2
				l := newLimits(t, p, second)
				r := rand.New(rand.NewPCG(seed, 1))
				table, keys, now := worn(t, l, r, 1+r.IntN(50))
				file := fileOf(t, table)
				for _, away := range []time.Duration{0, 20 * time.Second, 3 * time.Minute} {
					at := now + int64(away)
					again := l.table(7)
					restore(t, file, again, 1, at)
					for _, k := range keys {
						want, got := standing(table, k, &l.rules[1], at, 1), standing(again, k, &l.rules[1], at, 7)
						if got != want && !forgotten(table, k, &l.rules[1], at) {
							t.Fatalf("seed %d, after %v: %s, want %s", seed, away, got, want)
						}
					}
				}
			}
		})
	}
}

func TestDigestsAgreeOnWhatWasSaved(t *testing.T) {
	l := newLimits(t, savedPolicies["gcra"])
	table, _, now := worn(t, l, rand.New(rand.NewPCG(1, 1)), 100)
	var b deltasync.Batch
	for table.Collect(now, 1, false, &b) { // so that own counters are in digests
		b.Reset()
	}
	again := l.table(7)
	restore(t, fileOf(t, table), again, 1, now)
	want, got := fmt.Sprint(table.Roots(now)), fmt.Sprint(again.Roots(now))
	if got != want || len(table.Roots(now)) < 4 {
		t.Errorf("%s\n%s", got, want)
	}
}

func TestSavingGoesOnBesideDecisions(t *testing.T) {
	l := newLimits(t, hourly)
	table, keys, now := worn(t, l, rand.New(rand.NewPCG(1, 1)), 300)
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range 2 {
		all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
					take(t, table, keys[n%len(keys)], &l.rules[0], now, 1)
				}
			}
		})
	}
	for range 50 {
		again := l.table(7)
		if lost := restore(t, fileOf(t, table), again, 1, now); lost > 0 {
			t.Errorf("%d clients are lost", lost)
		}
	}
	close(stop)
	all.Wait()
}

func BenchmarkSave(b *testing.B) {
	l := newLimits(b, hourly)
	table, r := l.sized(1, 200_000), rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		k := crdt.Key{Hi: r.Uint64(), Lo: r.Uint64()}
		s := table.Shard(k)
		s.Lock()
		e := s.Open(k, &l.rules[0], begin)
		l.rules[0].Charge(e.States(), begin, 1)
		s.Unlock()
	}
	file := fileOf(b, table)
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		for b.Loop() {
			fileOf(b, table)
		}
		b.ReportMetric(float64(len(file))/100_000, "B/client")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			restore(b, file, l.sized(7, 200_000), 1, begin)
		}
	})
}
