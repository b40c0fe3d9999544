package sim

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Restarts is the scenario of a seed in which whole clusters stop, in order or without, and start
// again from the counts that their nodes saved. Nodes stop and start at one moment or one after the
// other, while or after limits change and clients are reset, and some were cut off just before. The
// load bursts around these moments.
func Restarts(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 4))} //nolint:gosec // repeatable on purpose
	sc := Scenario{
		Seed: seed, Nodes: 1 + d.upTo(4), Policy: d.held(false), Flush: d.pick(20, 50, 50, 200),
		Link:       Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
		SaveCounts: d.between(500*time.Millisecond, 10*time.Second), RestoreDelay: d.pick(0, 0, 100, 1000, 7000),
	}
	if d.one(4) {
		sc.Link = d.link()
		sc.Link.Bandwidth = 0
	}
	if d.one(4) {
		sc.Skew = d.between(0, 100*time.Millisecond)
	}
	width := sc.width()
	at := d.between(time.Second, 15*time.Second)
	for range 1 + d.upTo(1) {
		kind, spread, away := FaultCrash, d.pick(0, 0, 500, 5000), d.between(50*time.Millisecond, 3*time.Second)
		if d.one(2) {
			kind = FaultLeave
		}
		if d.one(3) {
			away = d.between(0, 3*width)
		}
		if d.one(4) && sc.Nodes > 1 {
			sc.Faults = append(sc.Faults, Fault{At: max(0, at-d.between(0, 5*time.Second)), For: d.between(time.Second, 10*time.Second), Kind: FaultPartition, Nodes: d.node(sc.Nodes)})
		}
		end := at
		for n := 1; n <= sc.Nodes; n++ {
			f := Fault{At: at + d.between(0, spread), Kind: kind, Nodes: []int{n}}
			f.For = max(1, at+spread+away+d.between(0, spread)-f.At)
			sc.Faults = append(sc.Faults, f)
			end = max(end, f.At+f.For)
		}
		if d.one(4) {
			p := sc.Policy
			p.Limit = 10 + d.r.Int64N(190)
			sc.Faults = append(sc.Faults, Fault{At: d.moment(at, end-at), Kind: FaultLimit, Nodes: d.node(sc.Nodes), Policy: &p})
		}
		if d.one(4) {
			sc.Faults = append(sc.Faults, Fault{At: d.moment(at, end-at), Kind: FaultReset, Nodes: d.node(sc.Nodes), Client: victim})
		}
		sc.Streams = append(sc.Streams, d.around(&sc, at, end-at)...)
		at = end + d.between(time.Second, width)
	}
	sc.Streams = append(sc.Streams, Stream{Client: victim, Rate: min(20, max(0.1, float64(sc.Policy.Limit)/sc.Policy.Window.Seconds()*(0.3+2*d.r.Float64())))})
	sc.Duration = at + d.between(width/2, 2*width)
	return sc
}

// file is what a node saved of its counts.
type file struct {
	text   []byte
	by     *member
	at     int64              // in true time
	claims map[*member]int64  // up to when the node claimed to know the others
	late   map[*member][]late // what it had learnt of them too late
}

// saveCounts lets the member save its counts, now and then again. A member that knows less than its
// file keeps it.
func (w *world) saveCounts(m *member) {
	if !m.alive {
		return
	}
	m.save(false)
	w.after(w.sc.SaveCounts, func() { w.saveCounts(m) })
}

func (m *member) save(last bool) {
	if m.w.sc.SaveCounts == 0 {
		return
	}
	var b bytes.Buffer
	if m.step.Node.SaveCounts(&b, last) != nil {
		return
	}
	f := &file{text: b.Bytes(), by: m, at: m.w.now, claims: map[*member]int64{}, late: map[*member][]late{}}
	for _, other := range m.w.members {
		if other != m {
			f.claims[other] = m.w.oracle.knows.claimed(m, other)
			f.late[other] = slices.Clone(m.w.oracle.knows.late[[2]*member{m, other}])
		}
	}
	m.file = f
}

// restore lets the member bring back what its earlier incarnation saved, once that is due.
func (w *world) restore(m *member) {
	if !m.alive {
		return
	}
	done, whole := m.step.Restore()
	if !done {
		w.after(20*time.Millisecond, func() { w.restore(m) })
		return
	}
	w.note("restored", int64(m.number))
	if m.back {
		w.oracle.knows.restored(m, whole)
	}
	m.do(deltasync.Input{Kind: deltasync.InputRestored, Whole: whole})
}

// restored is called when m has the counts of its file: it knows what that knew.
func (k *knowledge) restored(m *member, whole bool) {
	k.w.result.Restored++
	if !whole || m.ready && !m.founder {
		return // what it does not know a peer told, and joined took down
	}
	f := m.file
	for _, other := range k.w.members {
		at, some := f.claims[other]
		if other == f.by {
			at, some = f.at, true
		}
		if pair := [2]*member{m, other}; some && at > m.floors[other] {
			m.floors[other] = at
			k.late[pair] = f.late[other]
		}
	}
}

// bring adds what the member's earlier incarnation saved to its configuration.
func (m *member) bring(cfg *node.Config) {
	if m.file == nil {
		return
	}
	cfg.SavedCounts = bytes.NewReader(m.file.text)
	cfg.CountsRestored = func(r node.Restored, err error) {
		if err != nil {
			m.w.violate("n%d: its file of counts cannot be used: %v", m.number, err)
		}
		m.back = !r.Unused
	}
}
