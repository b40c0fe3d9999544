package sim

import (
	"fmt"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// urge tells the protocol that a decision called for a flush.
func (m *member) urge() { m.do(deltasync.Input{Kind: deltasync.InputUrgent}) }

// schedule makes a fault happen.
func (w *world) schedule(f *Fault) error {
	run, undo, err := w.fault(f)
	if err != nil {
		return err
	}
	begin := w.start + int64(f.At)
	w.at(begin, func() {
		w.note("fault "+string(f.Kind), int64(f.For))
		run()
	})
	if undo != nil && f.For > 0 {
		w.at(begin+int64(f.For), func() {
			w.note("end of " + string(f.Kind))
			undo()
		})
	}
	return nil
}

func (w *world) fault(f *Fault) (run, undo func(), err error) {
	each := func(do func(*member)) func() {
		return func() {
			for _, n := range f.Nodes {
				if m := w.node(n); m != nil {
					do(m)
				}
			}
		}
	}
	switch f.Kind {
	case FaultPartition, FaultOneWay:
		return w.cut(f)
	case FaultLoss:
		was := w.network.loss
		w.network.lossy = true
		return func() { w.network.loss = f.Value }, func() { w.network.loss = was }, nil
	case FaultSlow:
		return each(func(m *member) { m.takes, m.inQueue = f.Value, w.now }), each(func(m *member) { m.takes = 0 }), nil
	case FaultCrash, FaultLeave:
		var died []*member
		return each(func(m *member) {
				m.die(f.Kind == FaultLeave)
				died = append(died, m)
			}), func() {
				for _, m := range died {
					w.rejoin(m, "")
				}
			}, nil
	case FaultJoin:
		return func() {
			name := ""
			if len(f.Nodes) > 0 {
				if m := w.numbered()[f.Nodes[0]]; m != nil {
					name = m.name
				}
			}
			w.rejoin(nil, name)
		}, nil, nil
	case FaultStrikeOff:
		return func() { w.strikeOff(f.Nodes[0]) }, nil, nil
	case FaultRetire:
		return func() {
			if m := w.node(f.Nodes[0]); m != nil {
				m.step.Node.Forget(m.name)
			}
		}, nil, nil
	case FaultClock:
		return each(func(m *member) { m.clock.step(w.now, int64(f.By)) }), nil, nil
	case FaultLimit:
		if f.Policy == nil {
			return nil, nil, fmt.Errorf("sim: fault %s at %v has no policy", f.Kind, f.At)
		}
		if err := f.Policy.Validate(); err != nil {
			return nil, nil, fmt.Errorf("sim: fault %s at %v: %w", f.Kind, f.At, err)
		}
		return each(func(m *member) { w.setLimit(m, f) }), nil, nil
	case FaultReset:
		return each(func(m *member) { w.reset(m, f.Client) }), nil, nil
	case FaultRefund:
		return each(func(m *member) { w.refund(m, f.Client, int64(f.Value)) }), nil, nil
	}
	return nil, nil, fmt.Errorf("sim: no fault is called %q", f.Kind)
}

// strikeOff ends a node for good, and lets another one take it off the roster.
func (w *world) strikeOff(number int) {
	dead := w.numbered()[number]
	if dead == nil {
		return
	}
	for _, m := range w.living() {
		if m.number != number && m.step.Node.Forget(dead.name) {
			w.struckOff[number] = true
			if dead.alive {
				dead.die(false)
			}
			return
		}
	}
}

func (w *world) rejoin(m *member, name string) {
	if m != nil && w.struckOff[m.number] {
		return // whoever is struck off is dead
	}
	if err := w.join(m, name); err != nil {
		w.violate("start: %v", err)
	}
}

// cut splits the network for a while.
func (w *world) cut(f *Fault) (run, undo func(), err error) {
	side, rest := sideOf(f.Nodes), sideOf(f.Against)
	var ids []int
	add := func(from, to map[int]bool) {
		w.count++
		id := int(w.count) //nolint:gosec // a small count
		ids = append(ids, id)
		w.network.cuts = append(w.network.cuts, cut{from: from, to: to, id: id})
	}
	run = func() {
		add(side, rest)
		if f.Kind == FaultPartition {
			add(rest, side)
		}
	}
	undo = func() {
		kept := w.network.cuts[:0]
		for _, c := range w.network.cuts {
			ours := false
			for _, id := range ids {
				ours = ours || c.id == id
			}
			if !ours {
				kept = append(kept, c)
			}
		}
		w.network.cuts = kept
	}
	return run, undo, nil
}

// sideOf is one side of a cut, nil for the rest.
func sideOf(nodes []int) map[int]bool {
	if len(nodes) == 0 {
		return nil
	}
	side := map[int]bool{}
	for _, n := range nodes {
		side[n] = true
	}
	return side
}

// setLimit changes the default limit through one node. The oracle changes at the instant
// that the new revision names.
func (w *world) setLimit(m *member, f *Fault) {
	if _, err := m.step.Node.SetLimit("default", *f.Policy); err != nil {
		w.violate("set limit: %v", err)
		return
	}
	m.urge()
	for _, c := range m.step.Node.Changes() {
		w.oracle.change(c, m.clock.when(w.now, c.At.UnixNano()))
	}
}

// reset resets a client through one node. What others admit until they hear of it belongs
// to the life that ended.
func (w *world) reset(m *member, client string) {
	if err := m.step.Node.Reset("", client); err != nil {
		w.violate("reset: %v", err)
		return
	}
	m.urge()
	w.oracle.reset(m, client)
}
