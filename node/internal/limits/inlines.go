package limits

import (
	"cmp"
	"hash/maphash"
	"maps"
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
	// is old enough by then.
	refused map[uint64]int64
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
	for c, l := range next {
		if now-l.used.Load() > inlineIdle {
			delete(next, c)
			x.gone(c, l)
		}
	}
	x.known.Store(&next)
	clear(x.fresh)
	x.recent.Store(0)
}

// makeRoom forgets some limits of the origin that has most, those that it used least recently.
// It reports whether there is room for one of asker's. mu is held.
func (x *inlines) makeRoom(now int64, asker uint64) bool {
	if now < x.refused[asker] {
		return false
	}
	x.merge(now)
	next := *x.known.Load()
	if len(next) < MaxInline {
		return true
	}
	largest, most := asker, x.of[asker]
	for origin, n := range x.of {
		if n > most {
			largest, most = origin, n
		}
	}
	type held struct {
		c    inlinePolicy
		l    *Limit
		used int64
	}
	var theirs []held
	for c, l := range next {
		if l.origin == largest {
			theirs = append(theirs, held{c, l, l.used.Load()})
		}
	}
	slices.SortFunc(theirs, func(a, b held) int { return cmp.Compare(a.used, b.used) })
	theirs = theirs[:max(1, len(theirs)/16)] // several, so that not each newcomer sorts
	if largest == asker {
		switch i := slices.IndexFunc(theirs, func(h held) bool { return now-h.used < inlineKept }); {
		case i == 0:
			clear(x.refused) // few have their fill at once
			x.refused[asker] = theirs[0].used + inlineKept
			return false
		case i > 0:
			theirs = theirs[:i]
		}
	}
	next = maps.Clone(next)
	for _, h := range theirs {
		x.gone(h.c, h.l)
		delete(next, h.c)
	}
	x.known.Store(&next)
	return true
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
