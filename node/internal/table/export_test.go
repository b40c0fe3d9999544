package table

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A client that more incarnations touched than one message has groups is passed on in several
// messages, and the ones after it too.
func TestExportPassesAClientOfManyReplicas(t *testing.T) {
	const replicas = 300
	l := newLimits(t, hourly)
	table := l.table(1)
	keys := []crdt.Key{{Hi: 1, Lo: 1}, {Hi: 1, Lo: 2}, {Hi: 1 << 60, Lo: 3}}
	for of := crdt.Replica(10); of < 10+replicas; of++ {
		d := l.delta(of)
		for _, k := range keys {
			d.Rows = append(d.Rows, used(k, d.Start, 1))
		}
		table.Merge(begin, d, true, begin)
	}
	rows, done := 0, false
	var b deltasync.Batch
	for q := (&deltasync.Query{}); !done; {
		b.Reset()
		was := q.Cursor
		q.Cursor, done = table.Export(begin, q, &b)
		if rows += b.Len(); !done && q.Cursor == was {
			t.Fatalf("stuck at %+v after %d rows", was, rows)
		}
	}
	if want := replicas * len(keys); rows != want {
		t.Errorf("%d rows were exported, want %d", rows, want)
	}
}

// A node that joins just after a window began takes over all that a giver holds whose clock is
// just before it: also what the giver has still to fold.
func TestExportGivesAnAskerAheadWhatWillBeFolded(t *testing.T) {
	const second = int64(time.Second)
	l := newLimits(t, limit.Policy{Limit: 100, Window: 100 * time.Second})
	r, k := &l.rules[0], crdt.Key{Hi: 1}
	giver, joiner := l.table(2), l.table(1)
	width := r.Frame.Width
	start := r.Frame.Start(begin)
	take(t, giver, k, r, start+width-second, 90) // they drain far into the next window
	next := start + 2*width
	take(t, giver, k, r, next-second, 5)
	ahead := next + second/4
	// The joiner heard of a unit of the new window, so it takes a window before the last for folded.
	other := l.delta(3)
	other.Start, other.Rows = next, []crdt.Row{used(k, next, 1)}
	joiner.Merge(ahead, other, true, ahead)
	var b deltasync.Batch
	if _, done := giver.Export(next-second/4, &deltasync.Query{At: ahead}, &b); !done {
		t.Fatal("it is not all")
	}
	st := giver.Shard(k).Find(k).First()
	row, d := st.Own(), l.delta(2)
	row.Key = k
	d.Start, d.Rows = st.Start(), []crdt.Row{row}
	joiner.Merge(ahead, d, true, ahead)
	want, got := giver.Shard(k).Find(k).First().TAT(&r.Frame)+r.Frame.Drain(1), joiner.Shard(k).Find(k).First().TAT(&r.Frame)
	if got != want {
		t.Errorf("the joiner has the client full %v too early", time.Duration(want-got))
	}
}

// A look at a large table for what nobody has ends after a while, and goes on where it was.
func TestExportPassesABoundedNumberOfClients(t *testing.T) {
	l := newLimits(t, hourly)
	table := l.sized(1, 4*exportSlots)
	d := l.delta(2)
	for i := range uint64(2*exportSlots + 1000) {
		d.Rows = append(d.Rows, used(crdt.Key{Hi: (i + 1) * 0x9e3779b97f4a7c15, Lo: i + 1}, d.Start, 1))
	}
	table.Merge(begin, d, true, begin)
	calls, done := 0, false
	var b deltasync.Batch
	for q := (&deltasync.Query{Of: 77}); !done; calls++ {
		was := q.Cursor
		if q.Cursor, done = table.Export(begin, q, &b); !done && q.Cursor == was {
			t.Fatalf("stuck at %+v", was)
		}
	}
	if b.Len() > 0 || calls < 3 || calls > 5 {
		t.Errorf("%d rows in %d calls", b.Len(), calls)
	}
}
