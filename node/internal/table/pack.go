package table

import (
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

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

// fits reports whether a cell and more records among r can hold an entry, of whose state im is
// the image.
func (e *Entry) fits(im *crdt.Image, r *records) bool {
	f := &e.rule.Frame
	if e.more != nil || f.Align != nil || im.Start < 0 || im.Start%f.Width != 0 || im.Start/f.Width > math.MaxUint32 || im.Carry >= crdt.End {
		return false
	}
	own, sent := &im.Own, &im.Sent
	others := int64(e.state.Count() - own[0].P) //nolint:gosec // modulo 1<<64
	if own[0].P > ownMask || sent[0].P > 0 && own[0].P-sent[0].P > maxRecorded || others > math.MaxInt32 || others < math.MinInt32 {
		return false
	}
	if own[0].N > maxRecorded || own[1].P > maxRecorded || r.replicas.size()+e.state.Cells() > maxReplicas {
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
func (c *clients) pack(e *Entry, at *cell, im *crdt.Image, what uint32) {
	word := at.word.Load() | busy
	at.word.Store(word)
	number := what & ruleMask
	if what&isWide != 0 || c.rules.at(number) != e.rule {
		number = c.rules.use(e.rule)
		if what&isWide == 0 {
			c.rules.drop(what & ruleMask)
		}
	}
	at.origin.Store(im.Origin)
	at.carry.Store(im.Carry)
	at.window.Store(uint32(im.Start / e.rule.Frame.Width))       //nolint:gosec // fits saw to that
	at.others.Store(int32(int64(e.state.Count() - im.Own[0].P))) //nolint:gosec // fits saw to that
	own, sent := im.Own, im.Sent
	flags := e.flags()
	if sent[0].P == 0 {
		flags |= sentNone
	}
	if sent[1].P == own[1].P {
		flags |= sentAll
	}
	at.sent, at.seq = uint32(sent[0].P), lowSeq(e.sentSeq) //nolint:gosec // its lower half
	// What is in the cell itself, or follows from flags, is not in the records.
	own[0].P, sent[0].P = 0, 0
	if flags&sentAll != 0 {
		sent[1].P = 0
	}
	var none [2]crdt.Count
	if what&hasRecords == 0 {
		at.rest = 0
	}
	if own[0].N != 0 || own[1].N != 0 || sent != none || e.state.Cells() > 0 {
		w := writer{&c.records, &at.rest}
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
		c.records.drop(at.rest)
		at.rest = uint32(own[1].P) //nolint:gosec // fits saw to that
	}
	at.what.Store(flags | number)
	at.word.Store(nextVersion(word)&^ownMask | im.Own[0].P)
}

// unpack makes e what the cell in a slot holds. The cell is not wide.
func (c *clients) unpack(slot uint32, at *cell, e *Entry) {
	word, what := at.word.Load(), at.what.Load()
	e.key, e.rule, e.more, e.slot = at.key(), c.rules.at(what&ruleMask), nil, slot
	e.counted, e.copied, e.spent = e.rule, false, 0
	e.used, e.shared, e.dirty, e.listed = true, what&isShared != 0, what&isDirty != 0, what&isListed != 0
	e.sentSeq, e.sentAt = c.sends.whole(at.seq), c.sends.at(at.seq)
	im := crdt.Image{
		Start: int64(at.window.Load()) * e.rule.Frame.Width, Origin: at.origin.Load(), Carry: at.carry.Load(),
	}
	next := uint32(0)
	if what&hasRecords == 0 {
		im.Own[1].P = uint64(at.rest)
	} else {
		next = at.rest
		if r := c.records.at(next); r.who == recordOwn {
			im.Own, next = r.counts(), r.next
		}
		if next != 0 {
			if r := c.records.at(next); r.who == recordSent {
				im.Sent, next = r.counts(), r.next
			}
		}
	}
	im.Own[0].P = word & ownMask
	im.Sent[0].P = at.sentOwn(im.Own[0].P, what)
	if what&sentAll != 0 {
		im.Sent[1].P = im.Own[1].P
	}
	e.state.Restore(&im)
	for next != 0 {
		r := c.records.at(next)
		e.state.Hold(c.records.replica(r), r.counts())
		next = r.next
	}
	e.state.Restored(&e.rule.Frame)
}
