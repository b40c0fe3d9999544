package httpapi

import "sync"

// mostBuffer is the largest buffer that is kept for the next request. Raising it keeps memory that
// few requests need; lowering it makes large requests allocate.
const mostBuffer = 32 << 10

// pool keeps buffers for bodies and answers. To allocate them and collect them again would cost a take
// more than its decision. The zero value is ready, and safe for concurrent use.
type pool struct{ of sync.Pool }

var buffers pool

// get returns an empty buffer. It starts with 512 bytes, which hold nearly every body and answer: more
// would be kept for nothing, fewer would be copied while they grow.
func (p *pool) get() *[]byte {
	if b, ok := p.of.Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, 512)
	return &b
}

// put takes a buffer back, of which nobody may use any part from then on.
func (p *pool) put(b *[]byte) {
	if cap(*b) <= mostBuffer {
		p.of.Put(b)
	}
}
