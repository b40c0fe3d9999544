package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// mostPages is how many messages answer one request. The requester asks for the next
// ones when it has merged these, which is its flow control. Raising it can fill the
// requester's queue. Lowering it makes a snapshot take more round trips.
const mostPages = 8

const (
	// pagesPerSecond is how many messages of rows a peer gets in a second, on average. Raising
	// it lets one peer take more of our time and of the network. Lowering it below what
	// joinLimit has to bring for a large table lets nodes start without all that is known.
	pagesPerSecond = 200
	// mostPagesAtOnce is how many it gets after a pause. Raising it costs as much at once.
	// Lowering it slows down every snapshot.
	mostPagesAtOnce = 400
)

// onRequest answers with up to mostPages messages of rows.
func (e *Engine) onRequest(now int64, p *peer, m *Message) {
	for i := range m.Have {
		if slices.ContainsFunc(m.Have[:i], func(h Partitioned) bool { return h.Window == m.Have[i].Window }) {
			e.drop(now, DropMalformed, m.Node+" lists a window twice")
			return
		}
	}
	// A full bucket is enough for the whole answer; what it did not take is given back.
	if !e.connected || !p.pages.take(now, mostPages, pagesPerSecond, mostPagesAtOnce) {
		return // the requester asks again, us or another peer
	}
	// Rows that we hold and have not sent would make the answer differ from our digests.
	if !e.closed {
		e.flush(now, false)
	}
	q := &Query{Of: m.Of, Since: m.Since, Cursor: m.Cursor, At: m.Sent}
	if m.Of != e.cfg.Replica {
		q.Since = 0 // numbers are each replica's own
	}
	switch {
	case m.Kind == KindSnapshot || q.Since > 0 || len(m.Have) == 0:
		// All rows, or all that left us since: some may carry an origin alone, which no
		// digest of counters shows.
	case m.Of == 0:
		q.Differ = e.differingOrigins(now, m)
	default:
		q.Differ = e.differing(m)
	}
	if m.Kind == KindSnapshot && m.Cursor == (Cursor{}) {
		p.served = true
		// First, since the requester drops rows of limits that it does not know.
		e.registers.answer(now, p, m.Request, e.store.Registers())
	}
	answer := &Message{Kind: KindRows, Request: m.Request, Seq: e.seq, Joining: !e.join.ready}
	for page := range mostPages {
		e.batch.Reset()
		q.Cursor, answer.Done = e.store.Export(now, q, &e.batch)
		answer.Page = uint64(page) //nolint:gosec // below mostPages
		answer.Next, answer.Last = q.Cursor, answer.Done || page == mostPages-1
		e.tell(now, p, answer, &e.batch)
		if answer.Last {
			p.pages.full -= int64(mostPages-1-page) * int64(1e9) / pagesPerSecond
			break
		}
	}
}

// differing marks the partitions in which our digests of replica m.Of are not the
// requester's. A window that we do not have counts as empty.
func (e *Engine) differing(m *Message) *[crdt.Partitions]bool {
	var out [crdt.Partitions]bool
	var ours [crdt.Partitions]crdt.Digest
	for i := range m.Have {
		have := &m.Have[i]
		e.store.Digests(m.Of, have.Window, &ours)
		for p := range out {
			out[p] = out[p] || ours[p] != have.Digests[p]
		}
	}
	return &out
}

// differingOrigins marks the partitions whose origins are not the requester's.
func (e *Engine) differingOrigins(now int64, m *Message) *[crdt.Partitions]bool {
	var out [crdt.Partitions]bool
	for i := range m.Have {
		have := &m.Have[i]
		for p := range out {
			out[p] = out[p] || e.originsOf(now, have.Window, p) != have.Digests[p]
		}
	}
	return &out
}
