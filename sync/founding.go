package sync

// founding is of what time a node knows. Nodes that start together found a cluster: nothing was
// before. A node that takes a snapshot knows of as much as its giver. One that had to begin
// without either, although something ran before, does not know what that admitted. A later run
// of its node, a peer that knows of more, or a peer that heard of such a one shows it. The zero
// value has not joined.
type founding struct {
	joined bool
	// at is when what this node knows of began, by our clock.
	at int64
	// before is the latest instant before at of which it is known that something ran, by our
	// clock; 0 if nothing is known to have run.
	before int64
}

// join takes that the node has joined: with a snapshot of a peer, or alone with its start.
func (f *founding) join(started int64, giver *peer, last Run) {
	f.joined, f.at = true, started
	if giver != nil && giver.foundedAt != 0 {
		f.at = min(f.at, giver.foundedAt)
	}
	f.ran(last.Until)
}

// ran takes that something ran at an instant.
func (f *founding) ran(at int64) {
	if f.joined && at != 0 && at < f.at {
		f.before = max(f.before, at)
	}
}

// recall takes that this node knows of what a file knew.
func (f *founding) recall(s *Saved) {
	if !f.joined {
		return
	}
	f.at = min(f.at, s.At-s.Founded)
	if f.before >= f.at {
		f.before = 0
	}
	if s.Before > 0 {
		f.ran(s.At - s.Before)
	}
}

// forget takes that something ran of which this node knows nothing, until it began at an instant.
func (f *founding) forget(at int64) {
	if f.joined && f.at < at {
		f.at, f.before = at, at-1
	}
}

// hear takes what a peer that has joined knows of. before is an age, 0 for none.
func (f *founding) hear(now, foundedAt, before int64) {
	if before > 0 {
		f.ran(now - before)
	}
	if foundedAt < f.at-joinLimit { // it did not start together with us
		f.ran(foundedAt)
	}
}

// ages are how long ago at and before were, 0 if there is none.
func (f *founding) ages(now int64) (founded, before int64) {
	if f.joined {
		founded = max(1, now-f.at)
	}
	if f.before != 0 {
		before = max(1, now-f.before)
	}
	return founded, before
}
