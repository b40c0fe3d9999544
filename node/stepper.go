package node

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Stepper is a node without goroutines, timers or a network. Its holder drives the
// protocol, so equal inputs give equal outputs. The simulator runs the nodes' own code
// through it. Not safe for concurrent use.
type Stepper struct {
	// Node is what decides; its Ready, Stats and the like work as in a real node,
	// its Close does not: step InputClose instead.
	Node   *Node
	engine *deltasync.Engine
	urgent bool
}

// NewStepper makes a node of cfg, whose Now must be set, with a given incarnation.
func NewStepper(cfg Config, replica uint64) (*Stepper, error) {
	cfg.stepped = true
	n, err := build(cfg, crdt.Replica(replica))
	if err != nil {
		return nil, err
	}
	n.table.Join()
	engine, store := n.engine()
	s := &Stepper{Node: n, engine: deltasync.NewEngine(engine, store, n.now())}
	n.protocol = (*stepped)(s)
	return s, nil
}

// Subjects lists the subjects whose messages the node needs.
func (s *Stepper) Subjects() []string { return s.engine.Subjects() }

// Step passes one input to the protocol. The output is valid until the next Step.
func (s *Stepper) Step(in deltasync.Input) *deltasync.Output { return s.engine.Step(s.Node.now(), in) }

// Lingers is for how much longer a node that was closed answers repairs, in nanoseconds.
func (s *Stepper) Lingers() int64 { return s.engine.Lingers(s.Node.now()) }

// Refund begins what Node.Refund does. Call its result until it says that the refund is done,
// with steps in between. With last, it waits for no more answers.
func (s *Stepper) Refund(q Request) func(last bool) (did Refund, done bool, err error) {
	r, err := s.Node.refund(&q)
	waiting := err == nil && r.ask()
	return func(last bool) (Refund, bool, error) {
		for waiting && (last || r.answered()) {
			r.hear()
			waiting = !last && r.ask()
		}
		if waiting {
			return r.did, false, nil
		}
		did, err := r.conclude(err)
		return did, true, err
	}
}

// Housekeep does what a running node does once a second.
func (s *Stepper) Housekeep() { s.Node.housekeep() }

// TakeUrgent reports whether something called for a flush since the last call.
func (s *Stepper) TakeUrgent() bool {
	was := s.urgent
	s.urgent = false
	return was
}

// Inside looks into the node's state. It is for package sim, which judges nodes by what they
// hold; its result is of an internal package.
func (s *Stepper) Inside() inside.View { return view{s} }

// stepped is a Stepper as its node sees it.
type stepped Stepper

func (s *stepped) Urgent()                     { s.urgent = true }
func (s *stepped) Status() deltasync.Status    { return s.engine.Status(s.Node.now()) }
func (s *stepped) Ready() bool                 { return s.engine.Ready() }
func (s *stepped) Present(r crdt.Replica) bool { return s.engine.Present(r) }
func (s *stepped) Forget(name string) bool     { return s.engine.Forget(s.Node.now(), name) }
func (s *stepped) Close() error                { return nil }

// view is a Stepper as the simulator looks into it.
type view struct{ *Stepper }

// Fresh implements inside.View.
func (v view) Fresh(replica uint64) (at int64, known bool) {
	return v.engine.Fresh(crdt.Replica(replica))
}

// Standing implements inside.View.
func (v view) Standing(limitName, client string) (reset crdt.Stamp, p Policy, held bool) {
	l := v.Node.limits.Get(limitName)
	var net limit.Buffer
	_, group := l.Newest().Rule(client, &net)
	k := l.Key(client, group)
	s := v.Node.table.Shard(k)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(k); e != nil {
		return e.Reset(), v.inForce(e.Rule(), v.Node.now()).Policy, true
	}
	return crdt.Stamp{}, Policy{}, false
}

// Exported implements inside.View.
func (v view) Exported(name string) (bound float64, degraded bool) {
	status := v.engine.Status(v.Node.now())
	sight := v.Node.sight(&status)
	if l := v.Node.limits.Get(name); l != nil {
		if l.Known(v.Node.now()) != nil {
			bound = l.Bound(sight.Sight)
		}
	}
	return bound, len(sight.degraded()) > 0
}

// Denied implements inside.View.
func (v view) Denied(name string) float64 {
	status := v.engine.Status(v.Node.now())
	if r := v.Node.limits.Get(name).Known(v.Node.now()); r != nil {
		worst, _ := v.Node.sight(&status).denied(r)
		return worst
	}
	return 0
}

// Degraded implements inside.View.
func (v view) Degraded() []string {
	status := v.engine.Status(v.Node.now())
	return v.Node.sight(&status).degraded()
}

// Unknown implements inside.View.
func (v view) Unknown() (out []inside.Span) {
	for _, u := range v.engine.Status(v.Node.now()).Unknown {
		for _, s := range u.Spans {
			out = append(out, inside.Span{Of: u.Replica, Began: s.Began, Ended: s.Ended, Kind: int(s.Kind)})
		}
	}
	return out
}

// Isolated implements inside.View.
func (v view) Isolated() bool { return v.Node.isolation.Group().Isolated() }

// Held implements inside.View.
func (v view) Held(at int64) []inside.Held {
	var out []inside.Held
	for e := range v.Node.table.All {
		out = append(out, inside.HeldBy(e, v.inForce(e.Rule(), at), v.Node.replica, at)...)
	}
	slices.SortFunc(out, func(a, b inside.Held) int {
		return cmp.Or(cmp.Compare(a.Key.Hi, b.Key.Hi), cmp.Compare(a.Key.Lo, b.Key.Lo))
	})
	return out
}

// inForce is the rule that decides at an instant where the last decision was by the given one.
func (v view) inForce(rule *limit.Rule, at int64) *limit.Rule {
	l := v.Node.limits.Get(rule.Limit)
	if l == nil {
		return rule
	}
	r := l.At(at)
	if rule.Revision.Compare(r.Stamp) >= 0 {
		return rule
	}
	if next := r.Numbered(rule.Index); next != nil {
		return next
	}
	return &r.Rules[0]
}
