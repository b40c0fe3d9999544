package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Counters are compared by replica, exactly and cheaply, and origins travel with
// them. But an origin can differ where all live counters are equal: after a
// partition that outlasted the two windows, or where a late message of the life
// before a change was lost. So beats also carry a digest of origins, of the window
// that closed last, when it has settled. It is computed by looking at all clients, so
// on a large node each beat covers the next few partitions only.
const (
	originsPerBeat = 1 << 16 // clients looked at for one beat
	originSettle   = int64(15e8)
)

// beatDigests is what fits into a beat beside a list of all peers.
var beatDigests = (MaxMessage - 512 - maxHeard*recordSize(heardRecord)) / recordSize(rootRecord)

// origins is the engine's part in comparing origins.
type origins struct {
	next  uint32 // partition that the next beat begins with
	cache map[originKey]cachedOrigins
}

type originKey struct {
	window      Window
	from, count uint32
}

type cachedOrigins struct {
	at     int64
	digest crdt.Digest
}

// settled is the windows that closed last and have settled, one for each width.
func (e *Engine) settled(now int64) []Window {
	var out []Window
	for _, w := range e.store.Windows(now) {
		if end := w.Start + w.Width; end <= now && now-end >= originSettle && now-end < w.Width {
			out = append(out, w)
		}
	}
	return out
}

// addOrigins puts the digests that are due into a beat.
func (e *Engine) addOrigins(now int64, m *Message) {
	count := uint32(crdt.Partitions)
	if n := e.store.Clients(); n > originsPerBeat {
		count = uint32(max(1, crdt.Partitions*originsPerBeat/n)) //nolint:gosec // at most Partitions
	}
	from, windows := e.origins.next, e.settled(now)
	if len(m.Roots)+len(windows) > beatDigests {
		return
	}
	e.origins.next = (from + count) % crdt.Partitions
	for _, w := range windows {
		m.Origins = append(m.Origins, OriginRoot{Window: w, From: from, Count: count, Digest: e.originRoot(now, originKey{w, from, count})})
	}
}

// originRoot is computed at most once in a while: several peers' beats may ask for
// the same.
func (e *Engine) originRoot(now int64, k originKey) crdt.Digest {
	if c, ok := e.origins.cache[k]; ok && now-c.at < int64(e.cfg.BeatInterval)/2 {
		return c.digest
	}
	d := crdt.Digest(0)
	for i := range k.count {
		d += e.store.Origins(now, k.window, int((k.from+i)%crdt.Partitions))
	}
	if e.origins.cache == nil || len(e.origins.cache) >= maxRoots {
		e.origins.cache = map[originKey]cachedOrigins{}
	}
	e.origins.cache[k] = cachedOrigins{at: now, digest: d}
	return d
}

// compareOrigins asks the peer for all rows of partitions whose origins differ.
func (e *Engine) compareOrigins(now int64, p *peer, m *Message) {
	if p.request.id != 0 || p.behind() || now < max(p.request.notBefore, p.originsAfter) {
		return
	}
	settled, differ := e.settled(now), false
	for _, o := range m.Origins {
		if o.From < crdt.Partitions && o.Count <= crdt.Partitions && slices.Contains(settled, o.Window) &&
			o.Digest != e.originRoot(now, originKey{o.Window, o.From, o.Count}) {
			differ = true
		}
	}
	if !differ {
		p.originMisses = 0
		return
	}
	e.stats.Mismatches++
	p.originsAfter = now + backoff(p.originMisses)
	p.originMisses++
	clear(e.origins.cache) // what comes will change them
	e.ask(now, p, KindRepair, 0, 0, Cursor{})
}

// differingOrigins marks the partitions whose origins are not the requester's.
func (e *Engine) differingOrigins(now int64, m *Message) *[crdt.Partitions]bool {
	var out [crdt.Partitions]bool
	for i := range m.Have {
		have := &m.Have[i]
		for p := range out {
			out[p] = out[p] || e.store.Origins(now, have.Window, p) != have.Digests[p]
		}
	}
	return &out
}
