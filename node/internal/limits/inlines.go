package limits

import (
	"cmp"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// MaxInline caps the inline limits that are known at once, about 25 MB. Raising it takes more
// memory. Lowering it makes nodes forget policies sooner that are used now and then, and make
// them again.
const MaxInline = 1 << 14

const (
	// inlineKept is how long the limit of an origin that has its fill is kept after it was used
	// last. Raising it makes such an origin wait for longer before it can bring other policies.
	// Lowering it lets an origin that never repeats a policy cost more memory: the entry of
	// each client that it counted holds on to the policy.
	inlineKept = int64(time.Minute)
	// inlineIdle is after how long without a use a limit makes room for any other. Raising it
	// holds memory for policies that are over; lowering it makes some of them again.
	inlineIdle = 5 * inlineKept
	// forgetAtOnce is how many limits make room at once. Raising it forgets more of those that
	// are still used now and then. Lowering it looks at all limits for fewer newcomers.
	forgetAtOnce = MaxInline / 32
	// mergeLeast is how many new limits wait, at least, until they are known without a lock.
	// Raising it makes more requests take the lock, lowering it copies the rest more often.
	mergeLeast = 64
	// mostLayouts caps the layouts of windows of inline limits. Raising it makes beats slower,
	// which compare the windows of each; lowering it makes policies of many widths anew more
	// often.
	mostLayouts = 1 << 10
)

// inlines hold the inline limits. Each belongs to the origin that brought it first: a client of
// the API, or a peer. While there are MaxInline, the origin that has most of them gives up the
// one that it used least recently. So no origin can take the room of others.
//
// To forget a limit costs nobody a count: its clients' entries still have its rule, and the
// same policy is the same limit when it comes again.
//
// Most lookups take no lock: known is immutable, and recent holds what came since. Methods are
// safe for concurrent use.
type inlines struct {
	seed   maphash.Seed
	known  atomic.Pointer[map[inlinePolicy]*Limit]
	recent atomic.Int64 // len(fresh)
	// frames are the layouts of windows that clients may be counted in, each once.
	frames atomic.Pointer[[]crdt.Frame]

	mu    sync.Mutex // guards what follows, and every change of what is above
	fresh map[inlinePolicy]*Limit
	of    map[uint64]int // how many limits each origin holds; no zeros
	// refused is until when origins that have their fill need not ask again: nothing of theirs
	// is old enough by then. They are among those of of.
	refused map[uint64]int64
	// idleFrom is an instant up to which no limit of known can be idle for long enough.
	idleFrom int64
	// layouts has those of frames, and how many limits have each; no zeros.
	layouts  map[layout]*laid
	unlisted bool // layouts has others than frames
}

// layout names a layout of windows.
type layout struct {
	width    int64
	calendar limit.Calendar
}

func (k layout) compare(o layout) int {
	return cmp.Or(cmp.Compare(k.width, o.width), cmp.Compare(k.calendar, o.calendar))
}

// laid is a layout in use.
type laid struct {
	frame crdt.Frame
	n     int
}

func newInlines() *inlines {
	x := &inlines{
		seed: maphash.MakeSeed(), fresh: map[inlinePolicy]*Limit{}, of: map[uint64]int{}, refused: map[uint64]int64{}, layouts: map[layout]*laid{},
	}
	x.known.Store(&map[inlinePolicy]*Limit{})
	x.frames.Store(&[]crdt.Frame{})
	return x
}

// origin is the number of an origin that has a name.
func (x *inlines) origin(name string) uint64 { return maphash.String(x.seed, name) }

// find is the limit of a policy, nil if it is not known.
func (x *inlines) find(c inlinePolicy) *Limit {
	if l := (*x.known.Load())[c]; l != nil {
		return l
	}
	if x.recent.Load() == 0 {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.fresh[c]
}

// all lists the limits in any order.
func (x *inlines) all() []*Limit {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.AppendSeq(slices.Collect(maps.Values(*x.known.Load())), maps.Values(x.fresh))
}

// add makes the limit of a policy, nil if there is no room for the origin.
func (x *inlines) add(now int64, origin uint64, c inlinePolicy, build func() *Limit) *Limit {
	x.mu.Lock()
	defer x.mu.Unlock()
	known := *x.known.Load()
	if l := cmp.Or(known[c], x.fresh[c]); l != nil {
		return l // another goroutine was first
	}
	if len(known)+len(x.fresh) >= MaxInline && !x.makeRoom(now, origin) {
		return nil
	}
	l := build()
	if l == nil {
		return nil
	}
	l.origin = origin
	l.touch(now)
	if k := layoutOf(c, l); x.layouts[k] == nil && len(x.layouts) >= mostLayouts {
		x.narrow(now)
	}
	x.fresh[c] = l
	x.of[origin]++
	x.count(c, l, 1)
	if len(x.fresh) >= max(mergeLeast, len(*x.known.Load())/8) {
		x.merge(now)
	}
	x.recent.Store(int64(len(x.fresh)))
	x.list()
	return l
}

// merge makes the fresh limits known without a lock, and forgets those that nobody uses any
// more. mu is held.
func (x *inlines) merge(now int64) {
	next := maps.Clone(*x.known.Load())
	maps.Copy(next, x.fresh)
	x.idleFrom = math.MaxInt64
	for c, l := range next {
		until := l.used.Load() + inlineIdle
		if now > until {
			delete(next, c)
			x.gone(c, l)
			continue
		}
		x.idleFrom = min(x.idleFrom, until)
	}
	x.known.Store(&next)
	clear(x.fresh)
	x.recent.Store(0)
}

// makeRoom forgets some limits of the origins that have most, those that they used least
// recently. It reports whether there is room for one of asker's. mu is held.
func (x *inlines) makeRoom(now int64, asker uint64) bool {
	if now < x.refused[asker] {
		return false
	}
	if len(x.fresh) > 0 || now > x.idleFrom {
		x.merge(now)
	}
	known := *x.known.Load()
	if len(known) < MaxInline {
		return true
	}
	most := x.of[asker]
	for _, n := range x.of {
		most = max(most, n)
	}
	var last []held
	if x.of[asker] == most {
		last = ofOrigin(known, asker)
		switch i := slices.IndexFunc(last, func(h held) bool { return now-h.used < inlineKept }); {
		case i == 0:
			x.refused[asker] = last[0].used + inlineKept
			return false
		case i > 0:
			last = last[:i]
		}
	} else {
		last = leastOfMost(known)
	}
	next := maps.Clone(known)
	for _, h := range last[:min(len(last), forgetAtOnce)] {
		delete(next, h.c)
		x.gone(h.c, h.l)
	}
	x.known.Store(&next)
	return true
}

// held is a limit as makeRoom looks at it.
type held struct {
	c    inlinePolicy
	l    *Limit
	used int64
	rank int // how many of its origin's were used since
}

// ofOrigin are the limits of an origin, the least recently used first.
func ofOrigin(known map[inlinePolicy]*Limit, origin uint64) (all []held) {
	for c, l := range known {
		if l.origin == origin {
			all = append(all, held{c: c, l: l, used: l.used.Load()})
		}
	}
	slices.SortFunc(all, func(a, b held) int { return cmp.Compare(a.used, b.used) })
	return all
}

// leastOfMost are all limits. First come those of the origins that have most, as far as they
// have more than others, and of these the least recently used.
func leastOfMost(known map[inlinePolicy]*Limit) []held {
	all := make([]held, 0, len(known))
	for c, l := range known {
		all = append(all, held{c: c, l: l, used: l.used.Load()})
	}
	slices.SortFunc(all, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.l.origin, b.l.origin), cmp.Compare(b.used, a.used))
	})
	for i := 1; i < len(all); i++ {
		if all[i].l.origin == all[i-1].l.origin {
			all[i].rank = all[i-1].rank + 1
		}
	}
	slices.SortFunc(all, func(a, b held) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.used, b.used))
	})
	return all
}

