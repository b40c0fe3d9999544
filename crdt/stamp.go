package crdt

import "cmp"

// Stamp orders the lives of a client's state. When somebody changes the limit or resets the
// client, a new life begins under a higher stamp. A state replaces one with a lower stamp
// as a whole. The zero Stamp is the lowest.
type Stamp struct {
	At int64   // unix nanoseconds at which the new life begins
	By Replica // who began it; breaks ties
}

// Compare is negative, zero or positive if s comes before, with or after o.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.At, o.At), cmp.Compare(s.By, o.By))
}
