package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Saved says of what time counts are that this node saved to a file in an earlier run, and what
// they lack. The owner brings the counts themselves back, and steps InputRestored then. Founding
// with them is like joining with a snapshot, whose giver was this node when it saved.
type Saved struct {
	Replica crdt.Replica // that saved them
	At      int64        // when that began, by the node's clock
	// Whole says that the node took nothing any more after At.
	Whole bool
	// Founded, Before and Missing are as in a beat, at At.
	Founded, Before int64
	Missing         []Missing
}

// longer is by how much longer than this node a peer has to run until it is sure to know of more
// than a file. Raising it overlooks nodes that ran on while others stopped. Lowering it takes a
// node of the same restart for such a one, since nodes beat more often while others come.
const longer = int64(60e9)

// restored takes that the counts of the file are here, whole or not. It changes nothing for a node
// that a peer told all: that knows of more.
func (j *joining) restored(e *Engine, now int64, whole bool) {
	if !j.restoring {
		return
	}
	ms := &e.members
	if j.restoring, j.whole = false, whole; whole && (j.founder || e.cfg.Alone && !ms.heard) {
		ms.recall(now)
		ms.founding.recall(e.cfg.Saved)
	}
	if e.cfg.Alone {
		ms.succeed(now)
	}
}

// recall takes over what the file lacks: who ran when it was saved may have run on until this node
// began, for all that it knows.
func (ms *members) recall(now int64) {
	if ms.recalled {
		return
	}
	ms.recalled = true
	s := ms.cfg.Saved
	for _, m := range s.Missing {
		began, over := s.At-m.Began, s.At-m.Ended
		if m.Ended == 0 {
			over = ms.started
		}
		ms.spans.close(m.Of, began, over, m.Kind)
	}
	if s.Whole {
		return
	}
	until := ms.started
	if last := ms.cfg.Last; last.Replica == s.Replica {
		until = last.Until
	}
	ms.spans.close(s.Replica, s.At, min(now, until), SpanLost)
}

// saves reports whether the file has all of the last run.
func (ms *members) saves(last Run) bool {
	return ms.recalled && ms.cfg.Saved.Whole && ms.cfg.Saved.Replica == last.Replica
}

// outran takes what a peer that has joined may have admitted before this node began. One that ran on
// while others stopped may know of more than the file. One that began a little earlier was alone until
// then, and what it knew before is as much as its own file.
func (j *joining) outran(e *Engine, now int64, p *peer) {
	if !j.founder || !e.members.recalled || p.served {
		return
	}
	ran := int64(p.beat) * int64(e.cfg.BeatInterval) //nolint:gosec // beats are counted
	switch {
	case ran > now-j.startedAt+longer:
		e.members.founding.forget(j.startedAt)
	case !p.sure:
		p.from = min(p.from, now-ran)
	}
}
