package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Terms are the documented bound on E for a whole run, in units of cost, by what adds to
// it. docs/error-bound.md promises that much to a reader who knows the cluster and its
// faults, but neither its messages nor its nodes' claims. The pointwise bound of the
// oracle is sharper; this one must hold as well.
type Terms struct {
	// Connected is the sum of min(B + r·Δ, what the client asks of the node within
	// Δ) over all nodes but one, the least. At most (N-1)·(B + r·Δ). A node that just
	// started counts under Join.
	Connected float64 `json:"connected"`
	Skew      float64 `json:"skew"`      // r·σ
	Partition float64 `json:"partition"` // (g-1)·r·P, P until what was missed is repaired, or shares are taken
	Crash     float64 `json:"crash"`     // what the node had not flushed
	Join      float64 `json:"join"`      // min(B + r·Δ_join, what is asked of the node within Δ_join)
	Restart   float64 `json:"restart"`   // B for each node that began without anybody who knew
	Debts     float64 `json:"debts"`     // what commits charged beyond what was reserved
}

// Total is their sum: the bound.
func (t Terms) Total() float64 {
	return t.Connected + t.Skew + t.Partition + t.Crash + t.Join + t.Restart + t.Debts
}

// documented reports whether the table in docs/error-bound.md has a row for everything
// that happens to the cluster. Lost messages, or more of them than a link carries, make Δ
// a matter of chance, and a limit that changes has no one B and r.
func (sc *Scenario) documented() bool {
	for i := range sc.Faults {
		switch sc.Faults[i].Kind {
		case FaultLoss, FaultSlow, FaultLimit, FaultReset, FaultClock, FaultRefund:
			return false
		case FaultPartition, FaultOneWay, FaultCrash, FaultLeave, FaultJoin:
		}
	}
	if sc.Policy.OnIsolation == node.IsolationOpen && len(sc.Faults) > 0 {
		return false
	}
	// What clocks that differ do at the edges of windows is as much as comes just then.
	if sc.windowed() && (sc.Skew > 0 || sc.Drift > 0 || len(sc.Clocks) > 0) {
		return false
	}
	return sc.Link.Loss == 0 && sc.Link.Bandwidth == 0 && sc.MaxClients == 0 && sc.fresh()
}

// terms adds the documented bound up for one client under one limit.
func (o *oracle) terms(a *account) Terms {
	burst, rate := float64(a.most), a.yard.rate()
	apart, overrun := o.w.sc.apart(a.yard.policy.OnIsolation)
	delta := o.knows.promise.delta
	t := Terms{Skew: rate * float64(o.clocks.sigma()), Partition: rate * float64(overrun)}
	asked := map[int]float64{}
	for m, s := range a.asked {
		from := m.bornAt
		if m.bornAt >= o.w.start {
			from += int64(joinTime)
		}
		asked[m.number] = max(asked[m.number], s.most(from, delta+int64(apart)))
	}
	least := -1.0
	for _, number := range slices.Sorted(maps.Keys(asked)) { // in order: sums of fractions depend on it
		cost := min(asked[number], burst+rate*float64(delta))
		t.Connected += cost
		if least < 0 || cost < least {
			least = cost
		}
	}
	t.Connected -= max(0, least)
	t.Partition += rate * o.w.comeback(a.yard.policy.OnIsolation)
	for _, m := range o.w.members {
		if m.diedAt != 0 && !m.farewell {
			t.Crash += float64(a.charged[m].since(m.diedAt - o.knows.lag()))
		}
		if s := a.asked[m]; s != nil && m.bornAt >= o.w.start {
			until := int64(joinTime)
			t.Join += min(burst+rate*float64(until), float64(s.between(m.bornAt, m.bornAt+until)))
		}
		if m.founder && m.bornAt >= o.w.start {
			t.Restart += burst
		}
		t.Debts += float64(a.debts[m])
	}
	return t
}

// apart is how long nodes do not hear each other, all partitions together, and for how
// much of that they admit more than their group's share of a limit.
func (sc *Scenario) apart(choice node.OnIsolation) (length, overrun time.Duration) {
	for i := range sc.Faults {
		f := &sc.Faults[i]
		s, some := f.trouble(sc, 0)
		if !some {
			continue
		}
		d := time.Duration(s.to - s.from)
		length += d
		if choice == node.IsolationShare {
			d = min(d, f.unnoticed()+repairTime+4*sc.Link.DelayMax)
		}
		overrun += d
	}
	return length, overrun
}

// comeback is the time that counts double in a share: that of nodes which left in order and came back
// into a cut. The others have struck such a node off, and it takes a share of its own: all shares
// together are at most 1 + 1/n of the limit, and n is 2 or more.
func (w *world) comeback(choice node.OnIsolation) float64 {
	if choice != node.IsolationShare {
		return 0
	}
	sum := time.Duration(0)
	for i, m := range w.members {
		left := slices.ContainsFunc(w.members[:i], func(o *member) bool { return o.number == m.number && o.farewell })
		for j := range w.sc.Faults {
			if s, some := w.sc.Faults[j].trouble(&w.sc, w.start); some && left {
				sum += time.Duration(max(0, s.to-max(s.from, m.bornAt)))
			}
		}
	}
	return float64(sum) / 2
}

// unnoticed is how long a node may take to notice that it is cut off. It notices silence
// by itself; that nobody hears it, it learns from the others' beats.
func (f *Fault) unnoticed() time.Duration {
	d := deltasync.DefaultSuspectAfter + 1200*time.Millisecond
	if f.Kind == FaultOneWay {
		d *= 2
	}
	return d
}
