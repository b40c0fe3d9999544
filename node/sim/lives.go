package sim

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// lifeKey names one counter of one life for good.
type lifeKey struct {
	key     crdt.Key
	life    crdt.Life
	start   int64
	replica crdt.Replica
}

// counter is the most that a counter was seen to hold, and when its window is over.
type counter struct {
	count crdt.Count
	over  int64
}

// watchLives checks that no total of a live window ran backwards since any time before,
// and that none vanished.
func (w *world) watchLives(m *member) {
	if m.counters == nil {
		m.counters = map[lifeKey]counter{}
	}
	local := m.clock.read(w.now)
	lives := map[crdt.Key]crdt.Life{}
	starts := map[crdt.Key]int64{}
	seen := map[lifeKey]bool{}
	for _, h := range m.step.Inside().Held(local) {
		lives[h.Key], starts[h.Key] = h.Life, h.Starts[1]
		for _, c := range h.Cells {
			for i, count := range c.Count {
				k := lifeKey{h.Key, h.Life, h.Starts[i], c.Replica}
				seen[k] = true
				was := m.counters[k]
				if count.P < was.count.P || count.N < was.count.N {
					w.violate("n%d: a total of %x ran backwards, from %+v to %+v", m.number, c.Replica, was.count, count)
				}
				if count != (crdt.Count{}) {
					m.counters[k] = counter{count, h.Starts[i] + 2*(h.Starts[0]-h.Starts[1])}
				}
			}
		}
	}
	for k, c := range m.counters {
		if k.start < starts[k.key] || c.over <= local+int64(node.DefaultClockTolerance) {
			delete(m.counters, k)
			continue
		}
		life, held := lives[k.key]
		// A client that changed its life may have nothing in the new one, and is not listed.
		if !seen[k] && (held && life == k.life || !held && !w.oracle.altered) {
			w.violate("n%d: a total of %x vanished, and was %+v", m.number, k.replica, c.count)
			delete(m.counters, k)
		}
	}
}
