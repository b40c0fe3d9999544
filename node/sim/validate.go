package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Caps on a scenario. Beyond them a run takes longer than anybody waits, or more memory
// than a machine has.
const (
	MaxNodes    = 100
	MaxDuration = 24 * time.Hour
	maxStreams  = 10_000
	maxFaults   = 1_000
	maxPerNode  = 1_000_000 // requests of one burst at one node
	maxRate     = 1e6       // of a stream, requests per second
)

// Validate reports the first faulty field of the scenario as a *node.FieldError, or
// returns nil. What a policy may be is the policy's to say.
func (sc *Scenario) Validate() error {
	if err := sc.Policy.Validate(); err != nil {
		return err
	}
	c := checks{nodes: sc.Nodes}
	for _, f := range sc.Faults {
		if f.Kind == FaultJoin {
			c.nodes++
		}
	}
	c.that(sc.Nodes >= 1 && sc.Nodes <= MaxNodes, "nodes", sc.Nodes, fmt.Sprintf("must be from 1 to %d", MaxNodes))
	c.that(sc.Duration > 0 && sc.Duration <= MaxDuration, "duration", sc.Duration, fmt.Sprintf("must be above 0 and at most %v", MaxDuration))
	c.notNegative("flush", sc.Flush)
	c.notNegative("skew", sc.Skew)
	c.notNegative("save_counts", sc.SaveCounts)
	c.notNegative("restore_delay", sc.RestoreDelay)
	c.that(sc.Stagger >= 0 && sc.Stagger <= warmup/3, "stagger", sc.Stagger, fmt.Sprintf("must be from 0 to %v", warmup/3))
	c.that(sc.Drift >= 0 && sc.Drift <= 0.1, "drift", sc.Drift, "must be from 0 to 0.1")
	c.that(sc.MaxClients >= 0, "max_clients", sc.MaxClients, "must not be negative")
	c.that(len(sc.Clocks) <= c.nodes, "clocks", len(sc.Clocks), "must be at most one for each node")
	c.notNegative("link.delay_min", sc.Link.DelayMin)
	c.that(sc.Link.DelayMax >= sc.Link.DelayMin, "link.delay_max", sc.Link.DelayMax, fmt.Sprintf("must be at least delay_min, %v", sc.Link.DelayMin))
	c.share("link.loss", sc.Link.Loss)
	c.share("link.duplicate", sc.Link.Duplicate)
	c.that(sc.Link.Bandwidth >= 0, "link.bandwidth", sc.Link.Bandwidth, "must not be negative")
	c.that(len(sc.Streams) <= maxStreams, "streams", len(sc.Streams), fmt.Sprintf("must be at most %d", maxStreams))
	c.that(len(sc.Faults) <= maxFaults, "faults", len(sc.Faults), fmt.Sprintf("must be at most %d", maxFaults))
	c.that(len(sc.Limits) < node.MaxChecks, "limits", len(sc.Limits), fmt.Sprintf("must be fewer than %d", node.MaxChecks))
	c.limits = map[string]bool{}
	for i, l := range sc.Limits {
		c.that(l.Policy.Validate() == nil, fmt.Sprintf("limits[%d].policy", i), l.Policy, "must be a valid policy")
		c.that(l.Name != "" && l.Name != node.DefaultLimit && !c.limits[l.Name], fmt.Sprintf("limits[%d].name", i), l.Name, "must be another name for each, and not the default")
		c.limits[l.Name] = true
	}
	for i := range sc.Streams {
		c.stream(fmt.Sprintf("streams[%d].", i), &sc.Streams[i])
	}
	for i := range sc.Faults {
		c.fault(fmt.Sprintf("faults[%d].", i), &sc.Faults[i])
	}
	return c.err
}

// checks keeps the first failure.
type checks struct {
	nodes  int
	limits map[string]bool
	err    error
}

func (c *checks) that(ok bool, field string, value any, reason string) {
	if !ok && c.err == nil {
		c.err = &node.FieldError{Field: field, Value: value, Reason: reason}
	}
}

func (c *checks) notNegative(field string, d time.Duration) {
	c.that(d >= 0 && d <= MaxDuration, field, d, fmt.Sprintf("must be from 0 to %v", MaxDuration))
}

func (c *checks) share(field string, v float64) {
	c.that(v >= 0 && v < 1, field, v, "must be at least 0 and below 1")
}

func (c *checks) stream(at string, s *Stream) {
	c.that(s.Cost >= 0, at+"cost", s.Cost, "must be at least 1, or 0 for 1")
	c.that(s.MaxCost >= 0, at+"max_cost", s.MaxCost, "must not be negative")
	c.that(s.Node >= 0 && s.Node <= c.nodes, at+"node", s.Node, "must be a node's number, or 0 for all")
	c.that(s.Clients >= 0 && s.Clients <= maxPerNode, at+"clients", s.Clients, fmt.Sprintf("must be from 0 to %d", maxPerNode))
	c.that(s.Burst >= 0 && s.Burst <= maxPerNode, at+"burst", s.Burst, fmt.Sprintf("must be from 0 to %d", maxPerNode))
	if s.Burst == 0 {
		c.that(s.Rate > 0 && s.Rate <= maxRate, at+"rate", s.Rate, fmt.Sprintf("must be above 0 and at most %.0f requests per second", maxRate))
	}
	c.that(s.Period == 0 || s.Period >= time.Millisecond, at+"period", s.Period, "must be at least 1ms, or 0 for once")
	c.notNegative(at+"start", s.Start)
	c.notNegative(at+"stop", s.Stop)
	c.notNegative(at+"slack", s.Slack)
	for i, name := range s.Also {
		c.that(c.limits[name] && !slices.Contains(s.Also[:i], name), at+"also", name, "must name limits of the scenario, each once")
	}
}

func (c *checks) fault(at string, f *Fault) {
	c.notNegative(at+"at", f.At)
	c.notNegative(at+"for", f.For)
	for _, n := range f.Nodes {
		// Nodes that join are numbered on.
		c.that(n >= 1 && n <= MaxNodes, at+"nodes", n, "must be a node's number, counted from 1")
	}
	for _, n := range f.Against {
		c.that(n >= 1 && n <= MaxNodes && !slices.Contains(f.Nodes, n), at+"against", n, "must be a node's number, and on one side only")
	}
	c.that(f.Kind == FaultJoin || f.Kind == FaultLoss || len(f.Nodes) > 0, at+"nodes", f.Nodes, "must name a node")
	switch f.Kind {
	case FaultLoss:
		c.share(at+"value", f.Value)
	case FaultSlow:
		c.that(f.Value > 0, at+"value", f.Value, "must be above 0 messages per second")
	case FaultRefund:
		c.that(f.Value >= 1 && f.Value <= maxPerNode, at+"value", f.Value, fmt.Sprintf("must be from 1 to %d units", maxPerNode))
	case FaultLimit:
		c.that(f.Policy != nil && f.Policy.Validate() == nil, at+"policy", f.Policy, "must be a valid policy")
	case FaultPartition, FaultOneWay, FaultCrash, FaultLeave, FaultJoin, FaultStrikeOff, FaultRetire, FaultClock, FaultReset:
	default:
		c.that(false, at+"kind", f.Kind, "is no fault")
	}
}
