package table

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// clients are those of one shard, in the form that takes the least memory. Each has one slot of
// cells, and lies in one of three places: in the cell and its records, in wide if it does not fit
// into those, or in open while somebody works on it. close moves it from open to one of the
// others. Its owner's lock guards all of it. Make it with init.
type clients struct {
	cells slab
	// open are the entries that somebody works on, each of another slot. spare are entries for
	// that which nobody uses, at most mostSpare.
	open, spare []*Entry
	rules       numbers[*limit.Rule] // of the cells that are not wide
	wide        sparse[uint32, *Entry]
	records     records
	sends       *sends // the table's; never changes
}

func (c *clients) init(s *sends) {
	c.cells.init()
	c.sends = s
}

// find is the entry of k, or nil.
func (c *clients) find(k crdt.Key) *Entry {
	slot, at := c.cells.find(k)
	if at == nil {
		return nil
	}
	return c.view(slot, at)
}

// at is the entry in a slot, nil if nobody is there.
func (c *clients) at(slot uint32) *Entry {
	at := c.cells.at(slot)
	if at == nil || at.what.Load()&isUsed == 0 {
		return nil
	}
	return c.view(slot, at)
}

// view opens the entry of a cell: the one that is open already, the wide one, or a copy that
// close packs.
func (c *clients) view(slot uint32, at *cell) *Entry {
	for _, e := range c.open {
		if e.slot == slot {
			return e
		}
	}
	e := c.wide.of[slot]
	if e == nil {
		e = c.takeSpare()
		c.unpack(slot, at, e)
	}
	c.open = append(c.open, e)
	return e
}

// add makes an open entry for k, which has none. Its user gives it a rule and states.
func (c *clients) add(k crdt.Key) *Entry {
	slot, at := c.cells.add(k)
	e := c.takeSpare()
	*e = Entry{key: k, used: true, listed: at.what.Load()&isListed != 0, slot: slot}
	c.open = append(c.open, e)
	return e
}

// remove forgets the client in a slot, and reports whether it stood for unknown ones.
func (c *clients) remove(slot uint32) (shared bool) {
	for i, e := range c.open {
		if e.slot == slot {
			c.open = slices.Delete(c.open, i, i+1)
			break
		}
	}
	at := c.cells.at(slot)
	what := at.what.Load()
	c.release(at, what)
	c.wide.remove(slot)
	c.cells.remove(slot)
	return what&isShared != 0
}

// takeSpare is an entry that nobody uses. Its content is left over.
func (c *clients) takeSpare() *Entry {
	last := len(c.spare) - 1
	if last < 0 {
		return new(Entry)
	}
	e := c.spare[last]
	c.spare[last] = nil
	c.spare = c.spare[:last]
	return e
}

// mostSpare is how many entries a shard keeps for its next decisions. Raising it keeps more
// memory in each shard. Below 3, requests of several limits allocate.
const mostSpare = 8

// keepSpare keeps an entry that nobody uses any more.
func (c *clients) keepSpare(e *Entry) {
	if len(c.spare) < mostSpare {
		c.spare = append(c.spare, e)
	}
}

// leave closes all open entries, which nobody changed.
func (c *clients) leave() {
	for i, e := range c.open {
		if c.wide.of[e.slot] != e {
			c.keepSpare(e)
		}
		c.open[i] = nil
	}
	c.open = c.open[:0]
}

// close puts all open entries back where they fit. Nobody uses them after it.
func (c *clients) close() {
	for i, e := range c.open {
		c.put(e)
		c.open[i] = nil
	}
	c.open = c.open[:0]
}

// put puts an entry back where it fits.
func (c *clients) put(e *Entry) {
	at := c.cells.at(e.slot)
	what := at.what.Load()
	im := e.state.Image()
	if e.fits(&im, &c.records) {
		if what&isWide != 0 {
			c.wide.remove(e.slot)
		}
		c.pack(e, at, &im, what)
		c.keepSpare(e)
		return
	}
	if c.wide.of[e.slot] != e {
		c.wide.set(e.slot, e)
	}
	at.word.Store(at.word.Load() | busy)
	c.release(at, what)
	at.what.Store(e.flags() | isWide)
	at.word.Store(nextVersion(at.word.Load()))
}

// release drops what a cell refers to.
func (c *clients) release(at *cell, what uint32) {
	if what&isWide != 0 {
		return
	}
	c.rules.drop(what & ruleMask)
	if what&hasRecords != 0 {
		c.records.drop(at.rest)
		at.rest = 0
	}
}

// live reports whether a cell alone tells that its client cannot be forgotten, because its
// window is live at now.
func (c *clients) live(slot uint32, now int64) bool {
	at := c.cells.at(slot)
	if at == nil {
		return false
	}
	what := at.what.Load()
	if what&(isUsed|isWide) != isUsed {
		return false
	}
	f := &c.rules.at(what & ruleMask).Frame
	return int64(at.window.Load())*f.Width >= f.Before(f.Start(now))
}

// trim gives back what few clients had, and have no longer.
func (c *clients) trim() {
	c.wide.trim()
	c.records.trim()
	c.rules.trim()
}
