package main

import (
	"sync/atomic"
	"time"
)

// bare is the least that a limiter over a Go map can do: 256 shards, a read lock, a map from
// the client's id to its TAT, time.Now, one compare-and-swap. It knows no other node, forgets
// nobody, counts nothing and hashes without a key.
type bare struct {
	tats            *sharded[*atomic.Int64]
	emission, depth int64
}

func newBare(q quota) *bare {
	b := &bare{tats: newSharded(func() *atomic.Int64 { return new(atomic.Int64) }), emission: int64(q.window) / q.limit}
	b.depth = q.limit * b.emission
	return b
}

func (b *bare) Allow(client string) bool {
	now := time.Now().UnixNano()
	tat := b.tats.of(client)
	for {
		old := tat.Load()
		next := max(old, now) + b.emission
		if next-now > b.depth {
			return false
		}
		if tat.CompareAndSwap(old, next) {
			return true
		}
	}
}
