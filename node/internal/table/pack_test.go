package table

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/racing"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// whole is all that a state holds.
type whole struct {
	crdt.Image
	Origins     [2]int64
	Count, Prev uint64
	Cells       map[crdt.Replica][2]crdt.Count
}

func wholeOf(st *crdt.State) whole {
	w := whole{Image: st.Image(), Origins: st.Origins(), Count: st.Count(), Prev: st.CountPrevious(), Cells: map[crdt.Replica][2]crdt.Count{}}
	for i := range st.Cells() {
		r, c := st.Cell(i)
		w.Cells[r] = c
	}
	return w
}

// twin is a table beside states of package crdt that see the same.
type twin struct {
	t       *testing.T
	table   *Table
	r       *limit.Rule
	now     int64
	model   map[crdt.Key]*crdt.State
	dirty   map[crdt.Key]bool
	wides   int // how often a client was wide
	fast    int // decisions that took a cell alone
	quick   int // rows that did
	account tally.Account
}

func (w *twin) state(k crdt.Key) *crdt.State {
	st := w.model[k]
	if st == nil {
		first, _ := w.r.NewStates(w.now)
		st = &first
		w.model[k] = st
	}
	return st
}

func (w *twin) enter(k crdt.Key) *crdt.State {
	st := w.state(k)
	if f := &w.r.Frame; w.now-st.Start() >= f.Width {
		st.Roll(f, f.Start(w.now))
	}
	return st
}

// take decides as a node does: from the cell if that tells, from the opened entry if not.
func (w *twin) take(k crdt.Key, cost int64) {
	st := w.enter(k)
	want, origin := w.r.GCRA.Admit(gcra.Level{Base: st.Base(), Count: st.Count()}, w.now, cost)
	if want {
		if origin > gcra.Never {
			st.Raise(origin)
		}
		st.Admit(uint64(cost)) //nolint:gosec // positive
		w.dirty[k] = true
	}
	s := w.table.Shard(k)
	var g Glance
	if v, _, _ := s.Decide(&g, k, w.r, w.now, cost, true, &w.account); v != Unsure {
		if got := v == Admitted; got != want {
			w.t.Fatalf("a glance admits %d: %v, want %v", cost, got, want)
		}
		if level := (gcra.Level{Base: st.Base(), Count: st.Count()}); g.Level != level {
			w.t.Fatalf("the glance has %+v after its decision, want %+v", g.Level, level)
		}
		w.fast++
		return
	}
	s.Lock()
	defer s.Unlock()
	e := s.Open(k, w.r, w.now)
	got, origin := s.Admits(e, w.now, cost)
	if got != want {
		w.t.Fatalf("an entry admits %d: %v, want %v", cost, got, want)
	}
	if got {
		if origin > gcra.Never {
			e.First().Raise(origin)
		}
		e.First().Admit(uint64(cost)) //nolint:gosec // positive
		s.Note(e, e.First(), w.now)
	}
}

// open charges or gives back without asking, in either live window.
func (w *twin) open(k crdt.Key, change func(st *crdt.State)) {
	change(w.enter(k))
	w.dirty[k] = true
	s := w.table.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Open(k, w.r, w.now)
	change(e.First())
	s.Note(e, e.First(), w.now)
}

func (w *twin) merge(k crdt.Key, d *crdt.Delta, row crdt.Row) {
	row.Key = k
	if st := w.state(k); st.Untouched() && d.Start < st.Start() { // it says nothing of the row's window yet
		*st = crdt.New(d.Start)
	}
	w.state(k).Merge(&w.r.Frame, d.Replica, d.Start, row)
	d.Rows = []crdt.Row{row}
	s := w.table.Shard(k)
	s.Lock()
	merged, _ := s.mergeCell(w.now, w.r, d, &row)
	s.Unlock()
	if merged {
		w.quick++
		return
	}
	w.table.Merge(w.now, d, true, w.now)
}

func (w *twin) collect(seq uint64) {
	f := &w.r.Frame
	want := map[crdt.Key]crdt.Row{}
	for k := range w.dirty {
		st := w.model[k]
		st.Roll(f, f.Start(w.now))
		want[k] = st.Own()
		st.Sent()
	}
	clear(w.dirty)
	var b deltasync.Batch
	for more := true; more; {
		b.Reset()
		more = w.table.Collect(w.now, seq, false, &b)
		if b.Len() > len(want) {
			w.t.Fatalf("%d rows, want %d", b.Len(), len(want))
		}
	}
	for k := range want {
		if got := w.table.Shard(k).Find(k).First().Own(); got != want[k] {
			w.t.Fatalf("%+v is sent, want %+v", got, want[k])
		}
		w.table.Shard(k).clients.leave()
	}
}

