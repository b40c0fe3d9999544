package node

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Stepper is a node without goroutines, timers or a network: whoever holds it
// drives the protocol, so that equal inputs give equal outputs. It is how the
// simulator runs the code that real nodes run. Not safe for concurrent use.
type Stepper struct {
	// Node is what decides; its Ready, Stats and the like work as in a real node,
	// its Close does not: step InputClose instead.
	Node   *Node
	engine *deltasync.Engine
	urgent bool
}

// NewStepper makes a node of cfg, whose Now must be set, with a given incarnation
// and inbox subject.
func NewStepper(cfg Config, replica uint64, inbox string) (*Stepper, error) {
	n, err := build(cfg, crdt.Replica(replica))
	if err != nil {
		return nil, err
	}
	s := &Stepper{Node: n, engine: deltasync.NewEngine(n.engineConfig(), n.store(), n.now(), inbox)}
	n.protocol = (*stepped)(s)
	return s, nil
}

// Subjects lists what has to be delivered to the node, besides its inbox.
func (s *Stepper) Subjects() []string { return s.engine.Subjects() }

// Step passes one input to the protocol. The output is valid until the next Step.
func (s *Stepper) Step(in deltasync.Input) *deltasync.Output { return s.engine.Step(s.Node.now(), in) }

// Housekeep does what a running node does once a second.
func (s *Stepper) Housekeep() { s.Node.housekeep() }

// TakeUrgent reports whether a flush was called for since it was last asked.
func (s *Stepper) TakeUrgent() bool {
	was := s.urgent
	s.urgent = false
	return was
}

// Fresh is the instant, by the clock of the node with the given incarnation, up to
// which everything that it had sent is merged here; false if it is not known.
func (s *Stepper) Fresh(replica uint64) (at int64, known bool) {
	return s.engine.Fresh(crdt.Replica(replica))
}

// Standing is the stamp of a client's state under a limit, and the policy that it was
// last decided by; zero and false if the node holds none.
func (s *Stepper) Standing(limitName, client string) (stamp crdt.Stamp, p Policy, held bool) {
	l := s.Node.limits.Get(limitName)
	var net limit.Buffer
	_, group := l.Newest().Rule(client, &net)
	k := s.Node.key(l, client, group)
	if e := s.Node.table.Shard(k).Find(k); e != nil {
		return e.Stamp(), e.Rule().Policy, true
	}
	return crdt.Stamp{}, Policy{}, false
}

// Exported is what the node exports of a limit now: its live bound, in units, and whether
// the node is degraded. A limit that the node does not have has no bound.
func (s *Stepper) Exported(name string) (bound float64, degraded bool) {
	status := s.engine.Status(s.Node.now())
	if l := s.Node.limits.Get(name); l != nil {
		if r := l.Known(s.Node.now()); r != nil {
			bound = r.Bound(&status, s.Node.cfg.Flush)
		}
	}
	return bound, s.Node.impaired(&status)
}

// Isolated reports whether OnIsolation applies now.
func (s *Stepper) Isolated() bool { return s.Node.isolation.Group() != nil }

// Held is one client's state as a node holds it, in a form that can be compared.
type Held struct {
	Key    crdt.Key
	Limit  string
	Stamp  crdt.Stamp
	Life   [2]crdt.Stamp // the revision and the reset: counters begin at 0 in each life
	Starts [2]int64      // of the current and the previous window
	Origin [2]int64
	TAT    int64
	Cells  []Cell // of all replicas, by their numbers
}

// Cell is one replica's counters in the current and the previous window.
type Cell struct {
	Replica crdt.Replica
	Count   [2]crdt.Count
}

// Held lists the state of all clients that matter at instant at, rolled to its
// window, in the order of their keys. Nodes that merged the same hold the same.
func (s *Stepper) Held(at int64) []Held {
	var out []Held
	for e := range s.Node.table.All {
		out = append(out, s.held(e, at)...)
	}
	slices.SortFunc(out, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Key.Hi, b.Key.Hi), cmp.Compare(a.Key.Lo, b.Key.Lo))
	})
	return out
}

// held is what an entry holds, by slot. Whoever asks by name is not known here, so a
// client of an override is taken for one of the override of that number.
func (s *Stepper) held(e *table.Entry, at int64) []Held {
	rule := e.Rule()
	if l := s.Node.limits.Get(rule.Limit); l != nil {
		if r := l.At(at); rule.Revision.Compare(r.Stamp) < 0 {
			next := r.Numbered(rule.Index)
			if next == nil {
				next = &r.Rules[0]
			}
			rule = next
		}
	}
	var look table.Entry
	look.Imitate(e, e.Key(), rule, at)
	var out []Held
	f := &look.Rule().Frame
	for slot, st := range look.States().All {
		h := Held{
			Key: e.Key().Slot(slot), Limit: look.Rule().Limit, Stamp: look.Stamp(), Life: [2]crdt.Stamp{look.Rule().Revision, look.Reset()},
			Starts: [2]int64{st.Start(), f.Before(st.Start())}, Origin: st.Origins(), TAT: st.TAT(f),
		}
		st.Rows(s.Node.replica, func(r crdt.Replica, row crdt.Row) {
			if row.Cur.Count != (crdt.Count{}) || row.Prev.Count != (crdt.Count{}) {
				h.Cells = append(h.Cells, Cell{r, [2]crdt.Count{row.Cur.Count, row.Prev.Count}})
			}
		})
		if len(h.Cells) == 0 && h.TAT <= at {
			continue // as good as forgotten
		}
		slices.SortFunc(h.Cells, func(a, b Cell) int { return cmp.Compare(a.Replica, b.Replica) })
		out = append(out, h)
	}
	return out
}

// stepped is a Stepper as its node sees it.
type stepped Stepper

func (s *stepped) Urgent()                     { s.urgent = true }
func (s *stepped) Status() deltasync.Status    { return s.engine.Status(s.Node.now()) }
func (s *stepped) Ready() bool                 { return s.engine.Ready() }
func (s *stepped) Present(r crdt.Replica) bool { return s.engine.Present(r) }
func (s *stepped) Forget(name string) bool     { return s.engine.Forget(name) }
func (s *stepped) Close() error                { return nil }
