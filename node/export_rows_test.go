package node

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A client that more incarnations touched than one message has groups is passed on
// in several messages, and the ones after it too.
func TestExportPassesAClientOfManyReplicas(t *testing.T) {
	const replicas = 300
	now := time.Unix(1_700_000_040, 0)
	n, err := build(Config{Name: "a", Limit: 100, Window: time.Minute, Now: func() time.Time { return now }}, 1)
	if err != nil {
		t.Fatal(err)
	}
	st, r := store{n}, &n.limits.get("default").newest().rules[0]
	keys := []crdt.Key{{Hi: 1, Lo: 1}, {Hi: 1, Lo: 2}, {Hi: 1 << 60, Lo: 3}}
	start := r.Frame.Start(n.now())
	for of := crdt.Replica(10); of < 10+replicas; of++ {
		d := &crdt.Delta{Limit: "default", Revision: r.rev.stamp, Replica: of, Width: r.Frame.Width, Start: start}
		for _, k := range keys {
			d.Rows = append(d.Rows, crdt.Row{
				Key: k, Cur: crdt.Part{Origin: start, Count: crdt.Count{P: 1}}, Prev: crdt.Part{Origin: crdt.Never},
			})
		}
		st.Merge(n.now(), d)
	}
	rows, done := 0, false
	var b deltasync.Batch
	for q := (&deltasync.Query{}); !done; {
		b.Reset()
		was := q.Cursor
		q.Cursor, done = st.Export(n.now(), q, &b)
		if rows += b.Len(); !done && q.Cursor == was {
			t.Fatalf("stuck at %+v after %d rows", was, rows)
		}
	}
	if want := replicas * len(keys); rows != want {
		t.Errorf("%d rows were exported, want %d", rows, want)
	}
}
