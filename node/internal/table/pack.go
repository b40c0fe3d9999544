package table

import (
	"math"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Find returns the entry of k, or nil. It is good until the shard is unlocked.
func (s *Shard) Find(k crdt.Key) *Entry {
	slot, c := s.lookUp(k)
	if c == nil {
		return nil
	}
	return s.view(slot, c)
}

// at is the entry in a slot, nil if nobody is there. It is good until closeViews.
func (s *Shard) at(slot uint32) *Entry {
	c := s.cellAt(slot)
	if c == nil || c.what.Load()&isUsed == 0 {
		return nil
	}
	return s.view(slot, c)
}

// view opens the entry of a cell: the one that is open already, the wide one, or a copy that
// closeViews packs.
func (s *Shard) view(slot uint32, c *cell) *Entry {
	for _, e := range s.open {
		if e.slot == slot {
			return e
		}
	}
	e := s.wide.of[slot]
	if e == nil {
		e = s.spareView()
		s.unpack(slot, c, e)
	}
	s.open = append(s.open, e)
	return e
}

// spareView is an entry that nobody uses. Its content is left over.
func (s *Shard) spareView() *Entry {
	last := len(s.spare) - 1
	if last < 0 {
		return new(Entry)
	}
	e := s.spare[last]
	s.spare[last] = nil
	s.spare = s.spare[:last]
	return e
}

// mostSpare is how many entries a shard keeps for its next decisions. Raising it keeps more
// memory in each shard. Below 3, requests of several limits allocate.
const mostSpare = 8

// keepSpare keeps an entry that nobody uses any more.
func (s *Shard) keepSpare(e *Entry) {
	if len(s.spare) < mostSpare {
		s.spare = append(s.spare, e)
	}
}

// closeViews packs all open entries. Nobody uses them after it.
func (s *Shard) closeViews() {
	for i, e := range s.open {
		s.close(e)
		s.open[i] = nil
	}
	s.open = s.open[:0]
}

// leaveViews is closeViews if nobody changed an open entry.
func (s *Shard) leaveViews() {
	for i, e := range s.open {
		if s.wide.of[e.slot] != e {
			s.keepSpare(e)
		}
		s.open[i] = nil
	}
	s.open = s.open[:0]
}

// dropView forgets the open entry of a slot, because the client goes.
func (s *Shard) dropView(slot uint32) {
	for i, e := range s.open {
		if e.slot == slot {
			s.open = slices.Delete(s.open, i, i+1)
			return
		}
	}
}

// close puts an entry back where it fits.
func (s *Shard) close(e *Entry) {
	if e.counted != e.rule {
		s.renewAccount(e)
	}
	c := s.cellAt(e.slot)
	what := c.what.Load()
	im := e.state.Image()
	if s.fits(e, &im) {
		if what&isWide != 0 {
			s.wide.remove(e.slot)
		}
		s.pack(e, c, &im, what)
		s.keepSpare(e)
		return
	}
	if s.wide.of[e.slot] != e {
		s.wide.set(e.slot, e)
	}
	c.word.Store(c.word.Load() | busy)
	s.release(c, what)
	c.what.Store(e.flags() | isWide)
	c.word.Store(nextVersion(c.word.Load()))
}

// nextVersion is a busy word that is not busy any more.
func nextVersion(word uint64) uint64 { return (word&^busy + oneVersion) &^ busy }

// flags are those of a used cell of e.
func (e *Entry) flags() (what uint32) {
	what = isUsed
	if e.shared {
		what |= isShared
	}
	if e.dirty {
		what |= isDirty
	}
	if e.listed {
		what |= isListed
	}
	return what
}

// fits reports whether a cell and records can hold an entry, of whose state im is the image.
func (s *Shard) fits(e *Entry, im *crdt.Image) bool {
	f := &e.rule.Frame
	if e.more != nil || f.Align != nil || im.Start < 0 || im.Start%f.Width != 0 || im.Start/f.Width > math.MaxUint32 || im.Carry >= crdt.End {
		return false
	}
	own, sent := &im.Own, &im.Sent
	others := int64(e.state.Count() - own[0].P) //nolint:gosec // modulo 1<<64
	if own[0].P > ownMask || sent[0].P > 0 && own[0].P-sent[0].P > maxRecorded || others > math.MaxInt32 || others < math.MinInt32 {
		return false
	}
	if own[0].N > maxRecorded || own[1].P > maxRecorded || s.replicas.size()+e.state.Cells() > maxReplicas {
		return false
	}
	for i := range e.state.Cells() {
		_, counts := e.state.Cell(i)
		if _, ok := recorded(counts); !ok {
			return false
		}
	}
	return true
}

// pack writes an entry that fits into its cell. what is the cell's, and im the state's image.
func (s *Shard) pack(e *Entry, c *cell, im *crdt.Image, what uint32) {
	word := c.word.Load() | busy
	c.word.Store(word)
	number := what & ruleMask
	if what&isWide != 0 || s.rules.at(number) != e.rule {
		number = s.rules.use(e.rule)
		if what&isWide == 0 {
			s.rules.drop(what & ruleMask)
		}
	}
	c.origin.Store(im.Origin)
	c.carry.Store(im.Carry)
	c.window.Store(uint32(im.Start / e.rule.Frame.Width))       //nolint:gosec // fits saw to that
	c.others.Store(int32(int64(e.state.Count() - im.Own[0].P))) //nolint:gosec // fits saw to that
	own, sent := im.Own, im.Sent
	flags := e.flags()
	if sent[0].P == 0 {
		flags |= sentNone
	}
	if sent[1].P == own[1].P {
		flags |= sentAll
	}
	c.sent, c.seq = uint32(sent[0].P), lowSeq(e.sentSeq) //nolint:gosec // its lower half
	// What is in the cell itself, or follows from flags, is not in the records.
	own[0].P, sent[0].P = 0, 0
	if flags&sentAll != 0 {
		sent[1].P = 0
	}
	var none [2]crdt.Count
	if what&hasRecords == 0 {
		c.rest = 0
	}
	if own[0].N != 0 || own[1].N != 0 || sent != none || e.state.Cells() > 0 {
		w := writer{s, &c.rest}
		if own != none {
			w.own(recordOwn, own)
		}
		if sent != none {
			w.own(recordSent, sent)
		}
		for i := range e.state.Cells() {
			w.cell(e.state.Cell(i))
		}
		w.end()
		flags |= hasRecords
	} else {
		s.dropRecords(c.rest)
		c.rest = uint32(own[1].P) //nolint:gosec // fits saw to that
	}
	c.what.Store(flags | number)
	c.word.Store(nextVersion(word)&^ownMask | im.Own[0].P)
}

// unpack makes e what the cell in a slot holds. The cell is not wide.
func (s *Shard) unpack(slot uint32, c *cell, e *Entry) {
	word, what := c.word.Load(), c.what.Load()
	e.key, e.rule, e.more, e.slot = c.key(), s.rules.at(what&ruleMask), nil, slot
	e.counted, e.copied, e.spent = e.rule, false, 0
	e.used, e.shared, e.dirty, e.listed = true, what&isShared != 0, what&isDirty != 0, what&isListed != 0
	e.sentSeq, e.sentAt = s.table.sends.whole(c.seq), s.table.sends.at(c.seq)
	im := crdt.Image{
		Start: int64(c.window.Load()) * e.rule.Frame.Width, Origin: c.origin.Load(), Carry: c.carry.Load(),
	}
	next := uint32(0)
	if what&hasRecords == 0 {
		im.Own[1].P = uint64(c.rest)
	} else {
		next = c.rest
		if r := s.records.at(next); r.who == recordOwn {
			im.Own, next = r.counts(), r.next
		}
		if next != 0 {
			if r := s.records.at(next); r.who == recordSent {
				im.Sent, next = r.counts(), r.next
			}
		}
	}
	im.Own[0].P = word & ownMask
	im.Sent[0].P = c.sentOwn(im.Own[0].P, what)
	if what&sentAll != 0 {
		im.Sent[1].P = im.Own[1].P
	}
	e.state.Restore(&im)
	for next != 0 {
		r := s.records.at(next)
		e.state.Hold(s.replicas.at(uint32(r.who-firstReplica)), r.counts())
		next = r.next
	}
	e.state.Restored(&e.rule.Frame)
}
