package table

import (
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Merge implements deltasync.Rows.
func (t *Table) Merge(now int64, d *crdt.Delta, alike bool, heard int64) (known bool) {
	r, account, same, known := t.cfg.Limits.RuleOf(now, d, alike)
	if r == nil {
		return known
	}
	if r.Silent || r.Frame.Width != d.Width || int(d.Slot) >= r.Slots {
		t.cfg.Dropped.Add(tally.DropRevision, len(d.Rows))
		return true
	}
	tolerance := t.Tolerance(r)
	if d.Start > r.Frame.Start(now+tolerance) || r.Frame.Start(d.Start) != d.Start || d.Reset.At > now+tolerance {
		t.cfg.Dropped.Add(tally.DropFuture, len(d.Rows))
		return true
	}
	for i := range d.Rows {
		row := &d.Rows[i]
		if i%touched == 0 {
			t.touch(d.Rows[i:min(i+touched, len(d.Rows))])
		}
		if d.Replica == t.cfg.Self {
			// Our totals are ours, and nobody knows them better. The origins are everybody's.
			row.Cur.Count, row.Prev.Count = crdt.Count{}, crdt.Count{}
		}
		switch {
		case !t.plausible(now, r, d.Start, row):
			t.cfg.Dropped.Add(tally.DropFuture, 1)
		case same && !t.honest(now, r, d.Start, row):
			t.cfg.Dropped.Add(tally.DropExcess, 1)
			t.liar.Store(uint64(d.Replica))
		default:
			t.mergeRow(now, account, r, d, row, heard)
		}
	}
	return true
}

// touched is of how many rows the clients are looked for before the first one is merged. Raising it
// takes more room in the cache than merging leaves. Lowering it to 1 waits for each client alone.
const touched = 16

// touch looks for the clients of some rows and does nothing with them: so what the cache misses of
// one comes while the others are looked for. It needs no lock.
func (t *Table) touch(rows []crdt.Row) {
	for i := range rows {
		t.Shard(rows[i].Key).clients.cells.find(rows[i].Key)
	}
}

// Tolerance is how far ahead of our clock a peer's windows and origins may lie, in
// nanoseconds. Further ones are refused, so that one wrong clock cannot lock every client
// out.
func (t *Table) Tolerance(r *limit.Rule) int64 { return min(t.cfg.Tolerance, r.Frame.Width/4) }

// plausible reports whether the row's origins can come from an honest clock. The current
// window's is an instant at which something was admitted. The previous one's may also be a
// TAT: as far ahead as the debts of all incarnations can push it that a state holds
// counters of. Those of peers alone would not do: honest debts outlive who made them. A wrong
// clock shows in the start of its windows. A window algorithm's tell
// units that were used before a change, in half a window.
func (t *Table) plausible(now int64, r *limit.Rule, start int64, row *crdt.Row) bool {
	if r.Policy.Algorithm != limit.GCRA {
		return row.Cur.Origin <= start+r.GCRA.Depth() && row.Prev.Origin <= start+r.GCRA.Depth()
	}
	latest := now + t.Tolerance(r)
	// Divided, since deep buckets of many nodes do not fit into a product.
	return row.Cur.Origin <= latest && (row.Prev.Origin <= latest || (row.Prev.Origin-latest)/(crdt.MaxCells+1) <= r.DeepestDebt()+2*r.Frame.Width)
}

// honest reports whether one node that counts by r can have admitted what the row says. P
// alone says nothing: it grows with whatever is reserved and given back.
func (t *Table) honest(now int64, r *limit.Rule, start int64, row *crdt.Row) bool {
	tolerance := t.cfg.Tolerance
	return row.Cur.Count.P-row.Cur.Count.N <= r.MostNet(min(now-start, r.Frame.Width)+tolerance) &&
		row.Prev.Count.P-row.Prev.Count.N <= r.MostNet(r.Frame.Width+tolerance)
}

// mergeRow takes one row over. It holds the lock of one shard. A row from after a later reset
// ends what is held, and one from before an earlier reset is over. A row of a later revision
// begins that life here, and a row of an earlier one only adds to what the entry carries over.
// mergeRow reports whether there was room for the row, and a rule.
func (t *Table) mergeRow(now int64, account *tally.Account, r *limit.Rule, d *crdt.Delta, row *crdt.Row, heard int64) bool {
	s := t.Shard(row.Key)
	s.Lock()
	defer s.Unlock()
	if !t.cfg.Isolation.Group().Isolated() {
		if merged, back := s.mergeCell(now, r, d, row); merged {
			heardLate(s, now, account, r, row.Key, back, heard)
			return true
		}
	}
	e := s.Find(row.Key)
	if e == nil {
		if e = s.admit(row.Key, r, now); e == nil {
			// Never evict for a peer's sake; here this client counts as isolated.
			t.cfg.Dropped.Add(tally.DropFull, 1)
			return false
		}
		e.setMore(d.Reset, nil, e.States().Rest)
	}
	e.catchUp(now) // rolled under a rule that is over, its state would be past windows that still lend
	later := d.Reset.Compare(e.Reset())
	if later > 0 {
		s.restart(e, d.Reset, now)
	}
	c := e.rule.Revision.Compare(r.Revision)
	if later < 0 || c > 0 {
		if later >= 0 {
			s.mergeEarlier(now, e, r, d, row)
		}
		if !e.rule.Silent {
			s.out.mark(e) // so that the laggard learns of the later life
		}
		return true
	}
	if c < 0 || e.rule.Index != r.Index {
		e.adopt(r, now)
		if e.rule.Index != r.Index {
			t.cfg.Dropped.Add(tally.DropRevision, 1) // the nodes are configured with other overrides
			return false
		}
	}
	if e.rule.Slots > 1 {
		// The row moves its own slot along only; what the others hold of windows that are
		// over would be taken for this one's.
		e.rule.Roll(e.States(), now)
	}
	if d.Start < e.state.Start() && e.States().Untouched() {
		// Nothing is known here of any window, so none is folded. The row's has to be there
		// for the rows of all other replicas, too.
		e.begin(r, d.Start)
	}
	before := e.rule.Excess(e.States(), now)
	group := t.cfg.Isolation.Group()
	if !group.Isolated() || e.rule.Policy.OnIsolation != limit.IsolationShare {
		group = nil
	}
	if group != nil {
		s.Shares.Begin(group, s.Client(e, now))
	}
	g := e.States().At(int(d.Slot)).Merge(&r.Frame, d.Replica, d.Start, *row)
	if !r.Silent {
		s.digests.grow(e.key.Slot(int(d.Slot)), d.Life(), d.Replica, &r.Frame, d.Start, g)
	}
	account.Overshoot.Observe(before, e.rule.Excess(e.States(), now))
	s.refunds.heard(e, g.Cur.N+g.Prev.N, now)
	if own := e.state.Own(); own.Cur.Count.P+own.Prev.Count.P > 0 {
		heardLate(s, now, account, e.rule, e.key, g.Cur.N+g.Prev.N, heard)
	}
	s.noteAgain(e, now)
	if group != nil {
		s.Shares.Charge(group, s.Client(e, now), now, g.Cur.P+g.Prev.P)
	}
	return true
}

// heardLate notes that units came back of which this node did not know from heard on. If it found
// the bucket empty meanwhile, the origin that it raised counts them as gone, and is too low now by as
// much. By then they had drained by what this node knew, no more than drains in that time, or it had
// given as many back itself. A node that took nothing itself raised nothing: do not call it then.
func heardLate(s *Shard, now int64, account *tally.Account, r *limit.Rule, k crdt.Key, back uint64, heard int64) {
	if back == 0 || r.Policy.Algorithm != limit.GCRA || r.Bounded {
		return
	}
	units := float64(back)
	if heard != math.MinInt64 {
		units = min(units, float64(now-heard)*float64(r.Policy.Limit)/float64(r.Policy.Window)+float64(s.refunds.since(k, heard))+1)
	}
	account.Late.Note(now, units)
}

// Client is the entry at now as its shard's Shares know it.
func (s *Shard) Client(e *Entry, now int64) isolation.Client {
	return isolation.Client{Key: e.key, GCRA: e.rule.GCRA, Since: e.rule.Revision.At, Used: s.Level(e, now)}
}

// mergeEarlier merges what was counted under an earlier revision, after the same reset, and
// carries over what that adds.
func (s *Shard) mergeEarlier(now int64, e *Entry, r *limit.Rule, d *crdt.Delta, row *crdt.Row) {
	l := e.earlier(r, d.Start, now)
	if l == nil {
		return
	}
	e.beforeRoll(l.rule, d.Start)
	g := l.states().At(int(d.Slot)).Merge(&r.Frame, d.Replica, d.Start, *row)
	if !r.Silent {
		s.digests.grow(e.key.Slot(int(d.Slot)), d.Life(), d.Replica, &r.Frame, d.Start, g)
	}
	e.carry()
}
