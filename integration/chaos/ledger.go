package main

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// staleness is Δ, the age that a node's knowledge of a peer may have while all is well: the
// longest flush interval, delivery, and a turn on a machine with fewer cores than processes.
// Raising it hides nodes that are slow to tell; lowering it calls a busy machine a fault.
const staleness = 500 * time.Millisecond

// slowest is the longest time that an answer may take to count here. An admission happened at
// some time before its answer; one that took longer is left out, which only lowers E: what the
// theorem says of a set of admissions it says of each part. Raising it widens the bound by the
// rate times it; lowering it leaves out more.
const slowest = 100 * time.Millisecond

// instant is a time since the run began, by the monotonic clock of this process.
type instant = time.Duration

// open is an instant that has not come.
const open = instant(math.MaxInt64)

// life is one incarnation of a node.
type life struct {
	node   int
	joined instant // when it knew what the others did; open before
	// lost is the time from which on nobody ever learns what it admitted: it was killed, or its
	// peers refused its clock. open if they learn everything.
	lost instant
}

// reading is what a clock is off by, from an instant on.
type reading struct {
	node int
	at   instant
	off  time.Duration
}

// span is a stretch of time. An open one has no end yet.
type span struct{ from, to instant }

// admission is one unit that a node admitted, between two instants.
type admission struct {
	life            int // index
	asked, answered instant
}

func byAnswer(a, b admission) int { return cmp.Compare(a.answered, b.answered) }

// account is what one client was admitted under a limit, in single units. Safe for concurrent use.
type account struct {
	limit, client string
	mu            sync.Mutex
	all           []admission
}

func (a *account) add(e admission) {
	if e.answered-e.asked > slowest {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, e)
}

// history is what happened to the cluster, as far as it matters to what nodes know.
type history struct {
	lives []life
	// blind[k][j] are the stretches in which node k did not learn what node j admitted.
	blind  [][][]span
	clocks []reading // of all nodes
	// starved is for how long the machine let those wait for a CPU between two instants whom a
	// message of node j passes on its way to node k: Δ grows by that. nil is never.
	starved func(k, j int, from, to instant) time.Duration
}

// recently is for how long a wait for a CPU adds to Δ. Raising it excuses more on a busy machine;
// lowering it calls a backlog that is being worked off a fault.
const recently = 2 * time.Second

func newHistory(nodes int) *history {
	h := &history{blind: make([][][]span, nodes)}
	for k := range h.blind {
		h.blind[k] = make([][]span, nodes)
	}
	return h
}

// known is the time up to which node k knows, at t, what node j admitted.
func (h *history) known(k, j int, t instant) instant {
	for again := true; again; {
		again = false
		for _, s := range h.blind[k][j] {
			if s.from <= t && t < s.to {
				t, again = s.from-1, true
			}
		}
	}
	if h.starved != nil {
		t -= h.starved(k, j, t-recently, t)
	}
	return t - staleness
}

// lags is how long a clock that was set back may still be ahead: a node's time stands still
// meanwhile, or the node starts again.
const lags = 10 * time.Second

// skew is σ, as it matters at t: how far a clock can be ahead now of any clock before. The proof
// of the bound compares the clock that admits with that of an earlier admission.
func (h *history) skew(t instant) time.Duration {
	lo, hi := time.Duration(0), time.Duration(0)
	for i, c := range h.clocks {
		until := open
		for _, next := range h.clocks[i+1:] {
			if next.node == c.node {
				until = next.at
				break
			}
		}
		if lo = min(lo, c.off); until == open || until+lags > t {
			hi = max(hi, c.off)
		}
	}
	return hi - lo
}

// verdict is the judgement of one admission, in units.
type verdict struct {
	at            instant
	excess, bound float64
}

// judge holds the excess of each of a client's admissions against what the admitting node could not
// know of: section 1 of docs/error-bound.md, pointwise. each gets every verdict in order.
func (h *history) judge(g *gcra.GCRA, all []admission, each func(admission, verdict)) {
	slices.SortFunc(all, byAnswer)
	times := make([][]instant, len(h.lives))
	for _, e := range all {
		times[e.life] = append(times[e.life], e.answered)
	}
	before := 0.0 // the last bound of a node that had joined
	replay(g, all, func(e admission, excess, unsure float64) {
		if h.lives[e.life].joined > e.asked {
			before++ // it knows nobody yet: each unit that it admits is one that nobody could foresee
		} else {
			before = h.unseen(e, times)
		}
		each(e, verdict{at: e.answered, excess: excess, bound: before + unsure + rate(g)*float64(h.skew(e.answered))})
	})
}

// judgeBounded is judge for a bounded limit, whose excess is at most X whatever befalls the cluster:
// docs/bounded.md. The monotonic clocks of all nodes are that of one machine, so σ is 0.
func judgeBounded(g *gcra.GCRA, all []admission, mostExcess float64, each func(admission, verdict)) {
	replay(g, all, func(e admission, excess, unsure float64) {
		each(e, verdict{at: e.answered, excess: excess, bound: mostExcess + unsure})
	})
}

// rate is in units a nanosecond.
func rate(g *gcra.GCRA) float64 { return float64(g.Policy().Limit) / float64(g.Policy().Window) }

// replay sends a client's admissions through a GCRA that refuses nothing. each gets the excess after
// each admission, and the part of it that may only come from not knowing when it happened between
// request and answer.
func replay(g *gcra.GCRA, all []admission, each func(e admission, excess, unsure float64)) {
	slices.SortFunc(all, byAnswer)
	level := gcra.Level{Base: gcra.Never}
	late := time.Duration(0) // in this busy period
	for _, e := range all {
		t := int64(e.answered)
		if g.TAT(level) < t {
			level, late = gcra.Level{Base: t}, 0
		}
		level.Count++
		late = max(late, e.answered-e.asked)
		each(e, float64(g.TAT(level)-t)*rate(g)-float64(g.Policy().Burst), rate(g)*float64(late))
	}
}

// unseen is the cost that lives other than e's admitted by e, and that e's cannot have known.
func (h *history) unseen(e admission, times [][]instant) (units float64) {
	k := h.lives[e.life].node
	for j := range h.lives {
		of := &h.lives[j]
		if j == e.life || len(times[j]) == 0 {
			continue
		}
		known := min(h.known(k, of.node, e.asked), of.lost)
		from, _ := slices.BinarySearch(times[j], known+1)
		to, _ := slices.BinarySearch(times[j], e.answered+1)
		units += float64(max(0, to-from))
	}
	return units
}
