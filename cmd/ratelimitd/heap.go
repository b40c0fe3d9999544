package main

import (
	"runtime/debug"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

const (
	// heapLooks is how many looks, one a second, come to one at the table. Raising it gives memory
	// back later; lowering it takes the locks of the table more often.
	heapLooks = 10
	// leastPeak is the fewest clients whose memory is worth a collection. Raising it keeps more
	// memory; lowering it collects for some megabytes.
	leastPeak = 100_000
)

// heap gives memory back to the system after a flood of clients. The runtime alone keeps it for many
// minutes on a node with little to do, since it collects only every two. It is for one goroutine.
type heap struct{ looks, peak int }

func (h *heap) look(n *node.Node) {
	if h.looks++; h.looks%heapLooks == 0 && h.fell(n.Stats().Clients) {
		go debug.FreeOSMemory() // it collects, which takes a while, and decisions go on
	}
}

// fell notes how many clients there are, and reports whether that is less than half of the most since
// it last did.
func (h *heap) fell(clients int) bool {
	if h.peak < leastPeak || clients > h.peak/2 {
		h.peak = max(h.peak, clients)
		return false
	}
	h.peak = clients
	return true
}
