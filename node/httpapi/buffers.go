package httpapi

import "sync"

// mostBuffer is the largest buffer that is kept for the next request. Raising it keeps memory that
// few requests need; lowering it makes large requests allocate.
const mostBuffer = 32 << 10

// pool keeps buffers for bodies and answers.
type pool struct{ of sync.Pool }

var buffers pool

// get returns a buffer that is empty.
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
