package sync

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Span is a stretch of time in which an incarnation may have admitted what is not known to
// be merged here. Both ends are ages by our clock, in nanoseconds.
type Span struct {
	Began int64
	Ended int64 // 0 while it goes on; at most Began
	Kind  SpanKind
	// Apart says that this node was isolated all the while, but for the time until it noticed.
	// Nodes do not tell each other that.
	Apart bool
	// Number is 0 while it goes on. A span that ends gets the next number of this node.
	Number uint64
}

// SpanKind is what is missing of a span.
type SpanKind uint8

// The kinds.
const (
	// SpanLost may hide all that was admitted in it.
	SpanLost SpanKind = iota
	// SpanHealed ended when everything was merged: what is missing is only what was too old
	// to be merged by then.
	SpanHealed
	// SpanDrained is the time in which the incarnation joined, and kept apart what it
	// admitted: what is missing is only what had drained by its end.
	SpanDrained
	SpanKinds // their number
)

// spans are the stretches that are over, of all incarnations, by when they ended. They
// are facts: nothing that happens later changes one. The zero value holds none.
type spans struct {
	closed []closedSpan
	// dropped: some were dropped for want of room; droppedAt is when the latest of them
	// ended, by our clock.
	dropped   bool
	droppedAt int64
	count     uint64 // of all that ended
	// isolated is since when this node was isolated, the last time, and ended when that ended, by
	// our clock; 0 if it never was, and while it is.
	isolated, ended int64
}

type closedSpan struct {
	of          crdt.Replica
	began, over int64 // by our clock
	kind        SpanKind
	number      uint64
	apart       bool
}

// maxSpans is how many spans that are over are kept. Raising it takes memory, and time for
// each scrape. Lowering it makes a node that sees many crashes say sooner that it does not
// know its bound.
const maxSpans = 256

// close adds a span that ended at now.
func (s *spans) close(of crdt.Replica, began, now int64, kind SpanKind) {
	if began >= now {
		return
	}
	if len(s.closed) == maxSpans {
		s.lose(s.closed[0].over)
		s.closed = slices.Delete(s.closed, 0, 1)
	}
	s.count++
	i, _ := slices.BinarySearchFunc(s.closed, now, func(c closedSpan, over int64) int { return cmp.Compare(c.over, over+1) })
	s.closed = slices.Insert(s.closed, i, closedSpan{of, began, now, kind, s.count, s.apart(began, now)})
}

// notice is how long two nodes that lost each other may go on before both know it.
const notice = int64(5e9)

// isolate notes that this node is isolated from now on, or no more.
func (s *spans) isolate(now int64, isolated bool) {
	if isolated {
		s.isolated, s.ended = now, 0
	} else if s.isolated != 0 {
		s.ended = now
	}
}

// apart reports whether this node was isolated in the whole of a span that ends now, but for
// the time until it noticed that, and that it was over.
func (s *spans) apart(began, over int64) bool {
	return s.isolated != 0 && s.isolated <= began+notice && (s.ended == 0 || s.ended >= over-notice)
}

// lose notes that a span that ended at over is not kept.
func (s *spans) lose(over int64) { s.dropped, s.droppedAt = true, max(s.droppedAt, over) }

// all lists the spans of each incarnation that has some.
func (s *spans) all(now int64) map[crdt.Replica][]Span {
	out := map[crdt.Replica][]Span{}
	for _, c := range s.closed {
		out[c.of] = append(out[c.of], Span{Began: now - c.began, Ended: now - c.over, Kind: c.kind, Apart: c.apart, Number: c.number})
	}
	return out
}
