package crdt

import "cmp"

// Stamp orders the revisions of a limit, and the resets of a client. The zero Stamp is the
// lowest.
type Stamp struct {
	At int64   // unix nanoseconds from which on it holds
	By Replica // who made it; breaks ties
}

// Compare is negative, zero or positive if s comes before, with or after o.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.At, o.At), cmp.Compare(s.By, o.By))
}

// Life names one life of a client's state. A change of the limit begins another life, and so
// does a reset of the client. Nodes may hear of both in any order, so neither stamp alone would
// do: a replica's totals of one life never run backwards.
type Life struct {
	Revision Stamp // of the limit's policy, under which costs are counted
	Reset    Stamp // of the client's last reset; zero if never
}
