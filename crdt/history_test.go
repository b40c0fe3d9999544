package crdt_test

import (
	"maps"
	"math/big"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// history is the oracle: what one replica knows of one client, in maps, for ever.
// It never folds; where several say something, the greater wins.
type history struct {
	width  int64
	origin map[int64]int64                       // by window
	count  map[int64]map[crdt.Replica]crdt.Count // by window
}

func newHistory(width int64) *history {
	return &history{width: width, origin: map[int64]int64{}, count: map[int64]map[crdt.Replica]crdt.Count{}}
}

func (h *history) raise(window, origin int64) {
	if o, ok := h.origin[window]; origin > crdt.Never && (!ok || o < origin) {
		h.origin[window] = origin
	}
}

// know takes over one replica's totals of one window.
func (h *history) know(window int64, r crdt.Replica, p crdt.Part) {
	h.raise(window, p.Origin)
	if p.Count == (crdt.Count{}) {
		return
	}
	h.raise(window, window)
	if h.count[window] == nil {
		h.count[window] = map[crdt.Replica]crdt.Count{}
	}
	c := h.count[window][r]
	h.count[window][r] = crdt.Count{P: max(c.P, p.Count.P), N: max(c.N, p.Count.N)}
}

// part is what the history's owner would say of one window.
func (h *history) part(window int64, r crdt.Replica) crdt.Part {
	o, ok := h.origin[window]
	if !ok {
		o = crdt.Never
	}
	return crdt.Part{Origin: o, Count: h.count[window][r]}
}

func (h *history) net(window int64) (c uint64) {
	for _, n := range h.count[window] {
		c += n.P - n.N
	}
	return c
}

// counted is the number of windows in which something was counted.
func (h *history) counted() int { return len(h.count) }

// tat is the maximum over all windows of their origin plus the time in which
// everything counted since drains, exactly, in 1/units nanoseconds; nil if there is
// no origin.
func (h *history) tat(l *limit) *big.Int {
	var latest *big.Int
	for _, w := range slices.Sorted(maps.Keys(h.origin)) {
		since := uint64(0)
		for later := range h.count {
			if later >= w {
				since += h.net(later)
			}
		}
		if x := new(big.Int).Add(l.scaled(h.origin[w]), l.drained(since)); latest == nil || x.Cmp(latest) > 0 {
			latest = x
		}
	}
	return latest
}
