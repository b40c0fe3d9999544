package dashboard

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// limitsShown caps the limits of one event, the busiest ones. GET /v1/limits has them all.
const limitsShown = 100

// tick is one event of the stream. Later versions may add members.
type tick struct {
	to cursor

	Node       nodeNow      `json:"node"`
	Health     health       `json:"health"`
	Nodes      []nodeRow    `json:"nodes"` // this one first
	Selected   string       `json:"selected"`
	Limits     []limitRow   `json:"limits"` // by name
	MoreLimits int          `json:"more_limits"`
	Latency    [2]value     `json:"latency_ns"` // the median and the 99th percentile of the last ten seconds
	Detail     *detail      `json:"detail"`     // of the selected limit
	Points     points       `json:"points"`
	Reset      bool         `json:"reset"` // forget the points of earlier events
	Log        []entry      `json:"log"`
	Config     configNow    `json:"config"`
	Pending    []pendingRow `json:"pending"` // changes of limits that do not hold yet
}

// configNow is what the page adapts to.
type configNow struct {
	Version  string `json:"version"`
	Redacted bool   `json:"redacted"`
	Alone    bool   `json:"alone"`
}

type nodeNow struct {
	Name        string `json:"name"`
	Cluster     string `json:"cluster"`
	Incarnation string `json:"incarnation"`
	Now         int64  `json:"now_ms"` // by the wall clock, as points and entries
	Clients     int    `json:"clients"`
	MaxClients  int    `json:"max_clients"`
	Members     int    `json:"members"`
	Visible     int    `json:"visible"`
}

// nodeRow is one incarnation of a node, this one or a peer.
type nodeRow struct {
	Name        string   `json:"name"`
	Incarnation string   `json:"incarnation"`
	Self        bool     `json:"self"`
	State       string   `json:"state"` // alive, suspect or gone
	Left        bool     `json:"left"`  // it said bye, or a later incarnation replaced it
	Joining     bool     `json:"joining"`
	Behind      bool     `json:"behind"`
	Hears       []string `json:"hears"` // incarnations
	HeardAgo    value    `json:"heard_ago_ms"`
	Lag         value    `json:"lag_ms"` // age of this node's data of the peer
	Skew        value    `json:"skew_ms"`
	Delay       value    `json:"delay_ms"`
	OtherLimits bool     `json:"configured_otherwise"`
}

type limitRow struct {
	Name          string `json:"name"`
	Inline        bool   `json:"inline"` // all policies that come with requests
	Rule          string `json:"rule"`
	Limit         int64  `json:"limit"`
	WindowMS      int64  `json:"window_ms"`
	Burst         int64  `json:"burst"`
	Shadow        bool   `json:"shadow"`
	Set           bool   `json:"set"`
	Configured    string `json:"configured"` // in words, if it is not what holds
	Since         int64  `json:"since_ms"`   // 0: as configured
	Overrides     int    `json:"overrides"`
	AllowedPerS   value  `json:"allowed_per_s"`
	DeniedPerS    value  `json:"denied_per_s"`
	Allowed       uint64 `json:"allowed"`
	Denied        uint64 `json:"denied"`
	ShadowDenied  uint64 `json:"shadow_denied"`
	Bound         value  `json:"bound"`            // null: unknown, or nothing limits it
	Excess        *value `json:"excess,omitempty"` // of a bounded limit: the part of bound that no clock adds to
	Expected      value  `json:"expected"`
	ObservedPeak  uint64 `json:"observed_peak"`
	ObservedTotal uint64 `json:"observed"`
}

type pendingRow struct {
	Name string `json:"name"`
	Rule string `json:"rule"` // empty for a deletion
	At   int64  `json:"at_ms"`
}

// points are moments in columns. Rates and the bound are of the selected limit; the sums are of all.
type points struct {
	At         []int64 `json:"at_ms"`
	SumAllowed []value `json:"sum_allowed"`
	SumDenied  []value `json:"sum_denied"`
	Allowed    []value `json:"allowed"`
	Denied     []value `json:"denied"`
	P50        []value `json:"p50_ns"`
	P99        []value `json:"p99_ns"`
	Bound      []value `json:"bound"`
	Expected   []value `json:"expected"`
	Peak       []value `json:"peak"`
}

// value is a number with four digits; null for one that is not known.
type value float64

// MarshalJSON implements json.Marshaler.
func (v value) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(v), 'g', 4, 64), nil
}

