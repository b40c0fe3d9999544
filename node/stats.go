package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/health"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
)

// LatencyFineSchema and LatencyFineFirst say where the buckets of Stats.LatencyFine end.
const (
	LatencyFineSchema = tally.LatencyFineSchema
	LatencyFineFirst  = tally.LatencyFineFirst
)

// LimitStats are one limit's counters on this node.
type LimitStats struct {
	Name   string
	Policy Policy
	// Revision is when the policy took effect; zero for the limit configured at the start.
	Revision time.Time
	// Set says that SetLimit gave the policy, on some node, and that it shadows the
	// configured one. Configured is the limit in this node's configuration, nil for none.
	Set        bool
	Configured *Policy

	Allowed, Denied           uint64 // decisions
	AllowedUnits, DeniedUnits uint64 // cost
	// Shadowed counts the allowed decisions that would be denials without shadow.
	Shadowed, ShadowedUnits uint64
	// OddAddresses counts requests whose client id looks like an address and is none, such as
	// a list of addresses, under a limit that reads ids as addresses. They count by the bytes
	// of their id, so no rule for an address holds for them.
	OddAddresses uint64
	// Overrides are the counts of the overrides that have a name, by name, one for all
	// beyond MaxOverrideNames. The counts above include them.
	Overrides []OverrideStats
	// Doors are the decisions by the way that requests came in, one for each Door.
	Doors []DoorStats
	// Rights count loans between nodes; nil if the limit is not bounded.
	Rights *RightsStats
	// Charged sums the units charged after the work was done, by Charge and by reservations
	// that cost more than their estimate. NotCharged sums what would have put clients further
	// into debt than the debt cap, and what found the client table full.
	Charged, NotCharged uint64
	// OvershootBound is the most units that the cluster can have admitted to one client
	// beyond the limit by now, in any stretch of at most 10 minutes, or of two windows if
	// that is longer. It is +Inf if the node does not know, or if nothing limits it.
	// OvershootExpected is what to expect of the heaviest client at its present rate.
	OvershootBound, OvershootExpected float64
	// OvershootOnce sums what the bound held for what came once, such as a crash, since the
	// start of this node, by OnceNames.
	OvershootOnce map[string]float64
	// WronglyDeniedBound is how many units of room a client can have at most when this node denies
	// it something, and WronglyDeniedExpected how many to expect of the heaviest one. A client that
	// leaves that much of its burst unused is not denied. What others gave back, and this node has
	// not heard of, comes on top.
	WronglyDeniedBound, WronglyDeniedExpected float64
	// OvershootSeen sums the units beyond the limit that this node found when it merged,
	// since its start. OvershootPeak is the most that it found for one client.
	OvershootSeen, OvershootPeak uint64
}

// RightsStats are a bounded limit's counters on this node.
type RightsStats struct {
	// Short counts requests that were denied because this node held no right to what was left,
	// and Asked questions to other nodes, one for each client. Held counts requests that waited at
	// a door, whatever the decision was then: see Request.Hold.
	Short, Held, Asked uint64
	// Excess is what nodes may admit beyond the burst, in units: MaxExcess of the rule with the
	// largest. The rest of OvershootBound is what the distance of clocks adds.
	Excess float64
	// Lent and Borrowed are units. Expired are those that were borrowed and not used in time.
	Lent, Borrowed, Expired float64
}

// OverrideStats are the decisions by a limit's overrides of one name on this node.
type OverrideStats struct {
	Name                      string
	Allowed, Denied           uint64 // decisions
	AllowedUnits, DeniedUnits uint64 // cost
	Shadowed, ShadowedUnits   uint64 // of those allowed, as in LimitStats
}

// TopClient is one of a limit's heaviest clients on this node since its start. Counts are
// estimates. A busy node samples its decisions, and a late client takes over the count of
// the client that it displaces.
type TopClient struct {
	Client  string // what the client's id counts as: the id, an address in canonical form, or a network
	Allowed uint64 // units
	Denied  uint64 // units
}

// MaxTop is how many clients Top lists at most. The list is also what /v1/top and the dashboard
// choose from. Raising it takes memory for each limit; lowering it makes estimates of crowds worse.
const MaxTop = top.Size

// Top lists a limit's heaviest clients on this node, heaviest first, at most MaxTop. The error
// is ErrUnknownLimit.
func (n *Node) Top(limitName string) ([]TopClient, error) {
	l, err := n.known(limitName)
	if err != nil {
		return nil, err
	}
	heaviest := l.Account.Top.List()
	out := make([]TopClient, len(heaviest))
	for i, c := range heaviest {
		out[i] = TopClient{Client: c.Name, Allowed: c.Allowed, Denied: c.Denied}
	}
	return out, nil
}

// Stats describe a node at one moment. Counters start with the node.
type Stats struct {
	Name       string
	Cluster    string
	Replica    uint64
	Now        time.Time // by the node's clock
	Limits     []LimitStats
	Clients    int
	MaxClients int
	Overflowed uint64            // decisions on unknown clients at the cap
	Holding    int               // requests that wait for loans at doors now, at most MaxHolding
	Refused    map[string]uint64 // by Reason: requests that no limit decided
	// LimitsVersion stands for the limits that somebody set or changed while nodes run.
	// Nodes that agree have the same one: compare it with each peer's in Sync.Peers. See
	// Node.LimitsVersion.
	LimitsVersion uint64
	RowsLost      map[string]uint64 // rows of peers that this node could not merge, by reason
	ClockAhead    time.Duration     // how far the node's time is ahead of the wall clock; the node slows its time down

	// Roster says who shares bounded limits; without members where nobody does.
	Roster RosterStats

	// Degraded says that the bounds are wide or unknown, or may be too small.
	// DegradedReasons says why: some of DegradedReasonNames.
	Degraded        bool
	DegradedReasons []string
	Isolated        bool          // this node and some member do not hear each other: OnIsolation applies
	Staleness       time.Duration // age of the oldest data held from any peer that can have admitted; the largest Duration before its first message
	Skew            time.Duration // largest estimated difference to a peer's clock
	Sync            SyncStats

	LatencyBounds []time.Duration // upper bounds of LatencyCounts, one less
	LatencyCounts []uint64        // the node times one decision in LatencyEvery
	LatencySum    time.Duration
	// LatencyFine are the same samples in finer buckets, as Prometheus's native histograms have
	// them: bucket i ends at 2 to the power of (LatencyFineFirst+i)/2^LatencyFineSchema seconds.
	LatencyFine  []uint64
	LatencyEvery int
}

