package sync

import "math"

// mostFlush caps the messages of one flush. Raising it makes a step, and so the answer
// to any other message, take longer. Lowering it makes a burst of new clients wait for
// more flush intervals.
const mostFlush = 64

// flush broadcasts the rows of this replica that changed. With urgent, it sends only rows
// of partitions that reached their quantum.
func (e *Engine) flush(now int64, urgent bool) {
	for range mostFlush {
		e.batch.Reset()
		more := e.store.Collect(now, e.seq+1, urgent, &e.batch)
		if !e.batch.Empty() {
			e.seq++
			e.broadcast(now, &Message{Kind: KindDelta, Seq: e.seq}, &e.batch)
		}
		if !more {
			return
		}
	}
}

// onDelta merges a delta and notes what its number says of those before it. The merge
// comes first: an overtaken delta holds rows that no later one may carry.
func (e *Engine) onDelta(now int64, p *peer, m *Message) {
	known := e.merge(now, m)
	to := m.Seq // what is missing before it, and it if it cannot be read yet
	if known {
		to--
	}
	switch {
	case !p.known:
		p.first(m.Seq)
	case m.Seq > p.seq:
		if to > p.seq {
			e.missing(now, p, p.seq, to)
		}
		p.seq = m.Seq
	}
	if known {
		p.arrived(m.Seq)
	}
	if m.Seq < p.seq {
		return // repeated or overtaken: what it knew is not news
	}
	e.members.refresh(now, p, m.Sent)
}

// merge hands the deltas of a message to the store. It takes rows of other replicas from
// answers to requests only, never from broadcasts: there a replica speaks for itself (N1).
// known is false if rows were counted under a limit's revision not known here yet.
func (e *Engine) merge(now int64, m *Message) (known bool) {
	known = true
	limits, base := e.store.RegistersDigest(), e.store.BaseDigest()
	for i := range m.Deltas {
		d := &m.Deltas[i]
		switch {
		case d.Replica == 0:
			d.Replica = m.Replica
		case m.Kind != KindRows:
			e.drop(now, DropSender, m.Node+" sent rows of another replica")
			continue
		}
		p := e.members.find(d.Replica)
		alike, heard := p != nil && p.beaten && p.limits == limits && p.base == base, int64(math.MinInt64)
		if p != nil {
			heard = p.unknown() - int64(e.cfg.Interval)
		}
		known = e.store.Merge(now, d, alike, heard) && known
	}
	return known
}
