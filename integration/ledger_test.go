package integration_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// What the bound takes for granted of nodes that hear each other, on a machine that
// may be busy.
const (
	// staleness is Δ: a flush interval of 50 ms, and delivery.
	staleness = 250 * time.Millisecond
	// clockOffset is σ: nodes on one machine read one wall clock, and stay within a
	// millisecond of it.
	clockOffset = 2 * time.Millisecond
)

// ledger is what was asked of the nodes for one client, and what they admitted, in
// single units and by this process's clock. Safe for concurrent use.
type ledger struct {
	gcra *gcra.GCRA

	mu      sync.Mutex
	entries []entry
}

// entry is one decision, which was made between two instants.
type entry struct {
	node            int
	asked, answered time.Time
	admitted        bool
}

func newLedger(t *testing.T, p gcra.Policy) *ledger {
	t.Helper()
	g, err := gcra.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{gcra: g}
}

func (l *ledger) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// inOrder is a copy of the entries, by the time of the answer.
func (l *ledger) inOrder() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.entries)
	slices.SortFunc(all, func(a, b entry) int { return a.answered.Compare(b.answered) })
	return all
}

// admitted is how many units the node admitted within a time.
func (l *ledger) admitted(node int, from, to time.Time) int { return l.count(node, true, from, to) }

// denied is how many it did not.
func (l *ledger) denied(node int, from, to time.Time) int { return l.count(node, false, from, to) }

func (l *ledger) count(node int, admitted bool, from, to time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.node == node && e.admitted == admitted && !e.asked.Before(from) && !e.answered.After(to) {
			n++
		}
	}
	return n
}

// excess is E, in units: how far all nodes' admissions together went beyond what one
// central limiter could have admitted, over any interval. They are replayed in order
// through one GCRA that refuses nothing.
func (l *ledger) excess() float64 {
	all := l.inOrder()
	level, worst := gcra.Level{Base: gcra.Never}, 0.0
	for _, e := range all {
		if !e.admitted {
			continue
		}
		t := all[0].answered.UnixNano() + int64(e.answered.Sub(all[0].answered)) // monotonic
		if l.gcra.TAT(level) < t {
			level = gcra.Level{Base: t}
		}
		level.Count++
		worst = max(worst, l.units(time.Duration(l.gcra.TAT(level)-t))-float64(l.gcra.Policy().Burst))
	}
	return worst
}

// units drain in d: r·d.
func (l *ledger) units(d time.Duration) float64 {
	p := l.gcra.Policy()
	return float64(p.Limit) * float64(d) / float64(p.Window)
}

// trouble is what befell the nodes, in the bound's terms.
type trouble struct {
	// later is what adds to Δ: how late nodes knew of each other beyond staleness.
	later time.Duration
	// groups of nodes could not hear each other for a time, until all was repaired.
	groups int
	apart  time.Duration
	// One node was killed, began again and was ready, at these times.
	killed             int
	died, born, joined time.Time
}

// terms is the documented bound on E by what adds to it, in units; and what the
// ledger does not know, since a decision was made some time before its answer.
type terms struct {
	connected, skew, apart, crash, join, measured float64
}

func (t terms) total() float64 {
	return t.connected + t.skew + t.apart + t.crash + t.join + t.measured
}

func (t terms) String() string {
	return fmt.Sprintf("%.1f = connected %.1f + skew %.2f + apart %.1f + crash %.1f + join %.1f + measuring %.2f",
		t.total(), t.connected, t.skew, t.apart, t.crash, t.join, t.measured)
}

// bound is (N-1)·(B + r·Δ) + r·σ, and what trouble adds. It is the sharper form of
// docs/design.md: of each incarnation no more than what was asked of it within Δ, and
// without that of which least was asked.
func (l *ledger) bound(tr trouble) terms {
	delta := staleness + tr.later
	most := float64(l.gcra.Policy().Burst) + l.units(delta)
	lives := map[int][]time.Time{}
	asked := 0 // of the new incarnation, until it had joined
	out := terms{skew: l.units(clockOffset)}
	slowest := time.Duration(0)
	for _, e := range l.inOrder() {
		life := e.node
		if !tr.died.IsZero() && e.node == tr.killed && e.answered.After(tr.died) {
			life = -1
			if !e.asked.After(tr.joined.Add(staleness)) {
				asked++
			}
		}
		lives[life] = append(lives[life], e.answered)
		slowest = max(slowest, e.answered.Sub(e.asked))
	}
	least := most
	for _, times := range lives {
		share := min(most, float64(densest(times, delta+tr.apart)))
		out.connected += share
		least = min(least, share)
	}
	out.connected -= least
	out.measured = l.units(slowest)
	if tr.groups > 1 {
		out.apart = float64(tr.groups-1) * l.units(tr.apart)
	}
	if !tr.died.IsZero() {
		out.crash = float64(l.admitted(tr.killed, tr.died.Add(-staleness), tr.died))
		out.join = min(float64(l.gcra.Policy().Burst)+l.units(tr.joined.Add(staleness).Sub(tr.born)), float64(asked))
	}
	return out
}

// densest is the most of the times, which are in order, within any stretch of d.
func densest(times []time.Time, d time.Duration) (most int) {
	from := 0
	for i, at := range times {
		for at.Sub(times[from]) > d {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// TestLedgerFindsTheExcess checks the yardstick itself.
func TestLedgerFindsTheExcess(t *testing.T) {
	start := time.Now()
	for name, c := range map[string]struct {
		at   []time.Duration // admissions
		want float64
	}{
		"a burst is within the limit":              {[]time.Duration{0, 0, 0}, 0},
		"one more is not":                          {[]time.Duration{0, 0, 0, 0}, 1},
		"half of it drained":                       {[]time.Duration{0, 0, 0, time.Second / 2}, 0.5},
		"a debt counts until it is paid":           {[]time.Duration{0, 0, 0, 0, 0, time.Second, time.Second}, 3},
		"a pause is no credit beyond the burst":    {[]time.Duration{0, 9 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second}, 1},
		"a rate of one and a half for ten seconds": {steady(15, 10*time.Second), 15 - 10*14.0/15 - 3},
	} {
		l := newLedger(t, gcra.Policy{Limit: 60, Window: time.Minute, Burst: 3})
		for i := range c.at { // the order of the books does not matter
			at := start.Add(c.at[len(c.at)-1-i])
			l.add(entry{node: i % 2, asked: at, answered: at, admitted: true})
		}
		l.add(entry{asked: start, answered: start}) // a denial does not count
		if got := l.excess(); got < c.want-0.001 || got > c.want+0.001 {
			t.Errorf("%s: E is %.3f, want %.3f", name, got, c.want)
		}
	}
}

// steady is n instants spread over d.
func steady(n int, d time.Duration) (at []time.Duration) {
	for i := range n {
		at = append(at, d*time.Duration(i)/time.Duration(n))
	}
	return at
}
