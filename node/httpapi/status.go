package httpapi

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// status is the answer of GET /v1/status. Later versions may add members, but change no
// name or meaning. Counters start with the node. A duration's unit is in its name.
type status struct {
	Node     nodeStatus             `json:"node"`
	Degraded bool                   `json:"degraded"` // the bounds are wide or unknown, or may be too small
	Reasons  []string               `json:"degraded_reasons"`
	Peers    []peerStatus           `json:"peers"` // empty for a node alone
	Sync     syncStatus             `json:"sync"`
	Bound    map[string]boundStatus `json:"bound"`  // by limit
	Limits   map[string]limitStatus `json:"limits"` // by name
	Refused  map[string]uint64      `json:"refused"`
	Latency  latencyStatus          `json:"latency"`
}

// nodeStatus is this node, and what it sees of its cluster.
type nodeStatus struct {
	Name        string    `json:"name"`
	Cluster     string    `json:"cluster"`
	Incarnation string    `json:"incarnation"` // new at every start; as in subjects and logs
	Version     string    `json:"version"`
	Now         time.Time `json:"now"` // by the node's clock
	Ready       bool      `json:"ready"`
	Isolated    bool      `json:"isolated"` // this node and some member do not hear each other
	Members     int       `json:"members"`  // nodes of the cluster, with silent ones
	Visible     int       `json:"visible"`  // the members that hear each other, with this node
	Clients     int       `json:"clients"`
	MaxClients  int       `json:"max_clients"`
	Overflowed  uint64    `json:"overflowed"` // decisions on unknown clients while the table was full
	Holding     int       `json:"holding"`    // requests that wait for loans at doors now
	ClockAhead  float64   `json:"clock_ahead_ms"`
}

// peerStatus is what this node knows of one incarnation of another.
type peerStatus struct {
	Node        string   `json:"node"`
	Incarnation string   `json:"incarnation"`
	State       string   `json:"state"` // alive, suspect, gone
	Joining     bool     `json:"joining"`
	HearsUs     bool     `json:"hears_us"`
	Hears       int      `json:"hears"`  // number of replicas that it hears
	Behind      bool     `json:"behind"` // this node misses something that the peer sent
	HeardAgo    float64  `json:"heard_ago_ms"`
	Stale       *float64 `json:"stale_ms"` // age of this node's data of the peer, null before the first
	Skew        float64  `json:"skew_ms"`  // the peer's clock minus ours, estimated
	Delay       float64  `json:"delay_ms"` // one way, estimated
	// Fingerprint is equal on nodes that know the same set limits.
	Fingerprint string `json:"limits_fingerprint"`
	// OtherLimits is true if the peer is configured with other limits than this node.
	OtherLimits bool `json:"configured_otherwise"`
}

// syncStatus is how the exchange with the peers goes.
type syncStatus struct {
	Connected     bool               `json:"connected"`
	Ready         bool               `json:"ready"`
	Partial       bool               `json:"partial"` // ready without a whole snapshot
	Seq           uint64             `json:"seq"`
	Staleness     *float64           `json:"staleness_ms"` // of the worst peer, null if unknown
	Skew          float64            `json:"skew_ms"`      // of the worst peer
	Sent          map[string]traffic `json:"sent"`         // by kind of message
	Received      map[string]traffic `json:"received"`
	RowsSent      uint64             `json:"rows_sent"`
	RowsReceived  uint64             `json:"rows_received"`
	Dropped       map[string]uint64  `json:"dropped"`   // messages, by reason
	RowsLost      map[string]uint64  `json:"rows_lost"` // by reason
	Gaps          uint64             `json:"gaps"`
	Mismatches    uint64             `json:"mismatches"`
	Repairs       uint64             `json:"repairs"`
	Timeouts      uint64             `json:"timeouts"`
	PublishErrors uint64             `json:"publish_errors"`
}