// sweep lets the table forget, and what it forgot be what nobody can tell from unknown.
func (w *twin) sweep() {
	for range sweepParts {
		w.table.Sweep(w.now)
	}
	f := &w.r.Frame
	for k, st := range w.model {
		if _, c := w.table.Shard(k).clients.cells.find(k); c == nil {
			if live := f.Before(f.Start(w.now)); st.Start() >= live || st.TAT(f) > live {
				w.t.Fatalf("forgot %+v at %d", wholeOf(st), w.now)
			}
			delete(w.model, k)
			delete(w.dirty, k)
		}
	}
}

func (w *twin) remove(k crdt.Key) {
	s := w.table.Shard(k)
	if slot, c := s.clients.cells.find(k); c != nil {
		s.remove(slot)
	}
	delete(w.model, k)
	delete(w.dirty, k)
}

func (w *twin) compare(k crdt.Key) {
	s := w.table.Shard(k)
	e, st := s.Find(k), w.model[k]
	if (e == nil) != (st == nil) {
		w.t.Fatalf("held: %v, want %v", e != nil, st != nil)
	}
	if e == nil {
		return
	}
	if got, want := wholeOf(&e.state), wholeOf(st); !reflect.DeepEqual(got, want) {
		w.t.Fatalf("%v at %d\n got %+v\nwant %+v", k, w.now, got, want)
	}
	if e.dirty != w.dirty[k] {
		w.t.Fatalf("dirty: %v, want %v", e.dirty, w.dirty[k])
	}
	if s.clients.wide.of[e.slot] != nil {
		w.wides++
	}
	s.clients.leave()
}

// origins compares the digests of what clients carry out of each of the last windows with that of
// the states.
func (w *twin) origins() (carried int) {
	f := &w.r.Frame
	for start := f.Start(w.now); start >= f.Start(w.now)-4*f.Width; start -= f.Width {
		var want, got crdt.Digest
		for k, st := range w.model {
			if o, tat := st.CarriedOver(f, start+f.Width); start+f.Width <= w.now && tat > start+f.Width {
				s := w.table.Shard(k)
				want.Origin(k, s.Find(k).Life(), start, o)
				s.clients.leave()
				carried++
			}
		}
		for part := range 2 {
			got += w.table.Origins(w.now, deltasync.Window{Width: f.Width, Start: start}, part)
		}
		if got != want {
			w.t.Fatalf("origins of the window at %d at %d: %x, want %x", start, w.now, got, want)
		}
	}
	return carried
}

