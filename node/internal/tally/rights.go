package tally

import "sync/atomic"

// Rights count what a bounded limit's accounts did for want of tokens. The zero value is ready.
// Safe for concurrent use.
type Rights struct {
	Short, Held, Asked      atomic.Uint64 // requests that were denied, and that waited; questions to the others
	Lent, Borrowed, Expired Amount        // Expired was borrowed and not used
}

// Amount is a sum of units and parts of them. The zero value is 0. Safe for concurrent use.
type Amount struct{ thousandths atomic.Uint64 }

// Add adds units, which are not negative.
func (a *Amount) Add(units float64) { a.thousandths.Add(uint64(units * 1000)) }

// Units is the sum.
func (a *Amount) Units() float64 { return float64(a.thousandths.Load()) / 1000 }
