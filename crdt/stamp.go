package crdt

import "cmp"

// Stamp orders the lives of a client's state. A state whose limit was changed, or
// that was reset, begins anew under a higher stamp and replaces one with a lower
// stamp as a whole. The zero Stamp is the lowest.
type Stamp struct {
	At int64   // unix nanoseconds at which the new life begins
	By Replica // who began it; breaks ties
}

// Compare is negative, zero or positive as s comes before, with or after o.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.At, o.At), cmp.Compare(s.By, o.By))
}
