package sync

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// memStore is a Store of a few maps over crdt.State: as little as makes rows,
// digests and registers of one node real.
type memStore struct {
	self    crdt.Replica
	widths  map[string]int64 // of the limits that are known; rows of others are dropped
	entries map[memKey]*memEntry
	order   [crdt.Partitions][]*memEntry // in the order of their making
	digests map[digestKey]*[crdt.Partitions]crdt.Digest

	regs    map[string]Register
	changed []Register
	resets  []ClientReset // repeated for ever
	base    crdt.Digest
	fresh   bool
	views   []View
	kept    bool // View says that it tells what it had kept back

	settling

	deaf   func(d *crdt.Delta, k crdt.Key) bool // rows that are not taken
	merges int
}

type memKey struct {
	limit string
	key   crdt.Key
}

type digestKey struct {
	replica crdt.Replica
	window  Window
}

type memEntry struct {
	memKey
	frame   crdt.Frame
	state   crdt.State
	dirty   bool
	urgent  bool
	sentSeq uint64
}

const testWidth = int64(60e9)

func newMemStore(self crdt.Replica) *memStore {
	return &memStore{
		self: self, widths: map[string]int64{"default": testWidth}, entries: map[memKey]*memEntry{},
		digests: map[digestKey]*[crdt.Partitions]crdt.Digest{}, regs: map[string]Register{},
	}
}

// store is s in every role.
func (s *memStore) store() Store {
	return Store{Rows: s, Summaries: s, Registry: s, Configured: s, Resetter: s, Settler: s, Viewer: s}
}

// key is the client number i: spread over all partitions.
func key(i int) crdt.Key {
	return crdt.Key{Hi: uint64(i+1) * 0x9e3779b97f4a7c15, Lo: uint64(i + 1)}
}

func (s *memStore) entry(now int64, k memKey) *memEntry {
	e := s.entries[k]
	if e == nil {
		width := s.widths[k.limit]
		e = &memEntry{memKey: k, frame: crdt.Frame{Width: width, Drain: func(c uint64) int64 { return int64(c) * width / 1000 }}}
		e.state = crdt.New(e.frame.Start(now))
		s.entries[k] = e
		p := k.key.Partition()
		s.order[p] = append(s.order[p], e)
	}
	e.state.Roll(&e.frame, e.frame.Start(now))
	return e
}

// admit counts cost of client number i here.
func (s *memStore) admit(now int64, i int, cost uint64) { s.admitTo(now, "default", i, cost) }

func (s *memStore) admitTo(now int64, limit string, i int, cost uint64) {
	e := s.entry(now, memKey{limit, key(i)})
	e.state.Admit(cost)
	e.dirty = true
}

// hurry makes what is dirty due at once.
func (s *memStore) hurry() {
	for _, e := range s.entries {
		e.urgent = e.dirty
	}
}

func (s *memStore) grow(k crdt.Key, r crdt.Replica, width, start int64, g crdt.Gain) {
	for i, gain := range []crdt.Count{g.Cur, g.Prev} {
		if gain == (crdt.Count{}) {
			continue
		}
		w := digestKey{r, Window{Width: width, Start: start - int64(i)*width}}
		if s.digests[w] == nil {
			s.digests[w] = new([crdt.Partitions]crdt.Digest)
		}
		s.digests[w][k.Partition()].Grow(k, crdt.Life{}, w.window.Start, gain)
	}
}

func (s *memStore) head(e *memEntry, of crdt.Replica) *crdt.Delta {
	return &crdt.Delta{Limit: e.limit, Replica: of, Width: e.frame.Width, Start: e.state.Start()}
}

func (s *memStore) Collect(now int64, seq uint64, urgent bool, b *Batch) (more bool) {
	for _, part := range &s.order {
		for _, e := range part {
			if !e.dirty || urgent && !e.urgent {
				continue
			}
			e.state.Roll(&e.frame, e.frame.Start(now))
			row := e.state.Own()
			row.Key = e.key
			if !b.Add(s.head(e, 0), row) {
				return true
			}
			s.grow(e.key, s.self, e.frame.Width, e.state.Start(), e.state.Sent())
			e.dirty, e.urgent, e.sentSeq = false, false, seq
		}
	}
	return false
}

func (s *memStore) Merge(now int64, d *crdt.Delta, _ bool, _ int64) (known bool) {
	if s.widths[d.Limit] != d.Width {
		return true
	}
	for _, row := range d.Rows {
		if d.Replica == s.self {
			row.Cur.Count, row.Prev.Count = crdt.Count{}, crdt.Count{}
		}
		if s.deaf != nil && s.deaf(d, row.Key) {
			continue
		}
		s.merges++
		e := s.entry(now, memKey{d.Limit, row.Key})
		g := e.state.Merge(&e.frame, d.Replica, d.Start, row)
		s.grow(row.Key, d.Replica, d.Width, d.Start, g)
	}
	return true
}

