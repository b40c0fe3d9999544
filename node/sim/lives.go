package sim

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
)

// lifeKey names one counter of one life for good.
type lifeKey struct {
	key     crdt.Key
	life    crdt.Life
	start   int64
	replica crdt.Replica
}

// counter is the most that a counter was seen to hold, when that was last, and when its window is
// over.
type counter struct {
	count crdt.Count
	seen  int64
	over  int64
}

// watchLives checks that no total of a live window ran backwards since any time before, that
// none vanished, and that nothing outgrew its cap.
func (w *world) watchLives(m *member) {
	if m.counters == nil {
		m.counters = map[lifeKey]counter{}
	}
	local := m.clock.read(w.now)
	held := m.step.Inside().Held(local)
	for i := range held {
		h := &held[i]
		for _, c := range h.Cells {
			for i, count := range c.Count {
				k := lifeKey{h.Key, h.Life, h.Starts[i], c.Replica}
				was, some := m.counters[k]
				if count.P < was.count.P || count.N < was.count.N {
					w.violate("n%d: a total of %x ran backwards, from %+v to %+v", m.number, c.Replica, was.count, count)
				}
				if some || count != (crdt.Count{}) {
					m.counters[k] = counter{count, w.now, h.Starts[i] + 2*(h.Starts[0]-h.Starts[1])}
				}
			}
		}
	}
	w.watchVanished(m, held, local)
	if w.sc.MaxClients == 0 {
		return // there are fewer clients than the default cap
	}
	if s := m.step.Node.Stats(); s.Clients > s.MaxClients {
		w.violate("n%d holds %d clients, the cap is %d", m.number, s.Clients, s.MaxClients)
	}
}

// watchVanished checks that the counters which were not seen now are of windows or lives that are
// over.
func (w *world) watchVanished(m *member, held []inside.Held, local int64) {
	for k, c := range m.counters {
		if c.over <= local+int64(node.DefaultClockTolerance) {
			delete(m.counters, k)
			continue
		}
		if c.seen == w.now || c.count == (crdt.Count{}) {
			continue
		}
		i, some := slices.BinarySearchFunc(held, k.key, func(h inside.Held, k crdt.Key) int {
			return cmp.Or(cmp.Compare(h.Key.Hi, k.Hi), cmp.Compare(h.Key.Lo, k.Lo))
		})
		if some && k.start < held[i].Starts[1] {
			delete(m.counters, k)
			continue
		}
		// A client that changed its life may have nothing in the new one, and is not listed.
		if some && held[i].Life == k.life || !some && !w.oracle.altered {
			w.violate("n%d: a total of %x vanished, and was %+v", m.number, k.replica, c.count)
			delete(m.counters, k)
		}
	}
}
