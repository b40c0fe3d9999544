package table

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A row tells of both live windows: what it brings of the one before counts against the share
// as well.
func TestAMergeChargesTheShareForBothWindows(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 100, Window: time.Hour, OnIsolation: limit.IsolationShare})
	r, table := &l.rules[0], l.table(1)
	start := r.Frame.Start(begin)
	now := start + r.Frame.Width + int64(time.Second) // in the next window
	l.watch.Set(now, true, 2, 3)
	for i, part := range []func(row *crdt.Row) *crdt.Part{
		func(row *crdt.Row) *crdt.Part { return &row.Cur },
		func(row *crdt.Row) *crdt.Part { return &row.Prev },
	} {
		k := crdt.Key{Hi: uint64(i + 1)}
		take(t, table, k, r, now, 1)
		row := crdt.Row{Key: k, Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: crdt.Never}}
		*part(&row) = crdt.Part{Origin: now - int64(time.Second), Count: crdt.Count{P: 99}}
		d := l.delta(7)
		d.Start, d.Rows = r.Frame.Start(now), []crdt.Row{row}
		table.Merge(now, d, true, now)
		s := table.Shard(k)
		s.Lock()
		e := s.Find(k)
		if s.Shares.Admit(l.watch.Group(), s.Client(e, now), now, 50, false) {
			t.Errorf("part %d: the share has room for 50 of 100, though a peer of the group took 99", i)
		}
		s.Unlock()
	}
}

// The life before a change lasts until its windows, and those of the change, are folded
// everywhere: rows of clocks that are behind come at the edges of windows.
func TestALifeLastsUntilItsWindowsAreFolded(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 100, Window: time.Minute})
	r := &l.rules[0]
	width := r.Frame.Width
	start := r.Frame.Start(begin)
	changed := start + width/2
	old := &life{rule: r}
	old.state.Roll(&r.Frame, start)
	for _, c := range []struct {
		at   int64
		over bool
	}{{changed, false}, {start + width, false}, {start + 2*width, false}, {start + 3*width - 1, false}, {start + 3*width, true}} {
		if got := old.over(c.at, changed); got != c.over {
			t.Errorf("%v after the window of the change began: over is %t", time.Duration(c.at-start), got)
		}
	}
}
