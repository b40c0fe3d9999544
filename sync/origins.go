package sync

import (
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Counters are compared by replica, exactly and cheaply, and origins travel with them.
// But an origin can differ where all live counters are equal: after a partition that
// outlasted the two windows, or where a late message of the life before a change was
// lost. So beats also carry digests of what clients carry over in origins alone: out of the
// window that closed last, and into the one that is open. Each counts once late messages
// have come. Computing it takes a pass over all clients, so on a large node each beat
// covers the next few partitions only.
const (
	// originsPerBeat is how many clients are looked at for one beat. Raising it makes a
	// beat, and so a step, take longer. Lowering it makes a round over a large table take
	// more beats than a window has.
	originsPerBeat = 1 << 16
	// originsAfter is how long after the end of the window before a window's origins are
	// compared. Raising it delays the repair. Lowering it below a flush and the largest skew
	// compares windows whose last messages are under way, and asks in vain.
	originsAfter = int64(15e8)
)

// room is how many bytes are left in a beat that lists all peers, beside its digests, its
// knowledge and what it misses.
func (m *Message) room() int {
	const rest = 512 // what has no cap of its own: names, numbers, headers and the tag
	return MaxMessage - rest - maxHeard*recordSize(heardRecord) - len(m.Missing)*recordSize(missingRecord) -
		len(m.Roots)*recordSize(rootRecord) - len(m.Known)*recordSize(knownRecord) - len(m.Enrolled)*enrolledSize
}

// origins sums up what the store's clients carry in origins alone, and is how far this node has come
// in telling that in beats.
type origins struct {
	store *Store
	beat  int64 // between two beats, nanoseconds
	// next is the partition that the next beat begins with.
	next uint32
	// cache has what was computed lately, by window. So whatever peers list and ask, a window
	// costs one pass over the table in half a beat.
	cache map[Window]*cachedOrigins
}

// cachedOrigins is the digests of one window's origins, by partition.
type cachedOrigins struct {
	at     [crdt.Partitions]int64 // by our clock; 0 is never
	digest [crdt.Partitions]crdt.Digest
}

// windows is the windows whose origins are compared: for each width the one that
// closed last and the open one, once late messages of the time before have come.
func (o *origins) windows(now int64) []Window {
	var out []Window
	for _, w := range o.store.Windows(now) {
		since := now - w.Start
		if since >= w.Width {
			since -= w.Width // it closed that long ago
		}
		if since >= originsAfter && since < w.Width {
			out = append(out, w)
		}
	}
	return out
}

// add puts the digests that are due into a beat, if they fit beside its roots.
func (o *origins) add(now int64, m *Message) {
	count := uint32(crdt.Partitions)
	if n := o.store.Clients(); n > originsPerBeat {
		count = uint32(max(1, crdt.Partitions*originsPerBeat/n)) //nolint:gosec // at most Partitions
	}
	from, windows := o.next, o.windows(now)
	if len(windows)*recordSize(originRecord) > m.room() {
		return
	}
	o.next = (from + count) % crdt.Partitions
	for _, w := range windows {
		// Who carries nothing has nothing to tell. It learns from the others' beats.
		if d := o.root(now, w, from, count); d != 0 {
			m.Origins = append(m.Origins, OriginRoot{Window: w, From: from, Count: count, Digest: d})
		}
	}
}

// root is the digest of count partitions' origins, from the one called from on.
func (o *origins) root(now int64, w Window, from, count uint32) (d crdt.Digest) {
	for i := range count {
		d += o.of(now, w, int((from+i)%crdt.Partitions))
	}
	return d
}

// of is the digest of one partition's origins in one of windows. It takes a
// look at all clients of the partition, so it is computed at most once in half a beat.
func (o *origins) of(now int64, w Window, partition int) crdt.Digest {
	c := o.cache[w]
	if c == nil {
		carrying := o.windows(now)
		if !slices.Contains(carrying, w) {
			return 0 // no peer can make us look at other windows
		}
		if o.cache == nil {
			o.cache = map[Window]*cachedOrigins{}
		}
		maps.DeleteFunc(o.cache, func(w Window, _ *cachedOrigins) bool { return !slices.Contains(carrying, w) })
		c = &cachedOrigins{}
		o.cache[w] = c
	}
	if at := c.at[partition]; at == 0 || now-at >= o.beat/2 {
		c.at[partition], c.digest[partition] = now, o.store.Origins(now, w, partition)
	}
	return c.digest[partition]
}

// compareOrigins asks the peer for all rows of partitions whose origins differ.
func (e *Engine) compareOrigins(now int64, p *peer, m *Message) {
	if p.request.id != 0 || p.behind() || !p.request.pace.due(now) || !p.origins.due(now) {
		return
	}
	carrying, differ := e.origins.windows(now), false
	for i, o := range m.Origins {
		if slices.ContainsFunc(m.Origins[:i], func(before OriginRoot) bool { return before.Window == o.Window }) {
			continue // one a window, or a beat could cost a thousand sums
		}
		if o.From < crdt.Partitions && o.Count <= crdt.Partitions && slices.Contains(carrying, o.Window) &&
			o.Digest != e.origins.root(now, o.Window, o.From, o.Count) {
			differ = true
		}
	}
	if !differ {
		p.origins.helped()
		return
	}
	e.stats.Mismatches++
	p.origins.failed(now + p.origins.pause(repairPause)) // until a beat says otherwise
	clear(e.origins.cache)                               // the answer will change them
	e.ask(now, p, KindRepair, 0, 0, Cursor{})
}
