package table

import (
	"math/bits"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// partSet is a set of partitions. The zero value is empty. Safe for concurrent use.
type partSet [crdt.Partitions / 64]atomic.Uint64

func (p *partSet) add(part int)    { p[part/64].Or(1 << (part % 64)) }
func (p *partSet) remove(part int) { p[part/64].And(^uint64(1 << (part % 64))) }

func (p *partSet) has(part int) bool { return p[part/64].Load()&(1<<(part%64)) != 0 }

func (p *partSet) any() bool {
	for i := range p {
		if p[i].Load() != 0 {
			return true
		}
	}
	return false
}

// all yields the members, each 64 of them as they are when it comes to those.
func (p *partSet) all(yield func(int) bool) {
	for i := range p {
		for w := p[i].Load(); w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}
