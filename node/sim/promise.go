package sim

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A node's claim of freshness alone would excuse a node that never catches up. While
// nothing troubles the cluster, the oracle therefore asks for more than the claim: each
// node must know what the others admitted Δ ago, where Δ = flush + delivery.

// repairTime is how long a connected cluster may take to catch up with what it missed. A
// beat shows the gap within a second, and a node asks for the rows a jitter later. It asks
// again if no answer comes for half a second. joinTime is how long a new node
// may take to know what the others know: the longest wait for a snapshot, and a repair.
// Larger values let a node that is too slow pass; smaller ones blame nodes that are not.
const (
	repairTime = 2500 * time.Millisecond
	joinTime   = 5*time.Second + repairTime
)

// promise says when a cluster is in trouble, by true time. Immutable.
type promise struct {
	trouble []span
	delta   int64 // Δ
	stall   int64 // how long clocks that are set back stand still, all together
}

func newPromise(sc *Scenario, start int64) promise {
	p := promise{}
	for i := range sc.Faults {
		f := &sc.Faults[i]
		p.stall += max(0, -int64(f.By)) * int64(len(f.Nodes))
		if s, some := f.trouble(sc, start); some {
			p.trouble = append(p.trouble, s)
		}
	}
	p.delta = p.lag(sc) + int64(sc.Link.DelayMax)
	if sc.Link.Loss > 0 || sc.Link.Bandwidth > 0 || !sc.fresh() {
		p.trouble = append(p.trouble, span{0, math.MaxInt64})
	}
	return p
}

// fresh reports whether nodes hear of what others admit within the windows that are
// live, which is what all promises about GCRA are about: Δ + σ < E. For other algorithms
// what is older is of windows that count no more.
func (sc *Scenario) fresh() bool {
	p := promise{}
	behind := time.Duration(p.lag(sc)) + sc.Link.DelayMax + 2*sc.Skew + sc.apartBy()
	for policy := range sc.policies() {
		if policy.Algorithm == node.GCRA && behind >= widthOf(policy.Window) {
			return false
		}
	}
	return true
}

// apartBy is how far the fixed offsets of the nodes' clocks are apart.
func (sc *Scenario) apartBy() time.Duration {
	if len(sc.Clocks) == 0 {
		return 0
	}
	return max(0, slices.Max(sc.Clocks)) - min(0, slices.Min(sc.Clocks))
}

// trouble is the time in which the fault keeps nodes from knowing what living others
// admit; false if it does not.
func (f *Fault) trouble(sc *Scenario, start int64) (span, bool) {
	s := span{from: start + int64(f.At)}
	s.to = s.from + int64(f.For+repairTime+4*sc.Link.DelayMax)
	switch f.Kind {
	case FaultCrash, FaultLeave, FaultJoin, FaultRefund:
		return s, false
	case FaultPartition, FaultOneWay, FaultLoss, FaultSlow:
		// A node repeats lost requests ever more patiently: the wait for the next one is
		// at most the time since the first one. It asks nothing of a silent peer.
		waits := f.For
		if f.Kind == FaultPartition {
			waits = min(waits, deltasync.DefaultSuspectAfter)
		}
		s.to += int64(waits)
		if f.For == 0 {
			s.to = math.MaxInt64
		}
	case FaultClock:
		s.to += max(int64(f.By), -int64(f.By))
	case FaultLimit, FaultReset:
		s.to = s.from + int64(repairTime+4*sc.Link.DelayMax)
	}
	return s, true
}

// lag is how long a node may keep an admission to itself, nanoseconds.
func (p *promise) lag(sc *Scenario) int64 {
	const wakes = 2 * time.Millisecond
	flush := cmp.Or(sc.Flush, defaultFlush)
	return int64(flush+wakes) + int64(float64(flush)*sc.Drift) + p.stall
}

// kept is the true time up to which m has to know at t what other admitted; false if
// nothing is promised then.
func (p *promise) kept(m, other *member, t int64) (known int64, some bool) {
	if !m.alive || !other.alive || t < m.bornAt+int64(joinTime)+4*p.delta {
		return 0, false
	}
	for _, s := range p.trouble {
		if s.from <= t && t <= s.to {
			return 0, false
		}
	}
	return t - p.delta, true
}
