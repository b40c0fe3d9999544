package sim

// exportable reports whether a node can know a bound by itself, whatever happens to the
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
	if o.w.sc.Strict || !o.w.sc.exportable() || len(a.debts) > 0 || e < 1.1*a.exported {
		return
	}
	for pair, all := range o.late {
		for _, l := range all {
			if f := l.folded(a.narrow); pair[0] == m && f.from < f.to && a.yard.gcra != nil {
				return // what was folded before it was heard of is not charged any more
			}
		}
	}
	a.exported = e
	// Skew is estimated from delays that are not the same both ways.
	link := &o.w.sc.Link
	slack := a.yard.rate() * (float64(link.DelayMax-link.DelayMin) + float64(o.lag()))
	for _, l := range m.step.Node.Stats().Limits {
		if l.Name == a.of.limit && e > l.OvershootBound+slack+epsilon {
			o.w.violate("n%d exports a bound of %.3f for %s, but %s is over by %.3f", m.number, l.OvershootBound, l.Name, a.of.client, e)
		}
	}
}
