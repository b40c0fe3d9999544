package limits

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// RuleOf is the rule by which a delta's rows were counted, and its limit's account. r is nil
// if there is no such rule here; the rows are counted as dropped then. known is false if the
// delta is of a newer revision than was heard of here, so that it is worth asking for again.
// It implements the table's view of limits.
//
// same is true if all nodes have the revision's policy from one statement. Otherwise each
// took its own configuration for it. alike says that the two agree now, so only of the newest
// revision: before a change of one file they may have differed.
func (g *Registry) RuleOf(now int64, d *crdt.Delta, alike bool) (r *limit.Rule, a *tally.Account, same, known bool) {
	l := g.OnWire(now, d.Replica, d.Limit)
	if l == nil {
		g.cfg.Dropped.Add(tally.DropLimit, len(d.Rows))
		// No message will bring a limit that is configured elsewhere. One may bring a limit
		// that was set.
		return nil, nil, false, d.Revision == crdt.Stamp{}
	}
	rev := l.Find(d.Revision)
	if rev == nil {
		g.cfg.Dropped.Add(tally.DropRevision, len(d.Rows))
		return nil, nil, false, d.Revision.Compare(l.Newest().Stamp) < 0
	}
	if r = rev.Numbered(d.Rule); r == nil {
		g.cfg.Dropped.Add(tally.DropRevision, len(d.Rows))
	}
	return r, l.Account, rev.Stated || alike && rev == l.Newest(), true
}

// Windows lists the current and the previous window of each layout that some revision has,
// each once. It implements the table's view of limits.
func (g *Registry) Windows(now int64) []deltasync.Window {
	var out []deltasync.Window
	seen := map[deltasync.Window]bool{}
	add := func(frames []crdt.Frame) {
		for i := range frames {
			f := &frames[i]
			current := deltasync.Window{Width: f.Width, Start: f.Start(now)}
			if !seen[current] {
				seen[current] = true
				out = append(out, current, deltasync.Window{Width: f.Width, Start: f.Before(current.Start)})
			}
		}
	}
	for _, l := range g.All() {
		for _, r := range l.Revisions() {
			add(r.Frames)
		}
	}
	add(*g.inline.frames.Load())
	return out
}
