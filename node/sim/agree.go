package sim

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
)

// disagreement says how the states of two living nodes differ, "" if no two differ. Nodes
// whose clocks are further apart than they tolerate refuse each other's rows, so those may.
func (w *world) disagreement() string {
	if w.oracle.clocks.sigma() > int64(node.DefaultClockTolerance) {
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
		if w.sc.MaxClients > 0 {
			first, held = heldByBoth(first, held) // which clients found room, each node found by itself
		}
		if !reflect.DeepEqual(first, held) {
			a, b := firstDifference(first, held)
			return fmt.Sprintf("n%d and n%d hold different state after the quiet: %+v and %+v (%d and %d clients)",
				living[0].number, m.number, a, b, len(first), len(held))
		}
	}
	return ""
}

// heldByBoth is what two nodes hold of the clients that both hold.
func heldByBoth(a, b []inside.Held) (x, y []inside.Held) {
	of := func(all, others []inside.Held) []inside.Held {
		return slices.DeleteFunc(slices.Clone(all), func(h inside.Held) bool {
			return !slices.ContainsFunc(others, func(o inside.Held) bool { return o.Key == h.Key })
		})
	}
	return of(a, b), of(b, a)
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
