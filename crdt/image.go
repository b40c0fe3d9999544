package crdt

// Image is what a State is apart from the other replicas' counters, in plain numbers. It is for
// those who store states in a form of their own. State.Image takes one, and State.Restore
// makes the state of it again.
type Image struct {
	Start  int64 // of the current window
	Origin int64 // the current window's
	// Carry is the previous window's TAT, Never if that window has no origin. An image is true
	// only while it is below End, because the previous origin follows from it.
	Carry     int64
	Own, Sent [2]Count // of the current and the previous window
}

// Image is s without the other replicas' counters.
func (s *State) Image() Image {
	return Image{Start: s.start, Origin: s.origin[cur], Carry: s.carry, Own: s.own, Sent: s.sent}
}

// Cells is how many other replicas s holds counters of.
func (s *State) Cells() int { return len(s.others) }

// Cell is the i-th other replica, and its counters of the current and the previous window.
func (s *State) Cell(i int) (Replica, [2]Count) { return s.others[i].replica, s.others[i].count }

// Restore makes s the state of an image, whatever it was. It keeps the memory of the other
// replicas' counters for those that Hold brings; Restored ends it.
func (s *State) Restore(im *Image) {
	*s = State{
		start: im.Start, origin: [2]int64{im.Origin, Never}, net: [2]uint64{im.Own[cur].Net(), im.Own[prev].Net()},
		carry: im.Carry, own: im.Own, sent: im.Sent, others: s.others[:0],
	}
}

// Hold adds another replica's counters, which are not both empty, to a state that is being
// restored.
func (s *State) Hold(r Replica, c [2]Count) {
	s.net[cur] += c[cur].Net()
	s.net[prev] += c[prev].Net()
	s.others = append(s.others, cell{r, c})
}

// Restored ends Restore, under the frame of the state's limit.
func (s *State) Restored(f *Frame) {
	if s.carry > Never {
		s.origin[prev] = s.carry - f.Drain(s.net[prev])
	}
}
