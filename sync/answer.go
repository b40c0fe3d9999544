package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// mostPages is how many messages answer one request. The requester asks for the next
// ones when it has merged these, which is its flow control. Raising it makes a step of the
// giver longer, and can fill the requester's queue. Lowering it makes a snapshot take more
// round trips.
const mostPages = 32

// pageRation is the messages of rows that one peer may have: a whole snapshot at once, and
// little afterwards. Raising the rate lets one peer take more of our time and of the network.
// Lowering what it gets at once lets nodes start without all that is known of a large table.
var pageRation = ration{perSecond: 200, most: 4000}

// allPageRation is the same of all peers together. Raising it lets many nodes that start take
// more of our time: at full rate about half a core. Lowering it makes them wait for longer.
var allPageRation = ration{perSecond: 2000, most: 4000}

// clientsPerPage is how many clients are passed in the time that a message of rows takes. Who
// asks for rows that hardly any client has pays for the looking. Raising it lets such requests
// cost more. Lowering it makes repairs of a large table wait for their ration.
const clientsPerPage = 8192

// unanswered is a request for rows that waits for its ration.
type unanswered struct {
	from  *peer
	m     *Message
	until int64 // by our clock: then the requester has given it up
}

// onRequest answers a request for rows, or keeps it until there is a ration for it. A peer has
// one question at a time: its latest.
func (e *Engine) onRequest(now int64, p *peer, m *Message) {
	for i := range m.Have {
		if slices.ContainsFunc(m.Have[:i], func(h Partitioned) bool { return h.Window == m.Have[i].Window }) {
			e.drop(now, DropMalformed, m.Node+" lists a window twice")
			return
		}
	}
	e.questions = slices.DeleteFunc(e.questions, func(q unanswered) bool { return q.from == p })
	if q := (unanswered{p, m, now + requestTimeout}); !e.answer(now, q) {
		e.questions = append(e.questions, q)
	}
}

// answers takes up the questions that wait, the oldest first.
func (e *Engine) answers(now int64) {
	if len(e.questions) > 0 {
		e.questions = slices.DeleteFunc(e.questions, func(q unanswered) bool { return now >= q.until || e.answer(now, q) })
	}
}

// answerDue is when the next question can be answered.
func (e *Engine) answerDue() int64 {
	due := int64(crdt.End)
	for _, q := range e.questions {
		due = min(due, q.from.pages.due(mostPages, pageRation))
	}
	return max(due, e.members.pages.due(mostPages, allPageRation))
}

// answer sends up to mostPages messages of rows. It reports false if there is no ration for as
// many yet.
func (e *Engine) answer(now int64, question unanswered) bool {
	p, m := question.from, question.m
	if !e.connected || max(p.pages.due(mostPages, pageRation), e.members.pages.due(mostPages, allPageRation)) > now {
		return false
	}
	// Rows that we hold and have not sent would make the answer differ from our digests.
	if !e.closed {
		e.flush(now, false)
	}
	q := e.queryOf(now, m)
	if m.Kind == KindSnapshot && m.Cursor == (Cursor{}) {
		p.served = true
		// First, since the requester drops rows of limits that it does not know.
		e.registers.answer(now, p, m.Request, e.store.Registers())
	}
	answer := &Message{Kind: KindRows, Request: m.Request, Seq: e.seq, Joining: !e.join.ready}
	for spent := int64(0); !answer.Last; answer.Page++ {
		e.batch.Reset()
		from := q.Cursor
		q.Cursor, answer.Done = e.store.Export(now, q, &e.batch)
		cost := 1 + q.passed(from, e.store.Clients())/clientsPerPage
		spent += cost
		p.pages.charge(now, cost, pageRation)
		e.members.pages.charge(now, cost, allPageRation)
		answer.Next, answer.Last = q.Cursor, answer.Done || spent >= mostPages
		e.tell(now, p, answer, &e.batch)
	}
	return true
}

// passed is about how many clients an export looked at since it was at from, of all that there are.
func (q *Query) passed(from Cursor, clients int) int64 {
	parts := int64(0)
	for part := from.Partition; part < min(q.Cursor.Partition, crdt.Partitions); part++ {
		if q.Differ == nil || q.Differ[part] {
			parts++
		}
	}
	return parts * int64(clients) / crdt.Partitions
}

// queryOf is what a request wants of the store.
func (e *Engine) queryOf(now int64, m *Message) *Query {
	q := &Query{Of: m.Of, Since: m.Since, Cursor: m.Cursor, At: m.Sent}
	if m.Of != e.cfg.Replica {
		q.Since = 0 // numbers are each replica's own
	}
	switch {
	case m.Kind == KindSnapshot || q.Since > 0 || len(m.Have) == 0:
		// All rows, or all that left us since: some may carry an origin alone, which no
		// digest of counters shows.
	case m.Of == 0:
		q.Differ = e.origins.differing(now, m)
	default:
		q.Differ = e.differing(m)
	}
	return q
}

// differing marks the partitions in which our digests of replica m.Of are not the
// requester's. A window that we do not have counts as empty.
func (d digests) differing(m *Message) *[crdt.Partitions]bool {
	var out [crdt.Partitions]bool
	var ours [crdt.Partitions]crdt.Digest
	for i := range m.Have {
		have := &m.Have[i]
		d.summaries.Digests(m.Of, have.Window, &ours)
		for p := range out {
			out[p] = out[p] || ours[p] != have.Digests[p]
		}
	}
	return &out
}

// differing marks the partitions whose origins are not the requester's.
func (o *origins) differing(now int64, m *Message) *[crdt.Partitions]bool {
	var out [crdt.Partitions]bool
	for i := range m.Have {
		have := &m.Have[i]
		for p := range out {
			out[p] = out[p] || o.of(now, have.Window, p) != have.Digests[p]
		}
	}
	return &out
}
