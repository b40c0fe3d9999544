package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// judgeLive compares E at an admission with what nodes export at this moment: take the living
// nodes that admitted to that client; E is at most the largest number that one of them exports,
// or one of them says that it is degraded. What commits charge beyond their reservations is
// outside E. So is what was above a new limit that counts in the same windows, and what a node
// admitted that began and ended while nobody could hear it.
func (o *oracle) judgeLive(a *account, c *charge, e float64) {
	for _, debt := range a.debts {
		e -= float64(debt)
	}
	for m, s := range a.charged {
		if !m.alive && !m.heard { // whether it ever was, nobody can know
			e -= float64(s.since(0))
		}
	}
	if c.at <= a.until {
		e -= float64(a.forgotten)
	}
	if e <= epsilon {
		return
	}
	exports := func(m *member) bool {
		x := m.told[a.of.limit]
		enough := func() bool { return x.degraded || e <= x.bound+epsilon }
		if x.at == o.w.now && x.turns == m.turns && enough() {
			return true // a burst asks at one instant again and again
		}
		x = m.exports(a.of.limit)
		return enough()
	}
	if exports(c.by) {
		return
	}
	var told strings.Builder
	for _, m := range o.w.members {
		if !m.alive || a.charged[m] == nil {
			continue
		}
		if exports(m) {
			return
		}
		_, _ = fmt.Fprintf(&told, " %.3f by n%d (%s)", m.exports(a.of.limit).bound, m.number, o.spansOf(m))
	}
	o.w.violate("%s under %s: E is %.3f, but nobody is degraded, and exported is%s", a.of.client, a.of.limit, e, told.String())
}

// exported is what a node exports of a limit at an instant, after so many inputs.
type exported struct {
	at       int64
	turns    uint64
	bound    float64
	degraded bool
}

// exports is what the member exports now.
func (m *member) exports(limit string) exported {
	x := exported{at: m.w.now, turns: m.turns}
	x.bound, x.degraded = m.step.Inside().Exported(limit)
	m.told[limit] = x
	return x
}

// spansOf lists what a node does not know of the others, by the numbers of the nodes.
func (o *oracle) spansOf(m *member) string {
	numbers := map[crdt.Replica]string{}
	for _, other := range o.w.members {
		k := crdt.Replica(other.replica)
		numbers[k] = fmt.Sprintf("n%d born %v ago", other.number, time.Duration(o.w.now-other.bornAt))
		if !other.alive {
			numbers[k] += fmt.Sprintf(" and gone %v ago", time.Duration(o.w.now-other.diedAt))
		}
	}
	var out []string
	for _, s := range m.step.Inside().Unknown() {
		out = append(out, fmt.Sprintf("%s: from %v to %v ago, kind %d", numbers[s.Of], time.Duration(s.Began), time.Duration(s.Ended), s.Kind))
	}
	return strings.Join(out, "; ")
}
