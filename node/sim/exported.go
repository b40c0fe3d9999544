package sim

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node"

// exportable reports whether a node can state a bound by itself for what befalls the
// cluster: it cannot know what others took with them, or did before it was there.
func (sc *Scenario) exportable() bool {
	for i := range sc.Faults {
		switch sc.Faults[i].Kind {
		case FaultPartition, FaultOneWay, FaultLoss, FaultSlow:
		case FaultCrash, FaultLeave, FaultJoin, FaultClock, FaultLimit, FaultReset:
			return false
		}
	}
	return sc.MaxClients == 0
}

// judgeExported checks the bound that node m exports at this moment, from measured
// staleness and skew alone, against a client's new worst excess.
func (o *oracle) judgeExported(a *account, m *member, e float64) {
	if !o.w.sc.exportable() || e < 1.1*a.exported {
		return
	}
	for pair, spans := range o.late {
		if pair[0] == m && len(spans) > 0 {
			return // what was folded before it was heard of is not charged any more
		}
	}
	a.exported = e
	bound := 0.0
	for _, l := range m.step.Node.Stats().Limits {
		if l.Name == node.DefaultLimit {
			bound = l.OvershootBound
		}
	}
	// Skew is estimated from delays that are not the same both ways.
	link := &o.w.sc.Link
	bound += o.rate() * (float64(link.DelayMax-link.DelayMin) + float64(o.lag()))
	if e > bound+epsilon {
		o.w.violate("n%d exports a bound of %.3f, but %s is over by %.3f", m.number, bound, a.client, e)
	}
}
