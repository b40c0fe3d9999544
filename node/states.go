package node

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// states are what counts one client's use under one rule: one state, or for a window
// in parts one for each slot. They are views: copies share what they show.
type states struct {
	first *crdt.State
	rest  []crdt.State
}

// newStates are those of a client of whom nothing is known at t.
func newStates(r *rule, t int64) (first crdt.State, rest []crdt.State) {
	start := r.frame.Start(t)
	if r.slots > 1 {
		rest = make([]crdt.State, r.slots-1)
		for i := range rest {
			rest[i] = crdt.New(start)
		}
	}
	return crdt.New(start), rest
}

// at is a slot's state, nil if there is no such slot.
func (s states) at(slot int) *crdt.State {
	switch {
	case slot == 0:
		return s.first
	case slot <= len(s.rest):
		return &s.rest[slot-1]
	}
	return nil
}

// all yields every slot.
func (s states) all(yield func(int, *crdt.State) bool) {
	if !yield(0, s.first) {
		return
	}
	for i := range s.rest {
		if !yield(i+1, &s.rest[i]) {
			return
		}
	}
}

// roll brings all to the window that starts at start.
func (s states) roll(f *crdt.Frame, start int64) {
	for _, st := range s.all {
		st.Roll(f, start)
	}
}

// clone shares nothing with s.
func (s states) clone() states {
	var c states
	if s.first != nil {
		first := s.first.Clone()
		c.first = &first
	}
	for i := range s.rest {
		c.rest = append(c.rest, s.rest[i].Clone())
	}
	return c
}

// over: everything was counted in windows before live, and is drained by then.
func (s states) over(f *crdt.Frame, live int64) bool {
	for _, st := range s.all {
		if st.Start() >= live || st.TAT(f) > live {
			return false
		}
	}
	return true
}
