package sim

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node"

// charge has a node charge what was used already. Nobody decides on it, so the oracle counts it
// as a debt: what is admitted on top of it is judged.
func (w *world) charge(m *member, limits []string, client string, cost int64) {
	q := node.Request{Client: client, Cost: cost}
	for _, limit := range limits[1:] {
		q.Also = append(q.Also, node.Check{Limit: limit})
	}
	d := m.step.Node.Charge(q)
	for i, limit := range limits {
		one := d
		if len(d.Each) > 0 {
			one = d.Each[i]
		}
		if one.Charged < 0 || one.NotCharged < 0 || one.Charged+one.NotCharged > cost {
			w.violate("n%d charged %d of %d to %s and left %d out", m.number, one.Charged, cost, client, one.NotCharged)
		}
		if a := w.oracle.account(limit, client); a != nil && one.Charged > 0 {
			a.debts[m] += one.Charged
			w.oracle.charge(a, m, one.Charged)
			w.result.Charged += uint64(one.Charged) //nolint:gosec // positive
		}
		w.result.NotCharged += uint64(max(0, one.NotCharged)) //nolint:gosec // not negative
	}
	w.note("charge", int64(m.number), cost, d.Charged)
	if m.step.TakeUrgent() && !w.sc.FixedFlush {
		m.urge()
	}
}