// traffic is what was sent or received of one kind of message.
type traffic struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// boundStatus says how far the cluster can have gone beyond one central limiter for one
// client, and how far this node saw it go. All values are units of cost.
type boundStatus struct {
	Units    *float64 `json:"units"` // the bound of this moment; null: not known, or nothing limits it
	Known    bool     `json:"bound_known"`
	Expected *float64 `json:"expected"` // of the heaviest client at its present rate; an estimate
	// Excess is the part of Units that a bounded limit may be exceeded by whatever clocks do. The
	// rest is what their distance adds: Units is X + r·σ. nil: the limit is not bounded.
	Excess *float64 `json:"excess_units,omitempty"`
	// WronglyDenied is how many units of room a client can have at most when this node denies it
	// something, and WronglyDeniedExpected how many to expect.
	WronglyDenied         float64 `json:"wrongly_denied_units"`
	WronglyDeniedExpected float64 `json:"wrongly_denied_expected"`
	// Once sums what the bound held for what came once, by reason, since the node's start.
	Once         map[string]*float64 `json:"once"`
	Observed     uint64              `json:"observed_units"`
	ObservedPeak uint64              `json:"observed_peak_units"`
}

// limitStatus is a limit in force and what this node decided by it since its start. Allowed and Denied
// count decisions, those in units their cost.
type limitStatus struct {
	spec.Limit
	OverrideCount int         `json:"override_count"` // GET /v1/limits/NAME lists them
	Since         *time.Time  `json:"since"`          // null: the configured limit
	Set           bool        `json:"set"`            // a PUT on some node shadows the configured limit
	Configured    *spec.Limit `json:"configured"`     // in this node's configuration; null: none
	Differs       bool        `json:"differs"`        // what holds is not what this node's configuration says
	decisionCounts

	// Rights counts loans between nodes; nil if the limit is not bounded.
	Rights *rightsStatus `json:"rights,omitempty"`
	// ByOverride has the decisions by the overrides that have a name; the counts above
	// include them.
	ByOverride map[string]decisionCounts `json:"by_override,omitempty"`
}

// rightsStatus is what a bounded limit's accounts did for want of units.
type rightsStatus struct {
	Short    uint64  `json:"short"` // requests that were denied although the limit was not used up
	Held     uint64  `json:"held"`  // requests that waited at a door
	Asked    uint64  `json:"asked"` // questions to other nodes
	Lent     float64 `json:"lent_units"`
	Borrowed float64 `json:"borrowed_units"`
	Expired  float64 `json:"expired_units"` // borrowed, and not used in time
}

// decisionCounts are decisions and their units, of a limit or of its overrides of one name.
type decisionCounts struct {
	Allowed      uint64 `json:"allowed"`
	Denied       uint64 `json:"denied"`
	AllowedUnits uint64 `json:"allowed_units"`
	DeniedUnits  uint64 `json:"denied_units"`
	// ShadowDenied counts the allowed decisions that would be denials without shadow.
	ShadowDenied      uint64 `json:"shadow_denied"`
	ShadowDeniedUnits uint64 `json:"shadow_denied_units"`
}

// latencyStatus is a histogram of the time that a decision takes, HTTP left out.
type latencyStatus struct {
	Bounds []int64  `json:"bounds_ns"` // upper; one less than counts
	Counts []uint64 `json:"counts"`
	Sum    int64    `json:"sum_ns"`
	OneIn  int      `json:"one_in"` // the node times one decision in so many
}

func (a *api) status(w http.ResponseWriter, _ *http.Request) { ok(w, a.statusNow()) }

