package table

import (
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// mergeCell merges a row of another replica into the cell of its client and that replica's record,
// and reports whether it did. It does what Table.mergeRow does to most rows of a busy cluster, and
// neither unpacks nor packs: the client is in the row's window, has nothing to send and stays
// within its burst, the replica has counted it before, and only its counters of the current window
// grow. It gave nothing back that a settlement here has to know of. In all other cases mergeCell
// changes nothing. back is how many units came back that matter to heardLate.
func (s *Shard) mergeCell(now int64, r *limit.Rule, d *crdt.Delta, row *crdt.Row) (merged bool, back uint64) {
	const narrow = isUsed | hasRecords
	c := &s.clients
	if !r.Plain || r.Silent || d.Slot != 0 || d.Reset != (crdt.Stamp{}) || len(c.open) > 0 {
		return false, 0
	}
	_, at := c.cells.find(row.Key)
	if at == nil {
		return false, 0
	}
	word, what := at.word.Load(), at.what.Load()
	if what&(narrow|isWide|isDirty) != narrow || c.rules.at(what&ruleMask) != r || int64(at.window.Load())*r.Frame.Width != d.Start {
		return false, 0
	}
	of, previous, own := c.records.of(at.rest, d.Replica)
	if of == nil {
		return false, 0
	}
	cur, prev, carry := &row.Cur, &row.Prev, at.carry.Load()
	p, n := max(uint64(of.count[0]), cur.Count.P), max(uint64(of.count[1]), cur.Count.N)
	switch {
	case p > maxRecorded || n > maxRecorded, prev.Count.P > uint64(of.count[2]) || prev.Count.N > uint64(of.count[3]):
		return false, 0
	case cur.Count.N > uint64(of.count[1]) && s.refunds.open.of[row.Key] >= now: // see refunds.heard
		return false, 0
	case prev.Origin > crdt.Never && (carry <= crdt.Never || prev.Origin > carry-r.Frame.Drain(previous)): // see crdt.State.Restored
		return false, 0
	}
	origin := min(crdt.End, max(at.origin.Load(), cur.Origin))
	if cur.Count != (crdt.Count{}) {
		origin = max(origin, d.Start)
	}
	gain := crdt.Count{P: p - uint64(of.count[0]), N: n - uint64(of.count[1])}
	others := int64(at.others.Load()) + int64(gain.P) - int64(gain.N)                                                                                          //nolint:gosec // at most maxRecorded
	if others > math.MaxInt32 || others < math.MinInt32 || max(origin, carry)+r.Frame.Drain(word&ownMask+uint64(others)) > min(crdt.End, now+r.GCRA.Depth()) { //nolint:gosec // their sum is not negative
		return false, 0
	}
	at.word.Store(word | busy)
	at.origin.Store(origin)
	at.others.Store(int32(others))
	of.count[0], of.count[1] = uint32(p), uint32(n)
	at.word.Store(nextVersion(word))
	s.digests.grow(row.Key, d.Life(), d.Replica, &r.Frame, d.Start, crdt.Gain{Cur: gain})
	if own || word&ownMask > 0 {
		back = gain.N
	}
	return true, back
}

// of is the record of a replica in the list that begins at i, nil if it has none. previous is what
// all counted in the previous window, and own says that the node has a record itself.
func (r *records) of(i uint32, replica crdt.Replica) (of *record, previous uint64, own bool) {
	for i != 0 {
		x := r.at(i)
		if x.who != recordSent {
			previous += uint64(x.count[2]) - uint64(x.count[3])
		}
		if x.who >= firstReplica && r.replica(x) == replica {
			of = x
		}
		own = own || x.who == recordOwn
		i = x.next
	}
	return of, previous, own
}
