package limit

import (
	"fmt"
	"hash/fnv"
)

// Counting tells rules apart that count clients in different ways: what one of them counted says
// nothing under the other. It is the same in all runs and on all nodes.
func (r *Rule) Counting() uint64 {
	p, h := &r.Policy, fnv.New64a()
	_, _ = fmt.Fprintln(h, p.Algorithm, p.Limit, int64(p.Window), p.Calendar, p.TimeZone, p.Resolution, p.Burst) // it cannot fail
	return h.Sum64()
}