// statusNow takes one copy of the statistics, so that all parts of the answer are of one moment.
func (a *api) statusNow() status {
	s := a.node.Stats()
	out := status{
		Node: nodeStatus{
			Name: s.Name, Cluster: s.Cluster, Incarnation: incarnation(s.Replica), Version: a.version,
			Now: s.Now.UTC(), Ready: a.node.Ready() == nil, Isolated: s.Isolated,
			Members: s.Sync.Members, Visible: s.Sync.Visible, Clients: s.Clients,
			MaxClients: s.MaxClients, Overflowed: s.Overflowed, Holding: s.Holding, ClockAhead: ms(s.ClockAhead),
		},
		Degraded: s.Degraded, Reasons: append([]string{}, s.DegradedReasons...), Peers: []peerStatus{}, Sync: syncStatusOf(&s),
		Bound: map[string]boundStatus{}, Limits: map[string]limitStatus{}, Refused: s.Refused,
		Latency: latencyStatus{Counts: s.LatencyCounts, Sum: int64(s.LatencySum), OneIn: s.LatencyEvery},
	}
	for _, b := range s.LatencyBounds {
		out.Latency.Bounds = append(out.Latency.Bounds, int64(b))
	}
	for _, p := range s.Sync.Peers {
		out.Peers = append(out.Peers, peerStatus{
			Node: p.Node, Incarnation: incarnation(p.Replica), State: p.State.String(), Joining: p.Joining,
			HearsUs: p.HearsUs, Hears: p.Hears, Behind: p.Behind, HeardAgo: ms(p.HeardAgo), Stale: known(p.StaleFor),
			Skew: ms(p.Skew), Delay: ms(p.Delay), Fingerprint: strconv.FormatUint(p.LimitsVersion, 16),
			OtherLimits: p.OtherLimits,
		})
	}
	slices.SortFunc(out.Peers, func(x, y peerStatus) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Incarnation, y.Incarnation))
	})
	for _, l := range s.Limits {
		out.Bound[l.Name] = boundStatus{Units: finite(l.OvershootBound), Known: !math.IsInf(l.OvershootBound, 1), Expected: finite(l.OvershootExpected), WronglyDenied: l.WronglyDeniedBound, WronglyDeniedExpected: l.WronglyDeniedExpected, Once: map[string]*float64{}, Observed: l.OvershootSeen, ObservedPeak: l.OvershootPeak}
		if l.Rights != nil {
			b := out.Bound[l.Name]
			b.Excess = &l.Rights.Excess
			out.Bound[l.Name] = b
		}
		for reason, units := range l.OvershootOnce {
			out.Bound[l.Name].Once[reason] = finite(units)
		}
		ls := limitStatus{
			Limit: spec.LimitOf(l.Policy), Since: instant(l.Revision), Set: l.Set, OverrideCount: len(l.Policy.Overrides),
			decisionCounts: decisionCounts{l.Allowed, l.Denied, l.AllowedUnits, l.DeniedUnits, l.Shadowed, l.ShadowedUnits},
		}
		if x := l.Rights; x != nil {
			ls.Rights = &rightsStatus{Short: x.Short, Held: x.Held, Asked: x.Asked, Lent: x.Lent, Borrowed: x.Borrowed, Expired: x.Expired}
		}
		for _, o := range l.Overrides {
			if ls.ByOverride == nil {
				ls.ByOverride = map[string]decisionCounts{}
			}
			ls.ByOverride[o.Name] = decisionCounts{o.Allowed, o.Denied, o.AllowedUnits, o.DeniedUnits, o.Shadowed, o.ShadowedUnits}
		}
		// There may be thousands of overrides. GET /v1/limits/NAME lists them.
		ls.Overrides = nil
		if l.Configured != nil {
			configured := spec.LimitOf(*l.Configured)
			configured.Overrides = nil
			ls.Configured = &configured
			ls.Differs = !l.Configured.Same(l.Policy)
		}
		out.Limits[l.Name] = ls
	}
	return out
}

// syncStatusOf is the part of the statistics that is about the exchange with the peers.
func syncStatusOf(s *node.Stats) syncStatus {
	c := &s.Sync
	out := syncStatus{
		Connected: c.Connected, Ready: c.Ready, Partial: c.Partial, Seq: c.Seq,
		Staleness: known(s.Staleness), Skew: ms(s.Skew),
		Sent: map[string]traffic{}, Received: map[string]traffic{}, RowsSent: c.RowsSent, RowsReceived: c.RowsReceived,
		Dropped: c.Dropped, RowsLost: s.RowsLost, Gaps: c.Gaps, Mismatches: c.Mismatches,
		Repairs: c.Repairs, Timeouts: c.Timeouts, PublishErrors: c.PublishErrors,
	}
	for kind, t := range c.Sent {
		out.Sent[kind] = traffic(t)
	}
	for kind, t := range c.Received {
		out.Received[kind] = traffic(t)
	}
	return out
}

// incarnation writes a replica's number as subjects have it.
func incarnation(replica uint64) string { return strconv.FormatUint(replica, 36) }

// finite is nil for a bound that is not known: JSON has no infinity.
func finite(units float64) *float64 {
	if math.IsInf(units, 1) {
		return nil
	}
	return &units
}

// ms converts a duration to milliseconds, rounded to the microsecond. It rounds as an
// integer, which has no -0.
func ms(d time.Duration) float64 { return float64(d.Round(time.Microsecond)/time.Microsecond) / 1e3 }

// known is ms, or nil for the duration that stands for "unknown".
func known(d time.Duration) *float64 {
	if d == math.MaxInt64 {
		return nil
	}
	v := ms(d)
	return &v
}
