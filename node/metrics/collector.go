package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Source supplies the statistics; *node.Node is one. The collector may call it from
// several goroutines at once.
type Source interface {
	Stats() node.Stats
}

// Collector is a prometheus.Collector over one node. Make it with New. Safe for concurrent use. It
// holds no numbers of its own, so a restart of the collector loses nothing.
type Collector struct{ source Source }

// New makes a collector of source. Register one for each node: two in one registry would clash.
func New(source Source) *Collector { return &Collector{source: source} }

var _ prometheus.Collector = (*Collector)(nil)

// Describe implements prometheus.Collector. The names are fixed, so it asks no node.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range all {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector. It reads the node's statistics once, so that all series of
// a scrape are of one moment.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.source.Stats()
	collectLimits(ch, &s)
	collectNode(ch, &s)
	collectSync(ch, &s)
}

// collectLimits sends the series of each limit. Those of overrides come in two parts: one series for
// each name, and one without a name for the rest, so that their sum is that of the limit.
func collectLimits(ch chan<- prometheus.Metric, s *node.Stats) {
	for i := range s.Limits {
		l := &s.Limits[i]
		decisions.send(ch, float64(l.Allowed), l.Name, "allowed")
		decisions.send(ch, float64(l.Denied), l.Name, "denied")
		units.send(ch, float64(l.AllowedUnits), l.Name, "allowed")
		units.send(ch, float64(l.DeniedUnits), l.Name, "denied")
		shadowDenied.send(ch, float64(l.Shadowed), l.Name)
		shadowUnits.send(ch, float64(l.ShadowedUnits), l.Name)
		oddAddresses.send(ch, float64(l.OddAddresses), l.Name)
		rest := node.OverrideStats{Allowed: l.Allowed, Denied: l.Denied, AllowedUnits: l.AllowedUnits, DeniedUnits: l.DeniedUnits, Shadowed: l.Shadowed}
		for _, o := range l.Overrides {
			rest.Allowed, rest.Denied, rest.Shadowed = rest.Allowed-o.Allowed, rest.Denied-o.Denied, rest.Shadowed-o.Shadowed
			rest.AllowedUnits, rest.DeniedUnits = rest.AllowedUnits-o.AllowedUnits, rest.DeniedUnits-o.DeniedUnits
		}
		for _, d := range l.Doors {
			doorDecisions.send(ch, float64(d.Allowed), l.Name, d.Door, "allowed")
			doorDecisions.send(ch, float64(d.Denied), l.Name, d.Door, "denied")
		}
		for _, o := range append([]node.OverrideStats{rest}, l.Overrides...) {
			overrideDecisions.send(ch, float64(o.Allowed), l.Name, o.Name, "allowed")
			overrideDecisions.send(ch, float64(o.Denied), l.Name, o.Name, "denied")
			overrideUnits.send(ch, float64(o.AllowedUnits), l.Name, o.Name, "allowed")
			overrideUnits.send(ch, float64(o.DeniedUnits), l.Name, o.Name, "denied")
			overrideShadow.send(ch, float64(o.Shadowed), l.Name, o.Name)
		}
		chargedUnits.send(ch, float64(l.Charged), l.Name)
		notChargedUnits.send(ch, float64(l.NotCharged), l.Name)
		if x := l.Rights; x != nil {
			rightsShort.send(ch, float64(x.Short), l.Name)
			rightsHeld.send(ch, float64(x.Held), l.Name)
			rightsAsked.send(ch, float64(x.Asked), l.Name)
			rightsLent.send(ch, x.Lent, l.Name)
			rightsBorrowed.send(ch, x.Borrowed, l.Name)
			rightsExpired.send(ch, x.Expired, l.Name)
		}
		limitSet.send(ch, oneIf(l.Set), l.Name)
		overshootBound.send(ch, l.OvershootBound, l.Name)
		overshootExpected.send(ch, l.OvershootExpected, l.Name)
		wronglyDeniedBound.send(ch, l.WronglyDeniedBound, l.Name)
		wronglyDeniedExpected.send(ch, l.WronglyDeniedExpected, l.Name)
		for reason, units := range l.OvershootOnce {
			overshootOnce.send(ch, units, l.Name, reason)
		}
		overshootObserved.send(ch, float64(l.OvershootSeen), l.Name)
		overshootPeak.send(ch, float64(l.OvershootPeak), l.Name)
		limitUnits.send(ch, float64(l.Policy.Limit), l.Name)
		limitBurst.send(ch, float64(l.Policy.Burst), l.Name)
		limitWindow.send(ch, l.Policy.Window.Seconds(), l.Name)
		since := 0.0
		if !l.Revision.IsZero() {
			since = float64(l.Revision.UnixNano()) / 1e9
		}
		limitRevision.send(ch, since, l.Name)
	}
}

