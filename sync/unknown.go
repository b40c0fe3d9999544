package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Unknown is when one other incarnation can have admitted what is not merged here.
type Unknown struct {
	Replica crdt.Replica
	Spans   []Span // in no order; they may overlap
	// Own says that it is this node itself, or an earlier run of it: it admitted nothing
	// while another run of this node did.
	Own bool
}

// refresh notes that all that the peer had sent by at, its clock, is merged here. If much of
// it was missing for long, part of it was too old by now, and stays unknown.
func (ms *members) refresh(now int64, p *peer, at int64) {
	if missed, healed := p.refresh(now, at); healed {
		ms.spans.close(p.replica, missed, now, SpanHealed)
	}
}

// replace takes that a new incarnation of a node was heard: the earlier ones that nobody
// heard of since have ended without a bye.
func (ms *members) replace(now int64, by *peer) {
	for _, p := range ms.peers {
		if p != by && p.node == by.node && p.state != PeerAlive {
			ms.end(now, p)
		}
	}
}

// strikeOff takes an operator's word that a node will not come back.
func (ms *members) strikeOff(now int64, node string) {
	for _, p := range ms.peers {
		if p.node == node && p.state != PeerAlive {
			ms.end(now, p)
		}
	}
}

// end takes that a peer ended without a bye: what it had not told by then nobody knows.
func (ms *members) end(now int64, p *peer) {
	if p.left || p.replacedAt != 0 {
		return
	}
	p.replacedAt = now
	ms.spans.close(p.replica, p.unknown(), now, SpanLost)
}

// drop keeps of a peer that is forgotten what still matters.
func (ms *members) drop(p *peer) {
	switch {
	case p.left && !p.whole():
		ms.spans.close(p.replica, p.unknown(), p.goneAt, SpanLost)
	case !p.left && p.replacedAt == 0:
		ms.spans.lose(p.heardAt)
	}
	ms.departed.absorb(&p.bearing.history)
}

// tell notes that a beat names an incarnation that was never heard.
func (ms *members) tell(now int64, r crdt.Replica) {
	if _, some := ms.told[r]; !some && len(ms.told) < MaxPeers {
		ms.told[r] = now
	}
}

// unheard lists the incarnations that a peer hears, for all that it said last, and that were
// never heard here, though there was time.
func (ms *members) unheard(now int64) (out []crdt.Replica) {
	for r, since := range ms.told {
		named := slices.ContainsFunc(ms.peers, func(p *peer) bool {
			_, member := slices.BinarySearch(p.hears, r)
			_, stranger := slices.BinarySearch(p.strange, r)
			return (member || stranger) && p.state == PeerAlive && p.confirmed
		})
		if !named {
			delete(ms.told, r)
		} else if now-since >= int64(ms.cfg.SuspectAfter) {
			out = append(out, r)
		}
	}
	slices.Sort(out)
	return out
}

// settled reports whether all peers that are alive hear us, and told all that they sent.
func (ms *members) settled() bool {
	return !slices.ContainsFunc(ms.peers, func(p *peer) bool { return p.state == PeerAlive && (!p.hearsUs || !p.sure) })
}

// unknown lists what can be missing here of each incarnation, and how many were never heard.
func (ms *members) unknown(now int64) (out []Unknown, unheard int) {
	closed := ms.spans.all(now)
	for _, p := range ms.peers {
		spans := closed[p.replica]
		delete(closed, p.replica)
		switch {
		case p.left && !p.whole():
			spans = append(spans, Span{Began: now - p.unknown(), Ended: now - p.goneAt})
		case !p.left && p.replacedAt == 0:
			spans = append(spans, Span{Began: p.staleness(now)})
		}
		if len(spans) > 0 {
			out = append(out, Unknown{Replica: p.replica, Spans: spans})
		}
	}
	for r, spans := range closed {
		out = append(out, Unknown{Replica: r, Spans: spans, Own: r == ms.cfg.Replica || r == ms.cfg.Last.Replica || ms.recalled && r == ms.cfg.Saved.Replica})
	}
	for r, was := range ms.inherited {
		out = append(out, Unknown{Replica: r, Spans: []Span{{Began: now - was.began}}})
	}
	never := ms.unheard(now)
	for _, r := range never {
		out = append(out, Unknown{Replica: r, Spans: []Span{{Began: crdt.End}}})
	}
	slices.SortFunc(out, func(a, b Unknown) int {
		switch {
		case a.Replica < b.Replica:
			return -1
		case a.Replica > b.Replica:
			return 1
		}
		return 0
	})
	return out, len(never) + len(ms.inherited)
}

// succeed takes that the peers have told what they know, and not of our node's last run: what
// it admitted is missing then, unless it left in order and there was somebody to tell.
func (ms *members) succeed(now int64) {
	last := ms.cfg.Last
	known := last.Replica == 0 || last.Left && !ms.cfg.Alone || ms.saves(last) || ms.find(last.Replica) != nil || slices.ContainsFunc(ms.spans.closed, func(c closedSpan) bool { return c.of == last.Replica })
	if _, some := ms.inherited[last.Replica]; !known && !some {
		ms.spans.close(last.Replica, last.Began, min(now, last.Until), SpanLost)
	}
}
