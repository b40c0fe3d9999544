package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/health"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
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
	waiting := err == nil && r.Ask(s.Node.now())
	return func(last bool) (Refund, bool, error) {
		for waiting && (last || r.Answered()) {
			r.Hear()
			waiting = !last && r.Ask(s.Node.now())
		}
		if waiting {
			return Refund{Returned: r.Returned, Unconfirmed: r.Unconfirmed}, false, nil
		}
		did, err := r.conclude(err)
		return did, true, err
	}
}

// Restore does what a running node does in the background: it brings back the counts of
// Config.SavedCounts, if there are any, and that is due. Step InputRestored after it with what it says.
func (s *Stepper) Restore() (done, whole bool) {
	if !s.Node.keeper.Restoring() {
		return false, false
	}
	status := s.engine.Status(s.Node.now())
	return s.Node.restore.Step(&status, nil)
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
func (s *Stepper) Inside() inside.View {
	n := s.Node
	return view{inside.Node{Self: n.replica, Engine: s.engine, Table: n.table, Limits: n.limits, Isolation: &n.isolation, Holdings: n.holdings, Now: n.now}, s}
}

// stepped is a Stepper as its node sees it.
type stepped Stepper

func (s *stepped) Urgent()                     { s.urgent = true }
func (s *stepped) Status() deltasync.Status    { return s.engine.Status(s.Node.now()) }
func (s *stepped) Ready() bool                 { return s.engine.Ready() }
func (s *stepped) Present(r crdt.Replica) bool { return s.engine.Present(r) }
func (s *stepped) Restored(bool)               {}
func (s *stepped) Forget(name string) bool     { return s.engine.Forget(s.Node.now(), name) }
func (s *stepped) Close() error                { return nil }

// view is a Stepper as the simulator looks into it.
type view struct {
	inside.Node
	*Stepper
}

// Joined implements inside.View.
func (v view) Joined() bool { return v.engine.Status(v.Node.Now()).Joined }

// look is what the node sees now.
func (v view) look() *health.Look {
	status := v.engine.Status(v.Stepper.Node.now())
	return v.Stepper.Node.look(&status)
}

// Exported implements inside.View.
func (v view) Exported(name string) (bound float64, degraded bool) {
	n, look := v.Stepper.Node, v.look()
	if l := n.limits.Get(name); l != nil && l.Known(n.now()) != nil {
		bound = l.Bound(look.Sight)
	}
	return bound, len(n.watch.Degraded(look)) > 0
}

// Denied implements inside.View.
func (v view) Denied(name string) float64 {
	n := v.Stepper.Node
	if r := n.limits.Get(name).Known(n.now()); r != nil {
		worst, _ := v.look().Denied(r)
		return worst
	}
	return 0
}

// Degraded implements inside.View.
func (v view) Degraded() []string { return v.Stepper.Node.watch.Degraded(v.look()) }
