package table

// outbox lists the clients of a shard that have something to send. Its owner's lock guards it.
type outbox struct {
	// slots may have something to send, each once: exactly those whose cell is listed. trim
	// strikes off those that are not used any more.
	slots []uint32
	// dirty has part, which is the shard's, while slots is not empty. urgent has it while one of
	// them has reached its quantum, so it is within dirty. All three never change.
	dirty, urgentIn *partSet
	part            int
	// flush calls for a flush of what is urgent. It must not block.
	flush func()
}

// add puts a slot on the list that is not on it.
func (o *outbox) add(slot uint32) {
	o.dirty.add(o.part)
	o.slots = append(o.slots, slot)
}

// mark puts the entry's slot on the list, if it is not on it yet.
func (o *outbox) mark(e *Entry) {
	e.dirty = true
	if !e.listed {
		e.listed = true
		o.add(e.slot)
	}
}

// urgent reports whether a flush of the shard was called for already.
func (o *outbox) urgent() bool { return o.urgentIn.has(o.part) }

// urge calls for a flush of the shard.
func (o *outbox) urge() {
	o.urgentIn.add(o.part)
	o.flush()
}

// trim strikes off the slots whose client was removed, so that a chunk which the slab gives back
// comes back unlisted.
func (o *outbox) trim(cells *slab) {
	kept := o.slots[:0]
	for _, slot := range o.slots {
		if c := cells.at(slot); c.what.Load()&isUsed != 0 {
			kept = append(kept, slot)
		} else {
			c.what.Store(0)
		}
	}
	o.slots = kept
}