// collectNode sends what describes the node. Every reason for degraded has a series, at 0 or 1, so that
// an alert sees the end of a reason.
func collectNode(ch chan<- prometheus.Metric, s *node.Stats) {
	duration(ch, s)
	clients.send(ch, float64(s.Clients))
	maxClients.send(ch, float64(s.MaxClients))
	overflow.send(ch, float64(s.Overflowed))
	holding.send(ch, float64(s.Holding))
	for reason, n := range s.Refused {
		refused.send(ch, float64(n), reason)
	}
	ready.send(ch, oneIf(s.Sync.Ready))
	for _, reason := range node.DegradedReasonNames() {
		degraded.send(ch, oneIf(slices.Contains(s.DegradedReasons, reason)), reason)
	}
	isolated.send(ch, oneIf(s.Isolated))
	others, differ := 0.0, 0.0
	for _, p := range s.Sync.Peers {
		others += oneIf(p.OtherLimits)
		differ += oneIf(p.State == node.PeerAlive && p.LimitsVersion != s.LimitsVersion)
	}
	otherwise.send(ch, others)
	differing.send(ch, differ)
	members.send(ch, float64(s.Sync.Members))
	visible.send(ch, float64(s.Sync.Visible))
	clockAhead.send(ch, s.ClockAhead.Seconds())
}

// collectSync sends what describes the replication. Only nodes that can be admitting have series of
// their own, at most peersNamed: names of all that ever ran would add up.
func collectSync(ch chan<- prometheus.Metric, s *node.Stats) {
	connected.send(ch, oneIf(s.Sync.Connected))
	byState := map[node.PeerState]int{node.PeerAlive: 0, node.PeerSuspect: 0, node.PeerGone: 0}
	for _, p := range s.Sync.Peers {
		byState[p.State]++
	}
	for state, n := range byState {
		peers.send(ch, float64(n), state.String())
	}
	named := map[string]node.PeerStats{}
	for _, p := range s.Sync.Peers {
		if was, twice := named[p.Node]; p.Admits && (twice && p.StaleFor > was.StaleFor || !twice && len(named) < peersNamed) {
			named[p.Node] = p // of two incarnations the one of which less is known
		}
	}
	for name, p := range named {
		peerStaleness.send(ch, seconds(p.StaleFor), name)
		peerSkew.send(ch, p.Skew.Seconds(), name)
	}
	staleness.send(ch, seconds(s.Staleness))
	clockSkew.send(ch, s.Skew.Seconds())
	c := &s.Sync
	for kind, t := range c.Sent {
		messages.send(ch, float64(t.Messages), "sent", kind)
		bytes.send(ch, float64(t.Bytes), "sent", kind)
	}
	for kind, t := range c.Received {
		messages.send(ch, float64(t.Messages), "received", kind)
		bytes.send(ch, float64(t.Bytes), "received", kind)
	}
	rows.send(ch, float64(c.RowsSent), "sent")
	rows.send(ch, float64(c.RowsReceived), "received")
	for why, n := range c.Dropped {
		droppedMessages.send(ch, float64(n), why)
	}
	for why, n := range s.RowsLost {
		lostRows.send(ch, float64(n), why)
	}
	gaps.send(ch, float64(c.Gaps))
	mismatches.send(ch, float64(c.Mismatches))
	repairs.send(ch, float64(c.Repairs))
	timeouts.send(ch, float64(c.Timeouts))
	publishErrors.send(ch, float64(c.PublishErrors))
}

// seconds is +Inf for an unknown duration, which exceeds every threshold of an alert.
func seconds(d time.Duration) float64 {
	if d == math.MaxInt64 {
		return math.Inf(1)
	}
	return d.Seconds()
}

// oneIf is how Prometheus writes a boolean.
func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
