package escrow

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Rounds ask other nodes to give back what one life of a client was charged there. What one node
// does not give, the next round asks of those that nobody asked yet. Set the fields of the first
// group, then Ask and Hear in turn until Ask asks nobody. Not safe for concurrent use.
type Rounds struct {
	Escrow  *Escrow
	Present func(crdt.Replica) bool // whether a node may be there to answer
	Life    deltasync.Life
	Held    []Part // those that nobody asked yet
	Left    int64  // units to ask for still

	Returned    int64 // units that came back
	Unconfirmed int64 // units that nodes were asked for which did not answer
	Away        bool  // some units are with nodes that were not there, or did not answer
	Full        bool  // the escrow holds all that it can, so nobody is asked any more

	asked []asking // in this round
}

// Part is what one replica holds of a client's life: how many units it could give back.
type Part struct {
	Of    crdt.Replica
	Units int64
}

// asking is one node's part of a round.
type asking struct {
	*Passed
	units int64
}

// Ask asks those that hold what is left for it. It reports whether it asked anybody.
func (r *Rounds) Ask(now int64) bool {
	r.asked = r.asked[:0]
	for len(r.Held) > 0 && r.Left > 0 && !r.Full {
		h := r.Held[0]
		r.Held = r.Held[1:]
		if !r.Present(h.Of) {
			r.Away = true
			continue
		}
		units := min(h.Units, r.Left)
		p, err := r.Escrow.PassRefund(now, h.Of, r.Life, units)
		if err != nil {
			r.Full = true
			break
		}
		r.asked = append(r.asked, asking{p, units})
		r.Left -= units
	}
	return len(r.asked) > 0
}

// Asked yields, for each node that was asked in this round, what is closed once it answered.
func (r *Rounds) Asked(yield func(<-chan struct{}) bool) {
	for _, a := range r.asked {
		if !yield(a.Done()) {
			return
		}
	}
}

// Answered reports whether all have answered that were asked in this round.
func (r *Rounds) Answered() bool {
	for done := range r.Asked {
		select {
		case <-done:
		default:
			return false
		}
	}
	return true
}

// Hear takes the answers. It waits for none: who has not answered is not asked again.
func (r *Rounds) Hear() {
	for _, a := range r.asked {
		r.Escrow.Withdraw(a.Passed)
		switch s := a.Answer(); {
		case s.Known:
			r.Returned += s.Back
			r.Left += a.units - s.Back
		default:
			r.Away = true
			r.Unconfirmed += a.units
		}
	}
	r.asked = r.asked[:0]
}
