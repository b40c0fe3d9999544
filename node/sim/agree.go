package sim

import (
	"fmt"
	"reflect"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
)

// disagreement says how the states of two living nodes differ, "" if no two differ. Nodes
// whose clocks are further apart than they tolerate refuse each other's rows, so those may.
func (w *world) disagreement() string {
	if w.oracle.sigma() > int64(node.DefaultClockTolerance) {
		return ""
	}
	living := w.living()
	at := int64(0)
	for _, m := range living {
		at = max(at, m.clock.read(w.now))
	}
	var first []inside.Held
	for i, m := range living {
		held := m.step.Inside().Held(at)
		if i == 0 {
			first = held
			continue
		}
		if !reflect.DeepEqual(first, held) {
			a, b := firstDifference(first, held)
			return fmt.Sprintf("n%d and n%d hold different state after the quiet: %+v and %+v (%d and %d clients)",
				living[0].number, m.number, a, b, len(first), len(held))
		}
	}
	return ""
}

func firstDifference(a, b []inside.Held) (x, y inside.Held) {
	for i := range max(len(a), len(b)) {
		x, y = inside.Held{}, inside.Held{}
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if !reflect.DeepEqual(x, y) {
			return x, y
		}
	}
	return x, y
}

// cellKey names one counter for good.
type cellKey struct {
	key     crdt.Key
	life    crdt.Life
	start   int64
	replica crdt.Replica
}

// watch checks once a second that no total ran backwards and nothing outgrew its
// cap. It returns what to compare with the next time.
func (w *world) watch(m *member, before map[cellKey]crdt.Count) map[cellKey]crdt.Count {
	now := map[cellKey]crdt.Count{}
	for _, h := range m.step.Inside().Held(m.clock.read(w.now)) {
		for _, c := range h.Cells {
			for i, count := range c.Count {
				if count == (crdt.Count{}) {
					continue
				}
				k := cellKey{h.Key, h.Life, h.Starts[i], c.Replica}
				now[k] = count
				if was := before[k]; count.P < was.P || count.N < was.N {
					w.violate("n%d: a total of %x ran backwards, from %+v to %+v", m.number, c.Replica, was, count)
				}
			}
		}
	}
	if w.sc.MaxClients == 0 {
		return now // there are fewer clients than the default cap
	}
	s := m.step.Node.Stats()
	if s.Clients > s.MaxClients {
		w.violate("n%d holds %d clients, the cap is %d", m.number, s.Clients, s.MaxClients)
	}
	return now
}
