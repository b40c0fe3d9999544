// Package oracle says what one central limiter would have decided that sees every request at
// its true time. Measurements compare nodes with it, so it shares no arithmetic with them: it is
// the textbooks' bucket and windows, computed exactly, one client at a time.
package oracle

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Limit is a limit with its overrides, ready to judge. Immutable; safe for concurrent use. Make
// one with New.
type Limit struct {
	rules []rule
	match *limit.Match
}

// rule is the policy of some clients.
type rule struct {
	limit.Policy
	periods *gcra.Periods // of a fixed window: the calendar, which is not the limiter's arithmetic
	sub     int64         // length of the parts in which a window algorithm counts, nanoseconds
	parts   int64         // how many parts before the current one count
}

// New makes a limit of a policy. The error is the policy's, as nodes would refuse it.
func New(p limit.Policy) (*Limit, error) {
	compiled, err := limit.Compile(p)
	if err != nil {
		return nil, err
	}
	l := &Limit{match: compiled.Match}
	for i := range compiled.Rules {
		r := rule{Policy: compiled.Rules[i].Policy}
		switch {
		case r.Access != limit.Limited:
		case r.Algorithm == limit.FixedWindow:
			window := r.Window
			if r.Calendar != gcra.NoUnit {
				window = 0
			}
			if r.periods, err = gcra.NewPeriods(window, r.Calendar, r.TimeZone); err != nil {
				return nil, fmt.Errorf("oracle: %w", err)
			}
		case r.Algorithm == limit.SlidingWindow:
			r.parts = int64(max(1, r.Resolution))
			r.sub = (int64(r.Window) + r.parts - 1) / r.parts
		}
		l.rules = append(l.rules, r)
	}
	return l, nil
}

// Tightened is the limit with as much less burst as docs/error-bound.md takes from a client that
// nodes never wrongly deny: one unit, and what drains in delta. No client fits under a rule that
// this leaves nothing of, or whose algorithm is not GCRA: nothing is promised there.
func (l *Limit) Tightened(delta time.Duration) *Limit {
	t := &Limit{match: l.match}
	for _, r := range l.rules {
		if r.Access == limit.Limited {
			drains := float64(r.Limit) * float64(delta) / float64(r.Window)
			r.Burst = r.burst() - 1 - int64(math.Ceil(drains))
			if r.Algorithm != limit.GCRA || r.Burst < 1 {
				r.Access = limit.Blocked
			}
		}
		t.rules = append(t.rules, r)
	}
	return t
}

// Find returns the number of a client's rule, for NewMeter.
func (l *Limit) Find(client string) int {
	if l.match == nil {
		return 0
	}
	var buf limit.Buffer
	r, _, _ := l.match.Find(client, &buf)
	return int(r)
}

// Key is the text that a client's id counts as: all ids with one key share a meter.
func (l *Limit) Key(client string) string {
	if l.match == nil {
		return client
	}
	var buf limit.Buffer
	if _, group, _ := l.match.Find(client, &buf); group != nil {
		return string(group)
	}
	return client
}

// Policy is the policy of a rule, with its defaults filled in.
func (l *Limit) Policy(rule int) limit.Policy { return l.rules[rule].Policy }

// Meter counts what one client used under one rule. Its times never go back: an earlier one
// counts as the latest. Make one with NewMeter. Not safe for concurrent use.
type Meter struct {
	rule   *rule
	bucket bucket // of GCRA
	// A window algorithm uses start, that of the current part, and counts: this part's and those of
	// the parts before, newest first.
	start  int64
	counts []int64
}

// NewMeter is the meter of a client that has used nothing.
func (l *Limit) NewMeter(rule int) Meter {
	m := Meter{rule: &l.rules[rule], start: math.MinInt64}
	m.bucket.last = math.MinInt64
	return m
}

