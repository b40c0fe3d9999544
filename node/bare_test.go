package node_test

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// bare is the least that a limiter over a Go map can do: 256 shards, a read lock, a
// map from the client's id to its TAT, time.Now, one compare-and-swap. It knows no
// other node, forgets nobody, counts nothing and hashes without a key. What a node
// costs is told as a multiple of it.
type bare struct {
	shards [256]struct {
		mu   sync.RWMutex
		tats map[string]*atomic.Int64
		_    [64]byte
	}
	seed            maphash.Seed
	emission, depth int64
}

func newBare(limit int64, window time.Duration, burst int64) *bare {
	b := &bare{seed: maphash.MakeSeed(), emission: int64(window) / limit}
	b.depth = burst * b.emission
	for i := range b.shards {
		b.shards[i].tats = map[string]*atomic.Int64{}
	}
	return b
}

func (b *bare) Allow(client string) bool {
	now := time.Now().UnixNano()
	s := &b.shards[maphash.String(b.seed, client)&255]
	s.mu.RLock()
	tat := s.tats[client]
	s.mu.RUnlock()
	if tat == nil {
		s.mu.Lock()
		if tat = s.tats[client]; tat == nil {
			tat = new(atomic.Int64)
			s.tats[client] = tat
		}
		s.mu.Unlock()
	}
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
