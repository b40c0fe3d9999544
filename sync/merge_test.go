package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// pending is rows of which some count under a revision that is not known yet.
type pending struct {
	Rows
	unknown bool
}

func (r *pending) Merge(now int64, d *crdt.Delta, same bool, heard int64) bool {
	return r.Rows.Merge(now, d, same, heard) && !r.unknown
}

// A delta that cannot be read yet is missing, also if others before it are.
func TestADeltaOfAnUnknownRevisionIsMissing(t *testing.T) {
	for name, seqs := range map[string][]uint64{
		"the next":             {2},
		"after a gap":          {3, 2},
		"overtaken in a gap":   {4, 2, 3},
		"the gap's last":       {5, 2, 3, 4},
		"before one that came": {3, 4, 2},
	} {
		p := newHearing(t)
		b := p.engine.members.find(2)
		rows := &pending{Rows: p.engine.store.Rows}
		p.engine.store.Rows = rows
		p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1, Sent: p.now})
		fresh := b.freshAt
		for i, seq := range seqs {
			p.now++
			rows.unknown = i == 0
			p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: seq, Sent: p.now, Deltas: rowsFor(0, int(seq), 1)}) //nolint:gosec // small
		}
		if !b.gap || b.freshAt > fresh {
			t.Errorf("%s: gap %v, fresh for %d ns more", name, b.gap, b.freshAt-fresh)
		}
	}
}