// Fits reports whether a central limiter that counted the same would admit the cost at t
// (unix nanoseconds).
func (m *Meter) Fits(t, cost int64) bool {
	switch m.rule.Access {
	case limit.Blocked:
		return false
	case limit.Unlimited:
		return true
	}
	if cost > m.rule.burst() {
		return false
	}
	m.advance(t)
	if m.rule.Algorithm == limit.GCRA {
		return !m.bucket.level.add(units(m.rule, cost)).above(units(m.rule, m.rule.burst()))
	}
	return m.estimate(t, cost) <= 0
}

// Add counts a cost at t, whether it fits or not.
func (m *Meter) Add(t, cost int64) {
	if m.rule.Access != limit.Limited {
		return
	}
	m.advance(t)
	if m.rule.Algorithm == limit.GCRA {
		m.bucket.level = m.bucket.level.add(units(m.rule, cost))
		return
	}
	m.counts[0] += cost
}

// Over is by how many units the use at t is above the most that may be used at once; negative
// while there is room. After Add of all that nodes admitted, its maximum over time is E.
func (m *Meter) Over(t int64) float64 {
	if m.rule.Access == limit.Unlimited {
		return math.Inf(-1)
	}
	m.advance(t)
	if m.rule.Algorithm == limit.GCRA {
		return m.bucket.level.over(uint64(m.rule.Window)) - float64(m.rule.burst()) //nolint:gosec // validated
	}
	return m.estimate(t, 0)
}

// Change goes over to another limit at t. The client keeps what it used, in whole units, rounded up,
// and at most what fits into the new limit.
func (m *Meter) Change(to *Limit, rule int, t int64) {
	next := to.NewMeter(rule)
	if m.rule.Access == limit.Limited && next.rule.Access == limit.Limited {
		most := float64(next.rule.burst())
		used := min(most, math.Ceil(max(0, m.Over(t)+float64(m.rule.burst()))))
		next.Add(t, int64(used))
	}
	*m = next
}

// burst is the most that may be used at once.
func (r *rule) burst() int64 {
	if r.Algorithm == limit.GCRA {
		return cmp.Or(r.Burst, r.Limit)
	}
	return r.Limit
}

// advance brings the meter to t.
func (m *Meter) advance(t int64) {
	if m.rule.Algorithm == limit.GCRA {
		m.bucket.drain(t, uint64(m.rule.Limit)) //nolint:gosec // validated
		return
	}
	start := m.rule.part(t)
	if start <= m.start {
		return
	}
	if m.counts == nil {
		m.counts = make([]int64, m.rule.parts+1)
	}
	gap := int64(len(m.counts))
	if m.start != math.MinInt64 && m.rule.periods == nil {
		gap = min(gap, (start-m.start)/m.rule.sub)
	}
	copy(m.counts[gap:], m.counts)
	clear(m.counts[:gap])
	m.start = start
}

// part is the start of the part that t lies in.
func (r *rule) part(t int64) int64 {
	if r.periods != nil {
		return r.periods.Start(t)
	}
	start := t - t%r.sub
	if t%r.sub < 0 {
		start -= r.sub
	}
	return start
}

// estimate is the use that a window algorithm counts at t with cost more, less the limit.
func (m *Meter) estimate(t, cost int64) float64 {
	used := float64(m.counts[0] + cost - m.rule.Limit)
	if m.rule.parts == 1 { // the share of the window before that the last window still covers
		covered := m.rule.sub - min(max(0, t-m.start), m.rule.sub)
		return used + float64(m.counts[1])*float64(covered)/float64(m.rule.sub)
	}
	for _, n := range m.counts[1:] {
		used += float64(n)
	}
	return used
}

// bucket is the leaky bucket as a meter (ITU-T I.371, the continuous-state form): its content in
// units times the window's nanoseconds, so that Limit drains each nanosecond, without rounding.
type bucket struct {
	level wide
	last  int64
}

func (b *bucket) drain(t int64, limit uint64) {
	if t <= b.last {
		return
	}
	if b.last != math.MinInt64 {
		b.level = b.level.less(product(uint64(t-b.last), limit)) //nolint:gosec // positive
	}
	b.last = t
}

func units(r *rule, n int64) wide {
	return product(uint64(n), uint64(r.Window/time.Nanosecond)) //nolint:gosec // validated
}