// narrow forgets the limits of those layouts that were used least recently. mu is held.
func (x *inlines) narrow(now int64) {
	x.merge(now)
	used := map[layout]int64{}
	for c, l := range *x.known.Load() {
		k := layoutOf(c, l)
		used[k] = max(used[k], l.used.Load())
	}
	order := slices.SortedFunc(maps.Keys(used), func(a, b layout) int { return cmp.Or(cmp.Compare(used[a], used[b]), a.compare(b)) })
	old := map[layout]bool{}
	for _, k := range order[:len(order)/16] {
		old[k] = true
	}
	next := maps.Clone(*x.known.Load())
	for c, l := range next {
		if old[layoutOf(c, l)] {
			delete(next, c)
			x.gone(c, l)
		}
	}
	x.known.Store(&next)
}

// gone notes that a limit is forgotten. mu is held.
func (x *inlines) gone(c inlinePolicy, l *Limit) {
	if x.of[l.origin]--; x.of[l.origin] == 0 {
		delete(x.of, l.origin)
		delete(x.refused, l.origin)
	}
	x.count(c, l, -1)
}

func layoutOf(c inlinePolicy, l *Limit) layout { return layout{l.Newest().Frames[0].Width, c.calendar} }

// count counts a limit more or less that has its layout. mu is held.
func (x *inlines) count(c inlinePolicy, l *Limit, more int) {
	k := layoutOf(c, l)
	f := x.layouts[k]
	if f == nil {
		f = &laid{frame: l.Newest().Frames[0]}
		x.layouts[k] = f
	}
	was := f.n
	if f.n += more; f.n == 0 {
		delete(x.layouts, k)
	}
	x.unlisted = x.unlisted || was == 0 || f.n == 0
}

// list brings frames up to date. mu is held.
func (x *inlines) list() {
	if !x.unlisted {
		return
	}
	x.unlisted = false
	frames := make([]crdt.Frame, 0, len(x.layouts))
	for _, k := range slices.SortedFunc(maps.Keys(x.layouts), layout.compare) { // so that equal runs are equal
		frames = append(frames, x.layouts[k].frame)
	}
	x.frames.Store(&frames)
}
