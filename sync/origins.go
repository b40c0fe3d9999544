package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Counters are compared by replica, exactly and cheaply, and origins travel with
// them. But an origin can differ where all live counters are equal: after a
// partition that outlasted the two windows, or where a late message of the life
// before a change was lost. So beats also carry digests of origins: of the window
// that closed last, when it has settled, by groups of partitions. They are computed
// by looking at all clients, so on a large node a beat covers some groups only.
const (
	originGroups   = 16
	groupOf        = crdt.Partitions / originGroups
	originsPerBeat = 1 << 16 // clients looked at for one beat
	originSettle   = int64(15e8)
	// beatDigests is what fits into a beat beside a list of all peers.
	beatDigests = (MaxMessage - 512 - maxHeard*heardWords*8) / (rootWords * 8)
)

// origins is the engine's part in comparing origins.
type origins struct {
	next  int // group that the next beat begins with
	cache map[originKey]cachedOrigin
}

type originKey struct {
	window Window
	group  int
}

type cachedOrigin struct {
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
	groups := originGroups
	if n := e.store.Clients(); n > originsPerBeat {
		groups = max(1, originGroups*originsPerBeat/n)
	}
	windows := e.settled(now)
	for range groups {
		if len(m.Roots)+len(m.Origins)+len(windows) > beatDigests {
			return // the next beat goes on here
		}
		for _, w := range windows {
			m.Origins = append(m.Origins, OriginRoot{Window: w, Group: uint64(e.origins.next), Digest: e.originRoot(now, w, e.origins.next)}) //nolint:gosec // below originGroups
		}
		e.origins.next = (e.origins.next + 1) % originGroups
	}
}

// originRoot is one group's digest, computed at most once in a while: several
// peers' beats ask for the same.
func (e *Engine) originRoot(now int64, w Window, group int) crdt.Digest {
	k := originKey{w, group}
	if c, ok := e.origins.cache[k]; ok && now-c.at < int64(e.cfg.BeatInterval)/2 {
		return c.digest
	}
	d := crdt.Digest(0)
	for p := group * groupOf; p < (group+1)*groupOf; p++ {
		d += e.store.Origins(now, w, p)
	}
	if len(e.origins.cache) >= maxRoots {
		clear(e.origins.cache)
	}
	if e.origins.cache == nil {
		e.origins.cache = map[originKey]cachedOrigin{}
	}
	e.origins.cache[k] = cachedOrigin{at: now, digest: d}
	return d
}

// compareOrigins asks the peer for all rows of partitions whose origins differ.
func (e *Engine) compareOrigins(now int64, p *peer, m *Message) {
	if p.request.id != 0 || p.behind() || now < max(p.request.notBefore, p.originsAfter) {
		return
	}
	differ := false
	for _, w := range e.settled(now) {
		for _, o := range m.Origins {
			if o.Window == w && o.Group < originGroups && o.Digest != e.originRoot(now, w, int(o.Group)) {
				differ = true
			}
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
