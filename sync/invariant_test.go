package sync

import (
	"fmt"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// invariants checks the state invariants of docs/sync.md, section 12, after each step of
// an engine. It remembers what the last step left, for those that speak of two moments.
type invariants struct {
	engine *Engine
	last   map[crdt.Replica]memory
	seq    uint64
	ready  bool
}

// memory is what of a peer must not go back.
type memory struct {
	left, sure, known, confirmed bool
	seq, asked                   uint64
	freshAt, heardAt, sent       int64
}

// check returns the first invariant that does not hold after a step at now, "" if all do.
func (iv *invariants) check(now int64) string {
	e := iv.engine
	if iv.last == nil {
		iv.last = map[crdt.Replica]memory{}
	}
	asked := map[uint64]bool{}
	for i, p := range e.members.peers {
		if i > 0 && p.replica <= e.members.peers[i-1].replica || p.replica == e.cfg.Replica || i >= MaxPeers {
			return fmt.Sprintf("S1: %s of incarnation %d at place %d", p.node, p.replica, i)
		}
		if name := iv.peer(now, p); name != "" {
			return fmt.Sprintf("%s: peer %+v", name, p)
		}
		if r := &p.request; r.id != 0 {
			if r.givenUp != 0 {
				return fmt.Sprintf("S7: question %+v beside one that was given up", r)
			}
			if asked[r.id] || r.id > e.requests || r.kind != KindSnapshot && (r.kind != KindRepair || !e.join.ready) {
				return fmt.Sprintf("S7: question %+v of %d", r, e.requests)
			}
			asked[r.id] = true
		}
		iv.last[p.replica] = memory{left: p.left, sure: p.sure, known: p.known, seq: p.seq, freshAt: p.freshAt, heardAt: p.heardAt, confirmed: p.confirmed, asked: p.asked, sent: p.sent}
	}
	if len(iv.last) > len(e.members.peers) {
		for r := range iv.last {
			if e.members.find(r) == nil {
				delete(iv.last, r)
			}
		}
	}
	if !e.owed && slices.ContainsFunc(e.members.peers, (*peer).owes) {
		return "S16"
	}
	known := e.knowledge.of
	for i, k := range known {
		if i > 0 && k.Replica <= known[i-1].Replica || k.Replica == e.cfg.Replica || i >= maxKnown {
			return fmt.Sprintf("S14: %+v at place %d", k, i)
		}
	}
	names := e.members.roster.names
	peers, _ := e.members.reach()
	seq, ready := iv.seq, iv.ready
	iv.seq, iv.ready = e.seq, e.join.ready
	switch {
	case !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) < len(names) || len(names) > MaxPeers || slices.Contains(names, e.cfg.Node):
		return fmt.Sprintf("S9: roster %q of %s", names, e.cfg.Node)
	case e.seq < seq:
		return fmt.Sprintf("S10: number %d after %d", e.seq, seq)
	case !e.closed && e.view.Peers != peers:
		return fmt.Sprintf("S11: the store was shown %+v, and there are %d peers", e.view, peers)
	case ready && !e.join.ready, e.join.ready && !e.join.announced:
		return fmt.Sprintf("S12: %+v", e.join)
	case !e.closed && (e.nextFlush <= now || e.nextFlush > now+int64(e.cfg.Interval) || e.nextBeat > now+int64(e.cfg.BeatInterval)):
		return fmt.Sprintf("S13: flush in %d ns, beat in %d", e.nextFlush-now, e.nextBeat-now)
	}
	return ""
}

func (iv *invariants) peer(now int64, p *peer) string {
	e, was, silence := iv.engine, iv.last[p.replica], now-p.heardAt
	switch {
	case p.left && p.state != PeerGone, p.left != (p.byeSeq > 0), p.left && p.seq < p.byeSeq-1:
		return "S2"
	case !e.closed && p.state == PeerAlive && silence >= int64(e.cfg.SuspectAfter),
		p.state == PeerSuspect && silence < int64(e.cfg.SuspectAfter),
		p.state == PeerGone && !p.left && silence < int64(e.cfg.GoneAfter),
		silence < 0, p.heardAt < was.heardAt:
		return "S3"
	case p.gap && (!p.known || p.since >= p.gapTo || p.gapTo > p.seq), !p.gap && p.gapTo != 0, !p.known && p.seq != 0:
		return "S4"
	case p.seq < was.seq && p.gap, was.known && !p.known, was.sure && !p.sure, p.freshAt < was.freshAt, !p.sure && p.freshAt != 0:
		return "S5"
	case p.differs && p.mismatch.failures == 0:
		return "S6"
	case !slices.IsSorted(p.hears), !slices.IsSorted(p.strange), p.hearsUs != (slices.Contains(p.hears, e.cfg.Replica) || slices.Contains(p.strange, e.cfg.Replica)):
		return "S8"
	case was.confirmed && !p.confirmed, p.sent < was.sent && p.sent >= was.sent-echoWithin, p.asked < was.asked && was.asked < 1<<40:
		return "S15"
	}
	return ""
}
