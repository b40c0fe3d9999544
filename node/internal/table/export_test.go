package table

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
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
		table.Merge(begin, d)
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