func (s *memStore) Export(now int64, q *Query, b *Batch) (next Cursor, done bool) {
	at := q.Cursor
	for ; at.Partition < crdt.Partitions; at = (Cursor{Partition: at.Partition + 1}) {
		if q.Differ != nil && !q.Differ[at.Partition] {
			continue
		}
		for ; int(at.Index) < len(s.order[at.Partition]); at.Index, at.Row = at.Index+1, 0 {
			e := s.order[at.Partition][at.Index]
			if q.Of == s.self && e.sentSeq <= q.Since {
				continue
			}
			e.state.Roll(&e.frame, e.frame.Start(now))
			fits, n := true, uint16(0)
			e.state.Rows(s.self, func(of crdt.Replica, row crdt.Row) {
				if !fits || q.Of != 0 && q.Of != of {
					return
				}
				if n++; n <= at.Row {
					return
				}
				row.Key = e.key
				if fits = b.Add(s.head(e, of), row); fits {
					at.Row++
				}
			})
			if !fits {
				return at, false
			}
		}
	}
	return at, true
}

func (s *memStore) Windows(now int64) []Window {
	var out []Window
	for _, width := range s.widths {
		start := now - now%width
		for _, w := range []Window{{width, start}, {width, start - width}} {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.SortFunc(out, func(a, b Window) int { return int(a.Width-b.Width) + int(b.Start-a.Start)/1e9 })
	return out
}

func (s *memStore) Digests(r crdt.Replica, w Window, out *[crdt.Partitions]crdt.Digest) {
	*out = [crdt.Partitions]crdt.Digest{}
	if d := s.digests[digestKey{r, w}]; d != nil {
		*out = *d
	}
}

func (s *memStore) Registers() []Register {
	var out []Register
	for _, r := range s.regs {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Register) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (s *memStore) RegistersDigest() crdt.Digest {
	var sum crdt.Digest
	for _, r := range s.regs {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%q %d %d %q", r.Name, r.Stamp.At, r.Stamp.By, r.Value)
		sum += crdt.Digest(h.Sum64())
	}
	return sum
}

// set writes a register here.
func (s *memStore) set(now int64, name, value string) {
	r := Register{Name: name, Stamp: crdt.Stamp{At: now, By: s.self}, Value: []byte(value)}
	s.MergeRegisters(now, []Register{r})
	s.changed = append(s.changed, r)
}

// MergeRegisters also makes a limit of every name, so that rows of a limit are
// only taken once its register is here.
func (s *memStore) MergeRegisters(_ int64, regs []Register) {
	for _, r := range regs {
		if was, ok := s.regs[r.Name]; !ok || was.Stamp.Compare(r.Stamp) < 0 {
			s.regs[r.Name] = r
			if _, known := s.widths[r.Name]; !known {
				s.widths[r.Name] = testWidth
			}
		}
	}
}

func (s *memStore) ChangedRegisters() []Register {
	out := s.changed
	s.changed = nil
	return out
}

func (s *memStore) Resets(_ int64, onlyFresh bool) []ClientReset {
	if onlyFresh && !s.fresh {
		return nil
	}
	s.fresh = false
	return s.resets
}

func (s *memStore) reset(now int64, i int) {
	s.resets, s.fresh = append(s.resets, ClientReset{"default", key(i), crdt.Stamp{At: now, By: s.self}}), true
}

func (s *memStore) MergeResets(_ int64, resets []ClientReset) {
	for _, r := range resets {
		if !slices.Contains(s.resets, r) {
			s.resets = append(s.resets, r)
		}
	}
}

func (s *memStore) View(v View) (told bool) {
	s.views = append(s.views, v)
	told = s.kept && v.Joined
	s.kept = s.kept && !told
	return told
}

func (s *memStore) view() View {
	if len(s.views) == 0 {
		return View{}
	}
	return s.views[len(s.views)-1]
}

// holds says, line by line, what is known of every client in the windows that are
// live at now: equal texts are equal knowledge.
func (s *memStore) holds(now int64) string {
	var lines []string
	for _, e := range s.entries {
		st := e.state.Clone()
		st.Roll(&e.frame, e.frame.Start(now))
		var cells []string
		st.Rows(s.self, func(of crdt.Replica, row crdt.Row) {
			if row.Cur.Count != (crdt.Count{}) || row.Prev.Count != (crdt.Count{}) {
				cells = append(cells, fmt.Sprintf("%d:%v%v", of, row.Cur.Count, row.Prev.Count))
			}
		})
		slices.Sort(cells)
		if len(cells) > 0 {
			lines = append(lines, fmt.Sprintf("%s/%x tat %d %v", e.limit, e.key.Hi, st.TAT(&e.frame), cells))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Roots implements Summaries.
func (s *memStore) Roots(now int64) (roots []Root) {
	live := s.Windows(now)
	for k, parts := range s.digests {
		root := Root{Replica: k.replica, Window: k.window}
		for _, d := range parts {
			root.Digest += d
		}
		if slices.Contains(live, k.window) && root.Digest != 0 {
			roots = append(roots, root)
		}
	}
	slices.SortFunc(roots, Root.Compare)
	return roots
}

// Origins implements Summaries: the fake's clients carry over what the real ones do.
func (s *memStore) Origins(now int64, w Window, partition int) crdt.Digest {
	var d crdt.Digest
	end := w.Start + w.Width
	for _, e := range s.order[partition] {
		if o, tat := e.state.CarriedOver(&e.frame, end); e.frame.Width == w.Width && end <= now && tat > end {
			d.Origin(e.key, crdt.Life{}, w.Start, o)
		}
	}
	return d
}

// Clients implements Summaries.
func (s *memStore) Clients() int { return len(s.entries) }

// BaseDigest implements Configured.
func (s *memStore) BaseDigest() crdt.Digest { return s.base }