// tick makes an event for a reader that has what from says, and tells when to make the next.
func (d *Dashboard) tick(selected string, from cursor) (t *tick, woken <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, r := &d.past.now, &d.past
	if names := r.busiest(1); !slices.ContainsFunc(s.Limits, func(l node.LimitStats) bool { return l.Name == selected }) && len(names) > 0 {
		selected = names[0]
	}
	newest := r.newest()
	t = &tick{
		Node: nodeNow{
			Name: s.Name, Cluster: s.Cluster, Incarnation: incarnation(s.Replica), Now: r.at.UnixMilli(),
			Clients: s.Clients, MaxClients: s.MaxClients, Members: s.Sync.Members, Visible: s.Sync.Visible,
		},
		Health: judge(s, r.minute()), Nodes: nodeRows(s), Selected: selected, Latency: [2]value{value(newest.p50), value(newest.p99)},
		Detail: d.detailOf(selected), Reset: from.point == 0,
		Points: pointsOf(r.since(from.point), selected), Log: d.log.since(from.entry),
		Config:  configNow{Version: d.cfg.Version, Redacted: d.cfg.RedactClients, Alone: d.cfg.Alone},
		Pending: []pendingRow{},
	}
	shown := r.busiest(limitsShown)
	if !slices.Contains(shown, selected) && len(s.Limits) > 0 {
		shown = append(shown, selected)
	}
	for i := range s.Limits {
		if l := &s.Limits[i]; slices.Contains(shown, l.Name) {
			t.Limits = append(t.Limits, limitRowOf(l, newest))
		}
	}
	slices.SortFunc(t.Limits, func(a, b limitRow) int { return cmp.Compare(a.Name, b.Name) })
	t.MoreLimits = len(s.Limits) - len(t.Limits)
	for _, c := range d.cfg.Node.Changes() {
		row := pendingRow{Name: c.Name, At: c.At.UnixMilli()}
		if c.Policy.Limit != 0 || c.Policy.Access != node.Limited {
			row.Rule = c.Policy.String()
		}
		t.Pending = append(t.Pending, row)
	}
	t.to = cursor{point: r.seq, entry: from.entry}
	if n := len(t.Log); n > 0 {
		t.to.entry = t.Log[n-1].Seq
	}
	return t, d.woken
}

// minute is what grew in the last minute of what must not grow.
func (r *recorder) minute() faults {
	now, was := faultsOf(&r.now), r.faults[0]
	return faults{overflowed: now.overflowed - was.overflowed, refused: now.refused - was.refused}
}

func nodeRows(s *node.Stats) []nodeRow {
	self := nodeRow{Name: s.Name, Incarnation: incarnation(s.Replica), Self: true, State: node.PeerAlive.String(), Joining: !s.Sync.Ready, Hears: []string{}}
	rows := []nodeRow{self}
	for i := range s.Sync.Peers {
		p := &s.Sync.Peers[i]
		row := nodeRow{
			Name: p.Node, Incarnation: incarnation(p.Replica), State: p.State.String(), Left: !p.Admits, Joining: p.Joining, Behind: p.Behind,
			Hears: []string{}, HeardAgo: millis(p.HeardAgo), Lag: millis(p.StaleFor), Skew: millis(p.Skew), Delay: millis(p.Delay), OtherLimits: p.OtherLimits,
		}
		for _, r := range p.Heard {
			row.Hears = append(row.Hears, incarnation(r))
		}
		if p.State == node.PeerAlive {
			rows[0].Hears = append(rows[0].Hears, row.Incarnation)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows[1:], func(a, b nodeRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return rows
}

func limitRowOf(l *node.LimitStats, newest *moment) limitRow {
	row := limitRow{
		Name: l.Name, Inline: l.Policy.Limit == 0 && l.Policy.Access == node.Limited && len(l.Policy.Overrides) == 0,
		Rule: ruleOf(&l.Policy), Limit: l.Policy.Limit, WindowMS: l.Policy.Window.Milliseconds(), Burst: l.Policy.Burst, Shadow: l.Policy.Shadow,
		Set: l.Set, Overrides: len(l.Policy.Overrides), Allowed: l.Allowed, Denied: l.Denied, ShadowDenied: l.Shadowed,
		Bound: value(l.OvershootBound), Expected: value(l.OvershootExpected), ObservedPeak: l.OvershootPeak, ObservedTotal: l.OvershootSeen,
	}
	if l.Rights != nil {
		excess := value(l.Rights.Excess)
		row.Excess = &excess
	}
	if l.Configured != nil && !l.Configured.Same(l.Policy) {
		row.Configured, _ = limit.Change(l.Configured, &l.Policy)
	}
	if !l.Revision.IsZero() {
		row.Since = l.Revision.UnixMilli()
	}
	if m, ok := newest.limit(l.Name); ok {
		row.AllowedPerS, row.DeniedPerS = value(m.allowed), value(m.denied)
	}
	return row
}

func pointsOf(moments []moment, selected string) points {
	p := points{
		At: []int64{}, SumAllowed: []value{}, SumDenied: []value{}, Allowed: []value{}, Denied: []value{},
		P50: []value{}, P99: []value{}, Bound: []value{}, Expected: []value{}, Peak: []value{},
	}
	nothing := float32(math.NaN())
	for i := range moments {
		m := &moments[i]
		p.At = append(p.At, m.at.UnixMilli())
		var allowed, denied float32
		for _, l := range m.limits {
			allowed, denied = allowed+l.allowed, denied+l.denied
		}
		one, ok := m.limit(selected)
		if !ok {
			one = limitMoment{bound: nothing, expected: nothing, peak: nothing}
		}
		p.SumAllowed, p.SumDenied = append(p.SumAllowed, value(allowed)), append(p.SumDenied, value(denied))
		p.Allowed, p.Denied = append(p.Allowed, value(one.allowed)), append(p.Denied, value(one.denied))
		p.P50, p.P99 = append(p.P50, value(m.p50)), append(p.P99, value(m.p99))
		p.Bound, p.Expected, p.Peak = append(p.Bound, value(one.bound)), append(p.Expected, value(one.expected)), append(p.Peak, value(one.peak))
	}
	return p
}

// incarnation is a replica as logs, subjects and /v1/status write it.
func incarnation(replica uint64) string { return strconv.FormatUint(replica, 36) }

// millis is a duration in milliseconds, unknown for the longest one.
func millis(d time.Duration) value {
	if d == math.MaxInt64 {
		return value(math.NaN())
	}
	return value(d.Seconds() * 1e3)
}