// Stats describes the node now. It takes all locks in turn, so it is fit for a scrape, not for
// a hot path.
func (n *Node) Stats() Stats {
	now, status := n.now(), n.protocol.Status()
	read := reading{n, n.look(&status)}
	s := Stats{
		Name: n.cfg.Name, Cluster: n.cfg.Cluster, Replica: uint64(n.replica), Now: time.Unix(0, now),
		Clients: n.table.Clients(), MaxClients: n.cfg.MaxClients,
		Overflowed: n.overflowed.Load(), Holding: int(n.holder.held.Load()), Refused: map[string]uint64{}, RowsLost: map[string]uint64{},
		ClockAhead: n.lead.Last(), Sync: syncStats(&status), LimitsVersion: n.LimitsVersion(),
		LatencyEvery: tally.LatencyEvery, LatencySum: n.latency.Sum(), LatencyBounds: tally.LatencyBounds(),
	}
	for r := range reasonEnd {
		if r.refused() {
			s.Refused[r.String()] = n.refusals[r].Load()
		}
	}
	for why := range tally.DropEnd {
		s.RowsLost[why.String()] = n.dropped.Of(why)
	}
	s.LatencyCounts, s.LatencyFine = n.latency.Counts()
	s.Isolated = n.isolation.Group().Isolated()
	s.DegradedReasons = n.watch.Degraded(read.look)
	s.Degraded = len(s.DegradedReasons) > 0
	for i := range s.Sync.Peers {
		if p := &s.Sync.Peers[i]; p.Admits {
			s.Skew = max(s.Skew, p.Skew.Abs())
			s.Staleness = max(s.Staleness, p.StaleFor)
		}
	}
	s.Roster = n.holdings.Roster()
	s.Limits = read.inline()
	for _, l := range n.limits.All() {
		if r := l.Known(now); r != nil {
			s.Limits = append(s.Limits, read.limit(r))
		}
	}
	return s
}

// reading is a node's statistics of all limits at one moment.
type reading struct {
	node *Node
	look *health.Look
}

// inline is one limit's for all that came with requests, if some did. Its policy is the zero one,
// its bound that of the widest.
func (s reading) inline() []LimitStats {
	var all []LimitStats
	for _, l := range s.node.limits.AllInline() {
		r := l.Newest()
		if len(all) == 0 {
			all = append(all, s.limit(r))
			all[0].Policy = Policy{}
		}
		bound, expected := s.look.Bounds(r)
		all[0].OvershootBound = max(all[0].OvershootBound, bound)
		all[0].OvershootExpected = max(all[0].OvershootExpected, expected)
		denied, likely := s.look.Denied(r)
		all[0].WronglyDeniedBound = max(all[0].WronglyDeniedBound, denied)
		all[0].WronglyDeniedExpected = max(all[0].WronglyDeniedExpected, likely)
	}
	return all
}

func (s reading) limit(r *limits.Revision) LimitStats {
	n, a := s.node, r.Limit.Account
	seen, peak := a.Overshoot.Seen()
	of := n.table.Decisions(a)
	var named []OverrideStats
	for _, a := range r.Limit.Named() {
		o := n.table.Decisions(a)
		of.Add(&o)
		named = append(named, OverrideStats{
			Name: a.Override, Allowed: o.Allowed, Denied: o.Denied, AllowedUnits: o.AllowedUnits, DeniedUnits: o.DeniedUnits,
			Shadowed: o.Shadowed, ShadowedUnits: o.ShadowedUnits,
		})
	}
	l := LimitStats{
		Name: a.Name, Policy: r.Policy, Overrides: named,
		Allowed: of.Allowed, AllowedUnits: of.AllowedUnits,
		Denied: of.Denied, DeniedUnits: of.DeniedUnits,
		Shadowed: of.Shadowed, ShadowedUnits: of.ShadowedUnits, OddAddresses: a.Odd.Load(),
		OvershootSeen: seen, OvershootPeak: peak,
	}
	l.Doors = doorStats(a, l.Allowed, l.Denied)
	l.Charged, l.NotCharged = a.Debts.Seen()
	if x := &a.Rights; r.Policy.Consistency == Bounded {
		l.Rights = &RightsStats{
			Short: x.Short.Load(), Held: x.Held.Load(), Asked: x.Asked.Load(),
			Excess: r.Excess(), Lent: x.Lent.Units(), Borrowed: x.Borrowed.Units(), Expired: x.Expired.Units(),
		}
	}
	l.OvershootBound, l.OvershootExpected = s.look.Bounds(r)
	l.WronglyDeniedBound, l.WronglyDeniedExpected = s.look.Denied(r)
	l.OvershootOnce = n.onces.Of(r.Limit)
	l.Set, l.Configured = r.Source == limits.SourceSet, n.limits.Configured(r.Limit.Name)
	if r.Stamp.At != 0 {
		l.Revision = time.Unix(0, r.Stamp.At)
	}
	return l
}
