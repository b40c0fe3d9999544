package sync

// received is how far this node has seen one peer's delta messages (invariants S4 and
// S5 of docs/sync.md). The zero value is a peer of which no number is known.
type received struct {
	// known is false until a message named a number; the other fields are 0 until then.
	known bool
	// seq is the highest number seen, or named by a beat. It never goes back.
	seq uint64
	// gap: some messages in (since, gapTo] are missing, and all up to since are merged.
	// since < gapTo <= seq while there is a gap; gapTo is 0 while there is none.
	gap          bool
	since, gapTo uint64
	// ahead are the messages after since that are merged: the lowest bit is since+1.
	ahead uint64
}

// first takes the number of the first message heard. What was sent before it shows in
// digests.
func (r *received) first(seq uint64) { r.known, r.seq = true, seq }

// restate takes the peer's own word for its number, which is below what was said in its
// name. Digests show what may be missing.
func (r *received) restate(seq uint64) { *r = received{known: true, seq: seq} }

// miss notes that messages after since up to to are missing. It reports whether that
// opened a gap, and did not only widen one.
func (r *received) miss(since, to uint64) (opened bool) {
	opened = !r.gap
	if opened {
		r.gap, r.since, r.ahead = true, since, 0
	}
	r.gapTo = max(r.gapTo, to)
	return opened
}

// arrived notes that the message of a number is merged. On a network where messages overtake
// each other, most gaps close like this, and nobody has to be asked.
func (r *received) arrived(seq uint64) {
	if !r.gap || seq <= r.since || seq > r.since+64 {
		return
	}
	r.ahead |= 1 << (seq - r.since - 1)
	r.advance()
}

// advance moves the gap's start over what has arrived after it, and closes the gap at its end.
func (r *received) advance() {
	for ; r.ahead&1 != 0; r.ahead >>= 1 {
		r.since++
	}
	if r.since >= r.gapTo {
		r.gap, r.gapTo = false, 0
	}
}

// complete notes that all messages up to seq are merged, which is not below any that was
// seen.
func (r *received) complete(seq uint64) {
	r.known, r.seq = true, max(r.seq, seq)
	r.gap, r.gapTo = false, 0
}

// filled takes an answer that accounts for all messages up to seq. It reports whether
// the answer closed the gap: a message after seq may be missing too.
func (r *received) filled(seq uint64) (closed bool) {
	if seq < r.gapTo {
		if seq > r.since {
			r.since, r.ahead = seq, r.ahead>>min(seq-r.since, 64)
			r.advance()
		}
		return !r.gap
	}
	r.gap, r.gapTo = false, 0
	r.seq = max(r.seq, seq)
	return true
}