// The packed table is, step for step, what crdt.State is: over admissions, denials, charges,
// refunds, rows of other replicas, messages, windows that end, huge totals and forgetting.
func TestPackedClientsAreTheirStates(t *testing.T) {
	steps := 1_000_000
	if testing.Short() || racing.Detected {
		steps = 100_000
	}
	// Open in isolation: any total of a peer can be honest then, so none is refused.
	policies := []limit.Policy{
		{Limit: 60, Window: time.Minute, Burst: 40, OnIsolation: limit.IsolationOpen},
		{Limit: 7, Window: 11 * time.Second, Burst: 100, OnIsolation: limit.IsolationOpen},
		{Limit: 1 << 40, Window: time.Minute, OnIsolation: limit.IsolationOpen},
	}
	for i, p := range policies {
		t.Run(fmt.Sprintf("%d per %v", p.Limit, p.Window), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // small
			l := newLimits(t, p)
			w := &twin{t: t, table: l.table(1), r: &l.rules[0], now: begin, model: map[crdt.Key]*crdt.State{}, dirty: map[crdt.Key]bool{}}
			w.table.SetView(2, int64(time.Millisecond))
			f := &w.r.Frame
			keys := make([]crdt.Key, 40)
			for i := range keys {
				keys[i] = crdt.Key{Hi: uint64(i%2) << 56, Lo: rnd.Uint64()}
			}
			seq := uint64(1<<32 - 50) // its lower half wraps
			most := uint64(1) << (1 + rnd.IntN(8))
			carried := 0
			for step := range steps / len(policies) {
				k := keys[rnd.IntN(len(keys))]
				switch x := rnd.IntN(1000); {
				case x < 600:
					w.take(k, 1+rnd.Int64N(min(p.Limit, 1<<rnd.IntN(34))))
				case x < 700:
					units := 1 + rnd.Uint64N(most)
					w.open(k, func(st *crdt.State) { st.Admit(units) })
				case x < 780:
					start, units := f.Start(w.now)-rnd.Int64N(3)*f.Width, rnd.Uint64N(most)
					w.open(k, func(st *crdt.State) { st.GiveBack(f, start, units) })
				case x < 860: // as a peer sends that goes on counting the client
					if rnd.IntN(4) == 0 { // or nearly all clients have something to send
						seq++
						w.collect(seq)
					}
					st := w.model[k]
					if st == nil || st.Cells() == 0 {
						break
					}
					of, counts := st.Cell(rnd.IntN(st.Cells()))
					d := l.delta(of)
					d.Start = st.Start()
					row := crdt.Row{
						Cur:  crdt.Part{Origin: st.Origins()[0] + rnd.Int64N(2), Count: counts[0]},
						Prev: crdt.Part{Origin: st.Origins()[1] + rnd.Int64N(2) - 1, Count: counts[1]},
					}
					row.Cur.Count.P += rnd.Uint64N(3)
					if row.Cur.Count.N += rnd.Uint64N(1 + row.Cur.Count.P - row.Cur.Count.N); rnd.IntN(2) == 0 {
						row.Cur.Count.N = row.Cur.Count.P // which makes room in the bucket
					}
					if st.Origins()[1] == crdt.Never {
						row.Prev.Origin = crdt.Never
					}
					if w.table.plausible(w.now, w.r, d.Start, &row) {
						w.merge(k, d, row)
					}
				case x < 930:
					d := l.delta(crdt.Replica(2 + rnd.IntN(5)))
					d.Start = f.Start(w.now) - rnd.Int64N(3)*f.Width
					part := func(start int64) crdt.Part {
						c := crdt.Count{P: rnd.Uint64N(4 * most)}
						c.N = rnd.Uint64N(c.P + 1)
						o := int64(crdt.Never)
						if c.P > 0 || rnd.IntN(2) == 0 {
							o = min(w.now, start+rnd.Int64N(f.Width))
						}
						return crdt.Part{Origin: o, Count: c}
					}
					w.merge(k, d, crdt.Row{Cur: part(d.Start), Prev: part(d.Start - f.Width)})
				case x < 950:
					seq++
					w.collect(seq)
				case x < 952:
					w.sweep()
				case x < 953 && rnd.IntN(20) == 0: // totals that no cell or record holds
					units := uint64(1) << (31 + rnd.IntN(14))
					w.open(k, func(st *crdt.State) { st.Admit(units) })
				case x < 954 && rnd.IntN(20) == 0:
					d := l.delta(crdt.Replica(2 + rnd.IntN(5)))
					d.Start = f.Start(w.now)
					w.merge(k, d, used(k, d.Start, 1<<(30+rnd.IntN(5))))
				case x < 956:
					w.remove(k)
				case x < 990:
					w.now += rnd.Int64N(int64(time.Second))
				case x < 996:
					w.now += rnd.Int64N(f.Width)
				default:
					w.now += rnd.Int64N(4 * f.Width)
				}
				w.compare(k)
				if step%50 == 0 {
					carried += w.origins()
				}
				if step%1000 == 0 {
					most = 1 << (1 + rnd.IntN(20))
					for k := range maps.Clone(w.model) {
						w.compare(k)
					}
				}
			}
			if carried == 0 && p.Limit < 1<<30 { // else all drains at once
				t.Error("nothing was carried out of a window")
			}
			if w.wides == 0 || w.fast < steps/len(policies)/4 || w.quick < steps/len(policies)/5000 {
				t.Errorf("%d times wide, %d decisions and %d rows from a cell alone: this proves too little", w.wides, w.fast, w.quick)
			}
			for _, k := range slices.Collect(maps.Keys(w.model)) {
				w.remove(k)
			}
			for i := range w.table.shards {
				s := &w.table.shards[i]
				if s.clients.records.used != 0 || s.clients.rules.size() != 0 || s.clients.records.replicas.size() != 0 || len(s.clients.wide.of) != 0 {
					t.Errorf("%d records, %d rules, %d replicas and %d wide clients are left when all are gone",
						s.clients.records.used, s.clients.rules.size(), s.clients.records.replicas.size(), len(s.clients.wide.of))
				}
			}
		})
	}
}
