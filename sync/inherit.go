package sync

import (
	"cmp"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Missing is one span of an incarnation, as a beat tells of it, for nodes that came later:
// they cannot know what was missing before.
type Missing struct {
	Of crdt.Replica
	Span
}

const (
	// maxMissing is how many spans a beat tells of, the latest ones. Raising it makes beats
	// longer after many crashes. Lowering it lets a node that comes then export too little.
	maxMissing = 128
	// silentAfter is how old an open span is that a beat tells of: what is younger, whoever
	// comes hears by itself.
	silentAfter = int64(2500e6)
	// sameSpan is how far the beginnings of one span may lie apart as two peers tell it.
	// Raising it takes two crashes in a row for one. Lowering it counts one twice.
	sameSpan = int64(2e9)
)

// inherited is a silent incarnation that peers tell of.
type inherited struct{ began, toldAt int64 } // by our clock

// missing lists what may be missing here, as far as somebody who comes could not know it.
func (ms *members) missing(now int64) (out []Missing) {
	unknown, _ := ms.unknown(now)
	for _, u := range unknown {
		for _, s := range u.Spans {
			if s.Began < crdt.End && (s.Ended > 0 || s.Began >= silentAfter) {
				out = append(out, Missing{u.Replica, s})
			}
		}
	}
	if len(out) > maxMissing {
		slices.SortStableFunc(out, func(a, b Missing) int { return cmp.Compare(a.Ended, b.Ended) })
		out = out[:maxMissing]
	}
	return out
}

// inherit takes over what a peer that has joined may miss, where this node cannot know
// better: spans that were over before it listened, the silence of those that it never heard,
// and what the peer says of its own joining.
func (ms *members) inherit(now int64, p *peer, from []Missing) {
	for _, m := range from {
		began, over := now-m.Began, now-m.Ended
		switch {
		case m.Of == ms.cfg.Replica:
		case m.Ended > 0:
			if (over < ms.started || ms.find(m.Of) == nil || m.Of == p.replica) && !slices.ContainsFunc(ms.spans.closed, func(c closedSpan) bool {
				return c.of == m.Of && c.kind == m.Kind && max(c.began-began, began-c.began) < sameSpan
			}) {
				ms.spans.close(m.Of, began, over, m.Kind)
			}
			delete(ms.inherited, m.Of)
		case ms.find(m.Of) == nil:
			if was, some := ms.inherited[m.Of]; some {
				began = min(began, was.began)
			} else if len(ms.inherited) == MaxPeers {
				continue
			}
			ms.inherited[m.Of] = inherited{began, now}
		}
	}
}

// disinherit ends the silence of those that no peer tells of any more: they ended, for all
// that is known.
func (ms *members) disinherit(now int64) {
	for _, r := range slices.Sorted(maps.Keys(ms.inherited)) {
		if was := ms.inherited[r]; now-was.toldAt > int64(ms.cfg.SuspectAfter) {
			ms.spans.close(r, was.began, was.toldAt, SpanLost)
			delete(ms.inherited, r)
		}
	}
}
