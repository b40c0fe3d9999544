package limit

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// States count one client's use under one rule. A client has one state, and for a window in
// parts one for each slot. A value is a view: copies of it share the states. The zero value
// has none. Not safe for concurrent use.
type States struct {
	First *crdt.State  // the state of slot 0
	Rest  []crdt.State // those of the slots from 1 on, empty but for a window in parts
}

// NewStates returns the states of an unknown client at t: the first slot's, and those of
// the other slots. Only a window in parts has others, and only they allocate.
func (r *Rule) NewStates(t int64) (first crdt.State, rest []crdt.State) {
	start := r.Frame.Start(t)
	if r.Slots > 1 {
		rest = make([]crdt.State, r.Slots-1)
		for i := range rest {
			rest[i] = crdt.New(start)
		}
	}
	return crdt.New(start), rest
}

// At is a slot's state, nil if there is no such slot.
func (s States) At(slot int) *crdt.State {
	switch {
	case slot == 0:
		return s.First
	case slot <= len(s.Rest):
		return &s.Rest[slot-1]
	}
	return nil
}

// All yields every slot and its state.
func (s States) All(yield func(int, *crdt.State) bool) {
	if !yield(0, s.First) {
		return
	}
	for i := range s.Rest {
		if !yield(i+1, &s.Rest[i]) {
			return
		}
	}
}

// Roll brings every state to the window that starts at start.
func (s States) Roll(f *crdt.Frame, start int64) {
	s.First.Roll(f, start)
	for i := range s.Rest {
		s.Rest[i].Roll(f, start)
	}
}

// Untouched reports whether nothing was counted, and nothing is known of counts before.
func (s States) Untouched() bool {
	for _, st := range s.All {
		if !st.Untouched() {
			return false
		}
	}
	return true
}

// Held reports whether anything was counted in the windows that the states hold.
func (s States) Held() bool {
	for _, st := range s.All {
		if st.Held() {
			return true
		}
	}
	return false
}

// Keep makes what the states were lent their own for good.
func (s States) Keep(f *crdt.Frame) {
	for _, st := range s.All {
		st.Keep(f)
	}
}

// Clone is a copy that shares nothing with s.
func (s States) Clone() States {
	var c States
	if s.First != nil {
		first := s.First.Clone()
		c.First = &first
	}
	for i := range s.Rest {
		c.Rest = append(c.Rest, s.Rest[i].Clone())
	}
	return c
}

// Drained reports whether all units are in windows before live, and have drained by live.
func (s States) Drained(f *crdt.Frame, live int64) bool {
	for _, st := range s.All {
		if st.Start() >= live || st.TAT(f) > live {
			return false
		}
	}
	return true
}
