package dashboard

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

const (
	// history is the number of points that the dashboard holds, ten minutes. Raising it takes
	// memory, and time to open the page.
	history = 600
	// limitsHeld caps the limits that have a history, the busiest ones. Raising it takes 24 kB
	// for each.
	limitsHeld = 64
	// clientsOf caps the limits whose clients are watched. Raising it takes 100 kB for each.
	clientsOf = 16
	// clientsEvery is the number of samples between two looks at the clients, and lookback the
	// number of looks that a client's rate is taken over: a minute.
	clientsEvery = 5
	lookback     = 12
	// smooth is the number of samples that a percentile is taken over. The node times one
	// decision in 64, so a quiet second has none.
	smooth = 10
)

// moment is one point of the charts.
type moment struct {
	at       time.Time
	p50, p99 float32 // nanoseconds, NaN without a decision
	limits   []limitMoment
}

// limitMoment is a limit's part of a point. Rates are decisions a second at this node; the other
// values are units, +Inf for unknown.
type limitMoment struct {
	name            string
	allowed, denied float32
	bound, expected float32
	peak            float32 // the most seen so far
}

// recorder holds the last minutes of a node. The zero value is ready. Not safe for concurrent use.
type recorder struct {
	moments []moment // a ring of at most history
	seq     uint64   // the number of the newest moment; moment seq is moments[(seq-1)%history]
	now     node.Stats
	at      time.Time
	began   time.Time
	timings [][]uint64 // the last counts of the latency histogram, oldest first
	clients map[string][]clientsMoment
	faults  []faults // of the last minute, oldest first
}

// add takes a sample. It reports whether the clients are due as well.
func (r *recorder) add(s *node.Stats, at time.Time) (clientsToo bool) {
	m := moment{at: at, p50: float32(math.NaN()), p99: float32(math.NaN())}
	r.timings = keepLast(append(r.timings, s.LatencyCounts), smooth)
	if len(r.timings) > 1 {
		m.p50 = percentile(s.LatencyBounds, r.timings[0], s.LatencyCounts, 0.50)
		m.p99 = percentile(s.LatencyBounds, r.timings[0], s.LatencyCounts, 0.99)
	}
	if r.began.IsZero() {
		r.began = at
	}
	before := map[string]*node.LimitStats{}
	for i := range r.now.Limits {
		before[r.now.Limits[i].Name] = &r.now.Limits[i]
	}
	seconds := at.Sub(r.at).Seconds()
	for i := range s.Limits {
		l := &s.Limits[i]
		one := limitMoment{name: l.Name, bound: float32(l.OvershootBound), expected: float32(l.OvershootExpected), peak: float32(l.OvershootPeak)}
		if was := before[l.Name]; was != nil && seconds > 0 {
			one.allowed = perSecond(l.Allowed, was.Allowed, seconds)
			one.denied = perSecond(l.Denied, was.Denied, seconds)
		}
		m.limits = append(m.limits, one)
	}
	slices.SortStableFunc(m.limits, func(a, b limitMoment) int { return cmp.Compare(b.allowed+b.denied, a.allowed+a.denied) })
	if len(m.limits) > limitsHeld {
		m.limits = slices.Clone(m.limits[:limitsHeld])
	}
	if len(r.moments) < history {
		r.moments = append(r.moments, m)
	} else {
		r.moments[r.seq%history] = m
	}
	r.now, r.at = *s, at
	r.seq++
	if clientsToo = (r.seq-1)%clientsEvery == 0; clientsToo {
		r.faults = keepLast(append(r.faults, faultsOf(s)), lookback+1)
	}
	return clientsToo
}

// keepLast keeps at most the last n of a list.
func keepLast[T any](list []T, n int) []T {
	return slices.Delete(list, 0, max(0, len(list)-n))
}

// perSecond is the rate of a counter, which a node that starts again sets back to 0.
func perSecond(now, was uint64, seconds float64) float32 {
	if now < was {
		return 0
	}
	return float32(float64(now-was) / seconds)
}

// since lists the moments after number seq, oldest first.
func (r *recorder) since(seq uint64) []moment {
	if seq > r.seq || r.seq-seq > uint64(len(r.moments)) {
		seq = r.seq - uint64(len(r.moments))
	}
	out := make([]moment, 0, r.seq-seq)
	for i := seq; i < r.seq; i++ {
		out = append(out, r.moments[i%history])
	}
	return out
}

// newest is the last moment.
func (r *recorder) newest() *moment { return &r.moments[(r.seq-1)%history] }

// busiest lists the names of at most n limits, by their decisions since the start.
func (r *recorder) busiest(n int) []string {
	limits := make([]*node.LimitStats, len(r.now.Limits))
	for i := range r.now.Limits {
		limits[i] = &r.now.Limits[i]
	}
	slices.SortStableFunc(limits, func(a, b *node.LimitStats) int {
		return cmp.Compare(b.Allowed+b.Denied, a.Allowed+a.Denied)
	})
	var names []string
	for _, l := range limits[:min(n, len(limits))] {
		names = append(names, l.Name)
	}
	return names
}

// limit is a limit's part of a moment.
func (m *moment) limit(name string) (limitMoment, bool) {
	for _, l := range m.limits {
		if l.name == name {
			return l, true
		}
	}
	return limitMoment{}, false
}

// percentile is the time within which a share of the decisions between two counts of a histogram
// were taken, NaN if there were none. Within a bucket it interpolates on a scale of powers, as
// the buckets grow.
func percentile(bounds []time.Duration, was, now []uint64, share float64) float32 {
	total := uint64(0)
	for i := range now {
		total += now[i] - was[i]
	}
	if total == 0 {
		return float32(math.NaN())
	}
	rank, below := share*float64(total), 0.0
	for i := range now {
		in := float64(now[i] - was[i])
		if below+in < rank || in == 0 {
			below += in
			continue
		}
		if i == len(bounds) {
			break // nothing is known above the last bound
		}
		high := float64(bounds[i])
		low := high / 2
		if i > 0 {
			low = float64(bounds[i-1])
		}
		return float32(low * math.Pow(high/low, (rank-below)/in))
	}
	return float32(bounds[len(bounds)-1])
}
