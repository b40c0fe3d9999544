package table

import "sync/atomic"

// sends remembers when the last messages left, so that cells need hold a message's number
// alone, and only the lower half of it. The zero value is ready. note is for one goroutine at
// a time; the rest is safe for concurrent use.
type sends struct {
	last atomic.Uint64 // number
	ring [sendsKept]struct {
		seq atomic.Uint64
		at  atomic.Int64
	}
}

// sendsKept is of how many messages the time is known, a power of two. Messages are 1 ms apart
// or more, so that of earlier ones is a second ago at least. Lowering it makes more clients'
// quanta a little smaller than they could be; raising it costs memory alone.
const sendsKept = 1024

// note notes that message seq leaves at now.
func (s *sends) note(seq uint64, now int64) {
	slot := &s.ring[seq%sendsKept]
	slot.at.Store(now)
	slot.seq.Store(seq)
	s.last.Store(seq)
}

// lowSeq is a number as cells hold it: 0 for none. Of the one in 2^32 that would be 0, it
// makes the next one, which only makes that a client is repaired without need.
func lowSeq(seq uint64) uint32 {
	if low := uint32(seq); low != 0 || seq == 0 { //nolint:gosec // its lower half
		return low
	}
	return 1
}

// whole is the last number with that lower half.
func (s *sends) whole(low uint32) uint64 {
	if low == 0 {
		return 0
	}
	last := s.last.Load()
	if back := uint64(uint32(last) - low); back <= last { //nolint:gosec // its lower half
		return last - back
	}
	return uint64(low)
}

// at is when a message left. For one that is not remembered it is when the oldest one did
// that is; 0 for none.
func (s *sends) at(low uint32) int64 {
	if low == 0 {
		return 0
	}
	seq := s.whole(low)
	slot := &s.ring[seq%sendsKept]
	if slot.seq.Load() != seq {
		slot = &s.ring[(s.last.Load()+1)%sendsKept]
	}
	return slot.at.Load()
}
