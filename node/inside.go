package node

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

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
	k := key(l, client, group)
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
			bound = l.Bound(sight)
		}
	}
	return bound, len(v.Node.degradedBy(sight)) > 0
}

// Degraded implements inside.View.
func (v view) Degraded() []string {
	status := v.engine.Status(v.Node.now())
	return v.Node.degradedBy(v.Node.sight(&status))
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
		out = append(out, v.held(e, at)...)
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

// held is what an entry holds, by slot. Whoever asks by name is not known here, so a
// client of an override is taken for one of the override of that number.
func (v view) held(e *table.Entry, at int64) []inside.Held {
	var look table.Entry
	look.Imitate(e, e.Key(), v.inForce(e.Rule(), at), at)
	var out []inside.Held
	f := &look.Rule().Frame
	for slot, st := range look.States().All {
		h := inside.Held{
			Key: e.Key().Slot(slot), Limit: look.Rule().Limit, Life: look.Life(),
			Starts: [2]int64{st.Start(), f.Before(st.Start())}, Origin: st.Origins(), TAT: st.TAT(f),
		}
		st.Rows(v.Node.replica, func(r crdt.Replica, row crdt.Row) {
			if row.Cur.Count != (crdt.Count{}) || row.Prev.Count != (crdt.Count{}) {
				h.Cells = append(h.Cells, inside.Cell{Replica: r, Count: [2]crdt.Count{row.Cur.Count, row.Prev.Count}})
			}
		})
		if len(h.Cells) == 0 && h.TAT <= at {
			continue // as good as forgotten
		}
		slices.SortFunc(h.Cells, func(a, b inside.Cell) int { return cmp.Compare(a.Replica, b.Replica) })
		out = append(out, h)
	}
	return out
}
